// The io_uring backend as the core selects it. The probe makes a ring, because only trying shows
// what seccomp filters, sysctls and limits allow. Upholds R12: "auto" takes io_uring only where it
// is better than epoll.
#include "backend/uring/uring.hpp"

#include <algorithm>

#include "backend/uring/uring_backend.hpp"

namespace proa {
inline namespace v0 {

namespace {

// A small ring has the same features as a large one.
std::string probe(const Options& options, bool by_name) {
  Options small = options;
  small.uring_entries = 8;
  small.buffers = 8;
  struct NoBuffers final : BufferSource {
    Buffer take() noexcept override { return {}; }
    bool available() noexcept override { return false; }
    void fill(Buffer&, std::size_t) noexcept override {}
  } no_buffers;
  struct NoWorkers final : BlockingCalls {
    void take(Operation&) noexcept override {}
  } no_workers;
  Counters counters;
  uring::UringBackend backend({small, no_buffers, no_workers, counters});
  std::string why_not = backend.open();
  if (!why_not.empty() || by_name) return why_not;
  const std::vector<std::string> features = backend.features();
  for (const char* const wanted : {"multishot receive", "buffer ring"}) {
    if (std::find(features.begin(), features.end(), wanted) == features.end()) {
      const std::string refused = backend.refused();
      return std::string("io_uring lacks ") + wanted + " (kernel 6.0" +
             (refused.empty() ? "" : "; a filter refuses " + refused) +
             "), without which it is slower than epoll";
    }
  }
  return {};
}

std::unique_ptr<Backend> create(const BackendContext& context, std::string& why_not) {
  auto backend = std::make_unique<uring::UringBackend>(context);
  why_not = backend->open();
  if (!why_not.empty()) return nullptr;
  return backend;
}

}  // namespace

BackendInfo uring_backend() { return {"uring", probe, create}; }

}  // namespace v0
}  // namespace proa
