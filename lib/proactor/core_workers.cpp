// Where operations meet the threads that wait for them: files that a backend passes on, and work of
// the program's own. Upholds R2 (what was taken is delivered once) and R4 (what no worker has begun
// can be taken back).
#include <boost/intrusive/parent_from_member.hpp>
#include <cerrno>
#include <cstdint>
#include <proa/file_requests.hpp>
#include <proa/work.hpp>

#include "backend/last_try.hpp"
#include "base/misuse.hpp"
#include "file/file_calls.hpp"
#include "proactor/core.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

template <class Request>
bool aligned(const Request& request, const FileAlignment& needed) noexcept {
  if (request.offset() % needed.offset != 0) return false;
  for (std::size_t i = 0; i < request.pieces().count(); ++i) {
    const auto& piece = request.pieces().data()[i];
    if (piece.size % needed.offset != 0) return false;
    if (reinterpret_cast<std::uintptr_t>(piece.data) % needed.memory != 0) return false;
  }
  return true;
}

}  // namespace

Workers& WorkersHook::from_hook(ListHook& hook) noexcept { return Workers::from_hook(hook); }

void Core::add_workers(Workers& workers) noexcept {
  check("WorkerPool");
  workers.set_backend(backend_.get());
  workers_.push_back(workers);
  if (home_.bound()) (void)workers.flush();  // threads may begin at once
}

void Core::remove_workers(Workers& workers, const void* pool) noexcept {
  if (inherited()) {
    workers.disown();
  } else {
    if (!shut_down_) check("~WorkerPool");
    if (workers.pending() > 0) {
      misuse("WorkerPool %p (\"%s\") destroyed while work is pending", pool,
             workers.name().c_str());
    }
  }
  List<Workers, WorkersHook>::remove(workers);
}

long Core::perform_work(Operation& operation) noexcept {
  const Work& work = static_cast<Work&>(operation);
  work.function_(work.object_);
  return 0;
}

Workers& Core::workers_of(Operation& operation) noexcept {
  if (operation.opcode_ == Opcode::work) return *static_cast<Work&>(operation).workers_;
  return operation.keeper_ == Keeper::devices ? devices_ : files_;
}

// Whether it is probably done in a few microseconds: a small transfer through the page cache. Reads
// that a backend passes on were not in the cache, unless the workers perform everything.
bool Core::is_quick(const Operation& operation) noexcept {
  constexpr std::size_t longest = std::size_t{64} << 10;
  const bool reads = operation.opcode_ == Opcode::read_at;
  if (!transfers(operation) || (reads && options_.native_files)) return false;
  const std::size_t size = reads ? wanted(static_cast<const ReadAt&>(operation))
                                 : wanted(static_cast<const WriteAt&>(operation));
  FilePace* const pace = size <= longest ? paces_.at(operation.descriptor_) : nullptr;
  if (!pace) return false;
  if (*pace == FilePace::unknown) *pace = pace_of(operation.descriptor_);
  return *pace == FilePace::cached;
}

// The number may be another file's from here on.
void Core::forget_file(int number) noexcept {
  if (FilePace* const pace = paces_.find(number)) *pace = FilePace::unknown;
}

// A backend passes it on. What may have nothing to read for long must not keep a worker from files.
// The library has looked at a file when the file was opened or adopted, and its kind says that it
// is none of these.
void Core::take(Operation& operation) noexcept {
  if (operation.reason_ == Reason::none && is_over(operation)) operation.reason_ = Reason::close;
  if (operation.reason_ != Reason::none) return finish(operation, -ECANCELED);
  if (transfers(operation) && operation.kind_ != DescriptorKind::file &&
      may_have_nothing(operation)) {
    return wait_for(operation);
  }
  hand_to(files_, Keeper::workers, operation, is_quick(operation));
}

// Reads or writes a device when it is ready.
void Core::wait_for(Operation& operation) noexcept {
  BackendSide::slot(operation) = 0;
  hand_to(devices_, Keeper::devices, operation);
}

