// Kernel AIO as it fails: no contexts left, batches taken in part, requests refused, a ring of
// another layout. The result is that of a healthy one; what cannot go that way goes to a worker.
#include "contract/file_rig.hpp"

#ifdef PROA_HAVE_AIO
#include <libaio.h>

#include <algorithm>
#include <cerrno>
#include <list>

#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;
constexpr std::size_t number = 100;

bool native_epoll() { return configuration() == "epoll"; }

// Direct reads of a whole file, all at once.
class Reads {
 public:
  Reads() : bytes_(pattern(1, number * block)) { folder_.file("a", bytes_); }

  proa::File open(World& world) {
    return open_file(world, folder_.path("a"), OpenFlags::read | OpenFlags::direct);
  }
  void begin(World& world, proa::Descriptor file) {
    for (std::size_t i = 0; i < number; ++i) {
      reads_.emplace_back().request.prepare(file, i * block, memory_.emplace_back(block).all());
      world.submit(reads_.back().request);
    }
  }
  bool done() {
    return std::all_of(reads_.begin(), reads_.end(), [](auto& one) { return one.done(); });
  }
  void check(World& world, proa::Descriptor file) {
    begin(world, file);
    world.run_until("all is read", [&] { return done(); });
    std::string back;
    for (Aligned& each : memory_) back += each.text();
    CHECK((back == bytes_));
    for (auto& read : reads_) {
      CHECK(!read.error());
      CHECK(read.results.size() == 1);
      CHECK(read.bytes() == block);
    }
    reads_.clear();
    memory_.clear();
  }

 private:
  Folder folder_;
  const std::string bytes_;
  std::list<Aligned> memory_;
  std::list<Recording<proa::ReadAt>> reads_;
};

unsigned most_entries = 0;
decltype(proa::sys::Table::aio_setup) setup_below = nullptr;
decltype(proa::sys::Table::aio_submit) submit_below = nullptr;
decltype(proa::sys::Table::aio_events) events_below = nullptr;

long small_setup(unsigned entries, void** context) noexcept {
  return entries > most_entries ? -EAGAIN : setup_below(entries, context);
}
long unknown_setup(unsigned entries, void** context) noexcept {
  const long result = setup_below(entries, context);
  if (result == 0) static_cast<unsigned*>(*context)[4] ^= 1;  // the magic of struct aio_ring
  return result;
}

bool lists_aio(World& world) {
  const std::vector<std::string>& features = world->backend().features;
  return std::count(features.begin(), features.end(), "kernel AIO for direct files") == 1;
}

TEST_CASE("B05: without a context left all is done by workers", "[file][R11][B05]") {
  if (!native_epoll()) return;
  Reads reads;
  World world;
  const proa::File file = reads.open(world);
  Faults faults;
  faults.fail(Call::aio_setup, GENERATE(-EAGAIN, -ENOMEM, -ENOSYS), 1, SIZE_MAX);
  const Ledger ledger;
  CHECK(lists_aio(world));
  reads.check(world, file.descriptor());
  CHECK(!lists_aio(world));
  const std::uint64_t asked = ledger.count(Call::aio_setup);
  CHECK(asked >= 1);
  CHECK(asked <= 5);
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::aio_setup) == asked);  // once and for all
  CHECK(ledger.count(Call::aio_submit) == 0);
  CHECK(ledger.count(Call::preadv2) == 2 * number);
}

TEST_CASE("B05: near the end of fs.aio-max-nr a smaller context does it", "[file][R11][B05]") {
  if (!native_epoll()) return;
  Reads reads;
  World world;
  const proa::File file = reads.open(world);
  most_entries = GENERATE(16u, 40u, 128u);
  setup_below = proa::sys::table.aio_setup;
  const Replaced replaced(proa::sys::table.aio_setup, small_setup);
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::aio_submit) >= number / most_entries);
  CHECK(ledger.count(Call::aio_setup) <= 5);
}

// What io_submit(2) says and takes.
enum class Taking { three, one_then_full, none, full, full_at_first };
Taking taking = Taking::three;
std::size_t submissions = 0;

long odd_submit(void* context, long count, iocb** blocks) noexcept {
  ++submissions;
  switch (taking) {
    case Taking::three:
      return submit_below(context, std::min(count, 3l), blocks);
    case Taking::one_then_full:
      return submissions % 2 == 0 ? -EAGAIN : submit_below(context, 1, blocks);
    case Taking::none:
      return 0;
    case Taking::full:
      return -EAGAIN;
    case Taking::full_at_first:
      return submissions <= 10 ? -EAGAIN : submit_below(context, count, blocks);
  }
  return -EINVAL;
}

