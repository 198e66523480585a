#pragma once

#include <cstdint>
#include <proa/datagram_handler.hpp>
#include <proa/detail/write_queue.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>

namespace proa {

/// Blocks that the kernel sends from. They go back together, when it has returned all that it was
/// lent; above `most` nothing more is lent until then.
struct DatagramHandler::ZeroCopy {
  static constexpr std::size_t most = std::size_t{4} << 20;

  ZeroCopy(DatagramHandler& handler, std::size_t threshold) noexcept
      : timer(handler), from(threshold) {}

  On<Timer, &DatagramHandler::look_for_returned> timer;
  WriteQueue lent;
  const std::size_t from;         // bytes
  std::uint64_t outstanding = 0;  // messages
  TimePoint since;                // nothing was returned
};

}  // namespace proa
