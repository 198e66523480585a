// The epoll backend: one epoll set, edge-triggered, an eventfd to wake it; all the rest is the
// readiness adapter and, for files, the file engine. Upholds R8: events, sockets and files have
// turns.
#include "backend/epoll/epoll.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <proa/options.hpp>

#include "backend/epoll/files.hpp"
#include "backend/readiness.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::uint64_t wake_token = ~std::uint64_t{0};
constexpr std::uint64_t aio_token = wake_token - 1;

class EpollBackend final : public Backend, private Poller {
 public:
  explicit EpollBackend(const BackendContext& context) noexcept
      : adapter_(*this, context.buffers, context.blocking, context.counters),
        files_(context.blocking, context.counters),
        blocking_(context.blocking),
        counters_(context.counters),
        native_files_(context.options.native_files) {}

  ~EpollBackend() override {
    if (event_ >= 0) sys::close(event_);
    if (epoll_ >= 0) sys::close(epoll_);
  }

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

  void submit(Operation& operation) noexcept override {
    if (transfers(operation)) {
      native_files_ ? files_.submit(operation) : blocking_.take(operation);
    } else if (operation.opcode() == Opcode::file_call) {
      blocking_.take(operation);
    } else {
      adapter_.submit(operation);
    }
  }
  void cancel(Operation& operation) noexcept override {
    transfers(operation) ? files_.cancel(operation) : adapter_.cancel(operation);
  }

  void withdraw(int descriptor) noexcept override { files_.withdraw(descriptor); }

  void wait(TimePoint until) noexcept override {
    files_.flush();
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
    // Kept back until the next wait(), they would make the disk idle while the loop works.
    if (files_.wants_flush()) files_.flush();
    for (;;) {
      if (Operation* const finished = adapter_.finished()) return finished;
      if (Operation* const finished = files_.finished()) return finished;
      // New events, sockets, files and disks in turns, so that none starves the others.
      const std::array<bool, 4> due{next_event_ < event_count_, adapter_.has_runnable(),
                                    files_.has_runnable(), files_.has_completed()};
      for (std::size_t i = 0; i < due.size(); ++i) {
        turn_ = (turn_ + 1) % due.size();
        if (due[turn_]) break;
      }
      if (!due[turn_]) return nullptr;
      Operation* finished = nullptr;
      if (turn_ == 0) take(events_[next_event_++]);
      if (turn_ == 1) finished = adapter_.perform_next();
      if (turn_ == 2) finished = files_.perform_next();
      if (turn_ == 3) finished = files_.next_completed();
      if (finished) return finished;
    }
  }

  // The flag keeps a storm of wake-ups to one write(2) per wait; edge-triggered, so nobody needs to
  // read.
  void wake() noexcept override {
    if (!woken_.exchange(true, std::memory_order_acq_rel)) sys::event_signal(event_);
  }

  TimePoint next_deadline() const noexcept override {
    return files_.ready() || files_.wants_flush() ? TimePoint() : adapter_.next_retry();
  }
  int native_handle() const noexcept override { return epoll_; }
  System& system() noexcept override { return adapter_; }
  std::vector<std::string> features() const override {
    std::vector<std::string> names = {"edge-triggered epoll"};
    if (native_files_) names.push_back("cached reads without waiting");
    if (native_files_ && files_.aio().usable()) names.push_back("kernel AIO for direct files");
    return names;
  }

 private:
  static bool transfers(const Operation& operation) noexcept {
    return operation.opcode() == Opcode::read_at || operation.opcode() == Opcode::write_at;
  }
  bool ready() const noexcept {
    return adapter_.has_finished() || adapter_.has_runnable() || files_.ready();
  }

  void take(const epoll_event& event) noexcept {
    if (event.data.u64 == aio_token) return files_.aio().event();
    if (event.data.u64 == wake_token) {
      woken_.exchange(false, std::memory_order_acq_rel);
      return;
    }
    const std::uint32_t bits = event.events;
    adapter_.event(event.data.u64, {(bits & EPOLLIN) != 0, (bits & EPOLLOUT) != 0,
                                    (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0});
  }

  long watch(int descriptor, std::uint64_t token, bool again) noexcept override {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
    wanted.data.u64 = token;
    return sys::epoll_ctl(epoll_, again ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &wanted);
  }
  void unwatch(int descriptor) noexcept override {
    epoll_event ignored{};
    sys::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, &ignored);
  }
  void forget(int descriptor) noexcept override { files_.forget(descriptor); }

  ReadinessAdapter adapter_;
  FileEngine files_;
  BlockingCalls& blocking_;
  Counters& counters_;
  int epoll_ = -1;
  int event_ = -1;
  std::array<epoll_event, 256> events_;
  std::size_t next_event_ = 0;
  std::size_t event_count_ = 0;
  std::size_t turn_ = 0;
  const bool native_files_;
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
