// What is measured, each once: a run. The figures of a run are added to `figures` in the order of
// the columns.
#pragma once

#include <vector>

#include "reader.hpp"
#include "ready_bells.hpp"
#include "waiter.hpp"

namespace measure {

using Figures = std::vector<double>;

/// Microseconds from a ring by another thread, on the same CPU or on another one, until the waiting
/// one knows: p50, p99. System calls of the waiting thread for each.
Trouble measure_wake_up(Waiter& waiter, bool other_cpu, double seconds, Figures& figures);

/// Reads of a block at random offsets, depth at a time: how many in a second. System calls for
/// each.
Trouble measure_reads(Reader& reader, double seconds, Figures& figures);

/// Nanoseconds for each of `count` descriptors that are ready at the same time, and stay so. System
/// calls for each.
Trouble measure_events(Waiter& waiter, const ReadyBells& ready, std::size_t count, double seconds,
                       Figures& figures);

}  // namespace measure
