// The tiers of the uring backend: what each uses, that the kernel refuses the rest, and what the
// probe says where io_uring does not work well or at all.
#include <liburing.h>

#include <algorithm>
#include <utility>

#include "backend/uring/features.hpp"
#include "support/death.hpp"
#include "support/ledger.hpp"
#include "uring_everything.hpp"

using namespace proa_test;

namespace {

proa::Release highest(proa::uring::Sort sort, const std::set<unsigned>& values) {
  proa::Release newest = 0;
  for (const unsigned value : values) {
    proa::Release release = proa::uring::since(sort, value);
    if (sort == proa::uring::Sort::opcode) {
      release = std::min({release, proa::uring::since(proa::uring::Sort::vital, value),
                          proa::uring::since(proa::uring::Sort::registered_opcode, value),
                          proa::uring::since(proa::uring::Sort::file_opcode, value)});
    }
    newest = std::max(newest, release);
  }
  return newest;
}

std::set<unsigned> bits(unsigned flags) {
  std::set<unsigned> single;
  for (unsigned bit = 1; bit != 0; bit <<= 1) {
    if ((flags & bit) != 0) single.insert(bit);
  }
  return single;
}

}  // namespace

TEST_CASE("uring: a tier uses nothing that is younger than its release") {
  using proa::release;
  using proa::uring::Sort;
  const auto [name, limit] = GENERATE(table<std::string, unsigned>(
      {{"", release(6, 1)}, {"5.19", release(5, 19)}, {"5.11", release(5, 11)}}));
  Ledger ledger;
  UringRig rig(name, [](proa::Options& options) { options.embedded = true; });
  CHECK(highest(Sort::opcode, ledger.submitted().opcodes) <= limit);  // what was tried
  CHECK(highest(Sort::register_call, ledger.registered()) <= limit);
  CHECK(highest(Sort::setup_flag, bits(ledger.setup_flags())) <= limit);
  ledger.clear();
  use_everything(rig);
  const Ledger::Submitted& submitted = ledger.submitted();
  CHECK(submitted.number >= 10);
  CHECK(highest(Sort::opcode, submitted.opcodes) <= limit);
  CHECK(highest(Sort::sqe_flag, bits(submitted.sqe_flags)) <= limit);
  CHECK(ledger.registered() == std::set<unsigned>{IORING_REGISTER_ENABLE_RINGS});

  const bool full = name.empty();
  const bool middle = name == "5.19";
  CHECK(submitted.accept_priorities == std::set<unsigned>{0});  // never a multishot one
  CHECK(submitted.recv_priorities.count(IORING_RECV_MULTISHOT) == (full ? 1u : 0u));
  CHECK(submitted.sqe_flags == (full || middle ? IOSQE_ASYNC | IOSQE_BUFFER_SELECT : IOSQE_ASYNC));
  CHECK(has_feature(*rig.backend, "multishot receive") == full);
  CHECK(has_feature(*rig.backend, "buffer ring") == (full || middle));
}

TEST_CASE("uring: the kernel defers task work, unless a foreign loop sleeps") {
  using proa::release;
  using proa::uring::Sort;
  const bool embedded = GENERATE(false, true);
  const auto name = GENERATE(as<std::string>(), "", "5.19", "5.11");
  Ledger ledger;
  UringRig rig(name, [&](proa::Options& options) { options.embedded = embedded; });
  const bool defers = name.empty() && !embedded;
  const bool cooperates = name == "5.19" || (name.empty() && embedded);
  const auto is_set = [&](unsigned flag) { return (ledger.setup_flags() & flag) != 0; };
  CHECK(is_set(IORING_SETUP_DEFER_TASKRUN) == defers);
  CHECK(is_set(IORING_SETUP_COOP_TASKRUN) == cooperates);
  CHECK(is_set(IORING_SETUP_SINGLE_ISSUER) == name.empty());
  CHECK(has_feature(*rig.backend, "deferred task work") == defers);
  CHECK(has_feature(*rig.backend, "cooperative task work") == cooperates);
}

