// Cancels operations on files, and judges what the kernel says of a part of one. Upholds R2, R4 (an
// operation that the kernel does not have yet ends at once) and R11 (after a short result the
// engine goes on, after EAGAIN a worker does).
#include "backend/file_queue.hpp"

#include <cerrno>
#include <proa/file_requests.hpp>

#include "file/file_calls.hpp"

namespace proa {

void FileQueue::cancel(Operation& operation) noexcept {
  const FilePhase phase = phase_of(operation);
  if (phase == FilePhase::kernel || phase == FilePhase::finished) return;
  OperationList::remove(operation);
  BackendSide::finish(operation, -ECANCELED);
  list(operation);
}

void FileQueue::list(Operation& operation) noexcept {
  set_phase(operation, FilePhase::finished);
  finished_.push_back(operation);
}

void FileQueue::withdraw(OperationList& from, int number) noexcept {
  for (Operation* one = from.front(); one;) {
    Operation* const next = from.after(*one);
    if (number < 0 || one->descriptor().number == number) cancel(*one);
    one = next;
  }
}

void FileQueue::pass(Operation& operation) noexcept {
  ++counters_.retries;
  blocking_.take(operation);
}

bool FileQueue::completed(Operation& operation, long result) noexcept {
  if (result == -EAGAIN || result == -EINTR || unsupported(result)) {
    pass(operation);
    return false;
  }
  const bool over = operation.opcode() == Opcode::read_at
                        ? step_ends(static_cast<ReadAt&>(operation), result)
                        : operation.opcode() != Opcode::write_at ||
                              step_ends(static_cast<WriteAt&>(operation), result);
  if (over || BackendSide::cancelled(operation)) {
    BackendSide::finish(operation, over ? result : -ECANCELED);
    return true;
  }
  ++counters_.retries;
  go_on(operation);
  return false;
}

}  // namespace proa
