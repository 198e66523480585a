// The epoll backend: one edge-triggered epoll set, and an eventfd to wake it. PollingBackend and
// the file engine do the rest.
#include "backend/epoll/epoll.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>

#include "backend/epoll/files.hpp"
#include "backend/polling.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr std::uint64_t wake_token = ~std::uint64_t{0};
constexpr std::uint64_t aio_token = wake_token - 1;

class EpollBackend final : public PollingBackend<EpollBackend, FileEngine> {
 public:
  static constexpr const char* name = "epoll";

  explicit EpollBackend(const BackendContext& context) noexcept : PollingBackend(context) {}

  ~EpollBackend() override { close(); }

  long open() noexcept {
    epoll_ = static_cast<int>(sys::epoll_create(EPOLL_CLOEXEC));
    if (epoll_ < 0) return epoll_;
    event_ = static_cast<int>(sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK));
    if (event_ < 0) return event_;
    files_.aio().set_epoll(epoll_, aio_token);
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLET;
    wanted.data.u64 = wake_token;
    return sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wanted);
  }

  // Parent and child share one epoll set: what the child removes from it is removed for the parent
  // too.
  long reopen() noexcept {
    close();
    woken_.store(false, std::memory_order_relaxed);
    return open();
  }

  long poll(const timespec* timeout) noexcept {
    return sys::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
  }
  bool unflushed() const noexcept { return false; }

  Step take(std::size_t index, bool at_once) noexcept {
    const epoll_event& event = events_[index];
    if (event.data.u64 == aio_token) {
      files_.aio().event();
    } else if (event.data.u64 == wake_token) {
      woken_.exchange(false, std::memory_order_acq_rel);
    } else {
      const std::uint32_t bits = event.events;
      return adapter_.event(event.data.u64,
                            {(bits & EPOLLIN) != 0, (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                             (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0},
                            at_once);
    }
    return Step::nothing();
  }

  // The flag limits many wake-ups to one write(2) per wait. The registration is edge-triggered, so
  // nobody needs to read the eventfd.
  void wake() noexcept override {
    if (process_.inherited()) return;
    if (!woken_.exchange(true, std::memory_order_acq_rel)) sys::event_signal(event_);
  }

  int native_handle() const noexcept override { return epoll_; }
  std::vector<std::string> features() const override {
    std::vector<std::string> names = {"edge-triggered epoll"};
    if (native_files_) names.push_back("cached reads without waiting");
    if (native_files_ && files_.aio().usable()) names.push_back("kernel AIO for direct files");
    return names;
  }

 private:
  void close() noexcept {
    if (event_ >= 0) sys::close(event_);
    if (epoll_ >= 0) sys::close(epoll_);
    event_ = epoll_ = -1;
  }

  long watch(int descriptor, std::uint64_t token, bool again) noexcept override {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    wanted.data.u64 = token;
    return sys::epoll_ctl(epoll_, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &wanted);
  }
  void unwatch(int descriptor, bool) noexcept override {
    if (process_.inherited()) return;
    epoll_event ignored{};
    sys::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, &ignored);
  }

  int epoll_ = -1;
  int event_ = -1;
  std::array<epoll_event, 256> events_;
  std::atomic<bool> woken_{false};
};

}  // namespace

BackendInfo epoll_backend() noexcept { return {EpollBackend::name, nullptr, EpollBackend::create}; }

}  // namespace v0
}  // namespace proa
