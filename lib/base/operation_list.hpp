#pragma once

#include <proa/backend_side.hpp>

#include "base/list.hpp"

namespace proa {
inline namespace v0 {

struct OperationHook {
  static ListHook& hook(Operation& operation) noexcept { return BackendSide::hook(operation); }
  static Operation& from_hook(ListHook& hook) noexcept { return BackendSide::from_hook(hook); }
};
using OperationList = List<Operation, OperationHook>;
using OperationRing = Ring<Operation, OperationHook>;

/// A child of fork(2) has taken the operations of the list over from its parent.
template <class Operations>
void adopt(Operations& operations, long process) noexcept {
  for (Operation* one = operations.front(); one; one = operations.after(*one)) {
    BackendSide::adopt(*one, process);
  }
}

}  // namespace v0
}  // namespace proa
