#pragma once

#include <cstdint>
#include <proa/datagram_handler.hpp>
#include <proa/detail/write_queue.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>

namespace proa {

/// Blocks that the kernel sends from. They go back to the pool together when the kernel has
/// returned all of them; above `most` bytes the handler lends no more until then.
struct DatagramHandler::ZeroCopy {
  static constexpr std::size_t most = std::size_t{4} << 20;

  ZeroCopy(DatagramHandler& handler, std::size_t threshold) noexcept
      : timer(handler), from(threshold) {}

  On<Timer, &DatagramHandler::look_for_returned> timer;
  WriteQueue lent;
  const std::size_t from;         // datagrams of so many bytes or more are lent
  std::uint64_t outstanding = 0;  // messages that the kernel has not returned
  TimePoint since;                // when blocks were last lent or returned
};

}  // namespace proa
