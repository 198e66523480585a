#pragma once

#include <proa/operation.hpp>
#include <type_traits>

namespace proa {
inline namespace v0 {

class WorkerPool;
class Workers;

/// Blocking work of the program. A thread of a WorkerPool performs it, and it completes on the
/// loop:
///
///     struct Hash {
///       void compute() noexcept { ... }             // on a worker
///       void computed(const proa::Result& result);  // on the proactor's thread
///       proa::On<proa::Work, &Hash::computed> work_{*this};
///     };
///     hash.work_.prepare<&Hash::compute>(hash);
///     if (std::error_code error = pool.run(hash.work_)) ...
///
/// The callback sees what the worker wrote. The result has no bytes, and no error except
/// errc::operation_canceled (or Error::deadline) for work that had not begun, and the one that
/// WorkerPool::run() names.
class Work : public Operation {
 public:
  Work() noexcept : Operation(Opcode::work, Direction::none) {}

  /// What the worker calls, with this object; or the method of an object, which must live until the
  /// work has ended.
  void prepare(void (*function)(void*) noexcept, void* object) noexcept {
    check_idle("prepare");
    function_ = function;
    object_ = object;
  }
  template <auto Method, class Object>
  void prepare(Object& object) noexcept {
    prepare([](void* self) noexcept { (static_cast<Object*>(self)->*Method)(); },
            const_cast<std::remove_const_t<Object>*>(&object));
  }

 private:
  friend class Core;
  friend class WorkerPool;
  friend class Workers;

  void (*function_)(void*) noexcept = nullptr;
  void* object_ = nullptr;
  Workers* workers_ = nullptr;
};

}  // namespace v0
}  // namespace proa
