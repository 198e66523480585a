// A queue of operations, the threads that perform them, and the list in which they come back.
// Upholds R2 (an operation leaves once: done, or taken back before a worker began) and R9 (the
// owner hears of its operation on the loop's thread).
#include "file/workers.hpp"

#include <algorithm>
#include <boost/intrusive/parent_from_member.hpp>
#include <csignal>
#include <exception>
#include <new>
#include <proa/backend.hpp>
#include <utility>

#include "sys/sys.hpp"

namespace proa {

namespace {

// `begun` says that a worker has the operation, or that it is done. cancel() can take back the
// others.
enum Phase : std::uint8_t { phase_fresh, phase_queued, phase_begun };

}  // namespace

Workers& Workers::from_hook(ListHook& hook) noexcept {
  return *boost::intrusive::get_parent_from_member<Workers>(&hook, &Workers::hook_);
}

Workers::Workers(std::string name, unsigned most, std::size_t limit, Perform perform)
    : name_(std::move(name)), most_(most), limit_(limit), perform_(perform) {
  threads_.reserve(most);
}

Workers::~Workers() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  some_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Constructs the members anew over the old ones: their destructors would wait for threads that only
// the parent has.
void Workers::disown() noexcept {
  for (std::thread& thread : threads_) new (&thread) std::thread;
  threads_.clear();
  new (&some_) std::condition_variable;
}

bool Workers::ready() noexcept {
  if (queued() >= limit_ || most_ == 0) return false;
  return !running_ || !threads_.empty() || begin_thread();
}

bool Workers::begin_thread() noexcept {
  if (threads_.size() >= most_) return false;
  // A worker blocks all signals: it runs no handler of the program, and SIGXFSZ (RLIMIT_FSIZE) does
  // not end the process.
  sigset_t before;
  sys::block_signals(&before);
  bool begun = true;
  try {
    threads_.emplace_back([this] { work(); });
  } catch (const std::exception&) {  // the system has no thread, or no memory for one
    begun = false;
  }
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
  for (std::size_t i = 0; i < std::min(free, queued); ++i) some_.notify_one();
  while (free < queued && begin_thread()) ++free;
  return !threads_.empty();
}

bool Workers::cancel(Operation& operation) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (BackendSide::phase(operation) == phase_fresh) {
    OperationList::remove(operation);
    --fresh_count_;
    --pending_;
    return true;
  }
  if (BackendSide::phase(operation) != phase_queued) return false;
  OperationList::remove(operation);
  count_.fetch_sub(1, std::memory_order_relaxed);
  --pending_;
  return true;
}

bool Workers::begun(const Operation& operation) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  return BackendSide::phase(operation) == phase_begun;
}

void Workers::withdraw(int descriptor, OperationList& taken) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  count_.fetch_sub(take_back(queue_, descriptor, taken), std::memory_order_relaxed);
  fresh_count_ -= take_back(fresh_, descriptor, taken);
}

std::size_t Workers::take_back(OperationList& from, int descriptor, OperationList& taken) noexcept {
  std::size_t count = 0;
  for (Operation* one = from.front(); one;) {
    Operation* const next = from.after(*one);
    if (descriptor < 0 || one->descriptor().number == descriptor) {
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
    while (queue_.empty() && !ending_) some_.wait(lock);
    if (queue_.empty()) return;
    Operation& operation = *queue_.pop_front();
    count_.fetch_sub(1, std::memory_order_relaxed);
    BackendSide::phase(operation) = phase_begun;
    ++busy_;
    lock.unlock();
    BackendSide::finish(operation, perform_(operation));
    lock.lock();
    --busy_;
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
