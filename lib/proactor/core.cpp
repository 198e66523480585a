// Operations from submit() to their retirement. Upholds R2 (exactly once), R4 (what a cancelled
// operation reports), R5 (one operation per direction at the backend) and R6 (who closes is told of
// the last completion).
#include "proactor/core.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <proa/datagram.hpp>
#include <proa/file_requests.hpp>
#include <proa/work.hpp>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "base/operation_table.hpp"
#include "proactor/requests.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

/// How long an operation that waits behind another one is kept beyond its deadline before the
/// descriptor is looked at again.
constexpr Duration place_kept = std::chrono::milliseconds(100);
/// The last try of a receive that finds no block is repeated so often, in such distances.
constexpr std::uint8_t most_looks = 10;
constexpr Duration look_again = std::chrono::milliseconds(10);

// While it is pending its direction is its own.
bool continuous(const Operation& operation) noexcept {
  return traits_of(operation).continuous && BackendSide::repeating(operation);
}

}  // namespace

// Once a worker is at it, the number may be handed out again any moment.
bool Core::close_file_waits(const Channel& channel) noexcept {
  return channel.close_file && channel.close_file->keeper_ != Keeper::backend &&
         !files_.begun(*channel.close_file);
}

// The other descriptor that an operation is pending on: a SendFile's file. It may not be closed
// meanwhile: the number may be another file's then.
Channel* Core::file_of(Operation& operation) noexcept {
  if (operation.opcode_ != Opcode::send_file) return nullptr;
  return channels_.at(static_cast<SendFile&>(operation).file().number);
}

// Why the operation cannot be taken on, or 0.
int Core::refusal(Operation& operation, Channel*& channel) noexcept {
  if (shut_down_) return code_of(Error::closing);
  if (operation.opcode_ == Opcode::timer) return 0;
  if (operation.opcode_ == Opcode::work) {
    return static_cast<Work&>(operation).workers_->ready() ? 0 : -EAGAIN;
  }
  if (const int error = refusal_of(operation)) return error;
  if (operation.opcode_ == Opcode::send_file) {
    const Channel* const file = file_of(operation);
    if (!file) return -ENOMEM;
    if (file->closing || close_file_waits(*file)) return code_of(Error::closing);
  }
  if (operation.descriptor_ < 0) return 0;
  channel = channels_.at(operation.descriptor_);
  if (!channel) return -ENOMEM;
  if (channel->closing) return code_of(Error::closing);
  if (close_file_waits(*channel)) return code_of(Error::closing);
  if (closes(operation)) {
    if (!static_cast<CloseFile&>(operation).file().valid()) return -EBADF;  // closed already
    if (channel->pending > 0) return -EBUSY;
  }
  if (operation.direction_ == Direction::none || !channel->continuous[side(operation)]) return 0;
  return operation.direction_ == Direction::in ? code_of(Error::reading_is_on) : -EBUSY;
}

std::error_code Core::submit(Operation& operation, TimePoint deadline) noexcept {
  check("submit");
  if (operation.pending()) operation.busy("submit");
  if (!operation.deliver_) {
    misuse("Operation %p submitted without a callback: use On<>", static_cast<void*>(&operation));
  }
  if (operation.opcode_ == Opcode::work &&
      (!static_cast<Work&>(operation).workers_ || !static_cast<Work&>(operation).function_)) {
    misuse("Work %p submitted without prepare(), or not through WorkerPool::run()",
           static_cast<void*>(&operation));
  }
  Channel* channel = nullptr;
  if (const int error = refusal(operation, channel)) return to_error_code(error);

  if (deadline != never || operation.opcode_ == Opcode::timer) {
    // Not before this round's time, so that one in the past does not overtake those that wait
    // already.
    if (!timers_.add(operation, operation.timer_, std::max(deadline, now_))) {
      return to_error_code(-ENOMEM);
    }
    hurry(deadline);
  }
  // Empty pieces move nothing, and take their time.
  take_on(operation, pieces_of(operation) / pieces_of_callback);
  if (operation.opcode_ == Opcode::timer) return {};

  if (channel && closes(operation)) {
    channel->close_file = &operation;
  } else if (channel) {
    ++channel->pending;
  }
  if (Channel* const file = file_of(operation)) {
    ++file->pending;
    file->is_sent = true;
  }
  if (operation.direction_ == Direction::none) {
    start(operation);
    return {};
  }
  if (continuous(operation)) channel->continuous[side(operation)] = true;
  if (is_taken(*channel, side(operation))) {
    operation.state_ = State::waiting;
    channel->waiting[side(operation)].push_back(operation);
  } else {
    channel->active[side(operation)] = &operation;
    start(operation);
  }
  return {};
}

