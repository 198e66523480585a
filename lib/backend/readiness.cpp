// The adapter tries an operation, parks it after EAGAIN, and tries it again when the kernel reports
// an event. It may forget that a descriptor is ready only after EAGAIN, and after a short read from
// a TCP socket whose last event reported plain bytes alone, and no more of them than have been
// read: in all other cases no further event may come, and the socket would hang. The adapter only
// waits for the room of a SendFile; a worker sends. Upholds R2 (each operation leaves through
// finished() or perform_next() once), R4 (a cancel is an unlink) and R11.
#include "backend/readiness.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "sys/sys.hpp"

namespace proa {

namespace {

enum Phase : std::uint8_t { phase_working, phase_connecting, phase_finished };

/// The slot of a SendFile has this value after a worker has had the operation.
constexpr std::uint32_t slot_passed = 1;

std::size_t side(const Operation& operation) noexcept {
  return operation.direction() == Direction::in ? 0 : 1;
}

// Whether the operation needs a block of the pool to receive into.
bool takes_block(const Operation& operation) noexcept {
  return operation.opcode() == Opcode::recv_buffers ||
         (operation.opcode() == Opcode::recv_datagrams &&
          !static_cast<const RecvDatagrams&>(operation).has_queued());
}

// What the pieces of one system call take of a share, in bytes.
std::size_t cost_of_pieces(const Send& send) noexcept {
  constexpr std::size_t most = most_pieces_of_send;
  return send.count() > 1 ? std::min(send.count(), most) * (fair_share / most) : 0;
}

std::uint64_t token_of(int descriptor, std::uint32_t generation) noexcept {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(descriptor);
}

}  // namespace

void ReadinessAdapter::finish(Operation& operation, long result) noexcept {
  BackendSide::finish(operation, result);
  BackendSide::phase(operation) = phase_finished;
  finished_.push_back(operation);
}

void ReadinessAdapter::submit(Operation& operation) noexcept {
  BackendSide::phase(operation) = phase_working;
  Entry* const entry = entries_.at(operation.descriptor().number);
  if (!entry) return finish(operation, -ENOMEM);
  if (operation.descriptor().kind == DescriptorKind::file) entry->unpollable = true;
  if (operation.opcode() == Opcode::send_file) return submit_send_file(*entry, operation);
  const bool queued = operation.opcode() == Opcode::recv_datagrams &&
                      static_cast<RecvDatagrams&>(operation).has_queued();
  // epoll reports nothing for a connected socket that does not listen, accept(2) tells that.
  const bool first =
      operation.opcode() == Opcode::accept || is_untried(*entry, operation) ||
      (!entry->watched && operation.descriptor().is_socket() && poller_.silent_on_misuse());
  if (operation.opcode() == Opcode::poll && !entry->watched) {
    // A repeating Poll gets its first result from the first event. Any other Poll asks poll(2).
    if (BackendSide::repeating(operation)) return park(*entry, operation);
    return runnable_.push_back(operation);
  }
  if (entry->ready[side(operation)] || entry->unpollable || queued || first) {
    // A repeating Poll waits for more behind its first result: it may not end within submit().
    const bool at_once =
        operation.direction() == Direction::out && operation.opcode() != Opcode::poll;
    if (!at_once) return runnable_.push_back(operation);
  } else if (operation.direction() == Direction::in || entry->watched) {
    return park(*entry, operation);
  }
  // Output nearly always finds room, so the adapter tries it at once, while its bytes are in the
  // cache.
  if (perform(*entry, operation)) {
    BackendSide::phase(operation) = phase_finished;
    finished_.push_back(operation);
  }
}

// No event comes for a direction that a descriptor does not have: the read end of a pipe has no
// output, a listener neither. Until an event or EAGAIN has shown that there is one, the adapter
// tries each send at once, and the system call says what is wrong. A receive is tried so only on
// what is open for writing alone: a FIFO that had no writer yet would seem to have ended.
bool ReadinessAdapter::is_untried(const Entry& entry, const Operation& operation) noexcept {
  if (entry.exists[side(operation)]) return false;
  if (operation.direction() == Direction::out) return true;
  if (operation.descriptor().is_socket()) return false;
  const long flags = sys::file_flags(operation.descriptor().number);
  return flags >= 0 && (flags & O_ACCMODE) == O_WRONLY;
}

long ReadinessAdapter::try_send(SendBuffers& send) noexcept {
  Entry* const entry = entries_.find(send.descriptor().number);
  if (!entry || entry->unpollable || (entry->watched && !entry->ready[1])) return -EAGAIN;
  const long result = performer_.send_buffers(send).result;
  if (result == -EAGAIN) {
    ++counters_.retries;
    entry->ready[1] = false;
  }
  return result;
}

// When a SendFile comes back from a worker, the socket may have no room, or the worker has sent its
// share. The adapter lets the kernel tell which: it registers the socket anew, and the kernel
// reports an event at once if there is room.
void ReadinessAdapter::submit_send_file(Entry& entry, Operation& operation) noexcept {
  const bool again = BackendSide::slot(operation) == slot_passed;
  if (entry.unpollable) return pass(operation);
  if (again) entry.ready[1] = false;
  const bool waits = entry.watched && !entry.ready[1] && !is_untried(entry, operation);
  if (again || waits) return park(entry, operation, again);
  pass(operation);
}

void ReadinessAdapter::pass(Operation& operation) noexcept {
  BackendSide::slot(operation) = slot_passed;
  blocking_.take(operation);
}

void ReadinessAdapter::cancel(Operation& operation) noexcept {
  if (BackendSide::phase(operation) == phase_finished) return;
  Entry* const entry = entries_.find(operation.descriptor().number);
  Operation*& parked = entry->parked[side(operation)];
  if (parked == &operation) {
    parked = nullptr;
  } else {
    OperationList::remove(operation);
  }
  finish(operation, -ECANCELED);
}

void ReadinessAdapter::park(Entry& entry, Operation& operation, bool again) noexcept {
  if (!entry.watched || again) {
    const int descriptor = operation.descriptor().number;
    const long result =
        poller_.watch(descriptor, token_of(descriptor, entry.generation), entry.watched);
    if (result == -EPERM) {
      entry.unpollable = true;  // epoll takes no regular files: such a descriptor is always ready
      return runnable_.push_back(operation);
    }
    if (result < 0) return finish(operation, result);
    entry.watched = true;
  }
  entry.parked[side(operation)] = &operation;
}

ReadinessAdapter::Entry* ReadinessAdapter::watched(std::uint64_t token) noexcept {
  Entry* const entry = entries_.find(static_cast<int>(token & 0xffffffff));
  if (entry && entry->watched && entry->generation == token >> 32) return entry;
  ++counters_.stale_events;
  return nullptr;
}

Step ReadinessAdapter::event(std::uint64_t token, const Readiness& readiness,
                             bool at_once) noexcept {
  Entry* const entry = watched(token);
  if (!entry) return Step::nothing();
  const std::array<bool, 2> ready{readiness.in || readiness.ended, readiness.out};
  // kqueue reports each direction in an event of its own, and `ended` and `unread` belong to input.
  if (ready[0]) {
    entry->ended = readiness.ended;
    entry->unread = readiness.unread;
  }
  Operation* const input = ready[0] ? std::exchange(entry->parked[0], nullptr) : nullptr;
  Operation* const output = ready[1] ? std::exchange(entry->parked[1], nullptr) : nullptr;
  if (ready[0]) entry->ready[0] = entry->exists[0] = true;
  if (ready[1]) entry->ready[1] = entry->exists[1] = true;
  at_once = at_once && input && runnable_.empty() && starved_.empty() &&
            input->opcode() == Opcode::recv_buffers;
  if (input && !at_once) runnable_.push_back(*input);
  if (output) runnable_.push_back(*output);
  if (!at_once) return input || output ? Step::work(nullptr) : Step::nothing();
  return Step::work(perform_receive(*entry, static_cast<RecvBuffers&>(*input)) ? input : nullptr);
}

void ReadinessAdapter::refused(std::uint64_t token, long error) noexcept {
  Entry* const entry = watched(token);
  if (!entry) return;
  entry->unpollable = error == -EPERM;
  entry->watched = false;
  ++entry->generation;  // the kernel may refuse the other direction too; that event is stale then
  for (Operation*& parked : entry->parked) {
    Operation* const operation = std::exchange(parked, nullptr);
    if (!operation) continue;
    entry->unpollable ? runnable_.push_back(*operation) : finish(*operation, error);
  }
}

Step ReadinessAdapter::perform_next() noexcept {
  Operation& operation = *runnable_.pop_front();
  if (!starved_.empty() && takes_block(operation)) {
    ++counters_.buffers_missed;
    starve(operation);
    return Step::work(nullptr);
  }
  had_share_ = false;
  const bool has_result = perform(*entries_.find(operation.descriptor().number), operation);
  if (had_share_) return Step::rest();
  return Step::work(has_result ? &operation : nullptr);
}

Operation* ReadinessAdapter::serve_starved() noexcept {
  Operation& operation = *starved_.pop_front();
  return perform(*entries_.find(operation.descriptor().number), operation) ? &operation : nullptr;
}

// Puts a receive at the end of the line. From then on a receive of datagrams takes one block at a
// time, so that all in the line get some.
void ReadinessAdapter::starve(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::recv_datagrams) {
    static_cast<RecvDatagrams&>(operation).set_batch(1);
  }
  starved_.push_back(operation);
}

