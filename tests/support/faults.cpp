// The faults, as wrappers in the table of system calls; those of io_uring as changes to the two
// queues on the way in and out of the kernel. What they are lives as long as the program: a worker
// may be inside a wrapper when a test is over.
#include "support/faults.hpp"

#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#ifdef PROA_HAVE_AIO
#include <libaio.h>
#endif
#ifdef PROA_HAVE_URING
#include <liburing.h>
#endif

#include "support/catch.hpp"
#include "support/peer.hpp"

namespace proa_test {

namespace {

struct Plan {
  long error = 0;
  std::uint64_t skip = 0;
  std::uint64_t times = 0;
};

struct State {
  proa::sys::Table below;
  std::atomic<bool> active{false};
  std::atomic<std::size_t> longest{0};
  std::atomic<double> interrupting{0};
  std::atomic<double> denying{0};
  std::atomic<std::uint64_t> injected{0};
  std::map<std::uint64_t, int> told;  // what CQEs will say, by their tags
  std::mutex mutex;                   // of what follows
  std::array<Plan, static_cast<unsigned>(Call::number)> plans{};
  std::minstd_rand random;
};
State state;

bool spared() noexcept { return PeerAtWork::now() || !state.active; }

bool hit(double probability) noexcept {
  if (probability <= 0 || spared()) return false;
  const std::lock_guard lock(state.mutex);
  if (std::uniform_real_distribution<>()(state.random) >= probability) return false;
  ++state.injected;
  return true;
}

// 0: go on; else what to return.
long planned(Call call) noexcept {
  if (spared()) return 0;
  const std::lock_guard lock(state.mutex);
  Plan& plan = state.plans[static_cast<unsigned>(call)];
  if (plan.times == 0) return 0;
  if (plan.skip > 0) {
    --plan.skip;
    return 0;
  }
  --plan.times;
  ++state.injected;
  return plan.error;
}

std::size_t longest() noexcept { return spared() ? 0 : state.longest.load(); }

struct Registration {
  int epoll = -1;
  epoll_event event{};
};
std::mutex registrations_mutex;
std::map<int, Registration> registrations;  // what epoll watches, to repeat an edge

}  // namespace

struct FaultCalls {
#define PROA_TEST_WRAP(name, parameters, arguments)                  \
  static long name parameters noexcept {                             \
    if (const long error = planned(Call::name); error) return error; \
    return state.below.name arguments;                               \
  }
  PROA_SYS_CALLS(PROA_TEST_WRAP)
#undef PROA_TEST_WRAP

  // An EAGAIN of the kernel's, or a short receive, promises an edge when the descriptor is ready;
  // so must those made up here.
  static void repeat_edge(int fd) noexcept {
    const std::lock_guard lock(registrations_mutex);
    const auto found = registrations.find(fd);
    if (found == registrations.end()) return;
    epoll_event event = found->second.event;
    state.below.epoll_ctl(found->second.epoll, EPOLL_CTL_MOD, fd, &event);
  }
  static bool denied(int fd) noexcept {
    if (!hit(state.denying)) return false;
    repeat_edge(fd);
    return true;
  }
  static std::size_t shortened(std::size_t size) noexcept {
    const std::size_t most = longest();
    if (most == 0 || size <= most) return size;
    ++state.injected;
    return most;
  }