void Core::take_on(Operation& operation, std::size_t extra_cost) noexcept {
  operation.bytes_ = 0;
  BackendSide::set_extra_cost(operation, extra_cost);
  operation.error_ = 0;
  operation.reason_ = Reason::none;
  operation.more_ = false;
  operation.core_ = number_;
  operation.process_ = static_cast<std::int32_t>(home_.process());
  operation.state_ = State::submitted;
  ++pending_;
  ++counters_.submitted;
}

// Ended here; the backend has no part in it any more.
void Core::finish(Operation& operation, long result) noexcept {
  BackendSide::finish(operation, result);
  operation.state_ = State::finished;
  finished_.push_back(operation);
  hurry();
}

// What the kernel takes of a send at once, or -errno; -EAGAIN if that is not to be had.
long Core::try_send(SendBuffers& send) noexcept {
  if (shut_down_ || unconnected_ > 0) return -EAGAIN;
  const Channel* const channel = channels_.find(send.descriptor_);
  const bool possible = channel && !channel->closing && channel->active[out] == nullptr &&
                        send.descriptor().is_socket();
  return possible ? backend_->try_send(send) : -EAGAIN;
}

// submit() without the questions whose answers are known: a socket of a handler that is open, no
// deadline, bytes to send, and no other send before them. False if it is not so.
bool Core::submit_plain(SendBuffers& send) noexcept {
  Channel* const channel = channels_.find(send.descriptor_);
  const bool plain = channel && !channel->closing && channel->active[out] == nullptr &&
                     channel->close_file == nullptr && send.descriptor().is_socket() && !shut_down_;
  if (!plain) return false;
  take_on(send, 0);
  ++channel->pending;
  channel->active[out] = &send;
  untold_ = true;
  hurry();
  backend_->submit(send);
  return true;
}

// Nearly every send finds room, so the core asks the backend before an operation begins.
std::error_code Core::send(SendBuffers& send, std::size_t& taken) noexcept {
  if (!tries_sends_) return submit_plain(send) ? std::error_code() : submit(send, never);
  const long result = try_send(send);
  if (result == -EAGAIN) return submit(send, never);
  const std::uint8_t extra_cost = send.extra_cost_;  // of the pieces that were sent
  if (result <= 0) {
    take_on(send, extra_cost);
    Channel& channel = *channels_.find(send.descriptor_);
    ++channel.pending;
    channel.active[out] = &send;
    finish(send, result);
    return {};
  }
  taken = static_cast<std::size_t>(result);
  send.bytes_ = taken;
  charge(cost(send));
  ++counters_.submitted;
  ++counters_.completed;
  ++counters_.delivered;
  return {};
}

void Core::start_next(Channel& channel, std::size_t side) noexcept {
  if (channel.waiting[side].empty() || is_taken(channel, side)) return;
  Operation& next = *channel.waiting[side].pop_front();
  channel.active[side] = &next;
  start(next);
}

