// The floor of a datagram echo server: the least code that does the job, so that `compare udp` can
// say what the library on top of the system calls costs. Edge-triggered epoll, recvmmsg and
// sendmmsg of up to 64, one socket per thread. With --reuse-port there are several threads, and the
// kernel divides the clients among their sockets. With --gso, what arrived in one piece goes back
// in one piece, cut by the kernel where it was cut before.
#include <getopt.h>
#include <netinet/udp.h>
#include <sys/epoll.h>

#include <array>
#include <memory>
#include <thread>
#include <vector>

#include "floor.hpp"

using namespace floor_server;

namespace {

constexpr unsigned kBatch = 64;
constexpr int kReceiveBuffer = 8 << 20;  // the system gives at most net.core.rmem_max

struct Options {
  std::uint16_t port = 8080;
  unsigned threads = 1;
  bool gso = false;
};

/// A socket, the memory for one batch, and the loop that fills it and sends it back.
class Echo {
 public:
  Echo(int socket, bool gso) : socket_(socket), gso_(gso), room_(gso ? 65536 : 2048) {
    auto* const bytes = static_cast<char*>(std::aligned_alloc(4096, kBatch * room_));
    if (bytes == nullptr) die("aligned_alloc", errno);
    for (unsigned i = 0; i < kBatch; ++i) {
      pieces_[i].iov_base = bytes + i * room_;
      msghdr& header = messages_[i].msg_hdr;
      header.msg_iov = &pieces_[i];
      header.msg_iovlen = 1;
      header.msg_name = &names_[i];
      if (gso) header.msg_control = controls_[i].bytes;
      offer(i);
    }
  }

  [[noreturn]] void run() {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1", errno);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event) < 0) die("epoll_ctl", errno);
    for (;;) {
      epoll_wait(epoll, &event, 1, -1);
      while (echo_batch()) {
      }
    }
  }

 private:
  struct Control {
    alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
  };

  /// False when nothing is there any more.
  bool echo_batch() {
    const int received = recvmmsg(socket_, messages_.data(), kBatch, 0, nullptr);
    if (received <= 0) return received < 0 && errno != EAGAIN;
    const auto count = static_cast<unsigned>(received);
    for (unsigned i = 0; i < count; ++i) {
      pieces_[i].iov_len = messages_[i].msg_len;
      if (gso_) cut_as_before(messages_[i].msg_hdr);
    }
    sendmmsg(socket_, messages_.data(), count, 0);  // what it does not take is lost
    for (unsigned i = 0; i < count; ++i) offer(i);
    return true;
  }

  void offer(unsigned index) {
    pieces_[index].iov_len = room_;
    msghdr& header = messages_[index].msg_hdr;
    header.msg_namelen = sizeof names_[index];
    if (gso_) header.msg_controllen = sizeof controls_[index].bytes;
  }

  /// The size that the kernel told of what it received is the one that it is to cut by.
  static void cut_as_before(msghdr& header) {
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    if (control == nullptr) return;
    int size = 0;
    std::memcpy(&size, CMSG_DATA(control), sizeof size);
    const auto segment = static_cast<std::uint16_t>(size);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof segment);
    std::memcpy(CMSG_DATA(control), &segment, sizeof segment);
    header.msg_controllen = CMSG_SPACE(sizeof segment);
  }

  int socket_;
  bool gso_;
  std::size_t room_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> pieces_{};
  std::array<sockaddr_in, kBatch> names_{};
  std::array<Control, kBatch> controls_{};
};

/// A UDP socket on 127.0.0.1. Ends the program when there is none to be had.
int bind_to_loopback(std::uint16_t port, const Options& options) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) die("socket", errno);
  const int one = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  if (options.threads > 1) setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (options.gso && setsockopt(descriptor, SOL_UDP, UDP_GRO, &one, sizeof one) < 0) {
    die("UDP_GRO", errno);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    char what[64];
    std::snprintf(what, sizeof what, "cannot bind 127.0.0.1:%u", unsigned{port});
    die(what, errno);
  }
  return descriptor;
}

std::uint16_t port_of(int descriptor) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

Options parse(int argc, char** argv) {
  static const option kLong[] = {{"port", required_argument, nullptr, 'p'},
                                 {"reuse-port", required_argument, nullptr, 'r'},
                                 {"gso", no_argument, nullptr, 'g'},
                                 {"help", no_argument, nullptr, 'h'},
                                 {}};
  Options options;
  for (int name; (name = getopt_long(argc, argv, "p:h", kLong, nullptr)) != -1;) {
    if (name == 'p') {
      options.port = static_cast<std::uint16_t>(number("port", optarg, 0, 65535));
    } else if (name == 'r') {
      options.threads = static_cast<unsigned>(number("threads", optarg, 1, 1024));
    } else if (name == 'g') {
      options.gso = true;
    } else {
      std::fprintf(stderr,
                   "usage: %s [-p port] [--reuse-port threads] [--gso]\n"
                   "Echoes UDP on 127.0.0.1 (port 8080), datagrams of up to 2048 bytes.\n",
                   argv[0]);
      std::exit(name == 'h' ? 0 : EX_USAGE);
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  std::vector<int> sockets{bind_to_loopback(options.port, options)};
  const std::uint16_t port = port_of(sockets.front());
  while (sockets.size() < options.threads) sockets.push_back(bind_to_loopback(port, options));
  std::printf("listening on 127.0.0.1:%u\n", unsigned{port});
  std::fflush(stdout);
  const auto serve = [&](int socket) { std::make_unique<Echo>(socket, options.gso)->run(); };
  for (unsigned i = 1; i < options.threads; ++i) std::thread(serve, sockets[i]).detach();
  serve(sockets.front());
}