  static long faulty_recv(int fd, void* data, std::size_t size, int flags) noexcept {
    if (denied(fd)) return -EAGAIN;
    const std::size_t room = shortened(size);
    const long result = recv(fd, data, room, flags);
    if (room < size) repeat_edge(fd);
    return result;
  }
  static long faulty_read(int fd, void* data, std::size_t size) noexcept {
    return denied(fd) ? -EAGAIN : read(fd, data, shortened(size));
  }
  static long faulty_send(int fd, const void* data, std::size_t size, int flags) noexcept {
    return denied(fd) ? -EAGAIN : send(fd, data, shortened(size), flags);
  }
  static long faulty_accept(int fd, void* address, socklen_t* size) noexcept {
    return denied(fd) ? -EAGAIN : accept(fd, address, size);
  }
  // As many of the pieces as fit into `most`.
  static std::vector<iovec> cut(const iovec* pieces, std::size_t count, std::size_t most) {
    std::vector<iovec> kept;
    for (std::size_t i = 0; i < count && most > 0; ++i) {
      kept.push_back({pieces[i].iov_base, std::min(pieces[i].iov_len, most)});
      most -= kept.back().iov_len;
    }
    return kept;
  }
  static long faulty_sendmsg(int fd, const msghdr* message, int flags) noexcept {
    if (denied(fd)) return -EAGAIN;
    const std::size_t most = longest();
    if (most == 0) return sendmsg(fd, message, flags);
    ++state.injected;
    std::vector<iovec> pieces = cut(message->msg_iov, message->msg_iovlen, most);
    msghdr cut_message = *message;
    cut_message.msg_iov = pieces.data();
    cut_message.msg_iovlen = pieces.size();
    return sendmsg(fd, &cut_message, flags);
  }
  static long faulty_writev(int fd, const iovec* pieces, int count) noexcept {
    if (denied(fd)) return -EAGAIN;
    const std::size_t most = longest();
    if (most == 0) return writev(fd, pieces, count);
    ++state.injected;
    const std::vector<iovec> kept = cut(pieces, static_cast<std::size_t>(count), most);
    return writev(fd, kept.data(), static_cast<int>(kept.size()));
  }
  // Those without an offset are a pipe's, whose edges are not known here.
  template <class Below>
  static long faulty_transfer(Below below, int fd, const iovec* pieces, int count,
                              std::int64_t offset, int flags) noexcept {
    const std::size_t most = longest();
    if (offset < 0) return below(fd, pieces, count, offset, flags);
    if (hit(state.denying)) return -EAGAIN;
    if (most == 0) return below(fd, pieces, count, offset, flags);
    ++state.injected;
    const std::vector<iovec> kept = cut(pieces, static_cast<std::size_t>(count), most);
    return below(fd, kept.data(), static_cast<int>(kept.size()), offset, flags);
  }
  static long faulty_preadv2(int fd, const iovec* pieces, int count, std::int64_t offset,
                             int flags) noexcept {
    return faulty_transfer(preadv2, fd, pieces, count, offset, flags);
  }
  static long faulty_pwritev2(int fd, const iovec* pieces, int count, std::int64_t offset,
                              int flags) noexcept {
    return faulty_transfer(pwritev2, fd, pieces, count, offset, flags);
  }
#ifdef PROA_HAVE_AIO
  // The kernel copies blocks and pieces within the call.
  static long faulty_aio_submit(void* context, long count, iocb** blocks) noexcept {
    if (hit(state.denying)) {
      if (count < 2 || hit(0.5)) return -EAGAIN;
      count /= 2;
    }
    const std::size_t most = longest();
    if (most == 0 || most % 512 != 0) return aio_submit(context, count, blocks);
    std::vector<std::vector<iovec>> pieces;
    for (long i = 0; i < count; ++i) {
      iocb& block = *blocks[i];
      ++state.injected;
      if (block.aio_lio_opcode == IO_CMD_PREAD || block.aio_lio_opcode == IO_CMD_PWRITE) {
        block.u.c.nbytes = std::min<unsigned long>(block.u.c.nbytes, most);
        continue;
      }
      pieces.push_back(cut(static_cast<const iovec*>(block.u.c.buf), block.u.c.nbytes, most));
      block.u.c.buf = pieces.back().data();
      block.u.c.nbytes = pieces.back().size();
    }
    return aio_submit(context, count, blocks);
  }
#endif
  static long faulty_epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
    const long result = epoll_ctl(epoll, what, fd, event);
    if (result < 0) return result;
    const std::lock_guard lock(registrations_mutex);
    if (what == EPOLL_CTL_DEL) {
      registrations.erase(fd);
    } else {
      registrations[fd] = {epoll, *event};
    }
    return result;
  }
  static long faulty_close(int fd) noexcept {
    {
      const std::lock_guard lock(registrations_mutex);
      registrations.erase(fd);
    }
    return close(fd);
  }
  static long faulty_epoll_wait(int epoll, epoll_event* events, int count,
                                const timespec* timeout) noexcept {
    if (hit(state.interrupting)) return -EINTR;
    return epoll_wait(epoll, events, count, timeout);
  }

#ifdef PROA_HAVE_URING
  // The call that does the same; Call::number for what is never faulted.
  static Call call_of(const io_uring_sqe& sqe) noexcept {
    const bool streams = sqe.off == ~std::uint64_t{0};
    switch (sqe.opcode) {
      case IORING_OP_RECV:
        return Call::recv;
      case IORING_OP_READ:
        return streams ? Call::read : Call::preadv2;
      case IORING_OP_READV:
        return Call::preadv2;
      case IORING_OP_SEND:
        return Call::send;
      case IORING_OP_SENDMSG:
        return Call::sendmsg;
      case IORING_OP_WRITE:
      case IORING_OP_WRITEV:
        return streams ? Call::writev : Call::pwritev2;
      case IORING_OP_ACCEPT:
        return Call::accept;
      case IORING_OP_FSYNC:
        return (sqe.fsync_flags & IORING_FSYNC_DATASYNC) != 0 ? Call::fdatasync : Call::fsync;
      case IORING_OP_OPENAT:
        return Call::openat;
      case IORING_OP_STATX:
        return Call::statx;
      case IORING_OP_FALLOCATE:
        return Call::fallocate;
      default:
        return Call::number;
    }
  }
  static bool transfers(Call call) noexcept {
    return call != Call::fsync && call != Call::fdatasync && call != Call::openat &&
           call != Call::statx && call != Call::fallocate;
  }
  // Makes it fail at once and do nothing; its CQE is then told another reason. What the kernel
  // leaves to its threads would fail there, later: but not an opcode that it does not know.
  static void spoil(io_uring_sqe& sqe, Call call, long error) {
    if (transfers(call)) {
      sqe.fd = -1;
      sqe.flags &= static_cast<unsigned char>(~IOSQE_ASYNC);
    } else {
      sqe.opcode = 255;
    }
    state.told[sqe.user_data] = static_cast<int>(error);
  }