namespace {

// What the kernel answered to an SQE that the backend would never have made.
int smuggled_result = 0;
unsigned smuggled_opcode = 0;
unsigned smuggled_flags = 0;
constexpr std::uint64_t smuggled_tag = std::uint64_t{15} << 32 | 77;  // as an answer to a cancel

long smuggle(io_uring* ring, unsigned, const timespec*) noexcept {
  io_uring_sqe* const sqe = io_uring_get_sqe(ring);
  io_uring_prep_nop(sqe);
  sqe->opcode = static_cast<std::uint8_t>(smuggled_opcode);
  sqe->flags = static_cast<std::uint8_t>(smuggled_flags);
  sqe->user_data = smuggled_tag;
  const long result = proa::sys::direct::uring_submit_and_wait(ring, 1, nullptr);
  for (unsigned i = *ring->cq.khead; i != *ring->cq.ktail; ++i) {
    const io_uring_cqe& cqe = ring->cq.cqes[i & ring->cq.ring_mask];
    if (cqe.user_data == smuggled_tag) smuggled_result = cqe.res;
  }
  return result;
}

}  // namespace

TEST_CASE("uring: the kernel refuses what a tier must not use") {
  const auto [release, opcode, flags, expected] =
      GENERATE(table<std::string, unsigned, unsigned, int>({
          {"", IORING_OP_NOP, 0, -EACCES},
          {"", IORING_OP_SPLICE, 0, -EACCES},
          {"", IORING_OP_OPENAT, 0, -EACCES},  // without native files
          {"5.11", IORING_OP_NOP, 0, -EACCES},
          {"5.11", IORING_OP_RECV, IOSQE_BUFFER_SELECT, -EACCES},
          {"5.11", IORING_OP_POLL_ADD, IOSQE_IO_LINK, -EACCES},
          {"5.11", IORING_OP_MKDIRAT, 0, -EACCES},
          {"5.19", IORING_OP_SEND_ZC, 0, -EACCES},
          {"5.19", IORING_OP_RECV, IOSQE_BUFFER_SELECT, -EBADF},  // allowed, but of no socket
      }));
  const bool native_files = opcode != IORING_OP_OPENAT;
  UringRig rig(release, [&](proa::Options& options) { options.native_files = native_files; });
  rig.turn(0ms);
  smuggled_result = 0;
  smuggled_opcode = opcode;
  smuggled_flags = flags;
  {
    const Replaced seam(proa::sys::table.uring_submit_and_wait, smuggle);
    rig.turn(0ms);
  }
  CHECK((smuggled_result == expected || (expected == -EBADF && smuggled_result == -ENOTSOCK)));
}

namespace {

long setup_error = 0;
unsigned largest_setup = 0;
long failing_setup(unsigned entries, io_uring* ring, io_uring_params* parameters) noexcept {
  if (setup_error == 0 && entries <= largest_setup) {
    return proa::sys::direct::uring_setup(entries, ring, parameters);
  }
  return setup_error == 0 ? -ENOMEM : setup_error;
}

unsigned missing_opcode = 0;
long forgetful_probe(int fd, unsigned call, void* argument, unsigned count) noexcept {
  const long result = proa::sys::direct::uring_register(fd, call, argument, count);
  if (call == IORING_REGISTER_PROBE)
    static_cast<io_uring_probe*>(argument)->ops[missing_opcode].flags = 0;
  return result;
}

}  // namespace

TEST_CASE("uring: the probe says why io_uring is refused") {
  CHECK(probe(true) == "");
  CHECK(probe(false) == "");
  const Replaced seam(proa::sys::table.uring_setup, failing_setup);
  setup_error = -EPERM;
  CHECK(contains(probe(true), "io_uring_setup: EPERM"));
  setup_error = -ENOSYS;
  CHECK(contains(probe(true), "io_uring_setup: ENOSYS"));
  setup_error = -ENOMEM;
  CHECK(contains(probe(true), "RLIMIT_MEMLOCK"));
  setup_error = -EINVAL;
  CHECK(contains(probe(true), "kernel older than 5.11"));
  setup_error = 0;
}