void Core::hand_to(Workers& workers, Keeper keeper, Operation& operation, bool quick) noexcept {
  if (!workers.ready()) return finish(operation, options_.workers == 0 ? -EOPNOTSUPP : -EAGAIN);
  operation.keeper_ = keeper;
  workers.submit(operation, quick);
}

// The last try of a SendFile (R7) is a worker's share, because sendfile(2) may wait for a disk. Its
// slot, which the backend is done with, says that a worker has had it.
bool Core::passed_at_last(Operation& operation) noexcept {
  constexpr std::uint32_t had_last_try = Operation::no_index - 1;
  if (operation.slot_ == had_last_try || !files_.ready()) return false;
  if (!sends_to_socket(operation) && !may_go_on(operation, system())) return false;
  operation.slot_ = had_last_try;
  operation.state_ = State::submitted;
  hand_to(files_, Keeper::workers, operation);
  return true;
}

// Takes back what no worker has begun: close() and shutdown() do not wait for it.
void Core::withdraw(Workers& workers, int descriptor) noexcept {
  OperationList taken;
  workers.withdraw(descriptor, taken);
  while (Operation* const operation = taken.pop_front()) {
    operation->keeper_ = Keeper::backend;
    if (operation->reason_ == Reason::none) operation->reason_ = Reason::close;
    finish(*operation, -ECANCELED);
  }
}

void Core::hand_to_workers() noexcept {
  for (Workers* each = workers_.front(); each; each = workers_.after(*each)) {
    if (each->flush()) continue;
    // What was submitted before the first round could not be refused then.
    OperationList taken;
    each->withdraw(-1, taken);
    while (Operation* const operation = taken.pop_front()) {
      operation->keeper_ = Keeper::backend;
      finish(*operation, -EAGAIN);
    }
  }
}

// A worker has done it, whatever came of it.
void Core::worked(FileCall& call) noexcept {
  if (call.verb() == FileVerb::close) {
    static_cast<CloseFile&>(call).closed();
  } else if (call.verb() == FileVerb::open && call.error_ == 0) {
    const long descriptor = static_cast<long>(std::exchange(call.bytes_, 0));
    adopt_opened(static_cast<Open&>(call), descriptor, system());
  }
}

// A worker has found no room, or nothing to read: the operation waits for that, unless somebody has
// ended it while the worker was at it. False if it ends so.
bool Core::goes_on(Operation& operation, Keeper kept) noexcept {
  const bool sends = operation.opcode_ == Opcode::send_file;
  if (!sends && !transfers(operation)) return false;
  if (operation.reason_ == Reason::none && is_over(operation)) operation.reason_ = Reason::close;
  if (operation.reason_ != Reason::none) {
    finish(operation, -ECANCELED);
  } else if (sends) {
    untold_ = true;
    backend_->submit(operation);  // until the socket has room
  } else if (kept == Keeper::workers) {
    wait_for(operation);
  } else {
    return false;
  }
  return true;
}

void Core::collect_worked() noexcept {
  OperationList done;
  for (Workers* each = workers_.front(); each; each = workers_.after(*each)) each->collect(done);
  while (Operation* const operation = done.pop_front()) {
    const Keeper kept = std::exchange(operation->keeper_, Keeper::backend);
    if (operation->error_ == -EAGAIN && goes_on(*operation, kept)) continue;
    if (operation->opcode_ == Opcode::file_call) worked(static_cast<FileCall&>(*operation));
    operation->state_ = State::finished;
    worked_.push_back(*operation);
  }
}

bool Core::misaligned(Operation& operation) noexcept {
  const bool reads = operation.opcode_ == Opcode::read_at;
  if (!reads && operation.opcode_ != Opcode::write_at) return false;
  if (!is_direct(operation.descriptor_)) return false;
  FileAlignment needed;
  system().file_alignment(operation.descriptor(), needed);
  return reads ? !aligned(static_cast<ReadAt&>(operation), needed)
               : !aligned(static_cast<WriteAt&>(operation), needed);
}

}  // namespace proa
