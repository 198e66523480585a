// Files over io_uring. This file decides which requests io_uring performs, fills their SQEs and
// reads their CQEs. A worker performs what io_uring lacks or turns away, and continues with what is
// left of such a request. Upholds R2, R3 (what an SQE points to lives in the request, or in the
// arena until the kernel has taken the SQE) and R11 (the backend continues after short transfers
// and EAGAIN).
//
// The loop's thread never waits for a disk. It reads and writes only where the file system obeys a
// request not to wait (IOCB_NOWAIT). A thread of the kernel (IOSQE_ASYNC) resolves paths and makes
// long copies. Workers call close(2), because IORING_OP_CLOSE may complete before the kernel has
// released the file, and exec(2) of a program just written would fail then (ETXTBSY).
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "backend/uring/uring_backend.hpp"
#include "file/file_calls.hpp"
#include "sys/linux.hpp"
#include "sys/names.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

/// A thread of the kernel copies transfers of more bytes than this, even if the page cache has
/// them: meanwhile the loop serves others (R8).
constexpr std::size_t longest_inline = std::size_t{1} << 20;
/// A thread of the kernel performs direct transfers of more bytes than this, because io_uring pins
/// every page of a transfer before it gives the transfer to the disk.
constexpr std::size_t longest_direct = std::size_t{256} << 10;
constexpr int most_pieces = 64;  // of one SQE; a later SQE transfers the rest

constexpr unsigned no_opcode = IORING_OP_LAST;

int status_flags(const Status& call) noexcept {
  const bool by_path = call.by_path() || !call.descriptor().valid();
  return (proa::has(call.flags(), OpenFlags::no_follow) ? AT_SYMLINK_NOFOLLOW : 0) |
         (by_path ? 0 : AT_EMPTY_PATH);
}

unsigned opcode_of(FileVerb verb) noexcept {
  switch (verb) {
    case FileVerb::open:
      return IORING_OP_OPENAT;
    case FileVerb::sync:
    case FileVerb::data_sync:
      return IORING_OP_FSYNC;
    case FileVerb::status:
      return IORING_OP_STATX;
    case FileVerb::allocate:
      return IORING_OP_FALLOCATE;
    case FileVerb::unlink:
      return IORING_OP_UNLINKAT;
    case FileVerb::rename:
      return IORING_OP_RENAMEAT;
    case FileVerb::make_directory:
      return IORING_OP_MKDIRAT;
    default:
      return no_opcode;
  }
}

// Whether the file system obeys a request not to wait. For some that do not (FUSE), io_uring trusts
// what poll(2) reports, and would wait in the loop's thread. To find out, this function asks for
// bytes beyond the end of any file, of which there are none.
bool takes_no_wait(int number) noexcept {
  char byte;
  const iovec piece = {&byte, 1};
  const long result = sys::preadv2(number, &piece, 1, INT64_MAX - 1, RWF_NOWAIT);
  // The file is not open for reading. Nearly all file systems that know no NOWAIT lie on no device,
  // so this function looks for a device instead.
  if (result == -EBADF) return on_device(number);
  // EINVAL: an O_DIRECT file refuses this alignment
  return result >= 0 || result == -EAGAIN || result == -EINVAL;
}

// The result says that the kernel or the file system cannot perform the request through io_uring,
// or a filter may have refused it, or (ECANCELED) the kernel could not make a thread for it; a
// worker can perform it, or says why not.
bool turned_away(long result) noexcept {
  return result == -EAGAIN || result == -EOPNOTSUPP || result == -ECANCELED || is_refusal(result);
}

}  // namespace

void FileSystem::forget(Descriptor descriptor) noexcept {
  if (Traits* const traits = traits_.find(descriptor.number)) *traits = {};
}

// Pipes and devices have to go to the workers: preadv(2) answers ESPIPE, but io_uring ignores the
// offset, reads the FIFO and waits. A read of /proc/kmsg or of trace_pipe, which have nothing to
// read at times, would keep one of the kernel's few threads for regular files.
bool FileSystem::seekable(int number) noexcept {
  Traits* const traits = traits_.at(number);
  if (!traits) return false;
  if (traits->kind == FileKind::unknown) {
    traits->kind = kind_of(number);
    if (traits->kind == FileKind::other) return false;
    const bool no_wait = takes_no_wait(number);
    traits->waits = !no_wait || is_synchronous(number);
    if (!no_wait && sys::on_pseudo_file_system(number)) traits->kind = FileKind::other;
  }
  return traits->kind == FileKind::buffered || traits->kind == FileKind::direct;
}

