#pragma once

#include <proa/backend.hpp>

namespace proa {

/// The io_uring backend, "uring". Linux 5.11 and later; "auto" takes it only where receiving is
/// multishot into provided buffers (6.0). Its probe makes a ring for real.
BackendInfo uring_backend();

}  // namespace proa
