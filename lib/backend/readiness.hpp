#pragma once

// The readiness adapter: turns "ready", which is all that epoll and kqueue say, into "done". One
// entry per descriptor: what is ready, and the operation at work per direction. An operation is
// parked in its entry, or in one of the lists.

#include <array>
#include <cstdint>
#include <proa/counters.hpp>

#include "backend/perform.hpp"
#include "backend/real_system.hpp"
#include "base/descriptor_table.hpp"
#include "base/operation_list.hpp"

namespace proa {

/// What a kernel said of a descriptor.
struct Readiness {
  bool in = false;
  bool out = false;    // room, or what a send would fail with; not that the peer sends no more
  bool ended = false;  // of input: an end, an error or urgent data, not plain bytes alone
  std::uint32_t unread = 0;  // bytes that are there; 0 if the kernel does not tell
};

/// Registers descriptors with the kernel, edge-triggered, both directions at once.
class Poller {
 public:
  /// 0 or -errno; -EPERM: such a thing is always ready. An error may also come later, by refused().
  /// The token comes back with every event. `again`: it is registered, and is to be told anew what
  /// it is ready for.
  virtual long watch(int descriptor, std::uint64_t token, bool again) noexcept = 0;
  /// `lives_on`: it is not about to be closed.
  virtual void unwatch(int descriptor, bool lives_on) noexcept = 0;
  /// The number will be another descriptor's.
  virtual void forget(int) noexcept {}
  /// Whether it says nothing of a socket that is not connected, or does not listen: input is tried
  /// then before it is waited for.
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
  void cancel(Operation& operation) noexcept;
  /// An event of the poller.
  void event(std::uint64_t token, const Readiness& readiness) noexcept;
  /// What watch() took on failed after all.
  void refused(std::uint64_t token, long error) noexcept;
  /// A finished operation, or nullptr.
  Operation* finished() noexcept { return finished_.pop_front(); }
  bool has_finished() const noexcept { return !finished_.empty(); }
  bool has_runnable() const noexcept { return !runnable_.empty(); }
  /// Tries the runnable operation that waited longest; returns it if that finished it.
  Operation* perform_next() noexcept;
  /// Whether there is a block for the receive that has waited for one longest.
  bool may_serve() const noexcept { return !starved_.empty() && buffers_.available(); }
  /// Gives it that; returns it if that finished it.
  Operation* serve_starved() noexcept;
  /// Before sleeping: operations that waited for a full UNIX backlog may go on.
  void before_wait(TimePoint now) noexcept;
  /// When before_wait() has something to do by itself.
  TimePoint next_retry() const noexcept { return retrying_.empty() ? never : retry_at_; }

  /// The poller has forgotten all that it watched: it is told again. 0 or -errno.
  long watch_again() noexcept;

  long close(Descriptor descriptor) noexcept override;
  void forget(Descriptor descriptor) noexcept override { drop(descriptor, true); }

 private:
  struct Entry {
    std::array<Operation*, 2> parked{};
    std::uint32_t generation = 0;
    std::uint32_t unread = 0;
    std::array<bool, 2> ready{};
    // Bits, which begin as false as all of an Entry does: there is one per descriptor.
    bool watched : 1;
    bool ended : 1;
    bool unpollable : 1;
  };

  void finish(Operation& operation, long result) noexcept;
  void drop(Descriptor descriptor, bool lives_on) noexcept;
  Entry* watched(std::uint64_t token) noexcept;
  void park(Entry& entry, Operation& operation, bool again = false) noexcept;
  void submit_send_file(Entry& entry, Operation& operation) noexcept;
  void pass(Operation& operation) noexcept;
  void unready(Entry& entry, Operation& operation) noexcept;
  void retry_later(Operation& operation) noexcept;
  void starve(Operation& operation) noexcept;
  bool perform(Entry& entry, Operation& operation) noexcept;
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
  OperationList starved_;   // receives that wait for a block: first come, first served
  OperationList retrying_;  // what no event tells of: a full UNIX backlog or receiver
  TimePoint retry_at_ = never;
};

}  // namespace proa
