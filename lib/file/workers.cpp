// A queue of operations, the threads that perform them, and the list in which they come back.
// Upholds R2 (an operation leaves once: done, or taken back before a worker began) and R9 (the
// owner hears of its operation on the loop's thread).
#include "file/workers.hpp"

#include <algorithm>
#include <boost/intrusive/parent_from_member.hpp>
#include <csignal>
#include <new>
#include <proa/backend.hpp>
#include <utility>

#include "sys/sys.hpp"

namespace proa {

namespace {

// `begun` says that a worker has the operation, or that it is done, and `unwanted` that cancel()
// came after that. cancel() can take back the others.
enum Phase : std::uint8_t { phase_fresh, phase_queued, phase_begun, phase_unwanted };

bool is_of(int descriptor, const Operation& operation) noexcept {
  return descriptor < 0 || operation.descriptor().number == descriptor;
}

}  // namespace

Workers& Workers::from_hook(ListHook& hook) noexcept {
  return *boost::intrusive::get_parent_from_member<Workers>(&hook, &Workers::hook_);
}

Workers::Workers(std::string name, unsigned most, std::size_t limit, Perform perform)
    : name_(std::move(name)), most_(most), limit_(limit), perform_(perform) {
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
  pthread_t thread{};
  const bool begun = sys::begin_thread(work_on, this, &thread) == 0;
  if (begun) threads_.push_back(thread);
  sys::restore_signals(&before);
  return begun;
}

void Workers::submit(Operation& operation) noexcept {
  BackendSide::phase(operation) = phase_fresh;
  fresh_.push_back(operation);
  ++fresh_count_;
  ++pending_;
}

bool Workers::flush() noexcept {
  running_ = true;
  if (fresh_.empty()) return true;
  const std::size_t given = std::exchange(fresh_count_, 0);
  for (Operation* one = fresh_.front(); one; one = fresh_.after(*one)) {
    BackendSide::phase(*one) = phase_queued;
  }
  std::size_t free = 0;
  std::size_t queued = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.splice(fresh_);
    queued = count_.load(std::memory_order_relaxed) + given;
    count_.store(queued, std::memory_order_relaxed);
    free = threads_.size() - busy_;
  }
  for (std::size_t i = 0; i < std::min(free, queued); ++i) rouse();
  while (free < queued && begin_thread()) ++free;
  return !threads_.empty();
}

bool Workers::cancel(Operation& operation) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::uint8_t& phase = BackendSide::phase(operation);
    const bool fresh = phase == phase_fresh;
    if (phase >= phase_begun) {
      phase = phase_unwanted;
      return false;
    }
    OperationList::remove(operation);
    fresh ? void(--fresh_count_) : void(count_.fetch_sub(1, std::memory_order_relaxed));
    --pending_;
  }
  taken_back();
  return true;
}

bool Workers::begun(const Operation& operation) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  return BackendSide::phase(operation) >= phase_begun;
}

void Workers::withdraw(int descriptor, OperationList& taken) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Operation* one = begun_.front(); one; one = begun_.after(*one)) {
      if (is_of(descriptor, *one)) BackendSide::phase(*one) = phase_unwanted;
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
    }
    one = next;
  }
  pending_ -= count;
  return count;
}

void Workers::collect(OperationList& done) noexcept {
  if (!any_done_.load(std::memory_order_acquire)) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  any_done_.store(false, std::memory_order_relaxed);
  for (Operation* one = done_.front(); one; one = done_.after(*one)) --pending_;
  done.splice(done_);
}

void Workers::work() noexcept {
  sys::name_thread(name_.c_str());
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    while (queue_.empty() && !ending_) rest(lock);
    if (queue_.empty()) return;
    Operation& operation = *queue_.pop_front();
    if (holds(operation)) {
      kept_.push_back(operation);
      continue;
    }
    count_.fetch_sub(1, std::memory_order_relaxed);
    BackendSide::phase(operation) = phase_begun;
    begun_.push_back(operation);
    ++busy_;
    lock.unlock();
    const long result = perform_(operation);
    lock.lock();
    --busy_;
    OperationList::remove(operation);
    if (keeps(operation, result) && BackendSide::phase(operation) != phase_unwanted) {
      BackendSide::phase(operation) = phase_queued;
      count_.fetch_add(1, std::memory_order_relaxed);
      kept_.push_front(operation);  // it was before all of its descriptor that are held
      continue;
    }
    BackendSide::finish(operation, result);
    const bool first = done_.empty();
    done_.push_back(operation);
    any_done_.store(true, std::memory_order_release);
    if (!first) continue;
    // Wakes the loop without the lock, which the loop takes at once. The backend outlives the
    // threads.
    lock.unlock();
    backend_->wake();
    lock.lock();
  }
}

}  // namespace proa
