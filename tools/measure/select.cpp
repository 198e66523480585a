// select(2), to compare.
#include <sys/select.h>

#include <algorithm>
#include <vector>

#include "restart.hpp"
#include "waiter.hpp"

namespace measure {

namespace {

class Select final : public Waiter {
 public:
  Select() { FD_ZERO(&wanted_); }

  Trouble add(int descriptor) override {
    if (descriptor >= FD_SETSIZE) return "FD_SETSIZE is " + std::to_string(FD_SETSIZE);
    FD_SET(descriptor, &wanted_);
    all_.push_back(descriptor);
    highest_ = std::max(highest_, descriptor);
    return {};
  }
  Trouble wait(std::uint64_t& events) override {
    fd_set ready;
    const int count = restart([&] {
      ++calls_;
      ready = wanted_;
      return ::select(highest_ + 1, &ready, nullptr, nullptr, nullptr);
    });
    if (count < 0) return failed("select");
    // Who is ready is found by a look at each: that is a part of the cost.
    for (const int each : all_) events += FD_ISSET(each, &ready) ? 1 : 0;
    return {};
  }
  std::string try_regular_file(int file) override {
    if (const Trouble trouble = add(file); !trouble.empty()) return "no: " + trouble;
    timeval at_once{};
    const int count = ::select(highest_ + 1, &wanted_, nullptr, nullptr, &at_once);
    if (count < 0) return "no: " + failed("select");
    return count > 0 ? "ready at once, whatever the disk does" : "no: never ready";
  }

 private:
  fd_set wanted_;
  std::vector<int> all_;
  int highest_ = -1;
};

}  // namespace

std::unique_ptr<Waiter> make_select(Trouble&) { return std::make_unique<Select>(); }

}  // namespace measure
