// What it costs to be told of a descriptor that is ready, beside how many others.
#include "clock.hpp"
#include "measurements.hpp"

namespace measure {

Trouble measure_events(Waiter& waiter, const ReadyBells& ready, std::size_t count, double seconds,
                       Figures& figures) {
  for (std::size_t i = 0; i < count; ++i) {
    if (Trouble trouble = waiter.add(ready.descriptor(i)); !trouble.empty()) return trouble;
  }
  std::uint64_t warm_up = 0;
  if (Trouble trouble = waiter.wait(warm_up); !trouble.empty()) return trouble;
  const std::uint64_t calls = waiter.calls();
  const std::int64_t start = now();
  const std::int64_t end = in(seconds);
  std::uint64_t events = 0;
  std::int64_t ended = start;
  do {
    if (Trouble trouble = waiter.wait(events); !trouble.empty()) return trouble;
    ended = now();
  } while (ended < end);
  figures.push_back(static_cast<double>(ended - start) / static_cast<double>(events));
  figures.push_back(static_cast<double>(waiter.calls() - calls) / static_cast<double>(events));
  return {};
}

}  // namespace measure