TEST_CASE("uring: the probe names the opcode that is missing") {
  const Replaced seam(proa::sys::table.uring_register, forgetful_probe);
  missing_opcode = IORING_OP_CONNECT;
  CHECK(probe(true) == "io_uring lacks CONNECT (kernel 5.5)");
  missing_opcode = IORING_OP_URING_CMD;  // not in use
  CHECK(probe(true) == "");
}

TEST_CASE("uring: auto wants multishot receive, by name the lowest tier will do") {
  for (const char* const release : {"5.11", "5.19"}) {
    CHECK(probe(true, release) == "");
    CHECK(contains(probe(false, release), "multishot receive (kernel 6.0)"));
  }
  CHECK(probe(false, "6.1") == "");
}

TEST_CASE("uring: a ring that does not fit into the memory limit is made smaller") {
  const Replaced seam(proa::sys::table.uring_setup, failing_setup);
  setup_error = 0;
  largest_setup = 16;
  UringRig rig(any_release(), [](proa::Options& options) { options.uring_entries = 2048; });
  use_everything(rig);
}

namespace {

long losing_enter(io_uring*, unsigned, const timespec*) noexcept { return -EBADR; }

int busy = 0;
long busy_enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  return ++busy % 2 == 1 ? -EBUSY : proa::sys::direct::uring_submit_and_wait(ring, want, timeout);
}

}  // namespace

TEST_CASE("uring: a completion that the kernel lost is fatal, never silent") {
  const std::string message = message_of([] {
    proa::Options options;
    proa::Counters counters;
    auto* const pool = new proa::Pool(4096, 4, counters);
    std::string why_not;
    auto backend = proa::uring_backend().create({options, *pool, no_workers(), counters}, why_not);
    proa::sys::table.uring_submit_and_wait = losing_enter;
    backend->wait(backend->system().now());
  });
  CHECK(contains(message, "a completion was lost (EBADR)"));
}

TEST_CASE("uring: a kernel that is busy with completions is asked again") {
  UringRig rig(any_release());
  const Replaced seam(proa::sys::table.uring_submit_and_wait, busy_enter);
  use_everything(rig);
}

TEST_CASE("uring: nothing stays open") {
  const auto open_descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 1000; ++fd) count += ::fcntl(fd, F_GETFD) >= 0;
    return count;
  };
  const int before = open_descriptors();
  {
    UringRig rig(any_release(), [](proa::Options& options) { options.embedded = true; });
    use_everything(rig);
  }
  probe(true);
  CHECK(open_descriptors() == before);
}

namespace {

int refuse_enters = 0;
long refusing_enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  return refuse_enters-- > 0 ? -EBUSY
                             : proa::sys::direct::uring_submit_and_wait(ring, want, timeout);
}

}  // namespace

TEST_CASE("uring: what the kernel has not taken yet is not overwritten") {
  UringRig rig(any_release());
  SocketPair first;
  SocketPair second;
  rig.turn(0ms);
  const Replaced seam(proa::sys::table.uring_submit_and_wait, refusing_enter);
  const proa::Bytes pieces[] = {"fi", "rst"};
  proa::Send send;
  send.prepare(first.ours->socket(), pieces, 2);
  rig.submit(send);
  refuse_enters = 1;
  rig.turn(0ms);
  CHECK(refuse_enters == 0);
  const proa::Bytes others[] = {"sec", "ond"};
  proa::Send other;
  other.prepare(second.ours->socket(), others, 2);
  rig.submit(other);
  CHECK(rig.result(send).error == 0);
  CHECK(rig.result(other).error == 0);
  char got[16] = {};
  CHECK(::read(first.peer->fd, got, sizeof got) == 5);
  CHECK(std::string(got) == "first");
}

