// The floor of `compare post -w`: a thread that waits in epoll_wait for an eventfd. It holds one
// piece of work at a time, which is all that is posted to a loop that sleeps.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>
#include <utility>

#include "../post_load.hpp"

namespace {

class Loop {
 public:
  Loop() {
    epoll_event event{};
    event.events = EPOLLIN;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  }

  template <class Work>
  void post(Work&& work) {
    work_ = std::forward<Work>(work);
    const std::uint64_t one = 1;
    if (write(wake_, &one, sizeof one) < 0) std::abort();
  }

  void run() {
    while (!stopped_) {
      epoll_event event{};
      std::uint64_t count = 0;
      if (epoll_wait(epoll_, &event, 1, -1) != 1 || read(wake_, &count, sizeof count) <= 0)
        continue;
      // The work says when the next may come, which is while it still runs.
      const std::function<void()> work = std::move(work_);
      work();
    }
  }
  void stop() { stopped_ = true; }

 private:
  int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::function<void()> work_;
  bool stopped_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Loop loop;
  return bench::run_post_load(argc, argv, "", loop);
}
