// What a file costs over io_uring: one entry for a batch, no worker for what the kernel does
// itself, and a worker for each request that it turns away.
#ifdef PROA_HAVE_URING
#include <liburing.h>
#include <sys/stat.h>

#include <algorithm>
#include <list>
#include <set>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;

bool native_uring() {
  return over_uring() && configuration() != "uring-pool" && configuration() != "uring-filtered";
}

// Names a thread exactly when it begins.
bool no_worker(const Ledger& ledger) { return ledger.count(Call::name_thread) == 0; }

TEST_CASE("reads submitted together enter the kernel once", "[file][cost]") {
  if (!native_uring()) return;
  constexpr std::size_t number = 32;
  const bool direct = GENERATE(false, true);
  const Folder folder;
  const std::string bytes = pattern(2, number * block);
  folder.file("a", bytes);
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  Recording<proa::Sync> before;  // after it the ring is in use
  World world;
  const proa::File file = open_file(world, folder.path("a"),
                                    direct ? OpenFlags::read | OpenFlags::direct : OpenFlags::read);
  before.request.prepare(file.descriptor());
  perform(world, before);
  const Ledger ledger;
  for (std::size_t i = 0; i < number; ++i) {
    memory.emplace_back(block);
    reads.emplace_back();
    reads.back().request.prepare(file.descriptor(), i * block, memory.back().all());
    world.submit(reads.back().request);
  }
  CHECK(ledger.count(Call::uring_submit_and_wait) == 0);
  world->run_once(10s);
  CHECK(ledger.submitted().number == number);  // all by the first entry, the rest only waited
  world.run_until("all is read", [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& one) { return one.done(); });
  });
  std::string back;
  for (Aligned& each : memory) back += each.text();
  CHECK(back == bytes);
  CHECK(ledger.submitted().number == number);
  CHECK(no_worker(ledger));
}

TEST_CASE("what io_uring does itself needs no worker", "[file][cost]") {
  if (!native_uring()) return;
  const Folder folder;
  Recording<proa::Open> open;
  WritingAt write;
  ReadingAt read(block);
  Recording<proa::WriteAt> append;
  Recording<proa::Sync> sync;
  Recording<proa::Status> status;
  Recording<proa::Allocate> allocate;
  Recording<proa::Rename> rename;
  Recording<proa::Unlink> unlink;
  World world;
  const Ledger ledger;
  open.request.prepare(folder.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  perform(world, open);
  REQUIRE(!open.error());
  const proa::File file = std::move(open.request.file());
  const std::string bytes = pattern(3, block);
  perform(world, (write.to(file.descriptor(), 0, bytes), write));
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == bytes);
  append.request.prepare_append(file.descriptor(), "end");
  perform(world, append);
  CHECK(!append.error());
  sync.request.prepare(file.descriptor());
  perform(world, sync);
  sync.request.prepare_data(file.descriptor());
  perform(world, sync);
  CHECK(!sync.error());
  status.request.prepare(file.descriptor());
  perform(world, status);
  CHECK(status.request.status().size == block + 3);
  allocate.request.prepare(file.descriptor(), 0, 8 * block);
  perform(world, allocate);
  rename.request.prepare(folder.path("a"), folder.path("b"));
  perform(world, rename);
  unlink.request.prepare(folder.path("b"));
  perform(world, unlink);
  CHECK(!unlink.error());
  CHECK(no_worker(ledger));
  CHECK(ledger.submitted().opcodes.count(IORING_OP_OPENAT) == 1);
  CHECK(ledger.submitted().opcodes.count(IORING_OP_READ) == 1);
}

TEST_CASE("a file system that cannot be told not to wait is read off the loop", "[file][R8]") {
  if (!native_uring()) return;
  const bool waits = GENERATE(false, true);
  const Folder folder(waits ? "/dev/shm" : "");
  ReadingAt read(5);
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  const Ledger ledger;
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == "bytes");
  CHECK((ledger.submitted().sqe_flags & IOSQE_ASYNC) == (waits ? IOSQE_ASYNC : 0));
}

