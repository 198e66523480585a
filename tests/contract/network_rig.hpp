#pragma once

// A network of a test's own, on Linux.

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace proa_test {

// Loopback and nothing else, for this thread, until the end.
class Namespace {
 public:
  Namespace() : before_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (before_ < 0 || ::unshare(CLONE_NEWNET) < 0) {
      why_ = std::string("no network namespace: ") + std::strerror(errno);
      return;
    }
    entered_ = true;
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(control, SIOCSIFFLAGS, &request) < 0) why_ = std::strerror(errno);
    ::close(control);
  }
  ~Namespace() {
    if (entered_) ::setns(before_, CLONE_NEWNET);
    if (before_ >= 0) ::close(before_);
  }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  // ip(8) with these arguments. After the first failure nothing more is done.
  Namespace& ip(const std::string& arguments) {
    if (why_.empty() && std::system(("ip " + arguments + " 2>/dev/null").c_str()) != 0) {
      why_ = "ip " + arguments + " failed";
    }
    return *this;
  }
  // Why there is no such network, or nothing.
  const std::string& why_not() const { return why_; }

 private:
  int before_;
  bool entered_ = false;
  std::string why_;
};

}  // namespace proa_test
