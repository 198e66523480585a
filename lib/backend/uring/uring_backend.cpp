// The part of the io_uring backend that the loop calls: submit, cancel, wait, next, wake. submit()
// only fills SQEs, except for datagrams and for UNIX connects. wait() enters the kernel once per
// turn; that submits everything that was started since the last entry, and fetches what has
// finished. Upholds R1, R2 (an operation leaves through end(), once), R9 (wake), R10 (the backend
// reuses slots and SQEs) and R11 (an operation waits in a list while the queue is full; the backend
// enters the kernel again after an interruption).
#include "backend/uring/uring_backend.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/misuse.hpp"
#include "base/operation_table.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

// The kernel broke its word, or the wrong process or thread uses the ring: the backend cannot trust
// anything that is in flight.
[[noreturn]] void give_up(const char* what, long error) noexcept {
  misuse("io_uring: %s (%s)", what, error_name(error).c_str());
}

timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  timespec result = {};
  result.tv_sec = seconds.count();
  result.tv_nsec = (duration - seconds).count();
  return result;
}

}  // namespace

void UringBackend::submit(Operation& operation) noexcept {
  const bool sends_file = operation.opcode() == Opcode::send_file;
  const OperationTraits& traits = traits_of(operation);
  if (traits.works_on == Works::file && !performs(operation)) return blocking_.take(operation);
  phase(operation) = outside;
  BackendSide::slot(operation) = Slots::none;
  if (traits.works_on == Works::datagrams) return submit_datagrams(operation);
  if (operation.opcode() == Opcode::connect) {
    Connect& connect = static_cast<Connect&>(operation);
    if (connect.address().family() == Address::Family::local) return connect_at_once(connect);
  }
  if (sends_file) set(operation, polling);  // polls until the socket has room, then a worker sends
  // A repeating Accept tries accept4(2) behind the first connection. On a listener in blocking mode
  // that would keep the loop waiting when another process is faster.
  if (operation.opcode() == Opcode::accept && BackendSide::repeating(operation) &&
      in_blocking_mode(operation.descriptor())) {
    set(operation, by_kernel);
  }
  // io_uring(7) writes to what polls writable as if that could take everything.
  if (sends_bytes(operation) && operation.descriptor().kind == DescriptorKind::borrowed &&
      sys::is_pty_master(operation.descriptor().number)) {
    set(operation, as_call);
  }
  if (operation.opcode() == Opcode::recv_buffers) {
    if (from_ring(operation)) {
      buffers_in_use_ = true;
    } else {
      set(operation, polling);  // takes a block only when the descriptor is readable
    }
  }
  start(operation);
}

void UringBackend::cancel(Operation& operation) noexcept {
  set(operation, ending);
  switch (stage(operation)) {
    case listed:
      OperationList::remove(operation);
      finish_later(operation);
      break;
    case at_kernel:
      // the receive waits in unguarded_
      if (OperationList::linked(operation)) OperationList::remove(operation);
      if (!may_cancel() || !prepare_cancel(operation)) unwanted_.push_back(operation);
      break;
    default:  // next() will return the operation anyway
      break;
  }
}

// The operation ends without a completion of the kernel, or after one that has returned a result:
// it was cancelled while it waited in a list, memory was short, or its result is set already.
void UringBackend::finish_later(Operation& operation) noexcept {
  // the operation waits in unwanted_ for room for its cancel
  if (OperationList::linked(operation)) OperationList::remove(operation);
  set_stage(operation, finished);
  done_.push_back(operation);
  notify();
}

void UringBackend::notify() noexcept {
  if (notify_fd_ >= 0) sys::event_signal(notify_fd_);
}

// Every operation leaves the backend here.
Operation* UringBackend::leave(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);
  if (BackendSide::slot(operation) != Slots::none) slots_.remove(BackendSide::slot(operation));
  phase(operation) = outside;
  return &operation;
}

// The kernel interrupts what it cancels.
void UringBackend::settle(Operation& operation, long result) noexcept {
  const bool interrupted = result == -EINTR || result == -EAGAIN;
  BackendSide::finish(operation, interrupted && has(operation, ending) ? -ECANCELED : result);
}

