#pragma once

#include <proa/backend.hpp>

namespace proa {
inline namespace v0 {

BackendInfo kqueue_backend() noexcept;

}  // namespace v0
}  // namespace proa
