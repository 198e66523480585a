// Which way a read or write of a file goes, and what its steps mean. The loop's thread never waits
// for a disk: a buffered file is touched with RWF_NOWAIT alone and never meets io_submit(2), which
// would wait for it. Upholds R11 (short results and EAGAIN go on inside).
#include "backend/epoll/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>

#include "file/file_calls.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

/// More than this is copied by a worker, cached or not: the loop has others to serve (R8).
constexpr std::size_t longest_on_loop = std::size_t{1} << 20;
/// The kernel pins the pages of a direct transfer before it gives it to the disk.
constexpr std::size_t longest_direct = std::size_t{256} << 10;

}  // namespace

void FileEngine::run(Operation& operation, FilePhase phase) noexcept {
  set_phase(operation, phase);
  runnable_.push_back(operation);
}

void FileEngine::submit(Operation& operation) noexcept {
  const int number = operation.descriptor().number;
  Traits* const traits = traits_.at(number);
  if (!traits) return blocking_.take(operation);
  if (traits->kind == FileKind::unknown) {
    traits->kind = kind_of(number);
    traits->write_waits = is_synchronous(number);
  }
  const bool reads = operation.opcode() == Opcode::read_at;
  const std::size_t size =
      reads ? wanted(static_cast<ReadAt&>(operation)) : wanted(static_cast<WriteAt&>(operation));
  if (traits->kind == FileKind::direct) {
    if (traits->no_aio || !aio_.usable() || size > longest_direct) {
      return blocking_.take(operation);
    }
    return aio_.submit(operation);
  }
  if (reads ? traits->read_waits : traits->write_waits) return blocking_.take(operation);
  // Two that append at once must not each write a part of theirs first.
  const bool appends = !reads && static_cast<WriteAt&>(operation).append();
  if (appends || size > longest_on_loop) return blocking_.take(operation);
  run(operation, FilePhase::runnable);
}

void FileEngine::withdraw(int number) noexcept {
  FileQueue::withdraw(runnable_, number);
  FileQueue::withdraw(aio_.queued(), number);
}

void FileEngine::flush() noexcept {
  long error = 0;
  while (Operation* const operation = aio_.flush(error)) refused(*operation, error);
}

// From wait(), where the workers would not hear of it before the loop has slept: so next() passes
// it on.
void FileEngine::refused(Operation& operation, long error) noexcept {
  if (unsupported(error)) traits_.find(operation.descriptor().number)->no_aio = true;
  run(operation, FilePhase::refused);
}

Operation* FileEngine::next() noexcept {
  completions_turn_ = !completions_turn_;
  const bool completion = completions_turn_ ? aio_.has_next() : runnable_.empty();
  return completion ? next_completed() : perform_next();
}

Operation* FileEngine::next_completed() noexcept {
  long result = 0;
  Operation* const operation = aio_.next(result);
  return operation && completed(*operation, result) ? operation : nullptr;
}

Operation* FileEngine::perform_next() noexcept {
  Operation* const operation = runnable_.pop_front();
  if (!operation) return nullptr;
  if (phase_of(*operation) == FilePhase::refused) return passed(*operation);
  return operation->opcode() == Opcode::read_at ? perform_read(static_cast<ReadAt&>(*operation))
                                                : perform_write(static_cast<WriteAt&>(*operation));
}

Operation* FileEngine::passed(Operation& operation) noexcept {
  pass(operation);
  return nullptr;
}

Operation* FileEngine::perform_read(ReadAt& read) noexcept {
  Traits& traits = *traits_.find(read.descriptor().number);
  if (traits.read_waits) return passed(read);
  // A short step is a cold page or the end: only another one tells which.
  for (int steps = 0; steps < 2; ++steps) {
    long result = read_some(read, RWF_NOWAIT);
    if (unsupported(result)) {
      traits.read_waits = true;
      return passed(read);
    }
    // Linux 5.9 and 5.10 answer RWF_NOWAIT with 0 also before the end (preadv2(2), BUGS).
    if (result == -EAGAIN || (result == 0 && !at_end(read))) return passed(read);
    if (step_ends(read, result)) {
      BackendSide::finish(read, result);
      return &read;
    }
  }
  return passed(read);
}

Operation* FileEngine::perform_write(WriteAt& write) noexcept {
  Traits& traits = *traits_.find(write.descriptor().number);
  if (traits.write_waits) return passed(write);
  long result = write_some(write, RWF_NOWAIT);
  if (unsupported(result) || result == -EINVAL) {  // EINVAL: of some file systems for RWF_NOWAIT
    traits.write_waits = true;
    return passed(write);
  }
  if (result == -EAGAIN || !step_ends(write, result)) return passed(write);
  BackendSide::finish(write, result);
  return &write;
}

void FileEngine::forget(int number) noexcept {
  if (Traits* const traits = traits_.find(number)) *traits = {};
}

}  // namespace proa