// Returns true if the operation has a result for its owner. It is in no list then, or, if more
// results will come, in the list or entry where it waits for them.
bool ReadinessAdapter::perform(Entry& entry, Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::recv:
      return settle(entry, operation, performer_.recv(static_cast<Recv&>(operation)));
    case Opcode::recv_buffers:
      return perform_receive(entry, static_cast<RecvBuffers&>(operation));
    case Opcode::send_buffers:
      return settle(entry, operation,
                    performer_.send_buffers(static_cast<SendBuffers&>(operation)));
    case Opcode::accept:
      return settle(entry, operation, performer_.accept(static_cast<Accept&>(operation)));
    case Opcode::recv_datagrams:
      return settle(entry, operation,
                    performer_.recv_datagrams(static_cast<RecvDatagrams&>(operation)));
    case Opcode::send_datagrams:
      return settle(entry, operation,
                    performer_.send_datagrams(static_cast<SendDatagrams&>(operation)));
    case Opcode::send:
      return settle_send(entry, static_cast<Send&>(operation));
    case Opcode::poll:
      return settle_poll(entry, static_cast<Poll&>(operation));
    case Opcode::connect:
      return settle_connect(entry, static_cast<Connect&>(operation));
    case Opcode::send_file:
      pass(operation);
      return false;
    default:
      break;
  }
  BackendSide::finish(operation, -EOPNOTSUPP);
  return true;
}