  static void shorten(io_uring_sqe& sqe, std::vector<msghdr>& messages,
                      std::vector<std::vector<iovec>>& pieces) {
    const std::size_t most = longest();
    if (most == 0 || sqe.opcode == IORING_OP_ACCEPT) return;
    ++state.injected;
    if (sqe.opcode == IORING_OP_SENDMSG) {
      messages.push_back(*reinterpret_cast<const msghdr*>(sqe.addr));
      pieces.push_back(cut(messages.back().msg_iov, messages.back().msg_iovlen, most));
      messages.back().msg_iov = pieces.back().data();
      messages.back().msg_iovlen = pieces.back().size();
      sqe.addr = reinterpret_cast<std::uint64_t>(&messages.back());
    } else if (sqe.opcode == IORING_OP_WRITEV || sqe.opcode == IORING_OP_READV) {
      pieces.push_back(cut(reinterpret_cast<const iovec*>(sqe.addr), sqe.len, most));
      sqe.addr = reinterpret_cast<std::uint64_t>(pieces.back().data());
      sqe.len = static_cast<unsigned>(pieces.back().size());
    } else if ((sqe.flags & IOSQE_BUFFER_SELECT) == 0 || sqe.len != 0) {
      sqe.len = std::min(sqe.len, static_cast<unsigned>(most));
    }
  }