void Core::start(Operation& operation) noexcept {
  if (traits_of(operation).writes && !write_signals_blocked_ &&
      !operation.descriptor().is_socket()) {
    write_signals_blocked_ = true;
    sys::block_write_signals();
  }
  if (operation.reason_ != Reason::none) {
    finish(operation, -ECANCELED);  // close() or its deadline came while it waited
  } else if (asks_for_nothing(operation)) {
    finish(operation, 0);
  } else if (const int refused =
                 operation.opcode_ == Opcode::connect ? refusal_to_connect(operation) : 0) {
    finish(operation, refused);
  } else {
    operation.state_ = State::submitted;
    untold_ = true;
    hurry();
    if (closes(operation)) {
      system().forget(operation.descriptor());
      forget_file(operation.descriptor_);
      // Not ours to close.
      if (static_cast<CloseFile&>(operation).file().borrowed()) {
        static_cast<CloseFile&>(operation).closed();
        return finish(operation, 0);
      }
    }
    if (operation.opcode_ == Opcode::work) {
      operation.keeper_ = Keeper::workers;
      static_cast<Work&>(operation).workers_->submit(operation);
    } else {
      backend_->submit(operation);
    }
  }
}

void Core::end(Operation& operation, Reason reason) noexcept {
  if (!operation.pending()) return;
  if (operation.state_ == State::finished) {
    // One whose last try found no block is in no list. It is tried once more, and for the last time
    // if it was cancelled.
    hurry_deadline(operation, reason);
    if (OperationList::linked(operation) || waits_with_end(operation)) return;
    if (operation.timer_ != Timers::none) timers_.remove(operation.timer_);
    finished_.push_back(operation);
    return hurry();
  }
  if (reason == Reason::deadline && keeps_its_place(operation)) return;
  const bool kept = operation.state_ == State::waiting && operation.reason_ == Reason::deadline;
  if (operation.reason_ != Reason::none && !kept) return hurry_deadline(operation, reason);
  if (!kept) operation.reason_ = reason;
  if (operation.opcode_ == Opcode::timer) {
    timers_.remove(operation.timer_);
  } else if (operation.keeper_ != Keeper::backend) {
    if (!workers_of(operation).cancel(operation)) return;  // too late
    operation.keeper_ = Keeper::backend;
  } else if (operation.state_ == State::submitted) {
    untold_ = true;
    hurry();
    backend_->cancel(operation);
    return;
  } else {
    channels_.find(operation.descriptor_)->waiting[side(operation)].remove(operation);
  }
  finish(operation, -ECANCELED);
}

// The deadline has named the error already.
void Core::hurry_deadline(Operation& operation, Reason reason) noexcept {
  if (operation.reason_ == Reason::deadline && reason != Reason::deadline) {
    operation.reason_ = Reason::hurried_deadline;
  }
}

// One that waits behind another of its direction has its last try when its turn comes, if there may
// be something for it then (R7). What is read goes on with each operation in front. A send in front
// may be long, and so may a connect: what waits behind one of these is kept once.
bool Core::keeps_its_place(Operation& operation) noexcept {
  if (operation.state_ != State::waiting) return false;
  const bool again = operation.reason_ == Reason::deadline;
  if (operation.reason_ != Reason::none && !again) return false;  // something else came first
  const Channel* const channel = channels_.find(operation.descriptor_);
  const bool once = operation.direction_ == Direction::out || (channel && connects(*channel));
  if (again && once) return false;
  if (!may_go_on(operation, system())) return false;
  operation.reason_ = Reason::deadline;
  return timers_.add(operation, operation.timer_, after(now_, place_kept));
}

// Nobody is left to take what the operation brings.
bool Core::is_over(const Operation& operation) noexcept {
  if (shut_down_ || operation.reason_ == Reason::close) return true;
  const Channel* const channel = channels_.find(operation.descriptor_);
  return channel && channel->closing;
}

// An operation that ends by its deadline is tried once more before that is told, but not if
// nobody is left, nor if it waits: those in front come first (R5).
bool Core::has_last_try(const Operation& operation) noexcept {
  if (!not_done(operation.error_)) return false;
  if (is_over(operation)) return false;
  if (operation.opcode_ == Opcode::connect &&
      channels_.find(operation.descriptor_)->connected == Connected::made) {
    return false;  // the connection that there is, or was, is another one's
  }
  if (operation.direction_ == Direction::none) {
    return operation.opcode_ == Opcode::read_at || operation.opcode_ == Opcode::write_at;
  }
  return channels_.find(operation.descriptor_)->active[side(operation)] == &operation;
}

