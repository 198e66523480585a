// A filter that refuses opcodes of io_uring: what the backend does in their place, and what it and
// the probe say.
#include <liburing.h>

#include <cstring>
#include <set>

#include "support/ledger.hpp"
#include "support/opcode_filter.hpp"
#include "uring_everything.hpp"

using namespace proa_test;

namespace {

using Opcodes = std::set<unsigned>;

// Without READ, which the rig has no worker for.
const Opcodes replaced = {IORING_OP_RECV,   IORING_OP_SEND,    IORING_OP_SENDMSG, IORING_OP_RECVMSG,
                          IORING_OP_ACCEPT, IORING_OP_CONNECT, IORING_OP_WRITE,   IORING_OP_WRITEV};
const Opcodes of_files = {IORING_OP_READ,      IORING_OP_WRITE,    IORING_OP_READV,
                          IORING_OP_WRITEV,    IORING_OP_FSYNC,    IORING_OP_OPENAT,
                          IORING_OP_STATX,     IORING_OP_UNLINKAT, IORING_OP_RENAMEAT,
                          IORING_OP_FALLOCATE, IORING_OP_MKDIRAT};

Opcodes used(const Ledger& ledger, const Opcodes& of) {
  Opcodes found;
  for (const unsigned opcode : ledger.submitted().opcodes) {
    if (of.count(opcode) != 0) found.insert(opcode);
  }
  return found;
}

}  // namespace

TEST_CASE("uring: what a filter refuses is done by system calls", "[R12]") {
  const OpcodeFilter filter(replaced, {});
  UringRig rig;
  const Ledger ledger;
  use_everything(rig);
  CHECK(used(ledger, replaced).empty());
  CHECK(ledger.count(Call::recv) > 0);
  CHECK(ledger.count(Call::connect) > 0);
}

TEST_CASE("uring: what a filter refuses once it is tried is done by system calls", "[R12]") {
  const OpcodeFilter filter({}, replaced);
  UringRig rig;
  const Ledger ledger;
  use_everything(rig);
  CHECK(used(ledger, replaced).size() >= 5);
  CHECK(ledger.count(Call::recv) > 0);
}

TEST_CASE("uring: a refusal that is no filter's stays one, after one system call", "[R12]") {
  UringRig rig;
  const File socket(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in everybody{};
  everybody.sin_family = AF_INET;
  everybody.sin_port = htons(9);
  everybody.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  proa::Address address;
  std::memcpy(address.buffer(), &everybody, sizeof everybody);
  address.set_size(sizeof everybody);
  proa::Connect connect;
  connect.prepare(socket.socket(), address);
  const Ledger ledger;
  rig.submit(connect);
  CHECK(rig.result(connect).error == -EACCES);
  CHECK(ledger.count(Call::connect) == 1);
}

TEST_CASE("uring: without what nothing replaces, epoll is chosen", "[R12]") {
  const auto [opcode, name] =
      GENERATE(table<unsigned, const char*>({{IORING_OP_POLL_ADD, "POLL_ADD"},
                                             {IORING_OP_TIMEOUT, "TIMEOUT"},
                                             {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL"}}));
  const OpcodeFilter filter({opcode}, {});
  const std::string why_not = std::string("a filter refuses ") + name + " of io_uring";
  CHECK(probe(true) == why_not);
  proa::Options options;
  options.backend = "uring";
  std::error_code error;
  const auto proactor = proa::Proactor::create(options, error);
  REQUIRE(proactor);
  CHECK(proactor->backend().name == "epoll");
  REQUIRE(proactor->backend().refused.size() == 1);
  CHECK(proactor->backend().refused[0].reason == why_not);
}

TEST_CASE("uring: auto wants what makes it faster than epoll, filter or not", "[R12]") {
  {
    const OpcodeFilter filter({IORING_OP_RECV, IORING_OP_FSYNC}, {});
    CHECK(probe(true) == "");
    CHECK(contains(probe(false), "multishot receive (kernel 6.0; a filter refuses RECV, FSYNC)"));
  }
  const OpcodeFilter filter({IORING_OP_FSYNC, IORING_OP_CONNECT}, {});
  CHECK(probe(false) == "");
}

TEST_CASE("uring: the features are those that a filter leaves", "[R12]") {
  {
    const OpcodeFilter filter(of_files, {});
    const UringRig rig;
    CHECK(!has_feature(*rig.backend, "files"));
    CHECK(has_feature(*rig.backend, "multishot receive"));
  }
  Opcodes all_but_sync = of_files;
  all_but_sync.erase(IORING_OP_FSYNC);
  {
    const OpcodeFilter filter(all_but_sync, {});
    const UringRig rig;
    CHECK(has_feature(*rig.backend, "files"));
  }
  const OpcodeFilter filter({IORING_OP_RECV, IORING_OP_SEND}, {});
  const UringRig rig;
  CHECK(has_feature(*rig.backend, "system calls for SEND, RECV"));
  CHECK(!has_feature(*rig.backend, "multishot receive"));
  CHECK(!has_feature(*rig.backend, "multishot limit"));
}

namespace {

long restrictions_result = 0;
long inheriting_register(int fd, unsigned call, void* argument, unsigned count) noexcept {
  if (call == IORING_REGISTER_RESTRICTIONS) return restrictions_result;
  return proa::sys::direct::uring_register(fd, call, argument, count);
}

long enter_error = 0;
long refused_enter(io_uring*, unsigned, const timespec*) noexcept { return enter_error; }

}  // namespace

TEST_CASE("uring: a ring that has inherited restrictions needs none of its own", "[R12]") {
  const Replaced seam(proa::sys::table.uring_register, inheriting_register);
  restrictions_result = -EBUSY;
  {
    UringRig rig;
    use_everything(rig);
  }
  restrictions_result = -EACCES;
  CHECK(probe(true) == "io_uring_register: EACCES for REGISTER_RESTRICTIONS");
}

TEST_CASE("uring: the probe says that a filter forbids to enter a ring", "[R12]") {
  const Replaced seam(proa::sys::table.uring_submit_and_wait, refused_enter);
  enter_error = GENERATE(-EPERM, -EACCES, -ENOSYS);
  CHECK(probe(true) == "io_uring_enter: " +
                           std::string(enter_error == -EPERM    ? "EPERM"
                                       : enter_error == -EACCES ? "EACCES"
                                                                : "ENOSYS") +
                           " (a filter forbids it)");
}
