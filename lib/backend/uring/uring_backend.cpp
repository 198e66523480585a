// The io_uring backend, the loop's side: submit, cancel, wait, next, wake. One enter per turn
// submits everything that was started since the last one and fetches what has finished; submit()
// only fills SQEs. Upholds R1, R2 (an operation leaves through end(), once), R9 (wake), R10 (slots
// and SQEs are reused) and R11 (a full queue makes operations wait on a list, what the kernel
// interrupts is entered again).
#include "backend/uring/uring_backend.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>

#include "base/misuse.hpp"
#include "base/operation_table.hpp"

namespace proa::uring {

namespace {

// The kernel broke its word, or the ring is in the wrong hands: nothing that is in flight can be
// trusted any more.
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

UringBackend::UringBackend(const BackendContext& context) noexcept
    : options_(context.options),
      source_(context.buffers),
      blocking_(context.blocking),
      counters_(context.counters),
      process_(context.process),
      performer_(system_, context.buffers),
      buffers_(context.buffers) {}

UringBackend::~UringBackend() { close(); }

void UringBackend::close() noexcept {
  ring_.close();
  if (wake_fd_ >= 0) sys::close(wake_fd_);
  if (notify_fd_ >= 0) sys::close(notify_fd_);
  wake_fd_ = notify_fd_ = -1;
}

// Not enabled yet, the ring has been given nothing: all operations are on lists here.
long UringBackend::renew() noexcept {
  close();
  buffers_.close();
  arena_.close();
  loop_.store(Loop::busy, std::memory_order_relaxed);
  try {
    return open().empty() ? 0 : -ENOMEM;
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

std::string UringBackend::open() {
  Release allowed = any_release;
  if (!parse_release(options_.uring_release, allowed)) {
    return "Options::uring_release \"" + options_.uring_release +
           "\" is not a kernel release from " + to_string(lowest_release) + " on";
  }
  std::string why_not = ring_.open(options_.uring_entries, allowed, options_.native_files);
  if (!why_not.empty()) return why_not;

  if (ring_.features().buffer_ring) {
    const long opened = buffers_.open(ring_, options_.buffers);
    if (opened < 0) return "io_uring_register: " + error_name(opened) + " for REGISTER_PBUF_RING";
  }
  if (const long mapped = arena_.open(); mapped < 0) return "mmap: " + error_name(mapped);
  const long wake = sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return "eventfd: " + error_name(wake);
  wake_fd_ = static_cast<int>(wake);
  if (options_.embedded) {
    const long notify = sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
    if (notify < 0) return "eventfd: " + error_name(notify);
    notify_fd_ = static_cast<int>(notify);
    loop_.store(Loop::asleep, std::memory_order_relaxed);
    const long registered = ring_.register_with(IORING_REGISTER_EVENTFD, &notify_fd_, 1);
    if (registered < 0)
      return "io_uring_register: " + error_name(registered) + " for REGISTER_EVENTFD";
  }
  const long restricted = ring_.restrict();
  if (restricted < 0) {
    return "io_uring_register: " + error_name(restricted) + " for REGISTER_RESTRICTIONS";
  }
  return {};
}

std::vector<std::string> UringBackend::features() const {
  const Features& in_use = ring_.features();
  std::vector<std::string> names;
  if (in_use.has(IORING_SETUP_DEFER_TASKRUN)) names.push_back("deferred task work");
  if (in_use.has(IORING_SETUP_COOP_TASKRUN)) names.push_back("cooperative task work");
  if (in_use.multishot_poll) names.push_back("multishot poll");
  if (in_use.multishot_accept) names.push_back("multishot accept");
  if (in_use.multishot_recv) names.push_back("multishot receive");
  if (in_use.buffer_ring) names.push_back("buffer ring");
  if (in_use.file_opcodes != 0) names.push_back("files");
  if (in_use.no_iowait) names.push_back("sleep without I/O wait");
  names.push_back("restricted ring");
  if (!options_.uring_release.empty()) names.push_back("limited to " + options_.uring_release);
  return names;
}

void UringBackend::submit(Operation& operation) noexcept {
  const bool sends_file = operation.opcode() == Opcode::send_file;
  const OperationTraits& traits = traits_of(operation);
  if (traits.works_on == Works::file && !performs(operation)) return blocking_.take(operation);
  phase(operation) = outside;
  BackendSide::slot(operation) = Slots::none;
  if (traits.works_on == Works::datagrams) return submit_datagrams(operation);
  if (operation.opcode() == Opcode::poll) open_helper(static_cast<Poll&>(operation));
  if (sends_file) set(operation, polling);  // until the socket has room; a worker does the rest
  if (operation.opcode() == Opcode::recv_buffers) {
    if (from_ring(operation)) {
      buffers_in_use_ = true;
    } else {
      set(operation, polling);  // a block is taken only when there is something to read
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
      if (OperationList::linked(operation)) OperationList::remove(operation);  // it wants a guard
      if (!prepare_cancel(operation)) unwanted_.push_back(operation);
      break;
    default:  // it waits in next() already
      break;
  }
}

// Finished without a completion of the kernel's: cancelled while it waited here, or no memory.
void UringBackend::finish_later(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);  // its cancel waits
  set_stage(operation, finished);
  done_.push_back(operation);
  if (notify_fd_ >= 0) sys::event_signal(notify_fd_);
}

// The one way out.
Operation* UringBackend::leave(Operation& operation) noexcept {
  if (OperationList::linked(operation)) OperationList::remove(operation);
  if (BackendSide::slot(operation) != Slots::none) slots_.remove(BackendSide::slot(operation));
  phase(operation) = outside;
  return &operation;
}

Operation* UringBackend::end(Operation& operation, long result) noexcept {
  if (has(operation, ending) && (result == -EINTR || result == -EAGAIN)) result = -ECANCELED;
  if (operation.opcode() == Opcode::poll) close_helper(static_cast<Poll&>(operation));
  BackendSide::finish(operation, result);
  return is_guarded(operation) ? await_guard(operation) : leave(operation);
}

Operation* UringBackend::next() noexcept {
  if (for_disk_ >= enough_for_disk) enter(0, nullptr);
  bool hidden = false;
  Operation* const operation = rotation_.next([&](std::size_t source) noexcept {
    const Step step = ask(source);
    hidden = hidden || step.worked;
    return step;
  });
  // What was started again without the proactor's knowledge needs another wait() to get going.
  const bool waits = ring_.unsubmitted() > 0 || !unguarded_.empty() || !unwanted_.empty();
  if (!operation && hidden && notify_fd_ >= 0 && waits) {
    sys::event_signal(notify_fd_);
  }
  return operation;
}

Step UringBackend::ask(std::size_t source) noexcept {
  switch (source) {
    case completions: {
      Completion completion;
      return ring_.pull(completion) ? Step::work(complete(completion)) : Step::nothing();
    }
    case reads:
      return readable_.empty() ? Step::nothing() : Step::work(read_listed());
    case starved:
      return may_serve() ? Step::work(serve_starved()) : Step::nothing();
    default: {
      Operation* const operation = done_.front();
      if (!operation) return Step::nothing();
      if (has(*operation, settled)) return {leave(*operation)};
      return Step::work(end(*operation, has(*operation, out_of_memory) ? -ENOMEM : -ECANCELED));
    }
  }
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

// Everything that waited for this moment goes into the submission queue, as often as that takes.
void UringBackend::feed() noexcept {
  // While receives wait in line, no other may be faster: what comes back is for them.
  if (buffers_in_use_ && starved_.empty()) buffers_.refill();
  for (;;) {
    if (!wake_armed_) arm_wake();
    while (Operation* const operation = unwanted_.front()) {
      if (!prepare_cancel(*operation)) break;
      OperationList::remove(*operation);
    }
    while (Operation* const operation = unguarded_.front()) {
      if (!prepare_guard(*operation)) break;
      OperationList::remove(*operation);
    }
    while (Operation* const operation = pending_.front()) {
      OperationList::remove(*operation);
      if (prepare(*operation)) continue;
      pending_.push_front(*operation);
      break;
    }
    if (wake_armed_ && unwanted_.empty() && unguarded_.empty() && pending_.empty()) return;
    const unsigned before = ring_.unsubmitted();
    // Completions that nobody has fetched stop the kernel from taking more; they come first then.
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
    case EBUSY:   // completions have to be fetched first
    case EAGAIN:  // no memory for the requests; they are still in the queue
    case ENOMEM:
      break;
    case EBADR:
      give_up("a completion was lost", result);
    default:
      if (result < 0) give_up("io_uring_enter", result);
  }
  if (ring_.unsubmitted() == 0) arena_.reset();
  for_disk_ = 0;
  return result;
}

void UringBackend::wait(TimePoint until) noexcept {
  if (!enabled_) enable();
  if (notify_fd_ >= 0) sys::event_clear(notify_fd_);
  feed();

  const Loop resting = notify_fd_ >= 0 ? Loop::asleep : Loop::busy;
  if (!done_.empty() || !readable_.empty() || ring_.ready() || may_serve()) {
    // Under DEFER_TASKRUN nothing new completes unless the kernel is entered (R8).
    enter(0, nullptr);
  } else {
    timespec timeout = {};
    bool sleep = true;
    if (until != never) {
      const TimePoint now = system_.now();
      sleep = until > now;
      if (sleep) timeout = to_timespec(until - now);
    }
    // What is left in the queue or on a list needs another turn, not sleep.
    sleep = sleep && wake_armed_ && pending_.empty() && unwanted_.empty() && unguarded_.empty();
    Loop expected = resting;
    if (sleep && loop_.compare_exchange_strong(expected, Loop::asleep)) {
      enter(1, until == never ? nullptr : &timeout);
    } else {
      enter(0, nullptr);
    }
  }
  // Whoever called wake() before this has had its effect.
  if (loop_.load(std::memory_order_relaxed) != resting) loop_.exchange(resting);
}

void UringBackend::wake() noexcept {
  if (process_.inherited()) return;
  if (loop_.exchange(Loop::woken) != Loop::asleep) return;
  sys::event_signal(wake_fd_);
  if (notify_fd_ >= 0) sys::event_signal(notify_fd_);  // the ring may not be enabled yet
}

void UringBackend::woken() noexcept {
  sys::event_clear(wake_fd_);
  wake_armed_ = false;
  arm_wake();
}

}  // namespace proa::uring
