// Level-triggered epoll, one recvmmsg and one sendmmsg for what one client has: as cheap as the
// floor of the servers, so that one processor of it can keep one of them busy. Sends block when the
// socket's buffer is full, receives never do.
#include "datagram_client.hpp"

#include <netinet/udp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace bench {
namespace {

using std::chrono::milliseconds;

constexpr auto kOverdue = milliseconds(50);
constexpr auto kLook = milliseconds(10);  // for what is overdue, so often
constexpr auto kPatience = std::chrono::seconds(5);

std::system_error failure(const std::string& what) {
  return {errno, std::generic_category(), what};
}

/// What stands in front of the noise in each datagram.
struct Header {
  std::uint64_t number;
  std::uint32_t client;
};
constexpr std::size_t kHeader = DatagramShape::kSmallest;
static_assert(offsetof(Header, client) + sizeof(std::uint32_t) == kHeader);

void ask_for_cuts(msghdr& message, cmsghdr& control, std::size_t room, std::size_t segment) {
  message.msg_control = &control;
  message.msg_controllen = room;
  control.cmsg_level = SOL_UDP;
  control.cmsg_type = UDP_SEGMENT;
  control.cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  const auto value = static_cast<std::uint16_t>(segment);
  std::memcpy(CMSG_DATA(&control), &value, sizeof value);
}

}  // namespace

DatagramClient::DatagramClient(std::string name, const Endpoint& server, const DatagramShape& shape)
    : name_(std::move(name)),
      shape_(shape),
      payload_(shape.size - kHeader),
      // One byte more than is right, so that a longer answer is found out.
      room_in_(shape.segments > 1 ? 65536 : shape.size + 1),
      room_out_(shape.size * shape.segments),
      bytes_in_(kBatch * room_in_),
      bytes_out_(kBatch * room_out_) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw failure("epoll_create1");
  clients_.resize(shape.clients, Client{-1, 0, DatagramWindow(shape.depth, shape.messages)});
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    clients_[i].number = static_cast<std::uint32_t>(i);
    open(clients_[i], server);
  }
  prepare_messages();
}

DatagramClient::~DatagramClient() {
  for (const auto& client : clients_) {
    if (client.descriptor >= 0) close(client.descriptor);
  }
  close(epoll_);
}

