// The faults, as wrappers in the table of system calls; those of io_uring as changes to the two
// queues on the way in and out of the kernel.
#include "support/faults.hpp"

#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <vector>

#ifdef PROA_HAVE_URING
#include <liburing.h>
#endif

#include "support/catch.hpp"
#include "support/peer.hpp"

namespace proa_test {

namespace {

Faults* current = nullptr;

struct Registration {
  int epoll = -1;
  epoll_event event{};
};
std::map<int, Registration> registrations;  // what epoll watches, to repeat an edge

}  // namespace

struct FaultCalls {
#define PROA_TEST_WRAP(name, parameters, arguments)                           \
  static long name parameters noexcept {                                      \
    if (const long error = current->planned(Call::name); error) return error; \
    return current->below_.name arguments;                                    \
  }
  PROA_SYS_CALLS(PROA_TEST_WRAP)
#undef PROA_TEST_WRAP

  // An EAGAIN of the kernel's, or a short receive, promises an edge when the descriptor is ready;
  // so must those made up here.
  static void repeat_edge(int fd) noexcept {
    const auto found = registrations.find(fd);
    if (found == registrations.end()) return;
    epoll_event event = found->second.event;
    current->below_.epoll_ctl(found->second.epoll, EPOLL_CTL_MOD, fd, &event);
  }
  static bool denied(int fd) noexcept {
    if (!current->hit(current->denying_)) return false;
    repeat_edge(fd);
    return true;
  }
  static std::size_t shortened(std::size_t size) noexcept {
    if (PeerAtWork::now() || current->longest_ == 0 || size <= current->longest_) return size;
    ++current->injected_;
    return current->longest_;
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
  // As many of the pieces as fit into `longest_`.
  static std::vector<iovec> cut(const iovec* pieces, std::size_t count) {
    std::vector<iovec> kept;
    std::size_t room = current->longest_ == 0 ? SIZE_MAX : current->longest_;
    for (std::size_t i = 0; i < count && room > 0; ++i) {
      kept.push_back({pieces[i].iov_base, std::min(pieces[i].iov_len, room)});
      room -= kept.back().iov_len;
    }
    return kept;
  }
  static long faulty_sendmsg(int fd, const msghdr* message, int flags) noexcept {
    if (denied(fd)) return -EAGAIN;
    if (PeerAtWork::now() || current->longest_ == 0) return sendmsg(fd, message, flags);
    ++current->injected_;
    std::vector<iovec> pieces = cut(message->msg_iov, message->msg_iovlen);
    msghdr cut_message = *message;
    cut_message.msg_iov = pieces.data();
    cut_message.msg_iovlen = pieces.size();
    return sendmsg(fd, &cut_message, flags);
  }
  static long faulty_writev(int fd, const iovec* pieces, int count) noexcept {
    if (denied(fd)) return -EAGAIN;
    if (PeerAtWork::now() || current->longest_ == 0) return writev(fd, pieces, count);
    ++current->injected_;
    const std::vector<iovec> kept = cut(pieces, static_cast<std::size_t>(count));
    return writev(fd, kept.data(), static_cast<int>(kept.size()));
  }
  static long faulty_epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
    const long result = epoll_ctl(epoll, what, fd, event);
    if (result < 0) return result;
    if (what == EPOLL_CTL_DEL) {
      registrations.erase(fd);
    } else {
      registrations[fd] = {epoll, *event};
    }
    return result;
  }
  static long faulty_close(int fd) noexcept {
    registrations.erase(fd);
    return close(fd);
  }
  static long faulty_epoll_wait(int epoll, epoll_event* events, int count,
                                const timespec* timeout) noexcept {
    if (current->hit(current->interrupting_)) return -EINTR;
    return epoll_wait(epoll, events, count, timeout);
  }

#ifdef PROA_HAVE_URING
  // The call that does the same; Call::number for what is never faulted.
  static Call call_of(unsigned opcode) noexcept {
    switch (opcode) {
      case IORING_OP_RECV:
        return Call::recv;
      case IORING_OP_READ:
        return Call::read;
      case IORING_OP_SEND:
        return Call::send;
      case IORING_OP_SENDMSG:
        return Call::sendmsg;
      case IORING_OP_WRITE:
      case IORING_OP_WRITEV:
        return Call::writev;
      case IORING_OP_ACCEPT:
        return Call::accept;
      default:
        return Call::number;
    }
  }

