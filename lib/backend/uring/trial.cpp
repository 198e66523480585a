// A program or a container may run under a filter that allows io_uring and refuses single opcodes:
// the restrictions of a task and the BPF filters of io_uring (Linux 7.0) answer EACCES. A ring
// inherits them from the thread that makes it. So a second ring that the same thread makes answers
// as the backend's own ring will, once that is enabled. Each opcode is tried on no descriptor, and
// fails with EBADF where it is allowed (READ_FIXED and WRITE_FIXED with EFAULT, because that ring
// has no buffers). Upholds R12: what is refused is done in another way.
#include "backend/uring/trial.hpp"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <cerrno>

#include "sys/linux.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

constexpr int none = -1;  // the descriptor
constexpr const char* path = "none";
constexpr unsigned places = 32;

/// What the SQEs point to. The kernel reads of it what it reads before it looks for the descriptor.
struct Inputs {
  char byte = 0;
  iovec piece = {&byte, 1};
  msghdr message = {};
  __kernel_timespec at_once = {};
  struct statx status = {};
};

void prepare(io_uring_sqe* sqe, unsigned opcode, Inputs& inputs) noexcept {
  switch (opcode) {
    case IORING_OP_POLL_ADD:
      return io_uring_prep_poll_add(sqe, none, POLLIN);
    case IORING_OP_TIMEOUT:
      return io_uring_prep_timeout(sqe, &inputs.at_once, 0, 0);
    case IORING_OP_ASYNC_CANCEL:
      return io_uring_prep_cancel64(sqe, ~std::uint64_t{0}, 0);
    case IORING_OP_WRITEV:
      return io_uring_prep_writev(sqe, none, &inputs.piece, 1, 0);
    case IORING_OP_SENDMSG:
      return io_uring_prep_sendmsg(sqe, none, &inputs.message, MSG_NOSIGNAL);
    case IORING_OP_RECVMSG:
      return io_uring_prep_recvmsg(sqe, none, &inputs.message, 0);
    case IORING_OP_ACCEPT:
      return io_uring_prep_accept(sqe, none, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    case IORING_OP_CONNECT:
      return io_uring_prep_connect(sqe, none, nullptr, 0);
    case IORING_OP_READ:
      return io_uring_prep_read(sqe, none, &inputs.byte, 1, 0);
    case IORING_OP_WRITE:
      return io_uring_prep_write(sqe, none, &inputs.byte, 1, 0);
    case IORING_OP_SEND:
      return io_uring_prep_send(sqe, none, &inputs.byte, 1, MSG_NOSIGNAL);
    case IORING_OP_RECV:
      return io_uring_prep_recv(sqe, none, nullptr, 0, 0);
    case IORING_OP_READV:
      return io_uring_prep_readv(sqe, none, &inputs.piece, 1, 0);
    case IORING_OP_READ_FIXED:
      return io_uring_prep_read_fixed(sqe, none, &inputs.byte, 1, 0, 0);
    case IORING_OP_WRITE_FIXED:
      return io_uring_prep_write_fixed(sqe, none, &inputs.byte, 1, 0, 0);
    case IORING_OP_FSYNC:
      return io_uring_prep_fsync(sqe, none, 0);
    case IORING_OP_OPENAT:
      return io_uring_prep_openat(sqe, none, path, O_RDONLY | O_CLOEXEC, 0);
    case IORING_OP_STATX:
      return io_uring_prep_statx(sqe, none, path, 0, STATX_BASIC_STATS, &inputs.status);
    case IORING_OP_FALLOCATE:
      return io_uring_prep_fallocate(sqe, none, 0, 0, 1);
    case IORING_OP_UNLINKAT:
      return io_uring_prep_unlinkat(sqe, none, path, 0);
    case IORING_OP_RENAMEAT:
      return io_uring_prep_renameat(sqe, none, path, none, path, 0);
    default:
      return io_uring_prep_mkdirat(sqe, none, path, 0);
  }
}

// Nothing that the kernel reports tells 6.17 from the releases before. A kernel that knows no limit
// of multishot receives refuses one with EINVAL, before it looks for the descriptor.
void prepare_receive(io_uring_sqe* sqe, Release release, Release allowed) noexcept {
  if (release < since(Sort::sqe_flag, IOSQE_BUFFER_SELECT)) return;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  if (release < since(Sort::op_flag, recv_multishot)) return;
  sqe->ioprio |= IORING_RECV_MULTISHOT;
  const bool limit = allowed >= since(Sort::op_flag, recv_multishot_limit);
  if (limit && sqe->opcode == IORING_OP_RECV) sqe->file_index = 1;
}

// The kernel would leave nearly all of what works on files to a thread of its own. So these stand
// in a chain, whose first link, a read, fails: the kernel asks the filter about every link, and
// cancels the others. If the filter refuses chains, workers perform all of them.
unsigned fill(io_uring& ring, const Features& features, Release allowed, Inputs& inputs) noexcept {
  unsigned filled = 0;
  for (std::size_t i = 0; i < table_size; ++i) {
    const Row& row = table[i];
    if (row.sort > Sort::file_opcode || !features.has_opcode(row.value)) continue;
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring);
    if (!sqe) break;
    prepare(sqe, row.value, inputs);
    if (row.value == IORING_OP_RECV || row.value == IORING_OP_RECVMSG) {
      prepare_receive(sqe, features.release, allowed);
    }
    if (row.sort >= Sort::registered_opcode) sqe->flags |= IOSQE_IO_LINK;
    sqe->user_data = row.value;
    ++filled;
  }
  return filled;
}

void note(const io_uring_cqe& cqe, Answers& answers) noexcept {
  if (is_refusal(cqe.res)) answers.refused |= std::uint64_t{1} << cqe.user_data;
  if (cqe.user_data == IORING_OP_RECV) answers.limits_receives = cqe.res == -EBADF;
}

}  // namespace

long ask_by_trying(const Features& features, Release allowed, Answers& answers) noexcept {
  io_uring ring = {};
  io_uring_params parameters = {};
  parameters.flags = IORING_SETUP_SUBMIT_ALL;  // goes on behind an opcode that is refused
  // Without the memory for this ring nothing is known to be refused; then the first SQE tells.
  if (sys::uring_setup(places, &ring, &parameters) < 0) return 0;
  if (!features.no_iowait) ring.features &= ~sys::uring_feature_no_iowait;
  Inputs inputs;
  long result = 0;
  for (unsigned left = fill(ring, features, allowed, inputs); left > 0 && result >= 0;) {
    result = sys::uring_submit_and_wait(&ring, 1, nullptr);
    if (result == -EINTR || result == -EAGAIN) result = 0;
    io_uring_cqe* cqe = nullptr;
    for (; left > 0 && io_uring_peek_cqe(&ring, &cqe) == 0; --left) {
      note(*cqe, answers);
      io_uring_cqe_seen(&ring, cqe);
    }
  }
  sys::uring_exit(&ring);
  return result < 0 ? result : 0;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
