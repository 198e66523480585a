// Decides for each read or write of a file who performs it: the loop's thread, kernel AIO or a
// worker. The loop's thread never waits for a disk: it touches a buffered file with RWF_NOWAIT
// only, and it never gives a buffered file to io_submit(2), because that call would wait for the
// disk. Upholds R11 (the engine goes on by itself after short results and EAGAIN).
#include "backend/epoll/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>

#include "file/file_calls.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

/// A worker copies transfers of more bytes than this, even if the page cache has them: meanwhile
/// the loop serves others (R8).
constexpr std::size_t longest_on_loop = std::size_t{1} << 20;
/// A worker performs direct transfers of more bytes than this, because io_submit(2) pins every page
/// of a transfer before it gives the transfer to the disk, and that takes the loop's time.
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
  // Requests on a device take turns, and one that is tried here would overtake those that wait.
  if (traits->kind == FileKind::other) return blocking_.take(operation);
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
  // A worker writes all of an append in one call. Here the first part of one append could be
  // followed by the first part of another.
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

// The kernel has refused an operation during wait(). The core hands operations to the workers
// before it calls wait(), so a worker would hear of this one only after the loop has slept: the
// operation becomes runnable here, and next() passes it to a worker.
void FileEngine::refused(Operation& operation, long error) noexcept {
  if (unsupported(error)) traits_.find(operation.descriptor().number)->no_aio = true;
  run(operation, FilePhase::refused);
}

Operation* FileEngine::next() noexcept {
  return rotation_.next([this](std::size_t source) noexcept -> Step {
    if (source == 0) return {finished()};
    if (source == 1) return runnable_.empty() ? Step::nothing() : Step::work(perform_next());
    return aio_.has_next() ? Step::work(next_completed()) : Step::nothing();
  });
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
  // A short result means that a page is not in the cache, or that the file ends: only a second read
  // tells which.
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
  if (unsupported(result) || result == -EINVAL) {  // EINVAL: some file systems refuse RWF_NOWAIT so
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
