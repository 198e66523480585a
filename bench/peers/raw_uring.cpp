// The floor of an io_uring echo server: the least code that does the job, so that `compare` can say
// what the library on top of the system calls costs. Multishot accept, multishot receive into one
// ring of provided buffers, the send straight from the received buffer, which goes back to the
// kernel when the send has completed. One thread, one ring, and one io_uring_enter for all that is
// ready: far less than one system call per request. DEFER_TASKRUN: completions are made when we
// wait, not in the middle of our work.
// Meant for peers that wait for their answer: two sends of one socket may be in flight and could
// overtake each other once its buffer is full; a queue per socket would be a library's work.
#include <liburing.h>
#include <sys/mman.h>

#include <vector>

#include "floor.hpp"

using namespace floor_server;

namespace {

constexpr unsigned kBuffers = 1024;  // a power of two; lent to sockets only while they have data
constexpr unsigned kBufferSize = 65536;  // as raw_epoll has one
// Else the first bytes of all buffers would share a few sets of the cache.
constexpr std::size_t kStride = kBufferSize + 4096 + 64;

enum class Kind : std::uint16_t { accept, receive, send };

/// What a completion is about: the 64 bits that io_uring hands back.
struct Tag {
  std::int32_t descriptor;
  std::uint16_t buffer;  // of a send
  Kind kind;
};

/// A descriptor is closed only when no operation names it: the kernel reuses its number at once.
struct Connection {
  std::uint16_t sends = 0;
  bool ended = false;
};

io_uring ring;
io_uring_buf_ring* buffer_ring;
char* buffers;
std::uint32_t lengths[kBuffers];      // of the sends in flight
std::vector<Connection> connections;  // by descriptor
bool sink = false;
std::vector<Answer> answers;  // by descriptor, of a sink

io_uring_sqe* next_sqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring);
  while (sqe == nullptr) {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  return sqe;
}

void set_tag(io_uring_sqe* sqe, Kind kind, int descriptor, std::uint16_t buffer = 0) {
  const Tag tag{descriptor, buffer, kind};
  static_assert(sizeof tag == sizeof sqe->user_data);
  std::memcpy(&sqe->user_data, &tag, sizeof tag);
}

void arm_accept(int listener) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  set_tag(sqe, Kind::accept, listener);
}

void arm_receive(int peer) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_recv_multishot(sqe, peer, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  set_tag(sqe, Kind::receive, peer);
}

char* buffer_at(std::uint16_t buffer) { return buffers + buffer * kStride; }

void give_back(std::uint16_t buffer) {
  io_uring_buf_ring_add(buffer_ring, buffer_at(buffer), kBufferSize, buffer,
                        io_uring_buf_ring_mask(kBuffers), 0);
  io_uring_buf_ring_advance(buffer_ring, 1);
}

void send_back(int peer, std::uint16_t buffer) {
  io_uring_sqe* sqe = next_sqe();
  io_uring_prep_send(sqe, peer, buffer_at(buffer), lengths[buffer], MSG_WAITALL | MSG_NOSIGNAL);
  set_tag(sqe, Kind::send, peer, buffer);
}

void close_when_idle(int peer) {
  if (connections[static_cast<unsigned>(peer)].sends == 0) close(peer);
}

void accepted(int listener, const io_uring_cqe& completion) {
  if (completion.res >= 0) {
    no_delay(completion.res);
    connections.at(static_cast<unsigned>(completion.res)) = {};
    if (sink) answers[static_cast<unsigned>(completion.res)] = Answer(true);
    arm_receive(completion.res);
  } else if (!is_peers_fault(-completion.res)) {
    die("accept", -completion.res);
  }
  if (!(completion.flags & IORING_CQE_F_MORE)) arm_accept(listener);
}

void received(int peer, const io_uring_cqe& completion) {
  Connection& connection = connections[static_cast<unsigned>(peer)];
  if (completion.res > 0) {
    const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    auto length = static_cast<std::size_t>(completion.res);
    if (sink) length = answers[static_cast<unsigned>(peer)].length(length);
    lengths[buffer] = static_cast<std::uint32_t>(length);
    if (length > 0) {
      send_back(peer, buffer);
      ++connection.sends;
    } else {
      give_back(buffer);
    }
    if (!(completion.flags & IORING_CQE_F_MORE)) arm_receive(peer);
  } else if (completion.res == -ENOBUFS) {
    arm_receive(peer);  // all buffers are being sent
  } else {
    connection.ended = true;
    close_when_idle(peer);
  }
}

void sent(int peer, std::uint16_t buffer, int result) {
  const auto expected = static_cast<int>(lengths[buffer]);
  give_back(buffer);
  Connection& connection = connections[static_cast<unsigned>(peer)];
  --connection.sends;
  if (result != expected) shutdown(peer, SHUT_RDWR);  // ends the receive as well
  if (connection.ended) close_when_idle(peer);
}

void complete(const io_uring_cqe& completion) {
  Tag tag;
  std::memcpy(&tag, &completion.user_data, sizeof tag);
  const int descriptor = tag.descriptor;
  switch (static_cast<Kind>(tag.kind)) {
    case Kind::accept:
      return accepted(descriptor, completion);
    case Kind::receive:
      return received(descriptor, completion);
    case Kind::send:
      return sent(descriptor, tag.buffer, completion.res);
  }
}

void set_up_ring() {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
  params.cq_entries = 32768;
  const int error = io_uring_queue_init_params(4096, &ring, &params);
  if (error < 0) die("io_uring_setup", -error);
  io_uring_register_ring_fd(&ring);  // saves a look-up per enter; works without
}

void* map_memory(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) die("mmap", errno);
  return memory;
}

void set_up_buffers() {
  buffers = static_cast<char*>(map_memory(kBuffers * kStride));
  buffer_ring = static_cast<io_uring_buf_ring*>(map_memory(kBuffers * sizeof(io_uring_buf)));
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffer_ring);
  registration.ring_entries = kBuffers;
  const int error = io_uring_register_buf_ring(&ring, &registration, 0);
  if (error < 0) die("cannot register the buffer ring", -error);
  io_uring_buf_ring_init(buffer_ring);
  for (std::uint16_t buffer = 0; buffer < kBuffers; ++buffer) give_back(buffer);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = to_arguments(argc, argv);
  sink = arguments.sink;
  const int listener = listen_on_loopback(arguments.port, 0);
  connections.resize(descriptor_limit());
  if (sink) answers.resize(descriptor_limit());
  set_up_ring();
  set_up_buffers();
  arm_accept(listener);
  for (;;) {
    io_uring_submit_and_wait(&ring, 1);
    io_uring_cqe* completion = nullptr;
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_for_each_cqe(&ring, head, completion) {
      complete(*completion);
      ++seen;
    }
    io_uring_cq_advance(&ring, seen);
  }
}