// A peer that fills a receive's blocks probably has more: the next call receives into twice as many
// blocks, if others do not need them. Two calls in a row that needed half of them halve their
// number.
bool ReadinessAdapter::perform_receive(Entry& entry, RecvBuffers& operation) noexcept {
  operation.drop();  // a callback that has thrown may have left something there
  const std::size_t blocks = operation.scatters() ? entry.blocks + 1U : 1;
  if (blocks == 1 || !buffers_.has_plenty(blocks)) {
    const Attempt tried = performer_.recv_buffers(operation);
    if (tried.result > 0 && !tried.short_transfer) grow_receive(entry, operation);
    return settle(entry, operation, tried);
  }
  const Attempt tried = performer_.recv_buffers(operation, blocks);
  if (tried.result > 0 && !tried.short_transfer) {
    grow_receive(entry, operation);
  } else if (tried.result > 0) {
    const std::size_t block = operation.buffer().capacity();
    const bool small = static_cast<std::size_t>(tried.result) <= blocks / 2 * block;
    if (small && entry.was_small) entry.blocks = static_cast<std::uint8_t>(blocks / 2 - 1);
    entry.was_small = small && !entry.was_small;
  }
  return settle(entry, operation, tried);
}

void ReadinessAdapter::grow_receive(Entry& entry, const RecvBuffers& operation) noexcept {
  entry.was_small = false;
  if (!operation.scatters() || !operation.descriptor().is_socket()) return;
  const std::size_t blocks = std::min<std::size_t>(2 * (entry.blocks + 1U), most_blocks_of_receive);
  entry.blocks = static_cast<std::uint8_t>(blocks - 1);
}

void ReadinessAdapter::unready(Entry& entry, Operation& operation) noexcept {
  if (entry.unpollable) return retry_later(operation);  // no event will come for this descriptor
  entry.ready[side(operation)] = false;
  // poll(2) finds nothing ready in a direction that is not there, too.
  if (operation.opcode() != Opcode::poll) entry.exists[side(operation)] = true;
  park(entry, operation);
}

void ReadinessAdapter::retry_later(Operation& operation) noexcept {
  ++counters_.retries;
  retrying_.add(operation, *this);
}