// Each cancel would search all of those that the kernel has, and how long that takes depends on the
// disk: a quick one has done thousands before the first is cancelled.
TEST_CASE("however many requests on files there are, the kernel has a few hundred", "[file][R8]") {
  if (!native_uring()) return;
  constexpr std::size_t number = 4000;
  const Folder folder;
  std::list<Recording<proa::Sync>> syncs(number);
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  const Ledger ledger;
  for (auto& each : syncs) {
    each.request.prepare(file.descriptor());
    world.submit(each.request);
  }
  world->run_once(10s);
  std::size_t done = 0;
  for (auto& each : syncs) done += each.done();
  CHECK(ledger.syncs() > 0);
  CHECK(ledger.syncs() - done < 500);
  world.run_until("all are done", [&] {
    return std::all_of(syncs.begin(), syncs.end(), [](auto& one) { return one.done(); });
  });
  CHECK(ledger.syncs() == number);
}

TEST_CASE("a named pipe does not wait in the kernel for a byte", "[file][F10]") {
  const Folder folder;
  REQUIRE(::mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  ReadingAt read(10);
  World world;
  const proa::File pipe = open_file(world, folder.path("pipe"));
  perform(world, (read.from(pipe.descriptor()), read));
  CHECK(read.error() == std::errc::invalid_seek);
}

// Completes requests of one opcode with an error of the test's, once each.
unsigned refused_opcode = 0;
int refusal = 0;
std::uint64_t refusals = 0;
std::set<std::uint64_t> refused_tags;

long refusing_enter(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; ++i) {
    io_uring_sqe& sqe = ring->sq.sqes[i & *ring->sq.kring_mask];
    if (sqe.opcode != refused_opcode) continue;
    sqe.fd = -1;  // so that it ends at once, and does nothing
    sqe.addr = 0;
    refused_tags.insert(sqe.user_data);
  }
  const long result = proa::sys::direct::uring_submit_and_wait(ring, want, timeout);
  for (unsigned i = *ring->cq.khead; i != *ring->cq.ktail; ++i) {
    io_uring_cqe& cqe = ring->cq.cqes[i & *ring->cq.kring_mask];
    if (refused_tags.erase(cqe.user_data) == 0) continue;
    cqe.res = refusal;
    ++refusals;
  }
  return result;
}

TEST_CASE("B06: what io_uring turns away is done by a worker, each request for itself",
          "[file][R11][R12][B06]") {
  if (!native_uring()) return;
  refusal = GENERATE(-EAGAIN, -EOPNOTSUPP);
  refused_opcode = GENERATE(as<unsigned>{}, IORING_OP_READ, IORING_OP_OPENAT, IORING_OP_FSYNC);
  refusals = 0;
  const Folder folder;
  const std::string bytes = pattern(5, block);
  folder.file("a", bytes);
  Recording<proa::Open> open;
  ReadingAt read(block);
  Recording<proa::Sync> sync;
  World world;
  const auto before = proa::sys::table.uring_submit_and_wait;
  proa::sys::table.uring_submit_and_wait = refusing_enter;
  for (int times = 0; times < 2; ++times) {
    open.request.prepare(folder.path("a"), OpenFlags::read | OpenFlags::write);
    perform(world, open);
    CHECK(!open.error());
    CHECK(open.bytes() == 0);
    const proa::File file = std::move(open.request.file());
    perform(world, (read.from(file.descriptor()), read));
    CHECK(!read.error());
    CHECK(read.text() == bytes);
    sync.request.prepare(file.descriptor());
    perform(world, sync);
    CHECK(!sync.error());
  }
  proa::sys::table.uring_submit_and_wait = before;
  CHECK(refusals == 2);
}

}  // namespace
#endif
