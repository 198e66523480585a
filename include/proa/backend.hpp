#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/backend_info.hpp>
#include <proa/backend_side.hpp>
#include <proa/counters.hpp>
#include <proa/operation.hpp>
#include <proa/requests.hpp>
#include <proa/system.hpp>
#include <proa/time.hpp>
#include <string>
#include <vector>

namespace proa {

/// The pool that receive buffers come from, as a backend sees it. The proactor's thread.
class BufferSource {
 public:
  /// A block to receive into (its room: data() .. data() + capacity()), or an empty buffer when all
  /// are lent: the receive has to wait until available() again, and the miss is counted.
  virtual Buffer take() noexcept = 0;
  /// Whether take() would succeed.
  virtual bool available() noexcept = 0;
  /// Makes a filled buffer of a block that take() gave.
  virtual void fill(Buffer& buffer, std::size_t size) noexcept = 0;

 protected:
  ~BufferSource() = default;
};

/// Where a backend passes on what the system can only do by blocking: to the threads that the
/// proactor keeps for files (Options::workers). The proactor's thread.
class BlockingCalls {
 public:
  /// Takes an operation off the backend's hands: a worker performs it, or goes on with what is left
  /// of it (BackendSide::moved()), and the proactor delivers it. It does not come out of next().
  virtual void take(Operation& operation) noexcept = 0;

 protected:
  ~BlockingCalls() = default;
};

/// The process that a backend was made in, as the backend sees it.
class Process {
 public:
  /// Whether this is a child of fork(2) of that process, which has not called renew(). Then nothing
  /// that parent and child share may be touched, not even by forget() and wake(); close(2) of one's
  /// own copies is harmless. Any thread, also in a signal handler.
  virtual bool inherited() const noexcept = 0;
  /// One that never forks.
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

/// Hears from a backend how often a signal was sent. The proactor's thread.
class SignalCounter {
 public:
  virtual void sent(Backend& from, std::uint64_t count) noexcept = 0;

 protected:
  ~SignalCounter() = default;
};

/// The boundary to the operating system. One thread calls it, the one that is bound by the first
/// wait(); before that, submit() and cancel() may come from another one. Only wake() is for every
/// thread.
///
/// Per descriptor and direction of a socket there is one operation at the backend at a time; the
/// proactor keeps the rest. The objects belong to their owners and stay where they are until next()
/// has returned them for the last time (R3, R6).
class Backend {
 public:
  virtual ~Backend() = default;

  /// Takes an operation on. Never calls back (R1), need not make a system call yet. Whatever goes
  /// wrong comes out of next().
  virtual void submit(Operation& operation) noexcept = 0;
  /// Hurries an operation that was submitted and not yet returned; it still comes out of next()
  /// exactly once more (R2), with what it achieved or -ECANCELED. Called once per operation at
  /// most.
  virtual void cancel(Operation& operation) noexcept = 0;
  /// Flushes what was submitted, then sleeps until an operation has finished, wake() was called or
  /// `until` has come; never if next() has something already. The only call that blocks.
  virtual void wait(TimePoint until) noexcept = 0;
  /// One finished operation, its result set through BackendSide, or nullptr. It is not touched
  /// again unless it is a repeating one that was finished with `more`.
  virtual Operation* next() noexcept = 0;
  /// Ends the current wait(), or the next one. Any thread, also from a signal handler.
  virtual void wake() noexcept = 0;

  /// Cancels the operations on files (those without a direction) that wait in here and that the
  /// system has not been given, of one descriptor or of all (-1): for close() and shutdown(). Those
  /// that a backend gives to the system at once need none.
  virtual void withdraw(int /*descriptor*/) noexcept {}

  /// Tells the counter, during next(), how often this signal is sent to the process from now on.
  /// With nullptr it stops, and what was not told yet is dropped. 0, or -errno where the system
  /// does not count signals: the library's own handler does. The counter outlives the backend.
  virtual long count_signal(int /*signal*/, SignalCounter* /*counter*/) noexcept {
    return -EOPNOTSUPP;
  }

  /// This process is a child of fork(2) of the one that made the backend, and takes it over; wait()
  /// was never called. Makes anew what a child shares with its parent, or does not inherit; the
  /// operations stay. 0, or -errno: the proactor says that it cannot go on here.
  virtual long renew() noexcept { return -EOPNOTSUPP; }

  /// When wait() would do something without being told to by the system; `never` if all it waits
  /// for is an event. For a foreign event loop.
  virtual TimePoint next_deadline() const noexcept { return never; }
  /// A descriptor that polls readable when wait() would not sleep, for a foreign event loop; -1 if
  /// there is none.
  virtual int native_handle() const noexcept { return -1; }
  virtual System& system() noexcept = 0;
  /// Names of the features in use, for people.
  virtual std::vector<std::string> features() const { return {}; }
};

/// What a backend is made from. The references outlive the backend.
struct BackendContext {
  const Options& options;
  BufferSource& buffers;
  BlockingCalls& blocking;
  Counters& counters;
  const Process& process = Process::alone();
};

}  // namespace proa
