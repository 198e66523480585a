#pragma once

#include <proa/backend_side.hpp>

#include "base/list.hpp"

namespace proa {

struct OperationHook {
  static ListHook& hook(Operation& operation) noexcept { return BackendSide::hook(operation); }
  static Operation& from_hook(ListHook& hook) noexcept { return BackendSide::from_hook(hook); }
};
using OperationList = List<Operation, OperationHook>;

}  // namespace proa
