// A queue of operations, the threads that perform them, and the list in which they come back.
// Upholds R2 (an operation leaves once: done, or taken back before a worker began) and R9 (the
// owner hears of its operation on the loop's thread).
#include "file/workers.hpp"

#include <algorithm>
#include <boost/intrusive/parent_from_member.hpp>
#include <cerrno>
#include <csignal>
#include <new>
#include <proa/backend.hpp>
#include <utility>

#include "sys/sys.hpp"

namespace proa {

namespace {

// `begun` says that a worker has the operation, or that it is done, and `unwanted` that cancel()
// came after that. cancel() can take back the others.
enum Phase : std::uint8_t { phase_fresh = 0, phase_queued, phase_begun, phase_unwanted };
// Bits beside the phase: the operation was submitted as quick, and it still counts as quick.
constexpr std::uint8_t phase_bits = 3;
constexpr std::uint8_t submitted_as_quick = 4;
constexpr std::uint8_t counts_as_quick = 8;

/// One thread performs so many quick operations in the time that it takes to wake another one.
constexpr std::size_t longest_run = 8;
/// How long the loop waits before it takes an operation for one that blocks.
constexpr Duration patience = std::chrono::milliseconds(1);

Phase phase_of(const Operation& operation) noexcept {
  return static_cast<Phase>(BackendSide::phase(operation) & phase_bits);
}
void set_phase(Operation& operation, Phase phase) noexcept {
  std::uint8_t& all = BackendSide::phase(operation);
  all = static_cast<std::uint8_t>((all & ~phase_bits) | phase);
}
bool is_quick(const Operation& operation) noexcept {
  return (BackendSide::phase(operation) & counts_as_quick) != 0;
}
bool was_quick(const Operation& operation) noexcept {
  return (BackendSide::phase(operation) & submitted_as_quick) != 0;
}

bool is_of(int descriptor, const Operation& operation) noexcept {
  return descriptor < 0 || operation.descriptor().number == descriptor;
}

}  // namespace

Workers& Workers::from_hook(ListHook& hook) noexcept {
  return *boost::intrusive::get_parent_from_member<Workers>(&hook, &Workers::hook_);
}

Workers::Workers(std::string name, unsigned most, std::size_t limit, Perform perform,
                 Perform quickly)
    : name_(std::move(name)), most_(most), limit_(limit), perform_(perform), quickly_(quickly) {
  threads_.reserve(most);
}

Workers::~Workers() { end_threads(); }

void Workers::end_threads() noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  some_.notify_all();
  if (!threads_.empty()) rouse();
  for (const pthread_t thread : threads_) sys::join_thread(thread);
  threads_.clear();
}

// Constructs a member anew over the old one: its destructor would wait for threads that only the
// parent has.
void Workers::disown() noexcept {
  threads_.clear();
  new (&some_) std::condition_variable;
}

bool Workers::ready() noexcept {
  if (queued() >= limit_ || most_ == 0) return false;
  return !running_ || !threads_.empty() || begin_thread();
}

bool Workers::begin_thread() noexcept {
  if (threads_.size() >= most_ || !may_begin()) return false;
  // A worker blocks all signals: it runs no handler of the program, and SIGXFSZ (RLIMIT_FSIZE) does
  // not end the process.
  sigset_t before;
  sys::block_signals(&before);
  const auto work_on = [](void* workers) -> void* {
    static_cast<Workers*>(workers)->work();
    return nullptr;
  };
  const auto count = [this](std::size_t change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    present_ += change;
  };
  count(1);
  pthread_t thread{};
  const bool begun = sys::begin_thread(work_on, this, &thread) == 0;
  begun ? threads_.push_back(thread) : count(std::size_t(0) - 1);
  sys::restore_signals(&before);
  return begun;
}

void Workers::submit(Operation& operation, bool quick) noexcept {
  constexpr std::uint8_t quick_bits = submitted_as_quick | counts_as_quick;
  BackendSide::phase(operation) = quick ? quick_bits : std::uint8_t{0};
  fresh_.push_back(operation);
  ++fresh_count_;
  ++pending_;
  if (quick) ++quick_pending_;
}

