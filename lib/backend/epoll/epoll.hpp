#pragma once

#include <proa/backend.hpp>

namespace proa {

/// Sockets, pipes and ttys by epoll(7) and the readiness adapter. Linux.
BackendInfo epoll_backend() noexcept;

}  // namespace proa
