// What the numbers were measured on: none of them says anything without it.
#pragma once

#include <string>

namespace bench {

class JsonWriter;

/// Kernel and processor, for people.
std::string machine();

/// The same and more, as an object.
void write_machine(JsonWriter& json);

}  // namespace bench