  static void shorten(io_uring_sqe& sqe, std::vector<msghdr>& messages,
                      std::vector<std::vector<iovec>>& pieces) {
    if (current->longest_ == 0 || sqe.opcode == IORING_OP_ACCEPT) return;
    ++current->injected_;
    if (sqe.opcode == IORING_OP_SENDMSG) {
      messages.push_back(*reinterpret_cast<const msghdr*>(sqe.addr));
      pieces.push_back(cut(messages.back().msg_iov, messages.back().msg_iovlen));
      messages.back().msg_iov = pieces.back().data();
      messages.back().msg_iovlen = pieces.back().size();
      sqe.addr = reinterpret_cast<std::uint64_t>(&messages.back());
    } else if (sqe.opcode == IORING_OP_WRITEV) {
      pieces.push_back(cut(reinterpret_cast<const iovec*>(sqe.addr), sqe.len));
      sqe.addr = reinterpret_cast<std::uint64_t>(pieces.back().data());
      sqe.len = static_cast<unsigned>(pieces.back().size());
    } else if ((sqe.flags & IOSQE_BUFFER_SELECT) == 0 || sqe.len != 0) {
      sqe.len = std::min(sqe.len, static_cast<unsigned>(current->longest_));
    }
  }

  static long faulty_submit(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
    if (current->hit(current->interrupting_)) return -EINTR;
    // Descriptor -1 makes an SQE fail at once with EBADF; its CQE is then told another reason.
    std::map<std::uint64_t, int> denied_tags;
    const unsigned first = ring->sq.sqe_head;
    const unsigned last = ring->sq.sqe_tail;
    std::vector<msghdr> messages;
    std::vector<std::vector<iovec>> pieces;
    messages.reserve(last - first);  // their addresses are in the queue
    pieces.reserve(last - first);
    for (unsigned i = first; i != last; ++i) {
      io_uring_sqe& sqe = ring->sq.sqes[i & *ring->sq.kring_mask];
      const Call call = call_of(sqe.opcode);
      if (call == Call::number) continue;
      if (const long planned = current->planned(call)) {
        sqe.fd = -1;
        denied_tags[sqe.user_data] = static_cast<int>(planned);
        continue;
      }
      if (sqe.fd >= 0 && current->hit(current->denying_)) {
        sqe.fd = -1;
        denied_tags[sqe.user_data] = current->hit(0.5) ? -EINTR : -EAGAIN;
        continue;
      }
      shorten(sqe, messages, pieces);
    }
    // Short of waiting, so that what was denied is not waited for.
    const long result = uring_submit_and_wait(ring, denied_tags.empty() ? want : 0, timeout);
    const unsigned tail = io_uring_smp_load_acquire(ring->cq.ktail);
    for (unsigned i = *ring->cq.khead; i != tail; ++i) {
      io_uring_cqe& cqe = ring->cq.cqes[i & *ring->cq.kring_mask];
      const auto found = denied_tags.find(cqe.user_data);
      if (found != denied_tags.end() && cqe.res == -EBADF) cqe.res = found->second;
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
    wrapped.epoll_ctl = faulty_epoll_ctl;
    wrapped.epoll_wait = faulty_epoll_wait;
    wrapped.close = faulty_close;
#ifdef PROA_HAVE_URING
    wrapped.uring_submit_and_wait = faulty_submit;
#endif
    return wrapped;
  }
};

Faults::Faults(std::uint32_t seed) : below_(proa::sys::table), random_(seed) {
  REQUIRE(current == nullptr);
  current = this;
  proa::sys::table = FaultCalls::table();
}

Faults::~Faults() {
  proa::sys::table = below_;
  registrations.clear();
  current = nullptr;
}

void Faults::fail(Call call, long error, std::uint64_t nth, std::uint64_t times) {
  plans_[static_cast<unsigned>(call)] = {error, nth - 1, times};
}

void Faults::clear() {
  plans_ = {};
  longest_ = 0;
  interrupting_ = 0;
  denying_ = 0;
}

bool Faults::hit(double probability) {
  if (probability <= 0 || PeerAtWork::now() ||
      std::uniform_real_distribution<>()(random_) >= probability)
    return false;
  ++injected_;
  return true;
}

long Faults::planned(Call call) {
  Plan& plan = plans_[static_cast<unsigned>(call)];
  if (PeerAtWork::now()) return 0;
  if (plan.times == 0) return 0;
  if (plan.skip > 0) {
    --plan.skip;
    return 0;
  }
  --plan.times;
  ++injected_;
  return plan.error;
}

}  // namespace proa_test
