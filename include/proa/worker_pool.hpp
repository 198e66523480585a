#pragma once

#include <cstddef>
#include <memory>
#include <proa/detail/api.hpp>
#include <proa/operation.hpp>
#include <proa/proactor.hpp>
#include <proa/work.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

class Workers;

/// A bounded number of threads for blocking work, apart from those that the proactor keeps for
/// files: name resolution that hangs does not hold up a disk. Its threads handle no signal: they
/// block all of them, and a process that work starts inherits that. Everything is for the
/// proactor's thread.
class PROA_API WorkerPool {
 public:
  struct Options {
    std::string name = "proa-work";  ///< of the threads, cut to 15 bytes (pthread_setname_np(3))
    unsigned threads = 2;            ///< at most; started when there is work for them, in a run
    std::size_t queue = 1024;        ///< work that waits at most; run() refuses more
  };

  /// Starts no thread yet.
  explicit WorkerPool(Proactor& proactor) : WorkerPool(proactor, Options()) {}
  WorkerPool(Proactor& proactor, const Options& options);
  /// Ends the threads. Misuse while work is pending: Proactor::shutdown() waits for it. The
  /// proactor must still be there: it is misuse to destroy the proactor first. When that was shut
  /// down, any thread may do this.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Like Proactor::submit(), which must not be called with a Work. Refuses with
  /// errc::resource_unavailable_try_again when the queue is full or the system has no thread.
  /// Before the first run of the loop no thread is started; if the system has none then, the work
  /// ends with this error.
  [[nodiscard]] std::error_code run(Work& work, TimePoint deadline = never) noexcept;
  /// How much work no thread has begun.
  std::size_t queued() const noexcept;
  /// How many threads have been started.
  unsigned threads() const noexcept;

 private:
  Proactor& proactor_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace v0
}  // namespace proa
