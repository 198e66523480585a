#pragma once

#include <proa/backend.hpp>

namespace proa {

/// The backend for Linux that uses epoll(7) and the readiness adapter.
BackendInfo epoll_backend() noexcept;

}  // namespace proa
