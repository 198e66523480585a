// What `compare timers` measures of Asio.
#include <asio.hpp>
#include <deque>

#include "../timer_load.hpp"
#include "asio_version.hpp"

namespace {

class Timers {
 public:
  explicit Timers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) timers_.emplace_back(context_);
  }
  void arm(std::size_t index, std::uint32_t milliseconds) {
    timers_[index].expires_after(std::chrono::milliseconds(milliseconds));
    timers_[index].async_wait([](const asio::error_code& error) {
      if (!error) std::abort();
    });
  }
  void cancel(std::size_t index) { timers_[index].cancel(); }
  void settle() {
    context_.restart();
    context_.poll();
  }

 private:
  asio::io_context context_{1};
  std::deque<asio::steady_timer> timers_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = bench::timers_from_arguments(argc, argv, asio_version().c_str());
  Timers timers(count);
  bench::run_timer_load(timers, count);
}