Operation* UringBackend::end(Operation& operation, long result) noexcept {
  const OperationTraits& traits = traits_of(operation);
  // What works on files has had its turn: list_file() saw to that.
  const bool in_turn = traits.callbacks > 1 && traits.works_on != Works::file;
  if (in_turn) return end_in_turn(operation, result, costly_);
  if (operation.opcode() == Opcode::poll) close_helper(static_cast<Poll&>(operation));
  settle(operation, result);
  return is_guarded(operation) ? await_guard(operation) : leave(operation);
}

// The operation has its result, which is told in the turn of a list: many results of this kind
// shall stand in front of nothing else in the completion queue (R8).
Operation* UringBackend::end_in_turn(Operation& operation, long result,
                                     OperationList& list) noexcept {
  settle(operation, result);
  if (OperationList::linked(operation)) OperationList::remove(operation);
  set(operation, settled);
  set_stage(operation, finished);
  list.push_back(operation);
  in_turn_ = true;
  return nullptr;
}

// The kernel has no event that tells when there is room.
void UringBackend::retry_later(Operation& operation) noexcept {
  set_stage(operation, listed);
  retrying_.add(operation, system_);
}

// A UNIX listener answers at once, whatever it answers. When it is full, an SQE would cost a
// hundred times as much: the kernel polls the socket, which always seems to have room, connects in
// vain, and so on, until a worker of the kernel connects in vain too.
void UringBackend::connect_at_once(Connect& connect) noexcept {
  connected(connect, performer_.connect(connect).result);
}

void UringBackend::try_again() noexcept {
  if (retrying_.waiting().empty()) return;
  OperationList due;
  retrying_.take_due(system_.now(), due);
  while (Operation* const operation = due.pop_front()) {
    set_stage(*operation, outside);
    if (operation->opcode() == Opcode::send_datagrams) {
      send_datagrams(*operation);
    } else {
      connect_at_once(static_cast<Connect&>(*operation));
    }
  }
}

Operation* UringBackend::next() noexcept {
  if (for_disk_ >= enough_for_disk) enter(0, nullptr);
  bool hidden = false;
  // Nearly always the completion queue alone has something.
  while (only_completions()) {
    const Step step = take_completion();
    rotation_.asked(completions);
    if (step.finished) return step.finished;
    if (!step.worked) return nothing_more(hidden);
    hidden = true;
  }
  Operation* const operation = rotation_.next([&](std::size_t source) noexcept {
    const Step step = ask(source);
    hidden = hidden || step.worked;
    return step;
  });
  return operation ? operation : nothing_more(hidden);
}

// next() may have started operations again, and the core has seen no result of that. Another wait()
// has to submit their SQEs, so next() signals the foreign loop to call it. The kernel signals
// nothing for completions that found no room in the completion queue.
Operation* UringBackend::nothing_more(bool hidden) noexcept {
  const bool more = !unwanted_.empty() || lanes_go_on() || ring_.overflowed();
  const bool fed = ring_.unsubmitted() == 0 && unguarded_.empty() && pending_.empty();
  if (notify_fd_ >= 0 && (more || (hidden && !fed))) {
    sys::event_signal(notify_fd_);
  }
  return nullptr;
}

Step UringBackend::ask(std::size_t source) noexcept {
  switch (source) {
    case completions:
      return take_completion();
    case calls: {
      if (refused_.empty()) return Step::nothing();
      Operation& operation = *refused_.pop_front();
      if (Operation* const ended = call(operation)) return Step::work(ended);
      // An operation that is listed again has had its share.
      return stage(operation) == listed && !has(operation, polling) ? Step::rest()
                                                                    : Step::work(nullptr);
    }
    case reads:
      return readable_.empty() ? Step::nothing() : Step::work(read_listed());
    case accepts:
      return may_accept() ? Step::work(accept_waiting()) : Step::nothing();
    case starved:
      return may_serve() ? Step::work(serve_starved()) : Step::nothing();
    case costly:
      return leave_first(costly_);
    case files:
      return performed_.empty() ? Step::nothing() : Step::work(file_done(*performed_.pop_front()));
    default:
      return leave_first(done_);
  }
}

