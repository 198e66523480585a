#pragma once

#include <proa/backend.hpp>

namespace proa {

BackendInfo kqueue_backend() noexcept;

}  // namespace proa