bool UringBackend::performs(const Operation& operation) noexcept {
  const Features& features = ring_.features();
  if (transfers(operation)) {
    const bool has_opcodes =
        operation.opcode() == Opcode::read_at ? features.reads_files() : features.writes_files();
    return has_opcodes && system_.seekable(operation.descriptor().number);
  }
  if (operation.opcode() != Opcode::file_call) return false;
  const unsigned opcode = opcode_of(static_cast<const FileCall&>(operation).verb());
  return opcode != no_opcode && features.has_opcode(opcode);
}

template <class Request>
io_uring_sqe* UringBackend::fill_transfer(Request& request, TransferOpcodes opcodes) noexcept {
  const std::size_t moved = BackendSide::moved(request);
  Message* const message =
      arena_.take(std::min<std::size_t>(request.pieces().count(), most_pieces));
  if (!message) return nullptr;
  iovec* const pieces = message->pieces();
  const int count = gather(request, moved, pieces, most_pieces);
  io_uring_sqe* const sqe = ring_.take();
  const int number = request.descriptor().number;
  const std::uint64_t offset = request.offset() + moved;
  const bool direct = system_.direct(number);
  if (count == 1) {
    const iovec piece = *pieces;
    const bool may_register = direct && ring_.features().has_opcode(opcodes.registered);
    const int block = may_register ? registered_.find(ring_, piece.iov_base, piece.iov_len)
                                   : RegisteredBlocks::none;
    const bool registered = block != RegisteredBlocks::none;
    io_uring_prep_rw(static_cast<int>(registered ? opcodes.registered : opcodes.one), sqe, number,
                     piece.iov_base, static_cast<unsigned>(piece.iov_len), offset);
    if (registered) sqe->buf_index = static_cast<std::uint16_t>(block);
    arena_.trim(message);
  } else {
    io_uring_prep_rw(static_cast<int>(opcodes.many), sqe, number, pieces,
                     static_cast<unsigned>(count), offset);
    arena_.trim(pieces + count);
  }
  if (direct) ++for_disk_;
  return sqe;
}

// Whether a thread of the kernel performs the operation.
bool UringBackend::needs_thread(const Operation& operation) noexcept {
  if (!transfers(operation)) return true;
  const int number = operation.descriptor().number;
  const std::size_t left = operation.opcode() == Opcode::read_at
                               ? wanted(static_cast<const ReadAt&>(operation))
                               : wanted(static_cast<const WriteAt&>(operation));
  const std::size_t longest = system_.direct(number) ? longest_direct : longest_inline;
  return system_.waits(number) || left - BackendSide::moved(operation) > longest;
}

// Whether the kernel has enough operations on files, or others wait for it: then this one is listed
// behind them.
bool UringBackend::waits_in_lane(Operation& operation) noexcept {
  if (traits_of(operation).works_on != Works::file) return false;
  FileLane& lane = lane_of(operation);
  if (!lane.full() && lane.waiting.empty()) return false;
  list(operation, lane.waiting);
  return true;
}

// The kernel does not have them yet: close() and shutdown() do not wait for it.
void UringBackend::withdraw(int number) noexcept {
  for (OperationList* const list : {&pending_, &quick_.waiting, &slow_.waiting}) {
    for (Operation* one = list->front(); one;) {
      Operation* const next = list->after(*one);
      const bool meant = number < 0 || one->descriptor().number == number;
      if (meant && traits_of(*one).works_on == Works::file) cancel(*one);
      one = next;
    }
  }
}

io_uring_sqe* UringBackend::fill_file(Operation& operation) noexcept {
  const bool threaded = needs_thread(operation);
  io_uring_sqe* const sqe = prepare_file(operation);
  if (!sqe) return nullptr;
  if (threaded) sqe->flags |= IOSQE_ASYNC;
  ++(threaded ? slow_ : quick_).at_kernel;
  slots_.set_threaded(BackendSide::slot(operation), threaded);
  return sqe;
}

io_uring_sqe* UringBackend::prepare_file(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::read_at) {
    return fill_transfer(static_cast<ReadAt&>(operation),
                         {IORING_OP_READ, IORING_OP_READ_FIXED, IORING_OP_READV});
  }
  if (operation.opcode() == Opcode::write_at) {
    WriteAt& write = static_cast<WriteAt&>(operation);
    io_uring_sqe* const sqe =
        fill_transfer(write, {IORING_OP_WRITE, IORING_OP_WRITE_FIXED, IORING_OP_WRITEV});
    if (sqe && write.append()) sqe->rw_flags = RWF_APPEND;
    return sqe;
  }
  return fill_call(static_cast<FileCall&>(operation));
}