// Takes results for other lists as they come: that is no work, and they would keep their place in
// front of what stands behind them.
Step UringBackend::take_completion() noexcept {
  bool some = false;
  for (Completion completion; ring_.pull(completion); some = true) {
    // With a thousand connections hardly anything of one is still in the cache when its turn comes.
    // A hint that is wrong does no harm.
    slots_.prefetch_operation(ring_.tag_ahead(1));
    slots_.prefetch_slot(ring_.tag_ahead(3));
    if (tells_of_file(completion)) {
      list_file(completion);
      continue;
    }
    in_turn_ = false;
    Operation* const operation = complete(completion);
    if (operation || !in_turn_) return Step::work(operation);
  }
  return some ? Step::work(nullptr) : Step::nothing();
}

Step UringBackend::leave_first(OperationList& list) noexcept {
  Operation* const operation = list.front();
  if (!operation) return Step::nothing();
  if (has(*operation, settled)) return {leave(*operation)};
  return Step::work(end(*operation, has(*operation, out_of_memory) ? -ENOMEM : -ECANCELED));
}

void UringBackend::enable() noexcept {
  const long result = ring_.enable();
  if (result < 0) give_up("IORING_REGISTER_ENABLE_RINGS", result);
  enabled_ = true;
}

void UringBackend::arm_wake() noexcept {
  io_uring_sqe* const sqe = ring_.take();
  if (!sqe) return;
  io_uring_prep_poll_add(sqe, wake_fd_, POLLIN);
  sqe->user_data = Tag{0, 0, Tag::kind_wake}.value();
  wake_armed_ = true;
}

// Moves the waiting operations, cancels and guards from the lists into the submission queue. Enters
// the kernel as often as the full queue needs it. For each cancel the kernel searches what it has,
// so a round has only as many of them as results (R8).
void UringBackend::feed() noexcept {
  // While receives wait in the line, the ring gets no blocks: the blocks that come back are for the
  // line.
  if (buffers_in_use_ && starved_.empty()) buffers_.refill(most_blocks());
  for (;;) {
    if (!wake_armed_) arm_wake();
    while (Operation* const operation = may_cancel() ? unwanted_.front() : nullptr) {
      if (!prepare_cancel(*operation)) break;
      OperationList::remove(*operation);
    }
    while (Operation* const operation = unguarded_.front()) {
      if (!prepare_guard(*operation)) break;
      OperationList::remove(*operation);
    }
    while (Operation* const operation = pending_.front()) {
      OperationList::remove(*operation);
      if (waits_in_lane(*operation) || prepare(*operation)) continue;
      pending_.push_front(*operation);
      break;
    }
    for (FileLane* const lane : {&quick_, &slow_}) {
      while (lane->goes_on()) {
        Operation& operation = *lane->waiting.pop_front();
        if (prepare(operation)) continue;
        lane->waiting.push_front(operation);
        break;
      }
    }
    const bool no_cancels = unwanted_.empty() || !may_cancel();
    if (wake_armed_ && no_cancels && unguarded_.empty() && pending_.empty() && !lanes_go_on()) {
      return;
    }
    const unsigned before = ring_.unsubmitted();
    // If the kernel takes nothing more, it waits for next() to fetch completions.
    if (enter(0, nullptr) < 0 || ring_.unsubmitted() >= before) return;
  }
}

long UringBackend::enter(unsigned want, const timespec* timeout) noexcept {
  if (ring_.overflowed()) ++counters_.completion_overflows;
  ++counters_.waits;
  const long result = ring_.enter(want, timeout);
  switch (-result) {
    case EINTR:
    case ETIME:
    case EBUSY:   // next() has to fetch completions first
    case EAGAIN:  // the kernel has no memory for the requests, which stay in the queue
    case ENOMEM:
      break;
    case EEXIST:
      give_up("another thread runs the proactor than the one that ran it first", result);
    case EBADR:
      give_up("a completion was lost", result);
    default:
      if (result < 0) give_up("io_uring_enter", result);
  }
  if (!ring_.grow()) give_up("mmap of a ring that has grown", -ENOMEM);
  if (ring_.unsubmitted() == 0) arena_.reset();
  for_disk_ = 0;
  row_ = 0;
  accepted_ = false;
  return result;
}