namespace {

// Turns data that was received into an interruption that used up a buffer all the same.
bool interrupt_receive = false;
long interrupting_enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  const unsigned before = *ring->cq.ktail;
  const long result = proa::sys::direct::uring_submit_and_wait(ring, want, timeout);
  for (unsigned i = before; i != *ring->cq.ktail; ++i) {
    io_uring_cqe& cqe = ring->cq.cqes[i & ring->cq.ring_mask];
    if (!interrupt_receive || (cqe.flags & IORING_CQE_F_BUFFER) == 0) continue;
    cqe.res = -EINTR;
    interrupt_receive = false;
  }
  return result;
}

}  // namespace

TEST_CASE("uring: a failed receive that used up a buffer gives it back") {
  UringRig rig("5.19");  // one-shot: the completion is the last one
  const Replaced seam(proa::sys::table.uring_submit_and_wait, interrupting_enter);
  SocketPair pair;
  proa::RecvBuffers recv;
  recv.prepare(pair.ours->socket());
  rig.submit(recv);
  for (int i = 0; i < 200; ++i) {  // more often than there are buffers
    interrupt_receive = true;
    REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    REQUIRE(rig.until([&] { return !interrupt_receive; }));
  }
  REQUIRE(::write(pair.peer->fd, "y", 1) == 1);
  CHECK(rig.until([&] { return !rig.outcomes_of[&recv].empty(); }));
  CHECK(recv.buffer().text() == "y");
  CHECK(rig.counters.buffers_missed == 0);
  rig.end();
}

namespace {

// Gives the next completion of that opcode another generation, as if its operation were gone.
int outdate_opcode = -1;
std::uint64_t outdated_tag = 0;
// The operation with this tag gets another completion: of a cancel that finds nothing.
std::uint64_t answered_tag = 0;

long outdating_enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  if (answered_tag != 0) {
    io_uring_sqe* const sqe = io_uring_get_sqe(ring);
    io_uring_prep_cancel64(sqe, ~std::uint64_t{0}, 0);
    sqe->user_data = std::exchange(answered_tag, 0);
  }
  const unsigned before = *ring->cq.ktail;
  const long result = proa::sys::direct::uring_submit_and_wait(ring, want, timeout);
  for (unsigned i = before; i != *ring->cq.ktail; ++i) {
    io_uring_cqe& cqe = ring->cq.cqes[i & ring->cq.ring_mask];
    const auto kind = static_cast<int>(cqe.user_data >> 32 & 15);
    if (kind != outdate_opcode || cqe.res < 0) continue;
    outdated_tag = cqe.user_data;
    cqe.user_data += std::uint64_t{1000} << 36;
    outdate_opcode = -1;
  }
  return result;
}

}  // namespace

TEST_CASE("uring: a completion of something that is gone leaks nothing") {
  UringRig rig;
  const Replaced seam(proa::sys::table.uring_submit_and_wait, outdating_enter);
  Listener listener;
  proa::Accept accept(true);
  accept.prepare(listener.file.tcp());
  rig.submit(accept);
  outdate_opcode = static_cast<int>(proa::Opcode::accept);
  const File client = listener.connect();
  REQUIRE(rig.until([&] { return rig.counters.stale_events == 1; }));
  char byte = 0;
  CHECK(::recv(client.fd, &byte, 1, 0) == 0);  // closed
  CHECK(rig.outcomes_of[&accept].empty());
  answered_tag = outdated_tag;
  CHECK(rig.result(accept).error == -ENOENT);

  SocketPair pair;
  proa::RecvBuffers recv;
  recv.prepare(pair.ours->socket());
  rig.submit(recv);
  for (unsigned i = 0; i < 200; ++i) {  // more often than there are buffers
    outdate_opcode = static_cast<int>(proa::Opcode::recv_buffers);
    REQUIRE(::write(pair.peer->fd, "x", 1) == 1);
    REQUIRE(rig.until([&] { return rig.counters.stale_events == 2 + i; }));
  }
  REQUIRE(::write(pair.peer->fd, "y", 1) == 1);
  CHECK(rig.until([&] { return !rig.outcomes_of[&recv].empty(); }));
  CHECK(recv.buffer().text() == "y");
  rig.cancel(recv);
  CHECK(rig.finish(recv));
}