void DatagramClient::open(Client& client, const Endpoint& server) {
  client.descriptor = socket(server.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (client.descriptor < 0) throw failure("socket");
  const int room = static_cast<int>(std::min<std::size_t>(
      std::max<std::size_t>(shape_.depth * (shape_.size + DatagramShape::kOverhead), 262144),
      1U << 30));
  setsockopt(client.descriptor, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(client.descriptor, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  const int one = 1;
  if (shape_.segments > 1 &&
      setsockopt(client.descriptor, SOL_UDP, UDP_GRO, &one, sizeof one) < 0) {
    throw failure("UDP_GRO");
  }
  if (connect(client.descriptor, server.get(), server.length) < 0) {
    throw failure("cannot connect to " + name_);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &client;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, client.descriptor, &event) < 0) throw failure("epoll_ctl");
}

void DatagramClient::prepare_messages() {
  for (unsigned i = 0; i < kBatch; ++i) {
    pieces_in_[i] = {bytes_in_.data() + i * room_in_, room_in_};
    in_[i].msg_hdr.msg_iov = &pieces_in_[i];
    in_[i].msg_hdr.msg_iovlen = 1;
    pieces_out_[i] = {bytes_out_.data() + i * room_out_, 0};
    out_[i].msg_hdr.msg_iov = &pieces_out_[i];
    out_[i].msg_hdr.msg_iovlen = 1;
    if (shape_.segments == 1) continue;
    in_[i].msg_hdr.msg_control = controls_in_[i].bytes;
    ask_for_cuts(out_[i].msg_hdr, reinterpret_cast<cmsghdr&>(control_out_),
                 CMSG_SPACE(sizeof(std::uint16_t)), shape_.size);
  }
}

Turn DatagramClient::run(std::chrono::nanoseconds length) {
  Turn turn;
  const std::uint64_t echoed = echoed_;
  const std::uint64_t errors = error_count_;
  const std::uint64_t lost_before = lost();
  const auto start = Clock::now();
  last_answer_ = last_look_ = start;
  sending_ = true;
  for (auto& client : clients_) fill(client, start);
  while (in_flight_ > 0) {
    wait();
    const auto now = Clock::now();
    if (now - start >= length) sending_ = false;
    if (now - last_answer_ > kPatience) give_up();
    if (now - last_look_ < kLook) continue;
    last_look_ = now;
    for (auto& client : clients_) send_again(client, now);
  }
  turn.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  // Those that were late only are not lost.
  const auto limit = Clock::now() + kOverdue;
  while (lost() > lost_before && Clock::now() < limit) wait();
  turn.requests = echoed_ - echoed;
  turn.errors = error_count_ - errors;
  return turn;
}

void DatagramClient::give_up() const {
  std::string what = name_ + ": no answer for 5 seconds, " + std::to_string(in_flight_) +
                     " datagrams are on their way";
  for (const auto& entry : errors_) {
    what += "; " + entry.first + " (" + std::to_string(entry.second) + " times)";
  }
  throw std::runtime_error(what);
}

std::uint64_t DatagramClient::lost() const {
  std::uint64_t sum = 0;
  for (const auto& client : clients_) sum += client.window.lost();
  return sum;
}

void DatagramClient::wait() {
  epoll_event events[256];
  const int ready = epoll_wait(epoll_, events, 256, static_cast<int>(kLook.count()));
  if (ready < 0 && errno != EINTR) throw failure("epoll_wait");
  for (int i = 0; i < ready; ++i) receive(*static_cast<Client*>(events[i].data.ptr), Clock::now());
}

void DatagramClient::receive(Client& client, Clock::time_point now) {
  const auto most = static_cast<unsigned>(std::min<std::size_t>(kBatch, shape_.depth + 1));
  for (unsigned i = 0; shape_.segments > 1 && i < most; ++i) {
    in_[i].msg_hdr.msg_controllen = sizeof controls_in_[i].bytes;
  }
  const int received = recvmmsg(client.descriptor, in_, most, MSG_DONTWAIT, nullptr);
  if (received < 0) {
    if (errno != EAGAIN && errno != EINTR) error(std::string("receive: ") + std::strerror(errno));
    return;
  }
  for (unsigned i = 0; i < static_cast<unsigned>(received); ++i) take(client, i, now);
  if (sending_) fill(client, now);
}

/// One message, which is one datagram, or several of the same size and a last one.
void DatagramClient::take(Client& client, unsigned index, Clock::time_point now) {
  const char* bytes = static_cast<const char*>(pieces_in_[index].iov_base);
  std::size_t length = in_[index].msg_len;
  std::size_t segment = std::max<std::size_t>(length, 1);
  if (const cmsghdr* const control =
          shape_.segments > 1 ? CMSG_FIRSTHDR(&in_[index].msg_hdr) : nullptr) {
    int value = 0;
    std::memcpy(&value, CMSG_DATA(control), sizeof value);
    if (value > 0) segment = static_cast<std::size_t>(value);
  }
  do {
    const std::size_t part = std::min(segment, length);
    answered(client, bytes, part, now);
    bytes += part;
    length -= part;
  } while (length > 0);
}

void DatagramClient::answered(Client& client, const char* bytes, std::size_t length,
                              Clock::time_point now) {
  if (length != shape_.size) return error("answer of another size");
  Header header{};
  std::memcpy(&header, bytes, kHeader);
  if (header.client != client.number) return error("answer for another client");
  Clock::time_point since;
  switch (client.window.answered(header.number, &since)) {
    case DatagramWindow::Answer::unknown:
      return error("answer to nothing that was sent, or answered twice");
    case DatagramWindow::Answer::late:
      return;
    case DatagramWindow::Answer::expected:
      break;
  }
  --in_flight_;
  last_answer_ = now;
  if (std::memcmp(bytes + kHeader, payload_.request(header.client, header.number),
                  payload_.size()) != 0) {
    return error("payload differs");
  }
  ++echoed_;
  const auto latency = std::chrono::duration_cast<std::chrono::nanoseconds>(now - since);
  latencies_.record(static_cast<std::uint64_t>(latency.count()));
}

/// Fills the window, by whole buffers of segments while answers are still to come.
void DatagramClient::fill(Client& client, Clock::time_point now) {
  DatagramWindow& window = client.window;
  std::size_t count = window.free();
  if (window.in_flight() > 0) count -= count % shape_.segments;
  for (; count > 0; --count) {
    write(client, window.send(now));
    ++in_flight_;
  }
  flush(client);
}

void DatagramClient::send_again(Client& client, Clock::time_point now) {
  client.window.overdue(now, kOverdue, [&](std::uint64_t number) { write(client, number); });
  flush(client);
}

/// Appends a datagram to the batch; a full batch leaves.
void DatagramClient::write(const Client& client, std::uint64_t number) {
  if (written_ == 0 || pieces_out_[written_ - 1].iov_len == room_out_) {
    if (written_ == kBatch) flush(client);
    pieces_out_[written_++].iov_len = 0;
  }
  iovec& piece = pieces_out_[written_ - 1];
  char* const to = static_cast<char*>(piece.iov_base) + piece.iov_len;
  const Header header{number, client.number};
  std::memcpy(to, &header, kHeader);
  std::memcpy(to + kHeader, payload_.request(client.number, number), payload_.size());
  piece.iov_len += shape_.size;
  ++sent_;
}

void DatagramClient::flush(const Client& client) {
  if (written_ == 0) return;
  transmit(client, written_);
  written_ = 0;
}

void DatagramClient::transmit(const Client& client, unsigned count) {
  for (unsigned sent = 0; sent < count;) {
    const int result = sendmmsg(client.descriptor, out_ + sent, count - sent, 0);
    if (result > 0) {
      sent += static_cast<unsigned>(result);
    } else if (errno == ECONNREFUSED) {
      error("send: nobody listens");  // told of an earlier one, and this one was not sent
      ++sent;
    } else if (errno != EINTR) {
      throw failure("cannot send to " + name_);
    }
  }
}

}  // namespace bench
