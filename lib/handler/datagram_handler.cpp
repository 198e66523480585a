// A datagram socket's life and input: one continuous receive, and the errors and blocks that the
// kernel returns for sent datagrams. Upholds R1 and R6.
#include <algorithm>
#include <cerrno>
#include <proa/datagram_handler.hpp>
#include <proa/error.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "base/memory.hpp"
#include "buffer/datagram.hpp"
#include "handler/datagram_extras.hpp"
#include "handler/datagram_states.hpp"
#include "handler/handler_loop.hpp"
#include "proactor/requests.hpp"

namespace proa {

namespace {

/// The Options::buffer_size that coalesced datagrams need.
constexpr std::size_t coalesced_size = bytes_at(true) + UINT16_MAX + detail::Block::header_size;

void describe(std::string* detail, const char* what, const Address& address, bool coalesces,
              const std::error_code& error) noexcept {
  if (!detail) return;
  detail->clear();
  if (!error) return;
  // Without memory the error is told without a sentence.
  with_memory([&] {
    *detail = what + address.to_string() + ": " + error.message();
    if (coalesces && error == std::errc::no_buffer_space) {
      *detail += " (coalescing takes an Options::buffer_size of " + std::to_string(coalesced_size) +
                 " at least)";
    }
  });
}

/// Receiving stops after so many receives in a row that failed without a returned error to explain
/// it.
constexpr std::uint8_t most_failures = 16;

/// What a datagram takes of the system's receive buffer at least, besides its bytes.
constexpr std::uint32_t least_kept = 256;

/// Whether the descriptor is closed or is no socket of this handler: another receive would fail the
/// same way for ever.
bool is_final(const std::error_code& error) noexcept {
  return error == std::errc::bad_file_descriptor || error == std::errc::not_a_socket ||
         error == std::errc::invalid_argument;
}

}  // namespace

void DatagramHandler::on_error(std::error_code) {}

std::error_code DatagramHandler::bind(const Address& address, const DatagramOptions& options,
                                      std::string* detail) {
  check_("bind");
  const std::error_code error = open_with_(address, options, true);
  describe(detail, "cannot bind ", address, options.coalesce, error);
  return error;
}

std::error_code DatagramHandler::connect(const Address& peer, const DatagramOptions& options,
                                         std::string* detail) {
  check_("connect");
  std::error_code error;
  if (!is_open() || closing() || connected_ || finishing_) {
    error = open_with_(peer, options, false);
  } else if (!peer.is_set()) {
    error = Error::bad_address;
  } else if (!make_extras_()) {
    error = std::make_error_code(std::errc::not_enough_memory);
  } else {
    const long result = proactor().system().connect(descriptor(), peer);
    error = to_error_code(static_cast<int>(result));
    connected_ = !error;
    if (connected_) extras_->peer = socket_.peer_address();
    listen_for_errors_();
  }
  describe(detail, "cannot connect to ", peer, options.coalesce, error);
  return error;
}

std::error_code DatagramHandler::make_(const Address& address, const DatagramOptions& options,
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
  return error ? error : configure_(socket, ip, options);
}

std::error_code DatagramHandler::configure_(Socket& socket, bool ip,
                                            const DatagramOptions& options) {
  std::error_code error;
  const auto set = [&](bool wanted, SocketOption option, int value) {
    if (!error && wanted) error = socket.set_option(option, value);
  };
  set(options.broadcast && ip, SocketOption::broadcast, 1);
  // An IPv6 socket receives IPv4 datagrams too, so this sets the options of both.
  set(options.destination && ip, SocketOption::tell_destination, 1);
  set(options.traffic_class && ip, SocketOption::tell_traffic_class, 1);
  set(options.arrival && ip, SocketOption::tell_arrival, 1);
  set(options.keep_whole && ip, SocketOption::keep_whole, 1);
  set(options.send_traffic_class != 0 && ip, SocketOption::traffic_class,
      options.send_traffic_class);
  set(options.receive_buffer > 0, SocketOption::receive_buffer, options.receive_buffer);
  set(options.send_buffer > 0, SocketOption::send_buffer, options.send_buffer);
  if (error) return error;
  // Where the system refuses these options, datagrams come one by one, and the library cuts what is
  // sent.
  if (options.coalesce && ip) (void)socket.set_option(SocketOption::coalesce, 1);
  cuts_ = !ip || socket.set_option(SocketOption::segment_size, 0);
  return error;
}

std::error_code DatagramHandler::cannot_open_(const DatagramOptions& options) const noexcept {
  if (closing() || proactor().shutting_down()) return Error::closing;
  if (is_open()) return std::make_error_code(std::errc::device_or_resource_busy);
  const bool small = options.coalesce && proactor().options().buffer_size < coalesced_size;
  return small ? std::make_error_code(std::errc::no_buffer_space) : std::error_code();
}

std::error_code DatagramHandler::open_with_(const Address& address, const DatagramOptions& options,
                                            bool binds) {
  std::error_code error = cannot_open_(options);
  if (error) return error;
  if (!address.is_set()) return Error::bad_address;
  Socket socket;
  error = make_(address, options, socket);
  if (!error && binds) error = socket.bind(address);
  if (!error && !binds) {
    error =
        to_error_code(static_cast<int>(proactor().system().connect(socket.descriptor(), address)));
  }
  if (error) return error;
  begin_(std::move(socket), !binds, address.family() != Address::Family::local, options);
  return {};
}

std::error_code DatagramHandler::bind(Socket bound, const DatagramOptions& options) {
  check_("bind");
  if (const std::error_code error = cannot_open_(options)) return error;
  if (!bound.valid()) return std::make_error_code(std::errc::bad_file_descriptor);
  if (!bound.descriptor().is_socket()) return std::make_error_code(std::errc::not_a_socket);
  if (has_no_bounds(bound.descriptor())) {
    return std::make_error_code(std::errc::wrong_protocol_type);
  }
  const Address::Family family = bound.local_address().family();
  const bool ip = family == Address::Family::ipv4 || family == Address::Family::ipv6;
  if (const std::error_code error = configure_(bound, ip, options)) return error;
  const bool connected = bound.peer_address().is_set();
  begin_(std::move(bound), connected, ip, options);
  return {};
}

void DatagramHandler::begin_(Socket socket, bool connected, bool ip,
                             const DatagramOptions& options) {
  socket_ = std::move(socket);
  connected_ = connected;
  // UNIX sockets get no room for control messages, because a peer could send descriptors in it.
  with_control_ =
      ip && (options.destination || options.traffic_class || options.arrival || options.coalesce);
  listen_for_errors_();
  begin_zero_copy_(options.zero_copy_from);
  start_("bind");
  start_receiving();
}

// On a socket that is not connected nobody could tell which datagram an error is about.
void DatagramHandler::listen_for_errors_() noexcept {
  tells_errors_ = connected_ && descriptor().valid() &&
                  socket_.local_address().family() != Address::Family::local &&
                  !socket_.set_option(SocketOption::tell_errors, 1);
}

void DatagramHandler::stop_receiving() noexcept {
  check_("stop_receiving");
  const bool on = receives(receiving_) || receiving_ == detail::Receiving::failed;
  if (!is_open() || closing() || !on) return;
  if (receiving_ == detail::Receiving::draining) notify_later_(notice_drain);  // nothing more comes
  receiving_ = detail::after_stop(recv_.pending());
  proactor().cancel(recv_);
}

void DatagramHandler::start_receiving() noexcept {
  check_("start_receiving");
  if (!is_open() || closing() || finishing_) return;
  receiving_ = after_start(receiving_);
  failures_ = 0;
  arm_();
}

// Submits the receive. While the last one is still being cancelled, this does nothing: its end
// calls arm_() again.
void DatagramHandler::arm_() noexcept {
  if (!receives(receiving_) || recv_.pending()) return;
  recv_.prepare(descriptor(), with_control_);
  if (const std::error_code error = proactor().submit(recv_)) {
    receiving_failed_();
    fail_(to_negative(error));
  }
  if (receiving_ == detail::Receiving::draining) proactor().core().expire(recv_);
}

void DatagramHandler::receiving_failed_() noexcept {
  if (receiving_ == detail::Receiving::draining) notify_later_(notice_drain);  // nothing more comes
  receiving_ = detail::Receiving::failed;
}

// Behind an error that ended receiving nothing comes unless the owner answers.
void DatagramHandler::tell_error_(const std::error_code& error) {
  on_error(error);
  if (receiving_ == detail::Receiving::failed && !finishing_) unanswered_();
}

void DatagramHandler::loop_tell_error(std::int32_t error) {
  if (finishing_) notify_later_(notice_written);  // which closes
  tell_error_(to_error_code(error));
}

void DatagramHandler::received_(RecvDatagrams& request, const Result& result) {
  if (closing()) return;
  if (!result.error) {
    failures_ = 0;
    // The receive was cancelled: what it still brings is kept behind the datagrams that it brought
    // before.
    if (!tells(receiving_)) return request.keep();
    if (receiving_ == detail::Receiving::draining) {
      const std::uint32_t room = static_cast<std::uint32_t>(result.bytes) + least_kept;
      extras_->last_input -= std::min(extras_->last_input, room);
    }
    const Address source = request.source();
    // Others than the peer had sent it before connect().
    if (extras_ && extras_->peer.is_set() && source != extras_->peer) return;
    const DatagramInfo info = request.info();
    Buffer datagram = std::move(request.buffer());
    return on_receive(datagram, source, info);
  }
  receiving_ = after_end(receiving_);
  if (receiving_ == detail::Receiving::draining && result.error == Error::deadline) {
    return drain_on_();
  }
  // Only drain() gives the receive a deadline.
  const bool cancelled =
      result.error == std::errc::operation_canceled || result.error == Error::deadline;
  // The receive fails again and again (epoll_ctl(2) has no room, a filter forbids the call): the
  // handler gives up.
  const bool last = !cancelled && failures_ + 1 == most_failures;
  const bool ends = last || is_final(result.error);
  if (cancelled || !ends) arm_();
  if (cancelled) return;
  // The error of the receive only announces that tell_errors_() has something to tell, unless that
  // finds nothing.
  if (tells_errors_ && tell_errors_()) {
    if (goes_on_()) arm_();
    return;
  }
  if (closing()) return;
  ++failures_;
  if (ends && receives(receiving_)) receiving_failed_();
  ++errors_;
  tell_error_(result.error);
}

// Tells the errors that the kernel has returned for sent datagrams, no more than one turn's at a
// time. The error of a call only announces them. Returns false if there were none.
bool DatagramHandler::tell_errors_() {
  std::size_t told = 0;
  struct Resume {
    DatagramHandler& handler;
    const std::size_t& told;
    bool done = false;
    ~Resume() {
      handler.proactor().core().told(told);
      if (!done && handler.state_ == HandlerState::open) handler.notify_later_(notice_read);
    }
  } resume{*this, told};
  SendNotice notice;
  bool some = false;
  while (told < HandlerLoop::most_told &&
         proactor().system().take_notice(descriptor(), notice) == 0) {
    some = true;
    if (notice.returned) returned_(notice);
    if (notice.error == 0 || closing()) continue;
    ++errors_;
    ++told;
    on_error(to_error_code(notice.error));
    if (proactor().core().inherited()) return true;
  }
  resume.done = told < HandlerLoop::most_told;
  if (extras_) settle_zero_copy_();
  return some;
}

void DatagramHandler::loop_dispatch(HandlerNotice notice) {
  if (notice == notice_written) tell_sent_();
  if (notice == notice_read) tell_errors_();
}

void DatagramHandler::loop_release_resources() noexcept {
  queue_.clear();
  recv_.drop_queued();
  extras_.reset();
  taken_ = 0;
  pending_error_ = 0;
  receiving_ = detail::Receiving::off;
  connected_ = filled_ = cuts_ = tells_errors_ = finishing_ = false;
}

std::error_code DatagramHandler::join(const Address& group, std::uint32_t interface,
                                      const Address& source) noexcept {
  check_("join");
  return change_group_(true, group, interface, source);
}

std::error_code DatagramHandler::leave(const Address& group, std::uint32_t interface,
                                       const Address& source) noexcept {
  check_("leave");
  return change_group_(false, group, interface, source);
}

// The kernel does not look at the scope of the group.
std::error_code DatagramHandler::change_group_(bool join, const Address& group,
                                               std::uint32_t interface,
                                               const Address& source) noexcept {
  if (closing()) return Error::closing;
  if (!group.is_set()) return Error::bad_address;
  const std::uint32_t scope = group.scope();
  if (interface != 0 && scope != 0 && interface != scope) {
    return std::make_error_code(std::errc::invalid_argument);
  }
  const long result = proactor().system().multicast(descriptor(), join, group,
                                                    interface != 0 ? interface : scope, source);
  return to_error_code(static_cast<int>(result));
}

std::error_code DatagramHandler::set_multicast(std::uint32_t interface, int hops,
                                               bool loop) noexcept {
  check_("set_multicast");
  if (closing()) return Error::closing;
  std::error_code error =
      socket_.set_option(SocketOption::multicast_interface, static_cast<int>(interface));
  if (!error) error = socket_.set_option(SocketOption::multicast_hops, hops);
  if (!error) error = socket_.set_option(SocketOption::multicast_loop, loop);
  return error;
}

void DatagramHandler::set_limit(std::size_t bytes) noexcept {
  check_("set_limit");
  limit_ = bytes;
}

std::uint32_t DatagramHandler::dropped() const noexcept {
  int number = 0;
  const bool told = is_open() && !socket_.get_option(SocketOption::dropped, number);
  return told ? static_cast<std::uint32_t>(number) : 0;
}

int DatagramHandler::path_mtu() const noexcept {
  int bytes = 0;
  return connected_ && !socket_.get_option(SocketOption::path_mtu, bytes) ? bytes : 0;
}

}  // namespace proa
