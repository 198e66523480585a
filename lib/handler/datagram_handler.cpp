// A datagram socket: one continuous receive, and a queue of what is to be sent, which leaves when a
// round has nothing more to deliver. Upholds R1, R5 and R6. A send that fails is tried once more:
// what it told may have been meant for an earlier datagram (udp(7), "Error handling").
#include <cerrno>
#include <new>
#include <proa/datagram_handler.hpp>
#include <proa/error.hpp>
#include <utility>

#include "core.hpp"
#include "error_code.hpp"

namespace proa {

namespace {

constexpr std::size_t filled_mark = std::size_t{256} << 10;

void describe(std::string* detail, const char* what, const Address& address,
              const std::error_code& error) noexcept {
  if (!detail) return;
  detail->clear();
  if (!error) return;
  try {
    *detail = what + address.to_string() + ": " + error.message();
  } catch (const std::bad_alloc&) {  // then without a sentence
  }
}

/// Of a socket that is none any more, or not one of ours: asking again would go on for ever.
bool is_final(const std::error_code& error) noexcept {
  return error == std::errc::bad_file_descriptor || error == std::errc::not_a_socket ||
         error == std::errc::operation_not_supported || error == std::errc::invalid_argument ||
         error == std::errc::permission_denied;
}

}  // namespace

DatagramHandler::~DatagramHandler() {
  if (open()) misused("destroyed before on_closed()");
}

void DatagramHandler::on_sent(const Address&, const Result&) {}
void DatagramHandler::on_error(std::error_code) {}

std::error_code DatagramHandler::bind(const Address& address, const DatagramOptions& options,
                                      std::string* detail) {
  const std::error_code error = open_with(address, options, true);
  describe(detail, "cannot bind ", address, error);
  return error;
}

std::error_code DatagramHandler::connect(const Address& peer, const DatagramOptions& options,
                                         std::string* detail) {
  std::error_code error;
  if (open() && !closing() && !connected_) {
    const long result = proactor().system().connect(descriptor(), peer);
    error = to_error_code(static_cast<int>(result));
    connected_ = !error;
  } else {
    error = open_with(peer, options, false);
  }
  describe(detail, "cannot connect to ", peer, error);
  return error;
}

std::error_code DatagramHandler::make(const Address& address, const DatagramOptions& options,
                                      Socket& socket) {
  std::error_code error;
  socket = Socket::open(proactor(), address.family(), Transport::datagram, error);
  const auto set = [&](bool wanted, SocketOption option, int value) {
    if (!error && wanted) error = socket.set_option(option, value);
  };
  const bool v6 = address.family() == Address::Family::ipv6;
  const bool ip = v6 || address.family() == Address::Family::ipv4;
  set(options.reuse_address && ip, SocketOption::reuse_address, 1);
  set(options.reuse_port && ip, SocketOption::reuse_port, 1);
  set(v6, SocketOption::v6_only, options.v6_only);
  set(options.broadcast && ip, SocketOption::broadcast, 1);
  // An IPv6 socket has IPv4 datagrams too.
  set(options.destination && v6, SocketOption::tell_destination_v6, 1);
  set(options.destination && ip && !v6, SocketOption::tell_destination, 1);
  set(options.traffic_class && v6, SocketOption::tell_traffic_class_v6, 1);
  set(options.traffic_class && ip, SocketOption::tell_traffic_class, 1);
  set(options.arrival, SocketOption::tell_arrival, 1);
  set(options.receive_buffer > 0, SocketOption::receive_buffer, options.receive_buffer);
  set(options.send_buffer > 0, SocketOption::send_buffer, options.send_buffer);
  return error;
}

std::error_code DatagramHandler::open_with(const Address& address, const DatagramOptions& options,
                                           bool binds) {
  proactor().core().check_thread("bind");
  if (closing() || proactor().shutting_down()) return Error::closing;
  if (open()) return std::make_error_code(std::errc::device_or_resource_busy);
  if (!address.is_set()) return Error::bad_address;
  Socket socket;
  std::error_code error = make(address, options, socket);
  if (!error && binds) error = socket.bind(address);
  if (!error && !binds) {
    error =
        to_error_code(static_cast<int>(proactor().system().connect(socket.descriptor(), address)));
  }
  if (error) return error;
  socket_ = std::move(socket);
  connected_ = !binds;
  with_control_ = options.destination || options.traffic_class || options.arrival;
  start();
  start_receiving();
  return {};
}

void DatagramHandler::stop_receiving() noexcept {
  if (!open() || closing() || !receiving_) return;
  receiving_ = false;
  proactor().cancel(recv_);
}

void DatagramHandler::start_receiving() noexcept {
  if (!open() || closing()) return;
  receiving_ = true;
  arm();
}

// If the last receive is still being cancelled, its end leads here again.
void DatagramHandler::arm() noexcept {
  if (!receiving_ || recv_.pending()) return;
  recv_.prepare(descriptor(), with_control_);
  if (const std::error_code error = proactor().submit(recv_)) fail(to_negative(error));
}

void DatagramHandler::received(RecvDatagrams& request, const Result& result) {
  if (closing()) return;
  if (!result.error) {
    if (!receiving_) return request.keep();
    const Address source = request.source();
    const DatagramInfo info = request.info();
    Buffer datagram = std::move(request.buffer());
    return on_receive(datagram, source, info);
  }
  const bool cancelled = result.error == std::errc::operation_canceled;
  if (cancelled || !is_final(result.error)) arm();
  if (cancelled) return;
  ++errors_;
  on_error(result.error);
}

std::int32_t DatagramHandler::refusal(const Address& to, std::size_t capacity) const noexcept {
  if (connected_ && to.is_set()) return -EISCONN;
  if (!connected_ && !to.is_set()) return -EDESTADDRREQ;
  if (queue_.capacity() + capacity > limit_) return code_of(Error::write_limit);
  return 0;
}

void DatagramHandler::send(Buffer datagram, const Address& to) noexcept {
  if (!open() || closing() || !datagram) return;
  const std::int32_t refused = refusal(to, datagram.capacity());
  if (refused == 0) proactor().core().pool().turn_to_writing(datagram);
  const bool queued = refused == 0 ? queue_.push(std::move(datagram), to, 0)
                                   : queue_.push(Bytes(), to, 0, proactor().core().pool());
  if (queued && refused != 0) queue_.fail_last(refused);
  grew(queued);
}

void DatagramHandler::send(Bytes datagram, const Address& to) noexcept {
  if (!open() || closing()) return;
  std::int32_t refused = refusal(to, datagram.size);
  // Before its bytes are copied: the system would say the same.
  if (refused == 0 && datagram.size > UINT16_MAX) refused = -EMSGSIZE;
  if (refused != 0) datagram = {};
  const bool queued = queue_.push(datagram, to, 0, proactor().core().pool());
  if (queued && refused != 0) queue_.fail_last(refused);
  grew(queued);
}

void DatagramHandler::grew(bool queued) noexcept {
  if (!queued) return fail(-ENOBUFS);
  if (queue_.capacity() > filled_mark) filled_ = true;
  if (!send_.pending()) proactor().core().flush_when_idle(*this);
}

void DatagramHandler::flush() noexcept {
  if (state_ != State::open || send_.pending() || queue_.empty() || taken_ > 0) return;
  if (queue_.target(0).error != 0) return notify_later(notice_written);
  send_.prepare(descriptor(), queue_);
  if (const std::error_code error = proactor().submit(send_)) fail(to_negative(error));
}

void DatagramHandler::sent(const Result& result) {
  if (closing()) return;
  const std::int32_t earlier = std::exchange(pending_error_, 0);
  if (!result.error) {
    taken_ = result.bytes;
    if (earlier != 0) {  // it was the socket's
      ++errors_;
      fail(earlier);
    }
    return tell_sent();
  }
  if (earlier == 0) {
    pending_error_ = to_negative(result.error);
    proactor().core().flush_when_idle(*this);
    return;
  }
  struct Resume {
    DatagramHandler& handler;
    ~Resume() {
      if (handler.state_ == State::open) handler.notify_later(notice_written);
    }
  } const resume{*this};
  tell({result.error, 0});
}

void DatagramHandler::tell(const Result& result) {
  const Address to = queue_.target(0).to;
  queue_.pop();
  if (result.error) ++errors_;
  on_sent(to, result);
}

// One on_sent() at a time; an exception from one leaves the rest for later.
void DatagramHandler::tell_sent() {
  struct Resume {
    DatagramHandler& handler;
    bool done = false;
    ~Resume() {
      if (!done && handler.state_ == State::open) handler.notify_later(notice_written);
    }
  } resume{*this};
  for (std::size_t told = 0; !queue_.empty() && told < SendDatagrams::most; ++told) {
    const DatagramQueue::Target& target = queue_.target(0);
    if (taken_ > 0) {
      --taken_;
      tell({{}, target.bytes});
    } else if (target.error != 0) {
      tell({to_error_code(target.error), 0});
    } else {
      break;
    }
    if (closing()) break;
  }
  resume.done = true;
  if (closing()) return;
  if (!queue_.empty()) {
    taken_ > 0 ? notify_later(notice_written) : proactor().core().flush_when_idle(*this);
  } else if (std::exchange(filled_, false)) {
    on_drained();
  }
}

void DatagramHandler::dispatch(Notice notice) {
  if (notice == notice_written) tell_sent();
}

void DatagramHandler::release_resources() noexcept {
  queue_.clear();
  recv_.drop_queued();
  taken_ = 0;
  pending_error_ = 0;
  connected_ = receiving_ = filled_ = false;
}

}  // namespace proa