// What the kernel has by now comes before the deadline (R7). A repeating operation has as many
// results more as a round delivers at most. The backend is done with the operation: its slot counts
// the results here, and its phase how often there was no block.
LastTry Core::tried_at_last(Operation& operation) noexcept {
  if (operation.state_ != State::finished) {
    operation.slot_ = Operation::no_index;
    operation.phase_ = 0;
  }
  const bool first = ++operation.slot_ == 0;
  if (operation.slot_ >= options_.round_budget) return LastTry::nothing;
  return last_try(operation, system(), *pool_, first);
}

// Bytes wait for the operation, and the pool has no block to receive them into. It is tried again
// when others may have given theirs back. False if it has waited long enough.
bool Core::awaits_block(Operation& operation) noexcept {
  if (operation.phase_ == most_looks || operation.reason_ == Reason::hurried_deadline) return false;
  if (!timers_.add(operation, operation.timer_, after(now_, look_again))) return false;
  operation.state_ = State::finished;
  ++operation.phase_;
  --operation.slot_;
  return true;
}

// The operation is its owner's again; the next of its direction takes its place.
void Core::retire(Operation& operation) noexcept {
  if (operation.timer_ != Timers::none) timers_.remove(operation.timer_);
  --pending_;
  ++counters_.completed;
  operation.state_ = State::idle;
  operation.slot_ = Operation::no_index;
  if (operation.descriptor_ < 0) return;

  Channel& channel = *channels_.find(operation.descriptor_);
  if (closes(operation)) {
    if (channel.close_file == &operation) channel.close_file = nullptr;
    return;
  }
  --channel.pending;
  if (Channel* const file = file_of(operation)) {
    if (--file->pending == 0) file->is_sent = false;
    if (file->closing && file->pending == 0) settled(file->owner);
  }
  // A descriptor of the program's own, which may close it from here on.
  if (operation.opcode_ == Opcode::poll && channel.pending == 0 &&
      operation.kind_ == DescriptorKind::borrowed) {
    system().forget(operation.descriptor());
  }
  if (continuous(operation)) channel.continuous[side(operation)] = false;
  if (channel.active[side(operation)] == &operation) {
    channel.active[side(operation)] = nullptr;
    if (channel.end_waits) tell_waiting_end(channel);
    start_next(channel, out);
    start_next(channel, in);
  }
  if (channel.closing && channel.pending == 0) settled(channel.owner);
}

// Nearly every result: a stream has received bytes, and receives on, or what it sent has left.
inline bool Core::is_plain(const Operation& operation) const noexcept {
  if (operation.error_ != 0 || operation.bytes_ == 0 || operation.reason_ != Reason::none) {
    return false;
  }
  if (unconnected_ > 0) return false;
  return operation.opcode_ == Opcode::recv_buffers ? operation.more_
                                                   : operation.opcode_ == Opcode::send_buffers;
}

// retire() for a send whose direction has nothing else to do.
inline void Core::retire_send(Operation& send) noexcept {
  Channel& channel = *channels_.find(send.descriptor_);
  const bool alone = channel.active[out] == &send && channel.waiting[out].empty() &&
                     channel.waiting[in].empty() && send.timer_ == Timers::none &&
                     !channel.closing && !channel.end_waits;
  if (!alone) return retire(send);
  --pending_;
  ++counters_.completed;
  send.state_ = State::idle;
  send.slot_ = Operation::no_index;
  --channel.pending;
  channel.active[out] = nullptr;
}