io_uring_sqe* UringBackend::fill_call(FileCall& call) noexcept {
  io_uring_sqe* const sqe = ring_.take();
  const int file = call.descriptor().number;
  const int directory = directory_of(call);
  const char* const path = call.path().c_str();
  switch (call.verb()) {
    case FileVerb::open:
      io_uring_prep_openat(sqe, directory, path, open_flags(call.flags()), call.mode());
      break;
    case FileVerb::sync:
      io_uring_prep_fsync(sqe, file, 0);
      break;
    case FileVerb::data_sync:
      io_uring_prep_fsync(sqe, file, IORING_FSYNC_DATASYNC);
      break;
    case FileVerb::status: {
      Status& status = static_cast<Status&>(call);
      static_assert(sizeof(struct statx) <= Status::memory_size);
      io_uring_prep_statx(sqe, directory, path, status_flags(status), STATX_BASIC_STATS,
                          static_cast<struct statx*>(status.memory()));
      break;
    }
    case FileVerb::allocate:
      io_uring_prep_fallocate(sqe, file, 0, static_cast<off_t>(call.offset()),
                              static_cast<off_t>(call.length()));
      break;
    case FileVerb::unlink:
      io_uring_prep_unlinkat(sqe, directory, path,
                             proa::has(call.flags(), OpenFlags::directory) ? AT_REMOVEDIR : 0);
      break;
    case FileVerb::rename:
      io_uring_prep_renameat(sqe, directory, path, directory, call.second_path().c_str(), 0);
      break;
    default:
      io_uring_prep_mkdirat(sqe, directory, path, call.mode());
      break;
  }
  return sqe;
}

bool UringBackend::tells_of_file(const Completion& completion) noexcept {
  const unsigned kind = Tag::of(completion.tag).kind;
  return kind == static_cast<unsigned>(Opcode::read_at) ||
         kind == static_cast<unsigned>(Opcode::write_at) ||
         kind == static_cast<unsigned>(Opcode::file_call);
}

// However many operations on files have completed, they shall stand in front of nothing else in the
// completion queue: each waits in a list, and next() looks at what the kernel said in the turn of
// that list (R8).
void UringBackend::list_file(const Completion& completion) noexcept {
  Operation* const operation = slots_.find(Tag::of(completion.tag));
  if (!operation) return drop(completion, Tag::of(completion.tag).kind);
  const std::uint32_t slot = BackendSide::slot(*operation);
  --(slots_.threaded(slot) ? slow_ : quick_).at_kernel;
  slots_.set_result(slot, completion.result);
  // A cancel may have waited for room.
  if (OperationList::linked(*operation)) OperationList::remove(*operation);
  set_stage(*operation, finished);
  performed_.push_back(*operation);
}

Operation* UringBackend::file_done(Operation& operation) noexcept {
  const long result = slots_.result(BackendSide::slot(operation));
  if (result == -EINTR && !has(operation, ending)) {
    start(operation);
    return nullptr;
  }
  if (turned_away(result)) {
    return has(operation, ending) ? end(operation, -ECANCELED) : pass(operation);
  }
  if (!transfers(operation)) return end(operation, called(operation, result));
  long moved = result;
  const bool over = operation.opcode() == Opcode::read_at
                        ? step_ends(static_cast<ReadAt&>(operation), moved)
                        : step_ends(static_cast<WriteAt&>(operation), moved);
  if (over) return end(operation, moved);
  if (has(operation, ending)) return end(operation, -ECANCELED);
  ++counters_.retries;
  start(operation);
  return nullptr;
}

// Stores what a FileCall brought (a descriptor, a status) in its request. Returns the operation's
// result.
long UringBackend::called(Operation& operation, long result) noexcept {
  if (result < 0) return result;
  const FileVerb verb = static_cast<FileCall&>(operation).verb();
  if (verb == FileVerb::open) return adopt_opened(static_cast<Open&>(operation), result, system_);
  if (verb == FileVerb::status) {
    Status& status = static_cast<Status&>(operation);
    status.status() = to_status(sys::to_info(*static_cast<const struct statx*>(status.memory())));
  }
  return 0;
}

Operation* UringBackend::pass(Operation& operation) noexcept {
  ++counters_.retries;
  slots_.remove(BackendSide::slot(operation));
  blocking_.take(operation);
  return nullptr;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