TEST_CASE("a batch that is taken in part, or not, loses none", "[file][R2][R11][B07]") {
  if (!native_epoll()) return;
  taking = GENERATE(Taking::three, Taking::one_then_full, Taking::none, Taking::full,
                    Taking::full_at_first);
  submissions = 0;
  Reads reads;
  World world;
  const proa::File file = reads.open(world);
  submit_below = proa::sys::table.aio_submit;
  const Replaced replaced(proa::sys::table.aio_submit, odd_submit);
  reads.check(world, file.descriptor());
  reads.check(world, file.descriptor());
  CHECK(submissions >= 12);
}

int refusal = 0;
long refusing_submit(void* context, long count, iocb** blocks) noexcept {
  ++submissions;
  for (long i = 0; i < count; ++i) {
    if (blocks[i]->u.c.offset / static_cast<long long>(block) % 3 != 0) continue;
    return i == 0 ? refusal : submit_below(context, i, blocks);  // up to the first that is wrong
  }
  return submit_below(context, count, blocks);
}

TEST_CASE("a request that is refused goes to a worker, the others go on", "[file][R11][B06][F10]") {
  if (!native_epoll()) return;
  refusal = GENERATE(-EINVAL, -EOPNOTSUPP, -ENOMEM, -EBADF);
  submissions = 0;
  Reads reads;
  World world;
  const proa::File file = reads.open(world);
  submit_below = proa::sys::table.aio_submit;
  const Replaced replaced(proa::sys::table.aio_submit, refusing_submit);
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::preadv2) >= number / 3);
  CHECK(ledger.count(Call::preadv2) <= number);
  const std::size_t before = submissions;
  reads.check(world, file.descriptor());
  // A file system without AIO is not asked again.
  if (refusal == -EOPNOTSUPP) CHECK(submissions == before);
}

// What every third completion says in place of what is more.
long event_result = 0;
long events_interrupted = 0;
long odd_events(void* context, long least, long most, io_event* events) noexcept {
  if (events_interrupted > 0) {
    --events_interrupted;
    return -EINTR;
  }
  const long found = events_below(context, least, most, events);
  for (long i = 0; i < found && event_result != 0; i += 3) {
    const long moved = static_cast<long>(events[i].res);
    if (event_result < 0 || moved > event_result)
      events[i].res = static_cast<unsigned long>(event_result);
  }
  return found;
}

TEST_CASE("a ring of another layout is not read by hand", "[file][R2]") {
  if (!native_epoll()) return;
  Reads reads;
  World world;
  const proa::File file = reads.open(world);
  setup_below = proa::sys::table.aio_setup;
  events_below = proa::sys::table.aio_events;
  const Replaced setup(proa::sys::table.aio_setup, unknown_setup);
  const Replaced events(proa::sys::table.aio_events, odd_events);
  // Short, or turned away by what would have had to wait: gone on with.
  event_result = GENERATE(0l, 512l, long{-EAGAIN}, long{-EOPNOTSUPP});
  events_interrupted = 3;
  const Ledger ledger;
  reads.check(world, file.descriptor());
  CHECK(ledger.count(Call::aio_events) > 0);
  CHECK(events_interrupted == 0);
}

TEST_CASE("an error of one completion is its request's alone", "[file][R2]") {
  if (!native_epoll()) return;
  const Folder folder;
  Aligned memory(block);
  Recording<proa::ReadAt> read;
  World world;
  const proa::File file =
      open_file(world, folder.file("a", pattern(1, block)), OpenFlags::read | OpenFlags::direct);
  setup_below = proa::sys::table.aio_setup;
  events_below = proa::sys::table.aio_events;
  const Replaced setup(proa::sys::table.aio_setup, unknown_setup);
  const Replaced events(proa::sys::table.aio_events, odd_events);
  event_result = -EIO;
  events_interrupted = 0;
  read.request.prepare(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(read.error() == std::errc::io_error);
  CHECK(read.bytes() == 0);
  CHECK(read.results.size() == 1);
  event_result = 0;
  perform(world, read);
  CHECK(!read.error());
  CHECK(memory.text() == pattern(1, block));
}

}  // namespace
#endif
