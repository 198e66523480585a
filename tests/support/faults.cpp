// The faults, as wrappers in the table of system calls.
#include "support/faults.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "support/catch.hpp"
#include "support/faults_state.hpp"
#include "support/peer.hpp"

namespace proa_test {

namespace faults {

State state;

namespace {
bool spared() noexcept { return PeerAtWork::now() || !state.active; }
}  // namespace

bool hit(double probability) noexcept {
  if (probability <= 0 || spared()) return false;
  const std::lock_guard lock(state.mutex);
  if (std::uniform_real_distribution<>()(state.random) >= probability) return false;
  ++state.injected;
  return true;
}

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

unsigned most_datagrams() noexcept { return spared() ? 0 : state.most_datagrams.load(); }

std::vector<iovec> cut(const iovec* pieces, std::size_t count, std::size_t most) {
  std::vector<iovec> kept;
  for (std::size_t i = 0; i < count && most > 0; ++i) {
    kept.push_back({pieces[i].iov_base, std::min(pieces[i].iov_len, most)});
    most -= kept.back().iov_len;
  }
  return kept;
}

}  // namespace faults

using faults::cut, faults::hit, faults::longest, faults::planned, faults::state;

namespace {
std::mutex registrations_mutex;
std::map<int, std::function<void()>> registrations;
}  // namespace

void faults::watched(int fd, std::function<void()> repeat_edge) {
  const std::lock_guard lock(registrations_mutex);
  registrations[fd] = std::move(repeat_edge);
}

void faults::unwatched(int fd) {
  const std::lock_guard lock(registrations_mutex);
  registrations.erase(fd);
}

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
    if (found != registrations.end()) found->second();
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
  // Of a stream; datagrams come by recvmmsg, errors of the socket with control messages.
  static long faulty_recvmsg(int fd, msghdr* message, int flags) noexcept {
    if (message->msg_control || message->msg_name) return recvmsg(fd, message, flags);
    if (denied(fd)) return -EAGAIN;
    const std::size_t most = longest();
    if (most == 0) return recvmsg(fd, message, flags);
    ++state.injected;
    std::vector<iovec> pieces =
        cut(message->msg_iov, static_cast<std::size_t>(message->msg_iovlen), most);
    msghdr cut_message = *message;
    cut_message.msg_iov = pieces.data();
    cut_message.msg_iovlen = static_cast<decltype(cut_message.msg_iovlen)>(pieces.size());
    const long result = recvmsg(fd, &cut_message, flags);
    repeat_edge(fd);
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
  static long faulty_sendmsg(int fd, const msghdr* message, int flags) noexcept {
    if (denied(fd)) return -EAGAIN;
    const std::size_t most = longest();
    if (most == 0) return sendmsg(fd, message, flags);
    ++state.injected;
    std::vector<iovec> pieces =
        cut(message->msg_iov, static_cast<std::size_t>(message->msg_iovlen), most);
    msghdr cut_message = *message;
    cut_message.msg_iov = pieces.data();
    cut_message.msg_iovlen = static_cast<decltype(cut_message.msg_iovlen)>(pieces.size());
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
  static unsigned batch(unsigned count) noexcept {
    const unsigned most = faults::most_datagrams();
    if (most == 0 || count <= most) return count;
    ++state.injected;
    return most;
  }
  static long faulty_recvmmsg(int fd, proa::sys::Message* messages, unsigned count,
                              int flags) noexcept {
    return denied(fd) ? -EAGAIN : recvmmsg(fd, messages, batch(count), flags);
  }
  static long faulty_sendmmsg(int fd, proa::sys::Message* messages, unsigned count,
                              int flags) noexcept {
    return denied(fd) ? -EAGAIN : sendmmsg(fd, messages, batch(count), flags);
  }
  static long faulty_close(int fd) noexcept {
    faults::unwatched(fd);
    return close(fd);
  }
  static proa::sys::Table table() {
    proa::sys::Table wrapped;
#define PROA_TEST_ENTRY(name, parameters, arguments) wrapped.name = FaultCalls::name;
    PROA_SYS_CALLS(PROA_TEST_ENTRY)
#undef PROA_TEST_ENTRY
    wrapped.recv = faulty_recv;
    wrapped.read = faulty_read;
    wrapped.send = faulty_send;
    wrapped.accept = faulty_accept;
    wrapped.recvmsg = faulty_recvmsg;
    wrapped.sendmsg = faulty_sendmsg;
    wrapped.writev = faulty_writev;
    wrapped.preadv2 = faulty_preadv2;
    wrapped.pwritev2 = faulty_pwritev2;
    wrapped.recvmmsg = faulty_recvmmsg;
    wrapped.sendmmsg = faulty_sendmmsg;
    wrapped.close = faulty_close;
    faults::wrap_own_calls(wrapped);
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
void Faults::shorten_batches(unsigned datagrams) { state.most_datagrams = datagrams; }
void Faults::interrupt(double probability) { state.interrupting = probability; }
void Faults::deny(double probability) { state.denying = probability; }
std::uint64_t Faults::injected() const { return state.injected; }

void Faults::clear() {
  state.longest = 0;
  state.most_datagrams = 0;
  state.interrupting = 0;
  state.denying = 0;
  const std::lock_guard lock(state.mutex);
  state.plans = {};
}

}  // namespace proa_test
