// kqueue(2), of the BSDs and macOS. Reads by EVFILT_AIO are not measured.
#include <sys/types.h>
// After the types that it needs.
#include <sys/event.h>
#include <sys/time.h>

#include <vector>

#include "descriptor.hpp"
#include "restart.hpp"
#include "waiter.hpp"

namespace measure {

namespace {

class Kqueue final : public Waiter {
 public:
  explicit Kqueue(Descriptor queue) : queue_(std::move(queue)) {}

  Trouble add(int descriptor) override {
    struct kevent change {};
    change.ident = static_cast<std::uintptr_t>(descriptor);
    change.filter = EVFILT_READ;
    change.flags = EV_ADD;
    if (::kevent(queue_.get(), &change, 1, nullptr, 0, nullptr) < 0) return failed("kevent");
    told_.emplace_back();
    return {};
  }
  Trouble wait(std::uint64_t& events) override {
    const int count = restart([this] {
      ++calls_;
      const int room = static_cast<int>(told_.size());
      return ::kevent(queue_.get(), nullptr, 0, told_.data(), room, nullptr);
    });
    if (count < 0) return failed("kevent");
    events += static_cast<std::uint64_t>(count);
    return {};
  }
  std::string try_regular_file(int file) override {
    if (const Trouble trouble = add(file); !trouble.empty()) return "no: " + trouble;
    const timespec at_once{};
    const int count = ::kevent(queue_.get(), nullptr, 0, told_.data(), 1, &at_once);
    if (count < 0) return "no: " + failed("kevent");
    return count > 0 ? "EVFILT_READ tells how much of it is left, whatever the disk does"
                     : "EVFILT_READ takes it, and tells nothing";
  }

 private:
  Descriptor queue_;
  std::vector<struct kevent> told_;
};

}  // namespace

std::unique_ptr<Waiter> make_kqueue(Trouble& trouble) {
  Descriptor queue(::kqueue());
  if (queue) return std::make_unique<Kqueue>(std::move(queue));
  trouble = failed("kqueue");
  return {};
}

}  // namespace measure
