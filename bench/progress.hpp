// One line on a terminal that says what runs now. Nothing of it is written when stderr is none.
#pragma once

#include <string>

namespace bench {

/// What stands before everything that is shown from now on, such as "3 of 12".
void set_progress_prefix(const std::string& prefix);

/// Rewrites the line, at most ten times a second. `seconds_left`: negative when nobody knows.
void show_progress(const std::string& what, double seconds_left);

/// Removes the line, so that something else can be printed.
void clear_progress();

}  // namespace bench