// Whether a run was under way for so long that something in it seems to block. After a look nothing
// is waited for until more is submitted: all threads are at work, or the queue is empty, and each
// tells what it has done.
bool Workers::run_is_late(bool news) noexcept {
  if (look_again_ == never) {
    const bool watches = quick_pending_ > 1 && (news || !tells_each_);
    if (watches) look_again_ = backend_->system().now() + patience;
    return false;
  }
  if (backend_->system().now() < look_again_) return false;
  look_again_ = never;
  return true;
}

bool Workers::flush() noexcept {
  running_ = true;
  const bool news = !fresh_.empty();
  const bool late = run_is_late(news);
  const bool wanted = wants_thread_.load(std::memory_order_relaxed);
  if (!news && !late && !wanted) return true;
  wants_thread_.store(false, std::memory_order_relaxed);

  const std::size_t given = std::exchange(fresh_count_, 0);
  std::size_t quick = 0;
  for (Operation* one = fresh_.front(); one; one = fresh_.after(*one)) {
    set_phase(*one, phase_queued);
    quick += is_quick(*one);
  }
  std::size_t roused = 0;
  std::size_t needed = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (late) {
      for (Operation* one = begun_.front(); one; one = begun_.after(*one)) take_for_slow(*one);
    }
    tells_each_ = late || (tells_each_ && !news);
    queue_.splice(fresh_);
    quick_queued_ += quick;
    const std::size_t queued = count_.load(std::memory_order_relaxed) + given;
    count_.store(queued, std::memory_order_relaxed);
    needed = late ? queued : threads_needed();
    const std::size_t coming = present_ - asleep_ - busy_;
    needed -= std::min(needed, coming);
    roused = wake_some(needed);
  }
  for (std::size_t i = 0; i < roused; ++i) rouse();
  while (roused < needed && begin_thread()) ++roused;
  return !threads_.empty();
}

// For what is in the queue, beside the threads that are at a run already.
std::size_t Workers::threads_needed() const noexcept {
  const std::size_t runs = (quick_queued_ + longest_run - 1) / longest_run;
  const std::size_t slow = count_.load(std::memory_order_relaxed) - quick_queued_;
  return slow + runs - std::min(runs, quick_begun_);
}

// With the lock: chooses so many of the threads that sleep, at most. The caller rouses as many.
std::size_t Workers::wake_some(std::size_t needed) noexcept {
  const std::size_t some = std::min(needed, asleep_);
  asleep_ -= some;
  roused_ += some;
  return some;
}

// With the lock: the operation, which a thread has begun, keeps that thread from others.
void Workers::take_for_slow(Operation& operation) noexcept {
  if (!is_quick(operation)) return;
  std::uint8_t& all = BackendSide::phase(operation);
  all = static_cast<std::uint8_t>(all & ~counts_as_quick);
  --quick_begun_;
}

bool Workers::cancel(Operation& operation) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Phase phase = phase_of(operation);
    if (phase >= phase_begun) {
      set_phase(operation, phase_unwanted);
      return false;
    }
    OperationList::remove(operation);
    if (phase == phase_fresh) {
      --fresh_count_;
    } else {
      count_.fetch_sub(1, std::memory_order_relaxed);
      if (is_quick(operation)) --quick_queued_;
    }
    --pending_;
    if (was_quick(operation)) --quick_pending_;
  }
  taken_back();
  return true;
}

bool Workers::begun(const Operation& operation) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  return phase_of(operation) >= phase_begun;
}

void Workers::withdraw(int descriptor, OperationList& taken) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Operation* one = begun_.front(); one; one = begun_.after(*one)) {
      if (is_of(descriptor, *one)) set_phase(*one, phase_unwanted);
    }
    const std::size_t queued =
        take_back(queue_, descriptor, taken) + take_back(kept_, descriptor, taken);
    count_.fetch_sub(queued, std::memory_order_relaxed);
    fresh_count_ -= take_back(fresh_, descriptor, taken);
  }
  if (!taken.empty()) taken_back();
}

