#pragma once

#include <proa/backend.hpp>

namespace proa {
inline namespace v0 {

/// The backend for Linux that uses epoll(7) and the readiness adapter.
BackendInfo epoll_backend() noexcept;

}  // namespace v0
}  // namespace proa
