#pragma once

#include <cstdint>
#include <proa/datagram_handler.hpp>
#include <proa/detail/write_queue.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>

namespace proa {
inline namespace v0 {

/// What few datagram handlers need: sends without a copy, whose blocks go back to the pool together
/// when the kernel has returned all of them; the bounds of finish() and drain(); and the peer of a
/// handler that was bound before it was connected.
struct DatagramHandler::DatagramExtras {
  /// Above so many bytes the handler lends no more until the kernel has returned them.
  static constexpr std::size_t most = std::size_t{4} << 20;

  DatagramExtras(DatagramHandler& handler, std::size_t threshold) noexcept
      : timer(handler), from(threshold), linger(handler) {}

  On<Timer, &DatagramHandler::look_for_returned_> timer;
  WriteQueue lent;                // blocks that the kernel sends from
  const std::size_t from;         // datagrams of so many bytes or more are lent; 0: none
  std::uint64_t outstanding = 0;  // messages that the kernel has not returned
  TimePoint since;                // when blocks were last lent or returned

  Address peer;  // what others have sent is dropped; unset: of connect() without bind(), or none

  On<Timer, &DatagramHandler::look_at_linger_> linger;
  TimePoint sent_last;  // when finish() was called, or the system last took a datagram behind it
  // The linger time has passed, and the handler has ended the send that it waits for: the result of
  // that send says whether the system has room for a datagram by now.
  bool lingered = false;

  std::uint32_t last_input = 0;  // bytes that may have come by drain() and were not told yet
  std::uint32_t last_left = 0;   // last_input when the last receive of a drain began
};

}  // namespace v0
}  // namespace proa