  static long faulty_submit(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
    if (hit(state.interrupting)) return -EINTR;
    const unsigned first = ring->sq.sqe_head;
    const unsigned last = ring->sq.sqe_tail;
    std::vector<msghdr> messages;
    std::vector<std::vector<iovec>> pieces;
    messages.reserve(last - first);  // their addresses are in the queue
    pieces.reserve(last - first);
    for (unsigned i = first; i != last; ++i) {
      io_uring_sqe& sqe = ring->sq.sqes[i & *ring->sq.kring_mask];
      const Call call = call_of(sqe);
      if (call == Call::number || sqe.fd == -1) continue;  // those of before, too
      if (const long error = planned(call)) {
        spoil(sqe, call, error);
        continue;
      }
      if (!transfers(call)) continue;
      if (sqe.fd >= 0 && hit(state.denying)) {
        spoil(sqe, call, hit(0.5) ? -EINTR : -EAGAIN);
        continue;
      }
      shorten(sqe, messages, pieces);
    }
    // Short of waiting, so that what was denied is not waited for.
    const long result = uring_submit_and_wait(ring, state.told.empty() ? want : 0, timeout);
    const unsigned tail = io_uring_smp_load_acquire(ring->cq.ktail);
    for (unsigned i = *ring->cq.khead; i != tail; ++i) {
      io_uring_cqe& cqe = ring->cq.cqes[i & *ring->cq.kring_mask];
      const auto found = state.told.find(cqe.user_data);
      if (found == state.told.end() || (cqe.res != -EBADF && cqe.res != -EINVAL)) continue;
      cqe.res = found->second;
      state.told.erase(found);
    }
    return result;
  }
#endif

  static proa::sys::Table table() {
    proa::sys::Table wrapped;
#define PROA_TEST_ENTRY(name, parameters, arguments) wrapped.name = FaultCalls::name;
    PROA_SYS_CALLS(PROA_TEST_ENTRY)
#undef PROA_TEST_ENTRY
    wrapped.recv = faulty_recv;
    wrapped.read = faulty_read;
    wrapped.send = faulty_send;
    wrapped.accept = faulty_accept;
    wrapped.sendmsg = faulty_sendmsg;
    wrapped.writev = faulty_writev;
    wrapped.preadv2 = faulty_preadv2;
    wrapped.pwritev2 = faulty_pwritev2;
#ifdef PROA_HAVE_AIO
    wrapped.aio_submit = faulty_aio_submit;
#endif
    wrapped.epoll_ctl = faulty_epoll_ctl;
    wrapped.epoll_wait = faulty_epoll_wait;
    wrapped.close = faulty_close;
#ifdef PROA_HAVE_URING
    wrapped.uring_submit_and_wait = faulty_submit;
#endif
    return wrapped;
  }
};

Faults::Faults(std::uint32_t seed) {
  REQUIRE(!state.active);
  clear();
  state.random.seed(seed);
  state.injected = 0;
  state.told.clear();
  state.below = proa::sys::table;
  state.active = true;
  proa::sys::table = FaultCalls::table();
}

Faults::~Faults() {
  proa::sys::table = state.below;
  state.active = false;
  const std::lock_guard lock(registrations_mutex);
  registrations.clear();
}

void Faults::fail(Call call, long error, std::uint64_t nth, std::uint64_t times) {
  const std::lock_guard lock(state.mutex);
  state.plans[static_cast<unsigned>(call)] = {error, nth - 1, times};
}

void Faults::shorten(std::size_t bytes) { state.longest = bytes; }
void Faults::interrupt(double probability) { state.interrupting = probability; }
void Faults::deny(double probability) { state.denying = probability; }
std::uint64_t Faults::injected() const { return state.injected; }

void Faults::clear() {
  state.longest = 0;
  state.interrupting = 0;
  state.denying = 0;
  const std::lock_guard lock(state.mutex);
  state.plans = {};
}

}  // namespace proa_test
