#pragma once

// A tun interface in a network namespace of the test's own, and a socket that sends through it.

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace proa_test {

class Tun {
 public:
  static constexpr int mtu = 9000;

  // Only a thread of its own enters the namespace; what it opens there works everywhere.
  explicit Tun(bool blocking) {
    std::thread([&] { open(blocking); }).join();
  }
  ~Tun() {
    if (device >= 0) ::close(device);
    if (socket_ >= 0) ::close(socket_);
  }
  Tun(const Tun&) = delete;
  Tun& operator=(const Tun&) = delete;

  bool works() const { return why_not.empty(); }
  // The system sends a datagram into the interface, where the reader of the device gets it.
  bool send(std::string_view bytes) const {
    const sockaddr_in to = address("10.11.12.2", port);
    return ::sendto(socket_, bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                    sizeof to) == static_cast<ssize_t>(bytes.size());
  }
  // What has come out of the interface: a datagram that was written to the device.
  std::string received() const {
    std::string bytes(mtu, '\0');
    const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
  }
  // The packet with this datagram, as it is written to the device.
  static std::string packet(std::string_view bytes) {
    std::string made(28, '\0');
    const auto put = [&](std::size_t at, std::uint16_t value) {
      made[at] = static_cast<char>(value >> 8);
      made[at + 1] = static_cast<char>(value & 0xff);
    };
    made[0] = 0x45;  // version 4, five words of header
    put(2, static_cast<std::uint16_t>(made.size() + bytes.size()));
    made[8] = 64;  // hops
    made[9] = IPPROTO_UDP;
    const in_addr_t from = ::inet_addr("10.11.12.2");
    const in_addr_t to = ::inet_addr("10.11.12.1");
    std::memcpy(&made[12], &from, sizeof from);
    std::memcpy(&made[16], &to, sizeof to);
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 20; i += 2) {
      sum += static_cast<std::uint32_t>(static_cast<unsigned char>(made[i]) << 8 |
                                        static_cast<unsigned char>(made[i + 1]));
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    put(10, static_cast<std::uint16_t>(~sum));
    put(20, port);
    put(22, port);
    put(24, static_cast<std::uint16_t>(8 + bytes.size()));  // and a checksum of 0: none
    return made.append(bytes);
  }

  int device = -1;
  std::string why_not;

 private:
  static constexpr std::uint16_t port = 4000;

  static sockaddr_in address(const char* text, std::uint16_t number) {
    sockaddr_in made = {};
    made.sin_family = AF_INET;
    made.sin_port = htons(number);
    made.sin_addr.s_addr = ::inet_addr(text);
    return made;
  }

  void open(bool blocking) {
    if (::unshare(CLONE_NEWNET) != 0) return fail("unshare");
    device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | (blocking ? 0 : O_NONBLOCK));
    if (device < 0) return fail("/dev/net/tun");
    ifreq request = {};
    std::strcpy(request.ifr_name, "test0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(device, TUNSETIFF, &request) != 0) return fail("TUNSETIFF");
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_in own = address("10.11.12.1", 0);
    const sockaddr_in mask = address("255.255.255.0", 0);
    std::memcpy(&request.ifr_addr, &own, sizeof own);
    if (::ioctl(socket_, SIOCSIFADDR, &request) != 0) return fail("SIOCSIFADDR");
    std::memcpy(&request.ifr_netmask, &mask, sizeof mask);
    if (::ioctl(socket_, SIOCSIFNETMASK, &request) != 0) return fail("SIOCSIFNETMASK");
    request.ifr_mtu = mtu;
    if (::ioctl(socket_, SIOCSIFMTU, &request) != 0) return fail("SIOCSIFMTU");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(socket_, SIOCSIFFLAGS, &request) != 0) return fail("SIOCSIFFLAGS");
    const sockaddr_in here = address("10.11.12.1", port);
    if (::bind(socket_, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0) fail("bind");
  }
  void fail(const char* what) { why_not = std::string(what) + ": " + std::strerror(errno); }

  int socket_ = -1;
};

}  // namespace proa_test
