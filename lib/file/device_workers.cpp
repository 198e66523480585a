// One idle thread polls for the operations that wait, the others sleep. A thread that finds
// operations ready queues them, wakes another one to poll in its place, and performs. Upholds R2
// and R4: an operation that waits can be taken back at any time, and poll_many() begins anew then,
// so that the kernel keeps no file open that the program closes.
#include "file/device_workers.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <proa/backend.hpp>

#include "base/memory.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

/// An operation whose device polls ready so often, and still has nothing, ends with EAGAIN. An
/// operation's slot counts that: 0 says that its device has not polled ready.
constexpr std::uint32_t most_tries = 100;

short events_of(const Operation& operation) noexcept {
  return operation.opcode() == Opcode::read_at ? POLLIN : POLLOUT;
}

bool on_same(const Operation& a, const Operation& b) noexcept {
  return a.descriptor().number == b.descriptor().number && a.opcode() == b.opcode();
}

bool has_same(const std::vector<Operation*>& in, const Operation& operation) noexcept {
  return std::any_of(in.begin(), in.end(),
                     [&](const Operation* each) { return on_same(*each, operation); });
}

bool has_same(OperationList& in, const Operation& operation) noexcept {
  for (const Operation* one = in.front(); one; one = in.after(*one)) {
    if (on_same(*one, operation)) return true;
  }
  return false;
}

}  // namespace

DeviceWorkers::DeviceWorkers(std::string name, unsigned most, Perform perform)
    : Workers(std::move(name), most, SIZE_MAX, perform) {}

DeviceWorkers::~DeviceWorkers() {
  end_threads();
  for (const int end : pipe_) {
    if (end >= 0) sys::close(end);
  }
}

bool DeviceWorkers::may_begin() noexcept { return pipe_[0] >= 0 || sys::wake_pipe(pipe_) >= 0; }

void DeviceWorkers::poll_anew() noexcept {
  if (polling_.load(std::memory_order_acquire)) sys::wake_by_pipe(pipe_[1]);
}

void DeviceWorkers::rouse() noexcept {
  some().notify_one();
  poll_anew();
}

// One that has polled ready was the first of its descriptor.
bool DeviceWorkers::holds(Operation& operation) noexcept {
  if (has_same(under_way(), operation)) return true;
  return BackendSide::slot(operation) == 0 && has_same(kept(), operation);
}

bool DeviceWorkers::keeps(Operation& operation, long result) noexcept {
  // Another operation of the descriptor, or this one, shall be polled for now.
  poll_anew();
  return result == -EAGAIN && BackendSide::slot(operation) < most_tries;
}

// Without memory for all, only some are asked; the others follow when these have gone.
bool DeviceWorkers::gather() noexcept {
  asked_.clear();
  waiting_.clear();
  const bool all = with_memory([&] {
    asked_.push_back({pipe_[0], POLLIN, 0});
    for (Operation* one = kept().front(); one; one = kept().after(*one)) {
      if (has_same(under_way(), *one) || has_same(waiting_, *one)) continue;
      asked_.push_back({one->descriptor().number, events_of(*one), 0});
      waiting_.push_back(one);
    }
  });
  if (!all) asked_.resize(std::min(asked_.size(), 1 + waiting_.size()));
  return !waiting_.empty();
}

// Operations may have been taken back meanwhile, and their owners may have destroyed them: only
// those that are still in the list are looked at.
void DeviceWorkers::queue_ready() noexcept {
  for (Operation* one = kept().front(); one;) {
    Operation& operation = *one;
    one = kept().after(operation);
    const auto found = std::find(waiting_.begin(), waiting_.end(), &operation);
    if (found == waiting_.end()) continue;
    std::uint32_t& tries = BackendSide::slot(operation);
    const bool ready = asked_[1 + static_cast<std::size_t>(found - waiting_.begin())].revents != 0;
    tries = ready ? tries + 1 : 0;
    if (!ready) continue;
    OperationList::remove(operation);
    queue().push_front(operation);  // before those that were submitted later
  }
}

void DeviceWorkers::rest(std::unique_lock<std::mutex>& lock) noexcept {
  if (polling_.load(std::memory_order_relaxed) || !gather()) return some().wait(lock);
  polling_.store(true, std::memory_order_release);
  lock.unlock();
  const long ready = sys::poll_many(asked_.data(), asked_.size());
  sys::empty_pipe(pipe_[0]);
  lock.lock();
  polling_.store(false, std::memory_order_release);
  if (ready > 0) queue_ready();
  if (!queue().empty()) some().notify_one();
}

}  // namespace proa
