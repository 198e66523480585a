// The epoll backend: one epoll set, edge-triggered, an eventfd to wake it; all the rest is the
// readiness adapter.
#include "backend/epoll/epoll.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "backend/readiness.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::uint64_t wake_token = ~std::uint64_t{0};

class EpollBackend final : public Backend, private Poller {
 public:
  explicit EpollBackend(const BackendContext& context) noexcept
      : adapter_(*this, context.buffers, context.counters),
        blocking_(context.blocking),
        counters_(context.counters) {}

  ~EpollBackend() override {
    if (event_ >= 0) sys::close(event_);
    if (epoll_ >= 0) sys::close(epoll_);
  }

  long open() noexcept {
    epoll_ = static_cast<int>(sys::epoll_create(EPOLL_CLOEXEC));
    if (epoll_ < 0) return epoll_;
    event_ = static_cast<int>(sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK));
    if (event_ < 0) return event_;
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLET;
    wanted.data.u64 = wake_token;
    return sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wanted);
  }

  void submit(Operation& operation) noexcept override {
    operation.opcode() >= Opcode::read_at ? blocking_.take(operation) : adapter_.submit(operation);
  }
  void cancel(Operation& operation) noexcept override { adapter_.cancel(operation); }

  void wait(TimePoint until) noexcept override {
    if (next_event_ < event_count_) return;  // those of the last wait come first
    const TimePoint now = adapter_.now();
    adapter_.before_wait(now);
    until = std::min(until, adapter_.next_retry());
    timespec timeout{};
    const bool forever = until == never && !ready();
    if (!ready() && until > now && !forever) {
      const auto length = until - now;
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(length);
      timeout.tv_sec = seconds.count();
      timeout.tv_nsec = static_cast<long>((length - seconds).count());
    }
    ++counters_.waits;
    const long count = sys::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()),
                                       forever ? nullptr : &timeout);
    next_event_ = 0;
    event_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;  // -EINTR is a wake-up
  }

  Operation* next() noexcept override {
    for (;;) {
      if (Operation* const finished = adapter_.finished()) return finished;
      // New events and old work in turns, so that neither starves the other.
      if (next_event_ < event_count_ && (events_turn_ || !adapter_.has_runnable())) {
        events_turn_ = false;
        take(events_[next_event_++]);
      } else if (adapter_.has_runnable()) {
        events_turn_ = true;
        if (Operation* const finished = adapter_.perform_next()) return finished;
      } else {
        return nullptr;
      }
    }
  }

  // The flag keeps a storm of wake-ups to one write(2) per wait; edge-triggered, so nobody needs to
  // read.
  void wake() noexcept override {
    if (!woken_.exchange(true, std::memory_order_acq_rel)) sys::event_signal(event_);
  }

  TimePoint next_deadline() const noexcept override { return adapter_.next_retry(); }
  int native_handle() const noexcept override { return epoll_; }
  System& system() noexcept override { return adapter_; }
  std::vector<std::string> features() const override { return {"edge-triggered epoll"}; }

 private:
  bool ready() const noexcept { return adapter_.has_finished() || adapter_.has_runnable(); }

  void take(const epoll_event& event) noexcept {
    if (event.data.u64 == wake_token) {
      woken_.exchange(false, std::memory_order_acq_rel);
      return;
    }
    const std::uint32_t bits = event.events;
    adapter_.event(event.data.u64, {(bits & EPOLLIN) != 0, (bits & EPOLLOUT) != 0,
                                    (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0});
  }

  long watch(int descriptor, std::uint64_t token) noexcept override {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    wanted.data.u64 = token;
    return sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &wanted);
  }
  void unwatch(int descriptor) noexcept override {
    epoll_event ignored{};
    sys::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, &ignored);
  }

  ReadinessAdapter adapter_;
  BlockingCalls& blocking_;
  Counters& counters_;
  int epoll_ = -1;
  int event_ = -1;
  std::array<epoll_event, 256> events_;
  std::size_t next_event_ = 0;
  std::size_t event_count_ = 0;
  bool events_turn_ = true;
  std::atomic<bool> woken_{false};
};

std::unique_ptr<Backend> create(const BackendContext& context, std::string& why_not) {
  auto backend = std::make_unique<EpollBackend>(context);
  const long result = backend->open();
  if (result == 0) return backend;
  why_not = "epoll: " + std::string(std::strerror(static_cast<int>(-result)));
  return nullptr;
}

}  // namespace

BackendInfo epoll_backend() noexcept { return {"epoll", nullptr, create}; }

}  // namespace proa
