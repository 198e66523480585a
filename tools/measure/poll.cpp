// poll(2), to compare.
#include <poll.h>

#include <vector>

#include "restart.hpp"
#include "waiter.hpp"

namespace measure {

namespace {

class Poll final : public Waiter {
 public:
  Trouble add(int descriptor) override {
    all_.push_back({descriptor, POLLIN, 0});
    return {};
  }
  Trouble wait(std::uint64_t& events) override {
    const int count = restart([this] {
      ++calls_;
      return ::poll(all_.data(), static_cast<nfds_t>(all_.size()), -1);
    });
    if (count < 0) return failed("poll");
    // Who is ready is found by a look at each: that is a part of the cost.
    for (const pollfd& each : all_) events += each.revents != 0 ? 1 : 0;
    return {};
  }
  std::string try_regular_file(int file) override {
    pollfd one{file, POLLIN, 0};
    const int count = ::poll(&one, 1, 0);
    if (count < 0) return "no: " + failed("poll");
    return count > 0 ? "ready at once, whatever the disk does" : "no: never ready";
  }

 private:
  std::vector<pollfd> all_;
};

}  // namespace

std::unique_ptr<Waiter> make_poll(Trouble&) { return std::make_unique<Poll>(); }

}  // namespace measure
