#pragma once

#include <proa/backend.hpp>

namespace proa {
inline namespace v0 {

/// The io_uring backend, "uring", for Linux 5.11 and later. "auto" takes it only where the kernel
/// has multishot receives into provided buffers (6.0). The probe makes a real ring.
BackendInfo uring_backend();

}  // namespace v0
}  // namespace proa
