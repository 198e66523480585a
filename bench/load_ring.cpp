#include "load_ring.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "arguments.hpp"

namespace bench {
namespace {

std::system_error failure(int error, const std::string& what) {
  return {error, std::generic_category(), what};
}

}  // namespace

LoadRing::LoadRing() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = 65536;
  const int error = io_uring_queue_init_params(8192, &ring_, &params);
  if (error < 0) throw failure(-error, "the load needs io_uring");
  io_uring_register_ring_fd(&ring_);
}

io_uring_sqe* LoadRing::next() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void LoadRing::wait(const std::string& server, std::size_t waiting) {
  __kernel_timespec limit{5, 0};
  io_uring_cqe* completion = nullptr;
  const int result = io_uring_submit_and_wait_timeout(&ring_, &completion, 1, &limit, nullptr);
  if (result == -ETIME) {
    throw std::runtime_error(server + ": no answer for 5 seconds, " + std::to_string(waiting) +
                             " requests are on their way");
  }
  if (result < 0 && result != -EINTR && result != -EBUSY) throw failure(-result, "io_uring_enter");
}

int connect_to(const std::string& name, std::uint16_t port, Transport transport) {
  const Endpoint server = to_endpoint("127.0.0.1", port);
  const int type = transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
  const int descriptor = socket(server.family(), type | SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure(errno, "socket");
  const int one = 1;
  if (transport == Transport::tcp) {
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  if (connect(descriptor, server.get(), server.length) < 0) {
    const int error = errno;
    close(descriptor);
    throw failure(error, "cannot connect to " + name + " at 127.0.0.1:" + std::to_string(port));
  }
  return descriptor;
}

}  // namespace bench
