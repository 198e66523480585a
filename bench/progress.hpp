// One line on a terminal that says how long the whole command will still take, and what runs now.
// Nothing of it is written when stderr is no terminal.
#pragma once

#include <string>

namespace bench {

/// A command of several steps begins the next one: `name`, such as "3 of 12", stands in the line.
/// `seconds` is how long it takes by plan, `seconds_after` how long all that follow it.
void begin_step(const std::string& name, double seconds, double seconds_after);

/// How much there is to do in this step, in whatever is counted, and about how many seconds that
/// takes, if it is known.
void expect_work(double amount, double seconds = 0);

/// So much of that is done.
void finish_work(double amount);

/// Rewrites the line, at most ten times a second. `done` is how much is done of what was not
/// finished yet.
void show_progress(const std::string& what, double done = 0);

/// Removes the line, so that something else can be printed.
void clear_progress();

}  // namespace bench
