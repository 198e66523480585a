// A program that runs to its end and prints its result as JSON.
#pragma once

#include <string>

namespace bench {

/// Runs `command` by the shell and returns what it wrote to stdout; stderr goes to ours. Throws
/// std::runtime_error when its exit status is not 0.
std::string output_of(const std::string& command);

/// A path as one word for the shell. Throws std::runtime_error when there is a quote in it.
std::string quoted(const std::string& path);

/// Whether there is such a program in PATH.
bool is_installed(const std::string& program);

/// The number called `key` that comes first in the object called `object`. Throws
/// std::runtime_error if there is none.
double number_in(const std::string& json, const std::string& object, const std::string& key);

}  // namespace bench
