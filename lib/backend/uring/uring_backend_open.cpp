// How the io_uring backend begins and ends: the ring and all that belongs to it, and what of it a
// report names.
#include <sys/eventfd.h>

#include <cerrno>

#include "backend/uring/uring_backend.hpp"
#include "base/memory.hpp"
#include "buffer/pool.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

UringBackend::UringBackend(const BackendContext& context) noexcept
    : options_(context.options),
      block_capacity_(Pool::capacity_for(context.options.buffer_size)),
      source_(context.buffers),
      direct_buffers_(context.direct_buffers),
      blocking_(context.blocking),
      counters_(context.counters),
      process_(context.process),
      performer_(system_, context.buffers),
      buffers_(context.buffers) {}

UringBackend::~UringBackend() { close(); }

void UringBackend::close() noexcept {
  if (!process_.inherited()) registered_.close(ring_);
  ring_.close();
  if (wake_fd_ >= 0) sys::close(wake_fd_);
  if (notify_fd_ >= 0) sys::close(notify_fd_);
  wake_fd_ = notify_fd_ = -1;
}

// renew() comes before the first wait(), which enables the ring. So the old ring has been given
// nothing, and all operations are still in the lists of this backend.
long UringBackend::renew() noexcept {
  close();
  buffers_.close();
  arena_.close();
  loop_.store(Loop::busy, std::memory_order_relaxed);
  adopt(pending_, sys::process());
  adopt(refused_, sys::process());
  adopt(done_, sys::process());
  adopt(costly_, sys::process());
  adopt(retrying_.waiting(), sys::process());
  bool opened = false;
  return with_memory([&] { opened = open().empty(); }) && opened ? 0 : -ENOMEM;
}

std::string UringBackend::open() {
  Release allowed = any_release;
  parse_release(options_.uring_release, allowed);
  std::string why_not =
      ring_.open(options_.uring_entries, allowed, options_.native_files, options_.embedded);
  if (!why_not.empty()) return why_not;

  if (ring_.features().buffer_ring) {
    const long opened = buffers_.open(ring_, options_.buffers);
    if (opened < 0) return "io_uring_register: " + error_name(opened) + " for REGISTER_PBUF_RING";
  }
  registered_.open(ring_,
                   options_.buffer_size <= RegisteredBlocks::largest ? direct_buffers_ : nullptr);
  if (const long mapped = arena_.open(); mapped < 0) return "mmap: " + error_name(mapped);
  const long wake = sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return "eventfd: " + error_name(wake);
  wake_fd_ = static_cast<int>(wake);
  if (options_.embedded) {
    const long notify = sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
    if (notify < 0) return "eventfd: " + error_name(notify);
    notify_fd_ = static_cast<int>(notify);
    loop_.store(Loop::asleep, std::memory_order_relaxed);
    const long registered = ring_.register_with(IORING_REGISTER_EVENTFD, &notify_fd_, 1);
    if (registered < 0)
      return "io_uring_register: " + error_name(registered) + " for REGISTER_EVENTFD";
  }
  const long restricted = ring_.restrict();
  if (restricted < 0) {
    return "io_uring_register: " + error_name(restricted) + " for REGISTER_RESTRICTIONS";
  }
  return {};
}

std::vector<std::string> UringBackend::features() const {
  const Features& in_use = ring_.features();
  const struct {
    bool used;
    const char* name;
  } all[] = {
      {in_use.has(IORING_SETUP_DEFER_TASKRUN), "deferred task work"},
      {in_use.has(IORING_SETUP_COOP_TASKRUN), "cooperative task work"},
      {in_use.multishot_poll, "multishot poll"},
      {in_use.multishot_recv, "multishot receive"},
      {in_use.multishot_limit, "multishot limit"},
      {in_use.buffer_ring, "buffer ring"},
      {in_use.has_files(), "files"},
      {in_use.registered_buffers, "registered buffers"},
      {in_use.resizes, "growing rings"},
      {in_use.no_iowait, "sleep without I/O wait"},
      {true, "restricted ring"},
  };
  std::vector<std::string> names;
  for (const auto& [used, name] : all) {
    if (used) names.push_back(name);
  }
  if (in_use.refused != 0) names.push_back("system calls for " + in_use.refused_names());
  if (!options_.uring_release.empty()) names.push_back("limited to " + options_.uring_release);
  return names;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
