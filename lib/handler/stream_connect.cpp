// How a stream gets a connection by connect(): at once, when it has closed, or behind requests on
// the connection before. Upholds R1 (verbs only note what to do) and R6.
#include <cerrno>
#include <new>
#include <proa/error.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "handler/stream_parts.hpp"
#include "handler/stream_states.hpp"

namespace proa {

void StreamHandler::connect(const Address& address, TimePoint deadline) noexcept {
  start_("connect");
  if (closing()) return connect_later_(address, deadline);
  if (!live_()) return;
  if (connection_ >= StreamConnection::connecting) return fail_(connected() ? -EISCONN : -EALREADY);
  if (parts_) parts_->connecting.reset();  // a connect() that was remembered is void now
  if (!address.is_set()) return refuse_connection_(code_of(Error::bad_address));
  if (proactor_.core().has_requests(*this)) return connect_behind_(address, deadline);
  std::error_code error;
  take_(Socket::open(proactor_, address.family(), Transport::stream, error));
  if (error) return refuse_connection_(to_negative(error));
  if (descriptor().kind == DescriptorKind::tcp) {
    (void)socket_.set_option(SocketOption::no_delay, 1);
  }
  if (!need_connecting_()) return refuse_connection_(-ENOMEM);
  connecting_()->request.prepare(descriptor(), address);
  if ((error = proactor_.submit(connecting_()->request, deadline))) {
    parts_->connecting.reset();
    return refuse_connection_(to_negative(error));
  }
  connection_ = StreamConnection::connecting;
  if (timing_()) start_timing_();
}

// Makes it anew. False if memory is short.
bool StreamHandler::need_connecting_() noexcept {
  if (!need_parts_()) return false;
  parts_->connecting.reset(new (std::nothrow) StreamConnecting(*this));
  return parts_->connecting != nullptr;
}

// Remembers a connect() that was called while the handler closes. The last one replaces those
// before.
void StreamHandler::connect_later_(const Address& address, TimePoint deadline) noexcept {
  std::unique_ptr<StreamConnecting> made(new (std::nothrow) StreamConnecting(*this));
  if (made) {
    made->request.prepare({}, address);
    made->deadline = deadline;
  }
  const bool pending = connecting_() && connecting_()->request.pending();
  if (need_parts_()) (pending ? connecting_()->next : parts_->connecting) = std::move(made);
  reopen_later_();
}

// Requests of the program's own are pending on the descriptor of the connection that failed. They
// end first, because that descriptor is closed then (R6); the end of the last one is
// notice_reopen.
void StreamHandler::connect_behind_(const Address& address, TimePoint deadline) noexcept {
  if (!need_connecting_()) return refuse_connection_(-ENOMEM);
  connecting_()->request.prepare({}, address);
  connecting_()->deadline = deadline;
  connection_ = StreamConnection::connecting;
  proactor_.core().end_requests(*this);
}

void StreamHandler::reconnect_() noexcept {
  if (!connecting_()) {  // memory was short; or on_closed() has tried another one, which has failed
    if (start_("connect")) refuse_connection_(-ENOMEM);
    return;
  }
  if (connecting_()->request.pending()) return;  // on_closed() has connected elsewhere
  connection_ = StreamConnection::none;
  const auto asked = std::move(parts_->connecting);
  connect(asked->request.address(), asked->deadline);
}

void StreamHandler::refuse_connection_(std::int32_t error) noexcept {
  connection_ = StreamConnection::refused;
  fail_(error);
}

void StreamHandler::not_connected_(std::error_code error) {
  proactor_.core().flush_later(*this);  // finish() may wait for the connection
  on_error(error);
  if (connection_ == StreamConnection::none && !finishing_) unanswered_();
}

Operation* StreamHandler::connect_request_() noexcept {
  return connecting_() && connecting_()->request.pending() ? &connecting_()->request : nullptr;
}

void StreamHandler::connect_ended_(const Result& result) {
  const auto ended = std::move(parts_->connecting);
  parts_->connecting = std::move(ended->next);
  connection_ = StreamConnection::none;
  if (closing() || lingered_in_vain_(result, 0)) return;
  if (result.error) {
    reopen_output_();
    // Told behind this error, unless the handler connects elsewhere before.
    if (refused_ != 0) notify_later_(notice_error);
    return not_connected_(result.error);
  }
  connection_ = StreamConnection::opened;
  opened_();
}

}  // namespace proa