// Moves the completions of files at the front of the queue to their list, so that the queue has
// room for what stands behind them. Returns how many those were.
unsigned UringBackend::list_files() noexcept {
  unsigned taken = 0;
  for (Completion completion; ring_.front(completion) && tells_of_file(completion); ++taken) {
    ring_.pull(completion);
    list_file(completion);
  }
  return taken;
}

// Of deferred task work the kernel does 20 items in one entry (since Linux 6.13). What stands
// behind them has come all the same, and goes before the timers that are due (R7), so the backend
// enters the kernel again until a round has enough. While many operations on files are at the
// kernel, whatever else has come may stand behind their completions, in that line or behind a full
// completion queue: the backend fetches those too, however many they are (R8). It starts none of
// them again here, so that they come to an end.
void UringBackend::fetch_the_rest() noexcept {
  constexpr unsigned items_of_entry = 20;
  constexpr unsigned most = 256;  // as many as an epoll_wait(2) returns
  const bool deferred = ring_.features().has(IORING_SETUP_DEFER_TASKRUN);
  const auto round = static_cast<unsigned>(std::min<std::size_t>(options_.round_budget, most));
  unsigned taken = 0;
  for (unsigned before = 0;;) {
    const bool many_files = files_at_kernel() > items_of_entry;
    if (many_files || taken > 0) taken += list_files();
    const unsigned ready = ring_.ready();
    if (ready >= std::min(many_files ? most : round, ring_.places())) return;
    const unsigned fetched = taken + ready;
    const bool in_line = deferred && fetched >= before + items_of_entry;
    const bool behind_queue = fetched > before && ring_.overflowed();
    if (!in_line && !behind_queue) return;
    before = fetched;
    enter(0, nullptr);
  }
}

void UringBackend::wait(TimePoint until) noexcept {
  if (!enabled_) enable();
  if (notify_fd_ >= 0) sys::event_clear(notify_fd_);
  cancels_ = 0;
  try_again();
  until = std::min(until, retrying_.next());
  draw_from_ring();
  feed();

  const Loop resting = notify_fd_ >= 0 ? Loop::asleep : Loop::busy;
  if (has_finished() || !refused_.empty() || !readable_.empty() || !accepting_.empty() ||
      ring_.ready() > 0 || may_serve() || draws_on()) {
    // The backend has work, so it does not sleep. It enters the kernel all the same, because under
    // DEFER_TASKRUN operations complete only in there (R8).
    enter(0, nullptr);
  } else {
    timespec timeout = {};
    bool sleep = true;
    if (until != never) {
      const TimePoint now = system_.now();
      sleep = until > now;
      if (sleep) timeout = to_timespec(until - now);
    }
    // If SQEs are still in the queue, or operations still wait in a list, the loop enters the
    // kernel without sleeping and goes on in its next round.
    sleep = sleep && wake_armed_ && pending_.empty() && unwanted_.empty() && unguarded_.empty() &&
            !lanes_go_on();
    Loop expected = resting;
    if (sleep && loop_.compare_exchange_strong(expected, Loop::asleep)) {
      enter(1, until == never ? nullptr : &timeout);
    } else {
      enter(0, nullptr);
    }
  }
  fetch_the_rest();
  // Every wake() before this line has ended this wait(); later calls are for the next one.
  if (loop_.load(std::memory_order_relaxed) != resting) loop_.exchange(resting);
}

void UringBackend::wake() noexcept {
  if (process_.inherited()) return;
  if (loop_.exchange(Loop::woken) != Loop::asleep) return;
  sys::event_signal(wake_fd_);
  // a ring that is not enabled cannot report wake_fd_
  if (notify_fd_ >= 0) sys::event_signal(notify_fd_);
}

void UringBackend::woken() noexcept {
  sys::event_clear(wake_fd_);
  wake_armed_ = false;
  arm_wake();
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
