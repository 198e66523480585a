// A datagram socket's output: a queue, which leaves when a round has nothing more to deliver. A
// send that fails is tried once more: what it told may have been meant for an earlier datagram
// (udp(7), "Error handling"). Upholds R1, R2 (each send() is told once) and R5.
#include <algorithm>
#include <cerrno>
#include <proa/datagram_handler.hpp>
#include <proa/error.hpp>
#include <utility>

#include "base/error_code.hpp"
#include "handler/datagram_extras.hpp"
#include "handler/handler_loop.hpp"

namespace proa {

namespace {

/// Refused datagrams that wait to be told.
constexpr std::size_t most_refused = 4096;
constexpr std::size_t filled_mark = std::size_t{256} << 10;

// The kernel's bounds (UDP_MAX_SEGMENTS was 64 at first).
std::int32_t refusal_of_segments(std::size_t size, std::size_t segment) noexcept {
  constexpr std::size_t most_segments = 64;
  constexpr std::size_t most_bytes = 65507;
  const bool is_size = segment > 0 && segment <= most_bytes;
  return is_size && size <= std::min(segment * most_segments, most_bytes) ? 0 : -EINVAL;
}

// Before the bytes are copied: the system would say the same.
std::int32_t refusal_of_size(std::size_t size) noexcept {
  return size > UINT16_MAX ? -EMSGSIZE : 0;
}

const DatagramSource* given(const DatagramSource& from) noexcept {
  return from.address.is_set() || from.interface != 0 ? &from : nullptr;
}

// By a second try: there was no room, or the device does not cut segments.
bool is_cured(std::int32_t error) noexcept {
  return error == -ENOBUFS || error == -ENOMEM || error == -EIO;
}

}  // namespace

void DatagramHandler::on_sent(const Address&, const Result&) {}

std::int32_t DatagramHandler::refusal_(const DatagramQueue::Route& route,
                                       std::size_t capacity) const noexcept {
  if (finishing_) return code_of(Error::closing);
  if (connected_ && route.to.is_set()) return -EISCONN;
  if (!connected_ && !route.to.is_set()) return -EDESTADDRREQ;
  if (queue_.capacity() + capacity + queue_.kept_for_each() > limit_) {
    return code_of(Error::write_limit);
  }
  return route.from ? refusal_(*route.from, route.to) : 0;
}

// The kernel would pass over a source of the wrong family in silence.
std::int32_t DatagramHandler::refusal_(const DatagramSource& from,
                                       const Address& to) const noexcept {
  if (!from.address.is_set()) return code_of(Error::bad_address);
  const Address::Family family = from.address.family();
  const bool fits = family == (to.is_set() ? to : address()).family();
  return fits && family != Address::Family::local ? 0 : -EAFNOSUPPORT;
}

bool DatagramHandler::takes_output_() noexcept {
  const bool takes = is_open() && !closing();
  if (!takes) ++errors_;
  return takes;
}

void DatagramHandler::send(Buffer datagram, const Address& to) noexcept {
  check_("send");
  put_(std::move(datagram), {to, nullptr, 0});
}

void DatagramHandler::send(Buffer datagram, const Address& to,
                           const DatagramSource& from) noexcept {
  check_("send");
  put_(std::move(datagram), {to, given(from), 0});
}

void DatagramHandler::send(Bytes datagram, const Address& to) noexcept {
  check_("send");
  put_(datagram, {to, nullptr, 0}, refusal_of_size(datagram.size));
}

void DatagramHandler::send(Bytes datagram, const Address& to, const DatagramSource& from) noexcept {
  check_("send");
  put_(datagram, {to, given(from), 0}, refusal_of_size(datagram.size));
}

void DatagramHandler::send_segments(Buffer datagrams, std::size_t segment,
                                    const Address& to) noexcept {
  check_("send_segments");
  const std::int32_t wrong = refusal_of_segments(datagrams.size(), segment);
  put_(std::move(datagrams), {to, nullptr, static_cast<std::uint32_t>(segment)}, wrong);
}

void DatagramHandler::send_segments(Buffer datagrams, std::size_t segment, const Address& to,
                                    const DatagramSource& from) noexcept {
  check_("send_segments");
  const std::int32_t wrong = refusal_of_segments(datagrams.size(), segment);
  put_(std::move(datagrams), {to, given(from), static_cast<std::uint32_t>(segment)}, wrong);
}

void DatagramHandler::send_segments(Bytes datagrams, std::size_t segment,
                                    const Address& to) noexcept {
  check_("send_segments");
  put_(datagrams, {to, nullptr, static_cast<std::uint32_t>(segment)},
       refusal_of_segments(datagrams.size, segment));
}

void DatagramHandler::send_segments(Bytes datagrams, std::size_t segment, const Address& to,
                                    const DatagramSource& from) noexcept {
  check_("send_segments");
  put_(datagrams, {to, given(from), static_cast<std::uint32_t>(segment)},
       refusal_of_segments(datagrams.size, segment));
}

// `wrong` is the error of what the verb got, which counts if nothing else is in the way.
void DatagramHandler::put_(Buffer buffer, const DatagramQueue::Route& route,
                           std::int32_t wrong) noexcept {
  if (!takes_output_()) return;
  std::int32_t refused = refusal_(route, buffer.capacity());
  if (refused == 0) refused = wrong;
  if (refused == 0 && !buffer) refused = -ENOBUFS;  // what was to be sent has found no block
  if (refused != 0) return enqueue_(Bytes(), route, refused);
  proactor().core().pool().turn_to_writing(buffer);
  grew_(queue_.push(std::move(buffer), route));
}

void DatagramHandler::put_(Bytes bytes, const DatagramQueue::Route& route,
                           std::int32_t wrong) noexcept {
  if (!takes_output_()) return;
  std::int32_t refused = refusal_(route, queue_.growth(bytes.size, proactor().core().pool()));
  if (refused == 0) refused = wrong;
  enqueue_(refused == 0 ? bytes : Bytes(), route, refused);
}

// What is refused has its place in the order too, but is not sent from anywhere.
void DatagramHandler::enqueue_(Bytes bytes, const DatagramQueue::Route& route,
                               std::int32_t refused) noexcept {
  if (refused != 0 && queue_.failed() == most_refused) {
    ++errors_;  // who does not look at what is refused must not fill the memory with it
    return;
  }
  const DatagramSource* const from = refused == 0 ? route.from : nullptr;
  const bool queued = queue_.push(bytes, {route.to, from, route.segment}, proactor().core().pool());
  if (queued && refused != 0) queue_.fail_last(refused);
  grew_(queued);
}

void DatagramHandler::grew_(bool queued) noexcept {
  if (!queued) return fail_(-ENOBUFS);
  if (queue_.capacity() > filled_mark) filled_ = true;
  if (!send_.pending()) proactor().core().flush_when_idle(*this);
}

void DatagramHandler::loop_flush() {
  if (state_ != HandlerState::open || send_.pending() || queue_.empty() || taken_ > 0) {
    return close_if_finished_();
  }
  if (queue_.target(0).error != 0) return notify_later_(notice_written);
  send_.prepare(descriptor(), queue_, cuts_, lends_from_());
  if (const std::error_code error = proactor().submit(send_)) fail_(to_negative(error));
}

void DatagramHandler::sent_(const Result& result) {
  if (send_.lent() > 0) {
    lend_(result.bytes);
    if (closing()) {
      tell_errors_();  // calls nobody then, but looks at what is lent
      return;
    }
    notify_later_(notice_read);
  }
  if (closing()) return;
  if (lingered_in_vain_(result)) return close();
  const std::int32_t earlier = std::exchange(pending_error_, 0);
  if (tells_errors_ && send_.fell_short()) notify_later_(notice_read);
  if (!result.error) {
    taken_ = static_cast<std::uint8_t>(result.bytes);
    if (earlier != 0 && tells_errors_) {
      notify_later_(notice_read);
    } else if (earlier != 0 && !is_cured(earlier)) {  // it was the socket's
      ++errors_;
      fail_(earlier);
    }
    return tell_sent_();
  }
  if (tells_errors_) notify_later_(notice_read);
  if (earlier == 0) {
    // No checksum by the device, hence no segments (udp(7)).
    if (result.error == std::errc::io_error) cuts_ = true;
    pending_error_ = to_negative(result.error);
    proactor().core().flush_when_idle(*this);
    return;
  }
  struct Resume {
    DatagramHandler& handler;
    ~Resume() {
      if (handler.state_ == HandlerState::open) handler.notify_later_(notice_written);
    }
  } const resume{*this};
  // A UNIX socket loses its peer with the first error, and is not connected from then on. To the
  // program it is all the same: nobody is there.
  const bool lost = connected_ && result.error == std::errc::not_connected;
  tell_({lost ? std::make_error_code(std::errc::connection_refused) : result.error, 0});
}

void DatagramHandler::tell_(const Result& result) {
  const Address to = queue_.target(0).to;
  queue_.pop();
  if (result.error) ++errors_;
  on_sent(to, result);
}

// One on_sent() at a time; an exception from one leaves the rest for later.
void DatagramHandler::tell_sent_() {
  std::size_t refused = 0;  // those that were sent are counted with the send
  struct Resume {
    DatagramHandler& handler;
    const std::size_t& refused;
    bool done = false;
    ~Resume() {
      handler.proactor().core().told(refused);
      if (!done && handler.state_ == HandlerState::open) handler.notify_later_(notice_written);
    }
  } resume{*this, refused};
  for (std::size_t told = 0; !queue_.empty() && told < SendDatagrams::most; ++told) {
    const DatagramQueue::Target& target = queue_.target(0);
    if (taken_ > 0) {
      --taken_;
      tell_({{}, target.bytes});
    } else if (target.error != 0) {
      ++refused;
      tell_({to_error_code(target.error), 0});
    } else {
      break;
    }
    if (!goes_on_()) break;
  }
  resume.done = true;
  if (!goes_on_()) return;
  if (!queue_.empty()) {
    taken_ > 0 ? notify_later_(notice_written) : proactor().core().flush_when_idle(*this);
  } else if (std::exchange(filled_, false)) {
    if (finishing_) notify_later_(notice_written);  // which closes
    on_drained();
  } else {
    close_if_finished_();
  }
}

}  // namespace proa
