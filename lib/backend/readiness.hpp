#pragma once

// The readiness adapter. epoll and kqueue only report that a descriptor is ready; the adapter
// performs the operation then. It has an entry per descriptor, which says what is ready, and where
// the operation of each direction is parked. An operation that is not parked is in one of the
// lists.

#include <array>
#include <cstdint>
#include <proa/counters.hpp>

#include "backend/perform.hpp"
#include "backend/real_system.hpp"
#include "backend/retry_line.hpp"
#include "base/descriptor_table.hpp"
#include "base/operation_list.hpp"
#include "base/rotation.hpp"

namespace proa {
inline namespace v0 {

/// What an event of the kernel says of a descriptor.
struct Readiness {
  bool in = false;
  // there is room, or a send would fail; not set when only the peer's end has come
  bool out = false;
  bool ended = false;        // the input has an end, an error or urgent data, not plain bytes alone
  std::uint32_t unread = 0;  // bytes that can be read; 0 if the kernel does not say how many
};

/// Registers descriptors with the kernel, edge-triggered, for both directions at once.
class Poller {
 public:
  /// Registers a descriptor. 0 or -errno; -EPERM says that a descriptor of this kind is always
  /// ready. An error may also come later, through ReadinessAdapter::refused(). Every event carries
  /// the token. With `again` the descriptor is registered already, and the kernel shall report anew
  /// what it is ready for.
  virtual long watch(int descriptor, std::uint64_t token, bool again) noexcept = 0;
  /// Unregisters a descriptor. `lives_on`: the caller does not close the descriptor.
  virtual void unwatch(int descriptor, bool lives_on) noexcept = 0;
  /// The next descriptor of this number will be another one.
  virtual void forget(int) noexcept {}
  /// Whether the kernel reports nothing for a socket that is not connected or does not listen. The
  /// adapter then tries the first input before it waits for an event.
  virtual bool silent_on_misuse() const noexcept { return false; }

 protected:
  ~Poller() = default;
};

class ReadinessAdapter final : public RealSystem {
 public:
  ReadinessAdapter(Poller& poller, BufferSource& buffers, BlockingCalls& blocking,
                   Counters& counters) noexcept
      : poller_(poller),
        buffers_(buffers),
        blocking_(blocking),
        counters_(counters),
        performer_(*this, buffers) {}

  void submit(Operation& operation) noexcept;
  /// Sends at once what the socket has room for; -EAGAIN if the send has to wait for room.
  long try_send(SendBuffers& send) noexcept;
  void cancel(Operation& operation) noexcept;
  /// The poller reports an event. Whether an operation has become runnable by that. With `at_once`
  /// a stream's receive is performed at once if no other operation is runnable, and is in `Step` if
  /// it has a result.
  Step event(std::uint64_t token, const Readiness& readiness, bool at_once) noexcept;
  /// The kernel has refused a descriptor that watch() had accepted.
  void refused(std::uint64_t token, long error) noexcept;
  /// Returns an operation that ended without perform_next() or serve_starved(), or nullptr.
  Operation* finished() noexcept { return finished_.pop_front(); }
  /// The same, of Connects that have their result.
  Operation* connected() noexcept { return connected_.pop_front(); }
  bool has_finished() const noexcept { return !finished_.empty() || !connected_.empty(); }
  bool has_runnable() const noexcept { return !runnable_.empty(); }
  /// Tries the runnable operation that has waited longest. Gives the operation if it has a result
  /// now; rests behind a Send that has had its share, and found room for all of that (R8).
  Step perform_next() noexcept;
  /// Whether the pool has a block for the receive that has waited for one longest.
  bool may_serve() const noexcept { return !starved_.empty() && buffers_.available(); }
  /// Tries that receive. Returns it if it has a result now.
  Operation* serve_starved() noexcept;
  /// The backend is about to sleep: operations for whose room no event comes are tried again.
  void before_wait(TimePoint now) noexcept;
  /// When before_wait() has operations to try again.
  TimePoint next_retry() const noexcept { return retrying_.next(); }

  /// The poller has lost all registrations: registers the descriptors again. 0 or -errno.
  long watch_again() noexcept;

  long close(Descriptor descriptor) noexcept override;
  void forget(Descriptor descriptor) noexcept override { drop(descriptor, true); }

 private:
  struct Entry {
    std::array<Operation*, 2> parked{};
    std::uint32_t generation = 0;
    std::uint32_t unread = 0;
    std::array<bool, 2> ready{};
    std::array<bool, 2> exists{};  // the kernel has shown that there is such a direction
    std::uint8_t blocks = 0;       // so many beyond one the next receive of a stream may fill
    // Bits, because there is an Entry per descriptor. Entry{} makes them false.
    bool watched : 1;
    bool ended : 1;
    bool unpollable : 1;
    bool was_small : 1;  // the last receive needed half of its blocks
  };

  void finish(Operation& operation, long result) noexcept;
  static bool is_untried(const Entry& entry, const Operation& operation) noexcept;
  void drop(Descriptor descriptor, bool lives_on) noexcept;
  Entry* watched(std::uint64_t token) noexcept;
  void park(Entry& entry, Operation& operation, bool again = false) noexcept;
  void submit_send_file(Entry& entry, Operation& operation) noexcept;
  void pass(Operation& operation) noexcept;
  void unready(Entry& entry, Operation& operation) noexcept;
  void retry_later(Operation& operation) noexcept;
  void starve(Operation& operation) noexcept;
  bool perform(Entry& entry, Operation& operation) noexcept;
  static void grow_receive(Entry& entry, const RecvBuffers& operation) noexcept;
  bool perform_receive(Entry& entry, RecvBuffers& operation) noexcept;
  bool settle(Entry& entry, Operation& operation, const Attempt& attempt) noexcept;
  bool settle_send(Entry& entry, Send& operation) noexcept;
  bool settle_poll(Entry& entry, Poll& operation) noexcept;
  bool settle_connect(Entry& entry, Connect& operation) noexcept;

  Poller& poller_;
  BufferSource& buffers_;
  BlockingCalls& blocking_;
  Counters& counters_;
  Performer performer_;
  DescriptorTable<Entry> entries_;
  OperationList runnable_;
  OperationList finished_;
  OperationList connected_;
  OperationList starved_;  // receives that wait for a block: first come, first served
  RetryLine retrying_;
  bool had_share_ = false;  // the Send that was performed last has more, and found room for a share
};

}  // namespace v0
}  // namespace proa