bool Core::deliver(Operation& operation) {
  if (is_plain(operation)) {
    Result result;
    result.bytes = operation.bytes_;
    ++counters_.delivered;
    if (operation.opcode_ == Opcode::send_buffers) {
      retire_send(operation);
      operation.deliver_(operation, result);
    } else {
      operation.bytes_ = 0;
      struct Drop {  // also of a callback that throws
        Core& core;
        RecvBuffers& request;
        ~Drop() {
          if (!core.inherited()) request.drop();
        }
      } const drop{*this, static_cast<RecvBuffers&>(operation)};
      operation.deliver_(operation, result);
    }
    return true;
  }
  bool at_last = false;
  if (is_late(operation) && has_last_try(operation)) {
    if (operation.opcode_ == Opcode::send_file) {
      if (passed_at_last(operation)) return false;  // the worker's result is delivered
    } else {
      const std::size_t before = cost(operation);
      const LastTry tried = tried_at_last(operation);
      charge(cost(operation) - std::min(before, cost(operation)));
      if (tried == LastTry::no_block && awaits_block(operation)) return false;
      at_last = tried == LastTry::result;
    }
  }
  const bool more = operation.more_;
  const OperationTraits& traits = traits_of(operation);
  const bool moved = operation.error_ == 0 && operation.bytes_ > 0;
  if ((!moved || unconnected_ > 0) && traits.works_on == Works::stream) {
    look_for_connection(operation, moved);
    if (!end_is_known(operation)) return false;
  }
  Result result;
  result.bytes = operation.bytes_;
  const bool owns = traits.brings == Brings::socket || opens(operation);
  if (operation.error_ == 0 && owns && is_over(operation)) {
    // Accepted or opened after all, but nobody is left to serve it (R4).
    discard(operation);
    if (more) return false;
    operation.error_ = -ECANCELED;
  }
  // A CloseFile that was not begun still has its file, except at the end of all.
  if (closes(operation) && operation.error_ != 0 && is_over(operation)) {
    static_cast<CloseFile&>(operation).file().close();
  }
  if (operation.error_ != 0) {
    if ((operation.error_ == -EPIPE || operation.error_ == -EFBIG) && write_signals_blocked_) {
      sys::take_write_signals();
    }
    if (operation.error_ == -EINVAL && misaligned(operation)) {
      operation.error_ = code_of(Error::misaligned);
    }
    const bool told = traits.told_once || is_late(operation);
    const bool named = operation.reason_ != Reason::none && (!told || not_done(operation.error_));
    const bool late = named && is_late(operation);
    if (named) operation.error_ = late ? code_of(Error::deadline) : -ECANCELED;
    if (named || operation.error_ == -ECANCELED) ++counters_.cancelled;
    if (late) ++counters_.deadlines;
    result.error = to_error_code(operation.error_);
  }
  // What an earlier result brought, and an exception kept here, does not come with this one.
  // (A datagram of no bytes is one; of a stream it is the end.)
  const bool ended = operation.opcode_ == Opcode::recv_buffers && result.bytes == 0;
  if (result.error || ended) discard(operation);
  ++counters_.delivered;
  if (more) {
    operation.bytes_ = 0;
    if (at_last) finish(operation, -ECANCELED);  // in turn with others, until nothing is left
  } else {
    retire(operation);
  }
  operation.deliver_(operation, result);
  // It is pending still, unless the callback has forked, and this is the child, which may have
  // destroyed it (R14). A block that the callback did not take must not lie there until the next
  // result, because others may wait for it.
  if (more && traits.brings == Brings::block && !inherited()) discard(operation);
  return true;
}

bool Core::arm(Operation& timer, TimePoint deadline) noexcept {
  if (timer.pending()) disarm(timer);
  return !submit(timer, deadline);
}

void Core::disarm(Operation& timer) noexcept {
  if (!timer.pending()) return;
  if (timer.state_ == State::finished) OperationList::remove(timer);
  retire(timer);
}

void* Core::own(int descriptor, void* owner) noexcept {
  Channel* const channel = channels_.at(descriptor);
  if (!channel) return nullptr;
  void* const before = channel->owner;
  channel->owner = owner;
  return before;
}

