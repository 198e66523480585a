#pragma once

#include <cstdint>
#include <proa/detail/api.hpp>
#include <proa/operation.hpp>

namespace proa {
inline namespace v0 {

/// Waits until a descriptor is ready, for code that reads and writes by itself: a library with its
/// own sockets, an eventfd, a pipe, a character device. The proactor reads nothing, writes nothing,
/// and leaves the descriptor's mode alone. poll(2).
///
///     void readable(proa::Poll& poll, const proa::Result& result);
///     proa::On<proa::Poll, &Client::readable> poll_{*this, proa::Direction::in};  // below it
///     poll_.prepare(libraries_descriptor);
///     if (std::error_code error = proactor.submit(poll_)) ...
///
/// `Direction::in` waits until a read would not wait, because there are bytes, the end or an error;
/// `Direction::out` does the same for a write. One Poll is for one direction; two serve both.
///
/// A Poll completes once, at once if the descriptor is ready already. A repeating Poll completes
/// the first time in the same way, and after that has a result each time the kernel reports
/// something new in its direction: more bytes, new room, a hang-up. It does not report again what
/// was not read, so the callback reads (or writes) until EAGAIN. The kernel may report several
/// changes as one, and may report when nothing has changed. A repeating Poll stays pending, even
/// after a hang-up, until an error, cancel() or its deadline ends it. For descriptors that are
/// always ready (regular files) it has one result.
///
/// Polls, receives and sends of one descriptor and direction take turns (R5). A repeating Poll
/// keeps its direction for itself: what is submitted there meanwhile is refused
/// (Error::reading_is_on, or errc::device_or_resource_busy for output).
///
/// The descriptor must stay open from submit() to the last callback, in which the program may close
/// it. To close it earlier, call cancel() and wait for the callback. A result has no bytes.
/// submit() refuses a Poll of Direction::none (errc::invalid_argument).
class PROA_API Poll : public Operation {
 public:
  explicit Poll(Direction direction, bool repeating = false) noexcept
      : Operation(Opcode::poll, direction) {
    set_repeating(repeating);
  }

  /// For a descriptor of the program.
  void prepare(int descriptor) noexcept { prepare({descriptor, DescriptorKind::borrowed}); }
  /// For the descriptor of a Socket.
  void prepare(Descriptor descriptor) noexcept {
    check_idle("prepare");
    set_descriptor(descriptor);
    events_ = 0;
  }

  // For a callback without an error. Several may be true.

  /// A read or a write would not wait.
  bool ready() const noexcept { return (events_ & event_ready) != 0; }
  /// The other end has gone in both directions (POLLHUP); what it had sent may still be readable.
  bool hung_up() const noexcept { return (events_ & event_hung_up) != 0; }
  /// The descriptor has an error that the next read, write or SO_ERROR tells (POLLERR).
  bool failed() const noexcept { return (events_ & event_failed) != 0; }

  /// For backends: what to ask poll(2) for, and what it has answered.
  short wanted() const noexcept;
  void set_events(unsigned answered) noexcept;
  /// For backends: a descriptor that the backend made to serve this request, or -1.
  int& helper() noexcept { return helper_; }

 private:
  static constexpr std::uint8_t event_ready = 1;
  static constexpr std::uint8_t event_hung_up = 2;
  static constexpr std::uint8_t event_failed = 4;

  std::int32_t helper_ = -1;
  std::uint8_t events_ = 0;
};

}  // namespace v0
}  // namespace proa
