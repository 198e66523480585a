#pragma once

#include <cstddef>
#include <memory>
#include <proa/operation.hpp>
#include <proa/proactor.hpp>
#include <string>
#include <system_error>

namespace proa {

class WorkerPool;
class Workers;

/// Blocking work of the program's own, done by a thread of a WorkerPool and completed on the loop:
///
///     struct Hash {
///       void compute() noexcept { ... }             // on a worker
///       void computed(const proa::Result& result);  // on the proactor's thread
///       proa::On<proa::Work, &Hash::computed> work_{*this};
///     };
///     hash.work_.prepare<&Hash::compute>(hash);
///     pool.run(hash.work_);
///
/// What the worker wrote is seen in the callback. The result has no bytes, and no error but
/// errc::operation_canceled (or Error::deadline) for work that had not begun.
class Work : public Operation {
 public:
  Work() noexcept : Operation(Opcode::work, Direction::none) {}

  void prepare(void (*function)(void*) noexcept, void* object) noexcept {
    check_idle("prepare");
    function_ = function;
    object_ = object;
  }
  template <auto Method, class Object>
  void prepare(Object& object) noexcept {
    prepare([](void* self) noexcept { (static_cast<Object*>(self)->*Method)(); }, &object);
  }

 private:
  friend class Core;
  friend class WorkerPool;
  friend class Workers;

  void (*function_)(void*) noexcept = nullptr;
  void* object_ = nullptr;
  Workers* workers_ = nullptr;
};

/// A bounded number of threads for blocking work, apart from those that the proactor keeps for
/// files: name resolution that hangs does not hold up a disk. No signal is handled by its threads:
/// all are blocked there, and a process that work starts inherits that. The proactor's thread, all
/// of it.
class WorkerPool {
 public:
  struct Options {
    std::string name = "proa-work";  ///< of the threads, cut to 15 bytes (pthread_setname_np(3))
    unsigned threads = 2;            ///< at most; begun when there is work for them
    std::size_t queue = 1024;        ///< work that waits at most; run() refuses more
  };

  explicit WorkerPool(Proactor& proactor) : WorkerPool(proactor, Options()) {}
  WorkerPool(Proactor& proactor, const Options& options);
  /// Ends the threads. Misuse while work is pending: Proactor::shutdown() waits for it.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Like Proactor::submit(), which must not be called with work. Refuses with
  /// errc::resource_unavailable_try_again when the queue is full or no thread can be had.
  [[nodiscard]] std::error_code run(Work& work, TimePoint deadline = never) noexcept;
  /// Work that no thread has begun.
  std::size_t queued() const noexcept;
  /// Threads that have been begun.
  unsigned threads() const noexcept;

 private:
  Proactor& proactor_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace proa
