// Gives the kernel batches of iocbs and reads completions from the ring that the kernel maps into
// the process. io_submit(2) copies the iocbs and their lists of pieces, so one array of each serves
// every batch (R10). Each iocb carries RWF_NOWAIT: a transfer that would wait for a lock or for
// metadata comes back with EAGAIN instead of holding up the loop. Upholds R2 (an operation is
// queued, at the kernel, or refused) and R11 (flush() goes on after a partial submission, and waits
// for completions when the context is full).
#include "backend/epoll/aio.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <type_traits>

#include "file/file_calls.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

template <class Request>
void prepare(iocb& block, Request& request, iovec* pieces, int count) noexcept {
  constexpr bool reads = std::is_same_v<Request, ReadAt>;
  const std::size_t moved = BackendSide::moved(request);
  block.aio_fildes = request.descriptor().number;
  block.u.c.offset = static_cast<long long>(request.offset() + moved);
  if (count == 1) {
    block.aio_lio_opcode = reads ? IO_CMD_PREAD : IO_CMD_PWRITE;
    block.u.c.buf = pieces->iov_base;
    block.u.c.nbytes = pieces->iov_len;
  } else {
    block.aio_lio_opcode = reads ? IO_CMD_PREADV : IO_CMD_PWRITEV;
    block.u.c.buf = pieces;
    block.u.c.nbytes = static_cast<unsigned long>(count);
  }
}

}  // namespace

// struct aio_ring of the kernel (fs/aio.c); the kernel puts the events behind it.
struct AioContext::Ring {
  static constexpr unsigned known_magic = 0xa10a10a1;

  unsigned id;
  unsigned size;
  unsigned head;
  unsigned tail;
  unsigned magic;
  unsigned compatible_features;
  unsigned incompatible_features;
  unsigned header_size;

  bool known() const noexcept {
    return magic == known_magic && compatible_features == 1 && incompatible_features == 0 &&
           header_size == sizeof(Ring) && size > 0;
  }
  bool empty() const noexcept {
    return __atomic_load_n(&tail, __ATOMIC_ACQUIRE) == __atomic_load_n(&head, __ATOMIC_RELAXED);
  }
  io_event take() noexcept {
    const unsigned at = __atomic_load_n(&head, __ATOMIC_RELAXED);
    const io_event event = reinterpret_cast<const io_event*>(this + 1)[at];
    __atomic_store_n(&head, at + 1 == size ? 0 : at + 1, __ATOMIC_RELEASE);
    return event;
  }
};

struct AioContext::Storage {
  std::array<iocb, most_entries> blocks;
  std::array<iocb*, most_entries> pointers;
  std::array<iovec, most_entries * 4> pieces;
  std::array<io_event, most_events> events;
};

AioContext::AioContext() noexcept = default;

AioContext::~AioContext() {
  if (context_) sys::aio_destroy(context_);
  if (event_ >= 0) sys::close(event_);
}

bool AioContext::open() noexcept {
  storage_.reset(new (std::nothrow) Storage);
  event_ = static_cast<int>(sys::eventfd(EFD_CLOEXEC | EFD_NONBLOCK));
  long result = storage_ && event_ >= 0 ? -EAGAIN : -ENOMEM;
  // All processes share fs.aio-max-nr. When little of it is left, a smaller context may still be
  // had.
  for (entries_ = most_entries; result == -EAGAIN && entries_ >= least_entries;) {
    result = sys::aio_setup(static_cast<unsigned>(entries_), &context_);
    if (result == -EAGAIN) entries_ /= 2;
  }
  if (result == 0) {
    epoll_event wanted{};
    wanted.events = EPOLLIN | EPOLLET;
    wanted.data.u64 = token_;
    result = sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wanted);
  } else {
    context_ = nullptr;
  }
  if (result < 0) {
    impossible_ = true;
    return false;
  }
  Ring* const ring = static_cast<Ring*>(context_);
  ring_ = ring->known() ? ring : nullptr;
  return true;
}

// Submits as many operations from the front of the queue as the context and the arrays have room
// for. Returns what io_submit(2) returns.
long AioContext::submit_batch() noexcept {
  Storage& storage = *storage_;
  std::size_t count = 0;
  std::size_t used = 0;
  const std::size_t most = entries_ - in_flight_;
  for (Operation* one = queued_.front(); one && count < most; one = queued_.after(*one)) {
    if (storage.pieces.size() - used < most_pieces) break;  // the next batch takes it
    iocb& block = storage.blocks[count];
    block = {};
    block.data = one;
    block.aio_rw_flags = RWF_NOWAIT;
    ::io_set_eventfd(&block, event_);
    iovec* const pieces = storage.pieces.data() + used;
    int pieces_count = 0;
    if (one->opcode() == Opcode::read_at) {
      ReadAt& read = static_cast<ReadAt&>(*one);
      pieces_count = gather(read, BackendSide::moved(read), pieces, most_pieces);
      prepare(block, read, pieces, pieces_count);
    } else {
      WriteAt& write = static_cast<WriteAt&>(*one);
      if (write.append()) block.aio_rw_flags |= RWF_APPEND;
      pieces_count = gather(write, BackendSide::moved(write), pieces, most_pieces);
      prepare(block, write, pieces, pieces_count);
    }
    used += static_cast<std::size_t>(pieces_count == 1 ? 0 : pieces_count);
    storage.pointers[count++] = &block;
  }
  return sys::aio_submit(context_, static_cast<long>(count), storage.pointers.data());
}

Operation* AioContext::flush(long& error) noexcept {
  while (!queued_.empty()) {
    error = -EAGAIN;
    if (!usable() || (!context_ && !open())) return queued_.pop_front();
    if (!wants_flush()) return nullptr;
    error = submit_batch();
    for (long i = 0; i < error; ++i) {
      set_phase(*queued_.pop_front(), FilePhase::kernel);
      ++in_flight_;
    }
    if (error > 0) continue;
    if ((error == -EAGAIN || error == 0) && in_flight_ > 0) {
      full_ = true;
      return nullptr;
    }
    return queued_.pop_front();  // io_submit(2) tells the error of the first operation of a batch
  }
  return nullptr;
}

bool AioContext::has_next() const noexcept {
  return next_ < count_ || (ring_ ? !ring_->empty() : signalled_);
}

Operation* AioContext::next(long& result) noexcept {
  if (in_flight_ == 0) {
    signalled_ = false;
    return nullptr;
  }
  io_event event;
  if (ring_) {
    if (ring_->empty()) return nullptr;
    event = ring_->take();
  } else {
    if (next_ == count_) {
      if (!signalled_) return nullptr;
      const long found =
          sys::aio_events(context_, 0, static_cast<long>(most_events), storage_->events.data());
      next_ = 0;
      count_ = found > 0 ? static_cast<std::size_t>(found) : 0;
      // If fewer events came than there was room for, the eventfd tells of the next one.
      signalled_ = count_ == most_events || found == -EINTR;
      if (count_ == 0) return nullptr;
    }
    event = storage_->events[next_++];
  }
  --in_flight_;
  full_ = false;
  result = static_cast<long>(event.res);
  return static_cast<Operation*>(event.data);
}

}  // namespace proa