std::size_t Workers::take_back(OperationList& from, int descriptor, OperationList& taken) noexcept {
  std::size_t count = 0;
  for (Operation* one = from.front(); one;) {
    Operation* const next = from.after(*one);
    if (is_of(descriptor, *one)) {
      OperationList::remove(*one);
      taken.push_back(*one);
      ++count;
      if (was_quick(*one)) --quick_pending_;
      if (phase_of(*one) == phase_queued && is_quick(*one)) --quick_queued_;
    }
    one = next;
  }
  pending_ -= count;
  return count;
}

void Workers::collect(OperationList& done) noexcept {
  if (!any_done_.load(std::memory_order_acquire)) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    any_done_.store(false, std::memory_order_relaxed);
    for (Operation* one = done_.front(); one; one = done_.after(*one)) {
      --pending_;
      if (was_quick(*one)) --quick_pending_;
    }
    done.splice(done_);
    told_ = false;
    untold_ = 0;
  }
  look_again_ = never;  // flush() begins to wait anew
}

void Workers::work() noexcept {
  sys::name_thread(name_.c_str());
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty() && !ending_) sleep(lock);
    if (queue_.empty()) return;
    Operation& operation = *queue_.pop_front();
    if (holds(operation)) {
      kept_.push_back(operation);
      continue;
    }
    const bool quick = is_quick(operation);
    count_.fetch_sub(1, std::memory_order_relaxed);
    if (quick) --quick_queued_;
    set_phase(operation, phase_begun);
    begun_.push_back(operation);
    ++busy_;
    if (quick) ++quick_begun_;
    lock.unlock();
    const long result = carry_out(operation, quick);
    lock.lock();
    --busy_;
    if (is_quick(operation)) --quick_begun_;
    OperationList::remove(operation);
    if (keeps(operation, result) && phase_of(operation) != phase_unwanted) {
      set_phase(operation, phase_queued);
      count_.fetch_add(1, std::memory_order_relaxed);
      kept_.push_front(operation);  // it was before all of its descriptor that are held
      continue;
    }
    BackendSide::finish(operation, result);
    done_.push_back(operation);
    any_done_.store(true, std::memory_order_release);
    if (!must_tell(operation)) continue;
    // Wakes the loop without the lock, which the loop takes at once. The backend outlives the
    // threads.
    lock.unlock();
    backend_->wake();
    lock.lock();
  }
}

// With the lock: whether a worker has to wake the loop now that this operation is done. Behind a
// quick one it need not if it goes on with another quick one at once.
bool Workers::must_tell(const Operation& operation) noexcept {
  if (told_) return false;
  ++untold_;
  const bool goes_on = is_quick(operation) && !tells_each_ && !queue_.empty() &&
                       is_quick(*queue_.front()) && untold_ < longest_run;
  if (goes_on) return false;
  told_ = true;
  untold_ = 0;
  return true;
}

long Workers::carry_out(Operation& operation, bool quick) noexcept {
  if (!quick || !quickly_) return perform_(operation);
  const long result = quickly_(operation);
  if (result != -EAGAIN) return result;
  // It blocks after all: others must not wait for it, nor must the loop for what is done.
  std::size_t roused = 0;
  bool tells = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    take_for_slow(operation);
    std::size_t needed = threads_needed();
    needed -= std::min(needed, present_ - asleep_ - busy_);
    roused = wake_some(needed);
    const bool wants = roused < needed && present_ < most_;
    if (wants) wants_thread_.store(true, std::memory_order_relaxed);
    tells = wants || untold_ > 0;
    if (untold_ > 0) told_ = true;
    untold_ = 0;
  }
  for (std::size_t i = 0; i < roused; ++i) rouse();
  if (tells) backend_->wake();
  return perform_(operation);
}

// With the lock.
void Workers::sleep(std::unique_lock<std::mutex>& lock) noexcept {
  ++asleep_;
  rest(lock);
  // A thread may come back unasked, and another one leave in place of it.
  roused_ > 0 ? --roused_ : --asleep_;
}

}  // namespace proa
