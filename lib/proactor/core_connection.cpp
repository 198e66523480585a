// What becomes of a stream's connection, as its operations tell. Upholds R2 (only what the peer
// ended has an end), R4 (a Connect that was ended) and R5 (what waits for a Connect).
#include <cerrno>

#include "base/operation_table.hpp"
#include "proactor/core.hpp"
#include "proactor/requests.hpp"

namespace proa {

namespace {

// Errors that a connection is lost by. EPIPE is none of them: it tells a sender of an end, or of an
// error that was told before.
bool loses_connection(std::int32_t error) noexcept {
  switch (-error) {
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Core::note_connection(Channel& channel, Connected connected) noexcept {
  if (connect_failed(channel)) --unconnected_;
  channel.connected = connected;
  if (connect_failed(channel)) ++unconnected_;
}

// What was told of the connection before does not hold for this one.
void Core::connection_begins(Channel& channel) noexcept {
  channel.lost = 0;
  channel.ended = false;
  note_connection(channel, Connected::made);
}

// Whether a Connect may begin: 0, or why not. connect(2) on a socket that is connecting, or whose
// connection nobody has asked it for, tells of that connection, whatever address it is given. So
// the core answers in its place.
int Core::refusal_to_connect(const Operation& connect) noexcept {
  Channel& channel = *channels_.find(connect.descriptor_);
  const Descriptor socket = connect.descriptor();
  switch (channel.connected) {
    case Connected::made:
      if (!is_stream(socket)) return 0;
      if (is_connected(socket, system())) return -EISCONN;
      note_connection(channel, Connected::unknown);
      return 0;
    case Connected::shared:
      return 0;
    case Connected::abandoned:
      if (!system().writable(socket)) return -EALREADY;
      if (!had_connection(socket, system())) return 0;
      note_connection(channel, Connected::made);
      return -EISCONN;
    default:
      if (had_connection(socket, system())) note_connection(channel, Connected::made);
      return 0;
  }
}

// A Connect has its result. One that was ended may have succeeded all the same (R4), or is still
// under way in the system, which would finish it for nobody. One that has failed must leave nothing
// to the next one: neither its error, nor a socket that the system takes for a connecting one.
void Core::look_at_connect(Operation& connect) noexcept {
  Channel& channel = *channels_.find(connect.descriptor_);
  const Descriptor socket = connect.descriptor();
  const bool began = channel.active[out] == &connect;  // else it has waited behind another one
  if (connect.error_ == 0) return connection_begins(channel);
  if (channel.connected == Connected::made || !began) return;
  if (connect.error_ == -EISCONN) {
    // There was no connection when the Connect began, but another process that shares the socket
    // has carried the Connect out (R14).
    if (is_connected(socket, system())) connect.error_ = 0;
    return connection_begins(channel);
  }
  if (channel.connected == Connected::abandoned && connect.error_ == -EALREADY) return;
  if (channel.connected == Connected::shared) return note_connection(channel, Connected::unknown);
  const bool ended = connect.reason_ != Reason::none && not_done(connect.error_);
  const bool stays = system().abandon_connect(socket) < 0 && !system().writable(socket);
  // Looks only now, because the connection may have come until then.
  if (ended && had_connection(socket, system())) {
    connect.error_ = 0;
    connection_begins(channel);
  } else if (lacks_connection(socket, system())) {
    note_connection(channel, stays ? Connected::abandoned : Connected::failed);
  }
}

// When a Connect has failed, the system answers what needs the connection as it happens: with the
// end of a stream (the error was taken, but not by connect(2)), with the error of a Connect that
// was ended, or with EPIPE. The library gives one answer (R12). A socket that had a connection has
// an end, or a reset, to tell; the kernel may finish a Connect that was cancelled.
void Core::look_for_connection(Operation& operation, bool moved) noexcept {
  Channel& channel = *channels_.find(operation.descriptor_);
  const Descriptor socket = operation.descriptor();
  if (operation.opcode_ == Opcode::connect) {
    look_at_connect(operation);
  } else if (connect_failed(channel) && needs_connection(operation) &&
             operation.error_ != -ECANCELED) {
    // EINVAL is what Linux says of a UNIX socket. The next Connect may have succeeded since.
    const bool refused = operation.error_ == -ENOTCONN || operation.error_ == -EINVAL;
    if (!refused && (moved || !lacks_connection(socket, system()))) {
      note_connection(channel, Connected::made);
    } else {
      operation.error_ = -ENOTCONN;
    }
  }
}

// The system tells an error of the connection once. When a send has taken it, what receives gets 0
// bytes, which would be taken for the peer's end. So the core keeps the error, and tells it in
// place of an end. False if a send that has not told its result yet may have taken one: the end
// waits for that result, which comes soon, because the connection is over in both directions.
// Messages that have bounds (datagrams, SOCK_SEQPACKET) may be of 0 bytes, which is no end.
bool Core::end_is_known(Operation& operation) noexcept {
  if (!needs_connection(operation)) return true;
  Channel& channel = *channels_.find(operation.descriptor_);
  // Another receive, which was queued behind this one, may be cancelled while the end waits.
  const bool waited = channel.end_waits && channel.active[in] == &operation;
  if (waited) channel.end_waits = false;
  if (!has_no_bounds(operation.descriptor())) return true;
  const bool lost = loses_connection(operation.error_);
  if (lost && side(operation) == in && channel.ended) operation.error_ = 0;  // the end comes again
  if (lost && !channel.ended) channel.lost = static_cast<std::uint8_t>(-operation.error_);
  if (side(operation) == out || operation.error_ != 0 || operation.bytes_ > 0) return true;
  if (channel.ended) return true;
  if (channel.lost != 0 && is_over_both_ways(operation.descriptor())) {
    operation.error_ = -channel.lost;
    return true;
  }
  // A connection may live on behind some errors of the network, and the program may have connected
  // the socket anew by itself.
  channel.lost = 0;
  Operation* const send = channel.active[out];
  if (!waited && send && needs_connection(*send) && !is_over(operation) &&
      is_over_both_ways(operation.descriptor())) {
    channel.end_waits = true;
    operation.state_ = State::finished;
    return false;
  }
  channel.ended = operation.descriptor().is_socket();
  return true;
}

// Neither a cancel nor a deadline tells the end before that send has told its result.
bool Core::waits_with_end(const Operation& operation) noexcept {
  const Channel* const channel = channels_.find(operation.descriptor_);
  return channel && channel->end_waits && channel->active[in] == &operation;
}

// A send has told its result.
void Core::tell_waiting_end(Channel& channel) noexcept {
  if (channel.active[out]) return;
  Operation& receive = *channel.active[in];
  if (!OperationList::linked(receive)) finished_.push_back(receive);
}

}  // namespace proa
