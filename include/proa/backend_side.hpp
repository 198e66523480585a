#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <proa/operation.hpp>
#include <type_traits>

namespace proa {
inline namespace v0 {

/// The part of Operation that backends use.
class BackendSide {
 public:
  /// Sets the result: `result` is -errno, or a count of bytes, which is added to what earlier parts
  /// moved. `more` is for a repeating operation that stays with the backend.
  static void finish(Operation& operation, long result, bool more = false) noexcept {
    if (result < 0) {
      operation.error_ = static_cast<std::int32_t>(result);
    } else {
      operation.error_ = 0;
      operation.bytes_ += static_cast<std::size_t>(result);
    }
    operation.more_ = more;
  }
  /// Notes that a part of the operation was moved. Returns how much has been moved by now.
  static std::size_t advance(Operation& operation, std::size_t bytes) noexcept {
    return operation.bytes_ += bytes;
  }
  static std::size_t moved(const Operation& operation) noexcept { return operation.bytes_; }
  /// What the result takes of a share or a round's budget beyond what follows from moved().
  static void set_extra_cost(Operation& operation, std::size_t callbacks) noexcept {
    operation.extra_cost_ = static_cast<std::uint8_t>(std::min<std::size_t>(callbacks, UINT8_MAX));
  }
  static std::size_t extra_cost(const Operation& operation) noexcept {
    return operation.extra_cost_;
  }
  static bool repeating(const Operation& operation) noexcept { return operation.repeating_; }
  /// True once a cancel, a deadline or a close has asked for the operation's end.
  static bool cancelled(const Operation& operation) noexcept {
    return operation.reason_ != Operation::Reason::none;
  }

  /// Notes that a child of fork(2), which is that process, has taken the operation over.
  static void adopt(Operation& operation, long process) noexcept {
    operation.process_ = static_cast<std::int32_t>(process);
  }

  /// For the backend that has the operation.
  static ListHook& hook(Operation& operation) noexcept { return operation.hook_; }
  static Operation& from_hook(ListHook& hook) noexcept {
    static_assert(std::is_standard_layout_v<Operation>, "the hook is the first member");
    return reinterpret_cast<Operation&>(hook);
  }
  static std::uint32_t& slot(Operation& operation) noexcept { return operation.slot_; }
  static std::uint8_t& phase(Operation& operation) noexcept { return operation.phase_; }
  static std::uint8_t phase(const Operation& operation) noexcept { return operation.phase_; }
};

}  // namespace v0
}  // namespace proa
