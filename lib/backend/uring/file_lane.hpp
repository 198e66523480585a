#pragma once

// Operations on files at the kernel, and those that wait until it has done some of them. Thousands
// at the kernel would be done no sooner, because a disk or the kernel's threads do so many at a
// time; but each cancel searches all of them, and each completion stands in one line with those of
// sockets (R8).

#include "base/operation_list.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

struct FileLane {
  const unsigned most;
  unsigned at_kernel = 0;
  OperationList waiting{};

  explicit FileLane(unsigned most_at_kernel) noexcept : most(most_at_kernel) {}
  bool full() const noexcept { return at_kernel >= most; }
  bool goes_on() const noexcept { return !full() && !waiting.empty(); }
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