void Core::disown(int descriptor, const void* owner) noexcept {
  Channel* const channel = channels_.find(descriptor);
  if (!channel || channel->owner != owner) return;
  channel->owner = nullptr;
  channel->closing = false;
}

// Whether some of the descriptor's operations may wait for a worker, or for a disk: those without a
// direction, and sends and receives that were passed to workers.
bool Core::may_be_queued(const Channel& channel) noexcept {
  std::uint32_t directed = 0;
  for (const Operation* const active : channel.active) {
    if (active && active->keeper_ != Keeper::backend) return true;
    directed += active != nullptr;
  }
  return channel.pending > directed;
}

void Core::end_descriptor(int descriptor, void* owner) noexcept {
  Channel* const channel = channels_.at(descriptor);
  if (!channel) return;
  channel->owner = owner;
  channel->closing = true;
  if (channel->pending == 0) return;
  end_all(*channel);
  if (channel->is_sent) end_sends_of(descriptor);
  if (!may_be_queued(*channel)) return;  // the lists below may be long
  backend_->withdraw(descriptor);
  withdraw(files_, descriptor);
  withdraw(devices_, descriptor);
}

// The kernel, or the backend's tables, would go on with a number that is somebody else's soon.
void Core::leaving(Descriptor descriptor, const char* verb) noexcept {
  Channel* const channel = channels_.find(descriptor.number);
  if (inherited()) return;
  if (!shut_down_ && home_.caller() == Home::Caller::foreign) {
    misuse("Descriptor %d: %s() on a foreign thread", descriptor.number, verb);
  }
  forget_file(descriptor.number);
  if (!channel) return;
  note_connection(*channel, Connected::unknown);
  channel->lost = 0;
  channel->ended = false;
  for (const Operation* const active : channel->active) {
    if (!active) continue;
    if (channel->owner) closed_under(channel->owner, *active);
    misuse("Proactor %p: descriptor %d closed while %s %p is pending on it", owner_,
           descriptor.number, traits_of(*active).name, static_cast<const void*>(active));
  }
  // Requests on files have no turns.
  if (channel->pending > 0) {
    misuse("Proactor %p: descriptor %d closed while a request on the file is pending on it", owner_,
           descriptor.number);
  }
}

bool Core::in_flight(int descriptor) noexcept {
  const Channel* const channel = channels_.find(descriptor);
  return channel && channel->pending > 0;
}

// Those that wait end behind the one they wait for, in their order (R5): start() sees the reason.
void Core::end_all(Channel& channel) noexcept {
  for (std::size_t i = 0; i < 2; ++i) {
    OperationRing& waiting = channel.waiting[i];
    for (Operation* one = waiting.front(); one; one = waiting.after(*one)) {
      if (one->reason_ == Reason::none) one->reason_ = Reason::close;
    }
    if (channel.active[i]) end(*channel.active[i], Reason::close);
  }
}

// They are among the operations of the sockets that they send to.
void Core::end_sends_of(int file) noexcept {
  const auto reads_it = [file](const Operation& one) {
    return one.opcode_ == Opcode::send_file &&
           static_cast<const SendFile&>(one).file().number == file;
  };
  channels_.each([&](Channel& channel, int) {
    OperationRing& waiting = channel.waiting[out];
    for (Operation* one = waiting.front(); one;) {
      Operation& that = *one;
      one = waiting.after(that);
      if (reads_it(that)) end(that, Reason::close);
    }
    Operation* const active = channel.active[out];
    if (active && reads_it(*active)) end(*active, Reason::close);
  });
}

void Core::cancel_everything() noexcept {
  close_all();
  channels_.each([this](Channel& channel, int) { end_all(channel); });
  backend_->withdraw(-1);
  for (Workers* each = workers_.front(); each; each = workers_.after(*each)) withdraw(*each, -1);
  timers_.each([this](Operation& operation) {
    if (operation.opcode_ == Opcode::timer) end(operation, Reason::close);
  });
}

}  // namespace proa
