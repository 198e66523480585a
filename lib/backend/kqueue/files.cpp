// Performs operations on files as aio(4) requests. The engine calls aio_return(2) for every
// request, or the request would count against the system's limit for good, and calls it only after
// the event was taken, or the kernel would drop the event. The memory of a request stays where it
// is until then. Upholds R2, R4 and R10 (the slots are made once).
#include "backend/kqueue/files.hpp"

#include <aio.h>
#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "sys/kqueue.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr int most_pieces = 16;  // of one request; a later one transfers the rest
constexpr long most_slots = 256;

}  // namespace

struct AioFiles::Slot {
  aiocb block;
  iovec pieces[most_pieces];
  Operation* operation;
  Slot* next;
};

AioFiles::AioFiles(BlockingCalls& blocking, Counters& counters) noexcept
    : FileQueue(blocking, counters) {}
AioFiles::~AioFiles() = default;

bool AioFiles::takes(const Operation& operation) noexcept {
  if (operation.opcode() != Opcode::file_call) return transfers(operation);
  const FileVerb verb = static_cast<const FileCall&>(operation).verb();
  return verb == FileVerb::sync || verb == FileVerb::data_sync;
}

void AioFiles::open(int kqueue) noexcept {
  kqueue_ = kqueue;
  limit_ = static_cast<std::size_t>(std::clamp(sys::aio_limit(), 0l, most_slots));
}

void AioFiles::submit(Operation& operation) noexcept {
  FileKind* const kind = kinds_.at(operation.descriptor().number);
  if (kind && *kind == FileKind::unknown) *kind = kind_of(operation.descriptor().number);
  // aio_write(2) writes at an offset, so it cannot append, and it fails where a descriptor has no
  // offsets.
  const bool appends =
      operation.opcode() == Opcode::write_at && static_cast<WriteAt&>(operation).append();
  if (!usable() || !kind || *kind == FileKind::other || appends) return blocking_.take(operation);
  go_on(operation);
}

void AioFiles::go_on(Operation& operation) noexcept {
  set_phase(operation, FilePhase::queued);
  queued_.push_back(operation);
  if (begun_) return start_queued();
  waits_ = true;
}

Operation* AioFiles::next() noexcept {
  if (std::exchange(waits_, false)) start_queued();
  return finished();
}

void AioFiles::start_queued() noexcept {
  if (!slots_ && usable()) {
    slots_.reset(new (std::nothrow) Slot[limit_]);
    if (!slots_) limit_ = 0;
    for (std::size_t i = 0; i < limit_; ++i) slots_[i].next = std::exchange(free_, &slots_[i]);
  }
  while (!queued_.empty()) {
    Slot* const slot = free_;
    if (!slot && in_flight_ > 0) return;
    Operation& operation = *queued_.pop_front();
    const long result = slot ? start(operation, *slot) : -EAGAIN;
    if (result >= 0) {
      free_ = slot->next;
      slot->operation = &operation;
      BackendSide::slot(operation) = static_cast<std::uint32_t>(slot - slots_.get());
      set_phase(operation, FilePhase::kernel);
      ++in_flight_;
    } else {
      pass(operation);  // also after EAGAIN: requests of others have used up the system's limit
    }
  }
}

long AioFiles::start(Operation& operation, Slot& slot) noexcept {
  aiocb& block = slot.block;
  block = {};
  block.aio_fildes = operation.descriptor().number;
  if (operation.opcode() == Opcode::file_call) {
    sys::describe(block, kqueue_, &slot, nullptr, 0);
    const bool all = static_cast<FileCall&>(operation).verb() == FileVerb::sync;
    return sys::aio_fsync(all ? O_SYNC : O_DSYNC, &block);
  }
  const std::size_t moved = BackendSide::moved(operation);
  const auto prepare = [&](auto& request) {
    block.aio_offset = static_cast<off_t>(request.offset() + moved);
    sys::describe(block, kqueue_, &slot, slot.pieces,
                  gather(request, moved, slot.pieces, most_pieces));
  };
  if (operation.opcode() == Opcode::read_at) {
    prepare(static_cast<ReadAt&>(operation));
    return sys::aio_readv(&block);
  }
  prepare(static_cast<WriteAt&>(operation));
  return sys::aio_writev(&block);
}

void AioFiles::cancel(Operation& operation) noexcept {
  if (phase_of(operation) != FilePhase::kernel) return FileQueue::cancel(operation);
  // Whether or not the kernel takes the request back, the kqueue has an event of its end.
  sys::aio_cancel(operation.descriptor().number, &slots_[BackendSide::slot(operation)].block);
}

void AioFiles::event(void* udata) noexcept {
  Slot& slot = *static_cast<Slot*>(udata);
  Operation& operation = *slot.operation;
  const long result = sys::aio_return(&slot.block);
  slot.next = free_;
  free_ = &slot;
  --in_flight_;
  if (completed(operation, result)) list(operation);
  start_queued();
}

void AioFiles::forget(int number) noexcept {
  if (FileKind* const kind = kinds_.find(number)) *kind = FileKind::unknown;
}

}  // namespace proa