bool ReadinessAdapter::settle(Entry& entry, Operation& operation, const Attempt& attempt) noexcept {
  if (attempt.result == -EAGAIN) {
    if (operation.opcode() == Opcode::send_datagrams &&
        static_cast<SendDatagrams&>(operation).room_is_untold()) {
      retry_later(operation);
      return false;
    }
    ++counters_.retries;
    unready(entry, operation);
    return false;
  }
  if (attempt.result == -ENOBUFS && takes_block(operation)) {
    starve(operation);
    return false;
  }
  const bool tcp_input =
      operation.direction() == Direction::in && operation.descriptor().kind == DescriptorKind::tcp;
  if (tcp_input && attempt.result > 0) {
    entry.unread -= std::min(entry.unread, static_cast<std::uint32_t>(attempt.result));
  }
  const bool drained = tcp_input && attempt.short_transfer && !entry.ended && entry.unread == 0;
  if (drained) entry.ready[0] = false;

  const bool ended = operation.opcode() == Opcode::recv_buffers && attempt.result == 0;
  const bool more = BackendSide::repeating(operation) && attempt.result >= 0 && !ended;
  BackendSide::finish(operation, attempt.result, more);
  if (more && drained) {
    park(entry, operation);
  } else if (more) {
    runnable_.push_back(operation);
  }
  return true;
}

bool ReadinessAdapter::settle_send(Entry& entry, Send& operation) noexcept {
  for (std::size_t share = 0; share < fair_share;) {
    const Attempt attempt = performer_.send(operation);
    if (attempt.result == -EAGAIN) {
      unready(entry, operation);
      return false;
    }
    if (attempt.result < 0) {
      BackendSide::finish(operation, attempt.result);
      return true;
    }
    share += static_cast<std::size_t>(attempt.result) + cost_of_pieces(operation);
    if (BackendSide::advance(operation, static_cast<std::size_t>(attempt.result)) ==
        operation.size()) {
      BackendSide::finish(operation, 0);
      return true;
    }
    ++counters_.retries;
  }
  had_share_ = true;
  runnable_.push_back(operation);
  return false;
}

// The program itself reads and writes this descriptor, so the state that the event reported may be
// over, and the adapter asks poll(2). A repeating Poll waits for the next event in any case; else
// it would report the same state for ever.
bool ReadinessAdapter::settle_poll(Entry& entry, Poll& operation) noexcept {
  const long result = performer_.poll(operation).result;
  if (result == -EAGAIN) {
    unready(entry, operation);
    return false;
  }
  const bool more = BackendSide::repeating(operation) && result >= 0;
  BackendSide::finish(operation, result, more);
  if (more) entry.parked[side(operation)] = &operation;
  return true;
}

bool ReadinessAdapter::settle_connect(Entry& entry, Connect& operation) noexcept {
  const long result = performer_.connect(operation).result;
  if (result == -EINPROGRESS || result == -EALREADY) {
    BackendSide::phase(operation) = phase_connecting;
    unready(entry, operation);
    return false;
  }
  if (result == -EAGAIN && operation.address().family() == Address::Family::local) {
    // The backlog of a UNIX listener is full, and no event will report room in it (connect(2)).
    retry_later(operation);
    return false;
  }
  // A new connection is a long callback: a flood of them shall stand in front of nothing else (R8).
  BackendSide::finish(operation, result);
  BackendSide::phase(operation) = phase_finished;
  connected_.push_back(operation);
  return false;
}

void ReadinessAdapter::before_wait(TimePoint now) noexcept { retrying_.take_due(now, runnable_); }

long ReadinessAdapter::watch_again() noexcept {
  long result = 0;
  entries_.each([&](Entry& entry, int descriptor) {
    if (!entry.watched || result < 0) return;
    entry.ready = {};  // the first event of the new registration reports what is ready
    result = poller_.watch(descriptor, token_of(descriptor, entry.generation), false);
  });
  return result;
}

long ReadinessAdapter::close(Descriptor descriptor) noexcept {
  drop(descriptor, false);
  return sys::close(descriptor.number);
}

void ReadinessAdapter::drop(Descriptor descriptor, bool lives_on) noexcept {
  poller_.forget(descriptor.number);
  Entry* const entry = entries_.find(descriptor.number);
  if (!entry) return;
  // Unregisters the descriptor before its number can be used again. close(2) alone would not always
  // do that: a duplicate of the descriptor keeps the registration alive.
  if (entry->watched) poller_.unwatch(descriptor.number, lives_on);
  const std::uint32_t generation = entry->generation + 1;
  *entry = Entry{};
  entry->generation = generation;
}

}  // namespace proa
