#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/backend_info.hpp>
#include <proa/backend_side.hpp>
#include <proa/counters.hpp>
#include <proa/detail/api.hpp>
#include <proa/operation.hpp>
#include <proa/requests.hpp>
#include <proa/system.hpp>
#include <proa/time.hpp>
#include <string>
#include <vector>

namespace proa {
inline namespace v0 {

/// The pool that lends blocks to receive into, as a backend sees it. For the proactor's thread.
class PROA_API BufferSource {
 public:
  /// Returns a block to receive into, from data() to data() + capacity(). Returns an empty buffer
  /// and counts the miss when all blocks are lent: the receive has to wait until available() is
  /// true.
  virtual Buffer take() noexcept = 0;
  /// Whether take() would succeed.
  virtual bool available() noexcept = 0;
  /// Whether so many blocks may be taken beyond the one that a receive needs: then they are missed
  /// by nobody else.
  virtual bool has_plenty(std::size_t /*blocks*/) noexcept { return false; }
  /// Makes a filled buffer of a block that take() gave.
  virtual void fill(Buffer& buffer, std::size_t size) noexcept = 0;

  /// The memory of one block.
  struct Place {
    char* memory = nullptr;
    std::size_t size = 0;
  };
  /// The block that holds this byte; `size` is 0 if none does. A block has one place for as long as
  /// the backend lives.
  virtual Place find(const void* /*byte*/) const noexcept { return {}; }

 protected:
  ~BufferSource() = default;
};

/// Takes over the operations that the system can only perform by blocking, for the threads that the
/// proactor keeps for files (Options::workers). For the proactor's thread.
class PROA_API BlockingCalls {
 public:
  /// Takes an operation over from the backend: a worker performs what is left of it
  /// (BackendSide::moved()), and the proactor delivers it. The operation does not come out of
  /// next().
  virtual void take(Operation& operation) noexcept = 0;

 protected:
  ~BlockingCalls() = default;
};

/// The process that made a backend, as the backend sees it.
class PROA_API Process {
 public:
  /// Whether the caller runs in a child of fork(2) of that process, and renew() was not called
  /// there. The backend must not touch then what parent and child share, not even in forget() and
  /// wake(); it may close(2) its own copies of descriptors. For any thread, also in a signal
  /// handler.
  virtual bool inherited() const noexcept = 0;
  /// A process that never forks.
  static const Process& alone() noexcept;

 protected:
  ~Process() = default;
};

inline const Process& Process::alone() noexcept {
  struct Alone final : Process {
    bool inherited() const noexcept override { return false; }
  };
  static const Alone one;
  return one;
}

class Backend;

/// A backend tells it how often a signal was sent. For the proactor's thread.
class PROA_API SignalCounter {
 public:
  virtual void sent(Backend& from, std::uint64_t count) noexcept = 0;

 protected:
  ~SignalCounter() = default;
};

/// The boundary to the operating system. One thread calls a backend: the first wait() binds it.
/// Before that, another thread may call submit() and cancel(). Any thread may call wake().
///
/// Per descriptor and direction of a socket the backend has one operation at a time; the proactor
/// keeps the others. Operations belong to their owners, and stay at one address until next() has
/// returned them for the last time (R3, R6).
class PROA_API Backend {
 public:
  virtual ~Backend() = default;

  /// Takes an operation on. Never calls back (R1), and need not make a system call yet. Every
  /// failure comes out of next().
  virtual void submit(Operation& operation) noexcept = 0;
  /// Whether a send to a socket costs a system call of its own in any case. The proactor then calls
  /// try_send() before it submits one.
  virtual bool tries_sends() const noexcept { return false; }
  /// Tries once to send, without waiting. The send does not become an operation of the backend by
  /// that, so next() does not return it. Returns how many bytes the system took, or -errno; after
  /// -EAGAIN the proactor submits the send. No other operation of that direction is at the backend
  /// meanwhile.
  virtual long try_send(SendBuffers& /*send*/) noexcept { return -EAGAIN; }
  /// Hurries an operation that was submitted and not yet returned. The operation still comes out of
  /// next() exactly once more (R2), with what it achieved or with -ECANCELED. The proactor calls
  /// this once per operation at most.
  virtual void cancel(Operation& operation) noexcept = 0;
  /// Flushes the submitted operations, then sleeps until an operation has finished, wake() was
  /// called or `until` has come. Does not sleep if next() has an operation already. Only this call
  /// blocks.
  virtual void wait(TimePoint until) noexcept = 0;
  /// Returns a finished operation, whose result it has set through BackendSide, or nullptr. The
  /// backend does not touch the operation again, unless it is a repeating one that was finished
  /// with `more`.
  virtual Operation* next() noexcept = 0;
  /// Ends the current wait(), or the next one. For any thread, also in a signal handler.
  virtual void wake() noexcept = 0;

  /// Cancels the operations on files (those without a direction) that wait in the backend and that
  /// the system does not have yet, of one descriptor or of all (-1): for close() and shutdown(). A
  /// backend that gives such operations to the system at once needs no withdraw().
  virtual void withdraw(int /*descriptor*/) noexcept {}

  /// From now on next() tells the counter how often this signal is sent to the process. With
  /// nullptr the backend stops counting, and drops what it has not told yet. 0, or -errno where the
  /// system does not count signals; the library's own signal handler counts them then. The counter
  /// outlives the backend.
  virtual long count_signal(int /*signal*/, SignalCounter* /*counter*/) noexcept {
    return -EOPNOTSUPP;
  }

  /// The proactor is in a child of fork(2) of the process that made the backend, and takes the
  /// backend over; wait() was never called. The backend makes anew what a child shares with its
  /// parent or does not inherit, and keeps its operations. 0, or -errno: the proactor says that it
  /// cannot go on here.
  virtual long renew() noexcept { return -EOPNOTSUPP; }

  /// When wait() has something to do without an event of the system; `never` if it only waits for
  /// events. For a foreign event loop.
  virtual TimePoint next_deadline() const noexcept { return never; }
  /// A descriptor that polls readable when wait() would not sleep; -1 if there is none. For a
  /// foreign event loop.
  virtual int native_handle() const noexcept { return -1; }
  virtual System& system() noexcept = 0;
  /// Names of the features in use, for people.
  virtual std::vector<std::string> features() const { return {}; }
};

/// What a backend is made from. The referenced objects outlive the backend.
struct BackendContext {
  const Options& options;
  BufferSource& buffers;
  BlockingCalls& blocking;
  Counters& counters;
  const Process& process = Process::alone();
  /// The pool of the blocks for direct I/O (Proactor::take_direct_buffer()); nullptr if there is
  /// none.
  const BufferSource* direct_buffers = nullptr;
};

}  // namespace v0
}  // namespace proa
