#pragma once

// Misuse ends the process: it is tried in a child, and the message comes back.

#include <functional>
#include <string>

namespace proa_test {

// What the misuse hook was told while `misuse` ran in a forked child; "survived" if it returned,
// "died: ..." if it ended otherwise. It must make its own Proactor. Nothing in it may use Catch.
std::string message_of(const std::function<void()>& misuse);

}  // namespace proa_test
