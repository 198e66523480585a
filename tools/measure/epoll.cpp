// epoll(7), level-triggered.
#include <sys/epoll.h>

#include <vector>

#include "descriptor.hpp"
#include "restart.hpp"
#include "waiter.hpp"

namespace measure {

namespace {

class Epoll final : public Waiter {
 public:
  explicit Epoll(Descriptor set) : set_(std::move(set)) {}

  Trouble add(int descriptor) override {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(set_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) return failed("epoll_ctl");
    told_.emplace_back();
    return {};
  }
  Trouble wait(std::uint64_t& events) override {
    const int count = restart([this] {
      ++calls_;
      return ::epoll_wait(set_.get(), told_.data(), static_cast<int>(told_.size()), -1);
    });
    if (count < 0) return failed("epoll_wait");
    events += static_cast<std::uint64_t>(count);
    return {};
  }
  std::string try_regular_file(int file) override {
    const Trouble trouble = add(file);
    return trouble.empty() ? "epoll_ctl takes it" : "no: " + trouble;
  }

 private:
  Descriptor set_;
  std::vector<epoll_event> told_;
};

}  // namespace

std::unique_ptr<Waiter> make_epoll(Trouble& trouble) {
  Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  if (set) return std::make_unique<Epoll>(std::move(set));
  trouble = failed("epoll_create1");
  return {};
}

}  // namespace measure
