#include <map>
#include <optional>
#include <proa/embed/poll.hpp>

#include "foreign_loop.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A program's own loop: one descriptor of the proactor, and timers.
class InPoll final : public proa_test::ForeignLoop {
 public:
  void attach(proa::Proactor& proactor) override { adapter_.emplace(proactor); }
  void detach() override { adapter_.reset(); }
  void after(int milliseconds, std::function<void()> work) override {
    timers_.emplace(Clock::now() + milliseconds * 1ms, std::move(work));
  }
  void run() override {
    for (running_ = true; running_;) {
      pollfd waiting[] = {adapter_->entry()};
      if (::poll(waiting, 1, adapter_->timeout(own_timeout())) < 0) continue;
      adapter_->turn(waiting[0].revents != 0);
      while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
        const auto work = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        work();
      }
    }
  }
  void quit() override { running_ = false; }

 private:
  int own_timeout() const {
    if (timers_.empty()) return -1;
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
    return static_cast<int>(std::max<long long>(left.count(), 0));
  }

  std::optional<proa::embed::PollAdapter> adapter_;
  std::multimap<Clock::time_point, std::function<void()>> timers_;
  bool running_ = false;
};

}  // namespace

std::unique_ptr<proa_test::ForeignLoop> proa_test::ForeignLoop::make() {
  return std::make_unique<InPoll>();
}
