// What goes wrong with files: hidden where nothing is lost (R11), else told once, with the bytes
// that were moved.
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <string>

#include "contract/file_rig.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/names.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

std::error_code system_error(int number) { return {number, std::system_category()}; }

TEST_CASE("files are the same through short transfers and storms", "[file][R11][F02][S02]") {
  constexpr std::size_t block = 10000;
  constexpr std::size_t number = 60;
  const Folder folder;
  const std::string bytes = pattern(1, number * block);
  std::list<WritingAt> writes;
  std::list<ReadingAt> reads;
  World world;
  const proa::File file = open_file(world, folder.file("a", ""));
  Faults faults(GENERATE(1u, 2u, 3u));
  faults.shorten(GENERATE(97u, 4096u));
  faults.deny(0.3);
  faults.interrupt(0.3);
  for (std::size_t i = 0; i < number; ++i) {
    world.submit(writes.emplace_back().to(file.descriptor(), i * block,
                                          std::string_view(bytes).substr(i * block, block)));
  }
  const auto all_done = [](auto& some) {
    return std::all_of(some.begin(), some.end(), [](auto& one) { return one.done(); });
  };
  world.run_until("all is written", [&] { return all_done(writes); });
  CHECK((contents(folder.path("a")) == bytes));  // what was acknowledged is there
  for (std::size_t i = 0; i < number; ++i) {
    world.submit(reads.emplace_back(block).from(file.descriptor(), i * block));
  }
  world.run_until("all is read", [&] { return all_done(reads); });
  for (WritingAt& write : writes) CHECK((!write.error() && write.bytes() == block));
  std::string back;
  for (ReadingAt& read : reads) back += read.text();
  CHECK((back == bytes));
  CHECK(faults.injected() > number);
}

TEST_CASE("an error in the middle is told once, with the bytes before it", "[file][R2][R4]") {
  constexpr std::size_t step = 1000;
  const int error = GENERATE(EIO, ENOSPC, EDQUOT);
  const Folder folder;
  const std::string path = folder.file("a", pattern(1, 10 * step));
  const std::string bytes = pattern(2, 10 * step);
  WritingAt write;
  ReadingAt read(10 * step);
  World world;
  const proa::File file = open_file(world, path);
  Faults faults;
  // Where a try without waiting is refused, that call counts too.
  faults.shorten(step);
  faults.fail(told_by(Call::pwritev2), -error, 4);
  perform(world, (write.to(file.descriptor(), 0, bytes), write));
  CHECK(write.error() == system_error(error));
  CHECK(write.results.size() == 1);
  CHECK(write.bytes() <= 3 * step);
  CHECK(write.bytes() >= 2 * step);
  faults.fail(told_by(Call::preadv2), -EIO, 3);
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.error() == std::errc::io_error);
  CHECK(read.bytes() == 2 * step);
  CHECK(read.text() == bytes.substr(0, 2 * step));
  faults.clear();
  const std::size_t moved = write.bytes();
  CHECK((contents(path).substr(0, moved) == bytes.substr(0, moved)));
  // Where the completion was made an error, its step was taken all the same.
  if (told_by(Call::pwritev2) == Call::pwritev2) {
    CHECK((contents(path).substr(moved) == pattern(1, 10 * step).substr(moved)));
  }
  perform(world, (write.to(file.descriptor(), moved, bytes.substr(moved)), write));
  CHECK(!write.error());
}

TEST_CASE("F08: an error of a sync is told to one, once", "[file][R2][F08]") {
  const bool data = GENERATE(false, true);
  const Folder folder;
  std::list<Recording<proa::Sync>> syncs(4);
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  Faults faults;
  faults.fail(told_by(data ? Call::fdatasync : Call::fsync), -EIO);
  for (auto& sync : syncs) {
    data ? sync.request.prepare_data(file.descriptor()) : sync.request.prepare(file.descriptor());
    world.submit(sync.request);
  }
  world.run_until("all have ended", [&] {
    return std::all_of(syncs.begin(), syncs.end(), [](auto& one) { return one.done(); });
  });
  std::size_t failed = 0;
  for (auto& sync : syncs) {
    CHECK(sync.results.size() == 1);
    if (sync.error()) CHECK(sync.error() == std::errc::io_error);
    failed += sync.error() ? 1 : 0;
  }
  CHECK(failed == 1);
}

TEST_CASE("F08: the error of a sync is lost to no cancel and no deadline", "[file][R4][F08]") {
  const bool late = GENERATE(false, true);
  const Folder folder;
  Recording<proa::Sync> first;
  Recording<proa::Sync> second;
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  Faults faults;
  faults.fail(told_by(Call::fsync), -EIO);
  first.request.prepare(file.descriptor());
  second.request.prepare(file.descriptor());
  world.submit(first.request, late ? world.in(0ms) : proa::never);
  if (!late) {
    world->poll();
    world->cancel(first.request);
  }
  world.run_until("the first has ended", [&] { return first.done(); });
  perform(world, second);
  const bool first_failed = first.error() == std::errc::io_error;
  const bool second_failed = second.error() == std::errc::io_error;
  CHECK(first_failed != second_failed);
}

Gate gate;
long held_sync(int) noexcept {
  gate.pass();
  return -EIO;
}

TEST_CASE("F09: a running sync that is cancelled ends as it does", "[file][R4][F08][F09]") {
  const bool late = GENERATE(false, true);
  const Folder folder;
  Recording<proa::Sync> sync;
  proa::Options with = options();
  with.native_files = false;
  World world(with);
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  gate.shut();
  const Replaced replaced(proa::sys::table.fsync, held_sync);
  sync.request.prepare(file.descriptor());
  world.submit(sync.request, late ? world.in(1ms) : proa::never);
  world.run_until("a worker is at it, or it is late",
                  [&] { return gate.arrived() == 1 || sync.done(); });
  if (sync.done()) return gate.open();  // late before it began
  if (!late) world->cancel(sync.request);
  const auto deadline_passed = world.in(5ms);
  world.run_until("the deadline has passed",
                  [&] { return world.system().now() >= deadline_passed; });
  CHECK(!sync.done());
  gate.open();
  world.run_until("it has ended", [&] { return sync.done(); });
  CHECK(sync.error() == std::errc::io_error);
  CHECK(sync.results.size() == 1);
}

TEST_CASE("without workers, what needs one is not supported", "[file][R2]") {
  const Folder folder;
  const std::string path = folder.file("a", "bytes");
  Recording<proa::Open> open;
  ReadingAt read(5);
  WritingAt write;
  proa::Options with = options();
  with.native_files = false;
  with.workers = 0;
  World world(with);
  const proa::File file = open_file(world, path);
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.error() == std::errc::operation_not_supported);
  CHECK(read.memory == "?????");
  perform(world, (write.to(file.descriptor(), 0, "other"), write));
  CHECK(write.error() == std::errc::operation_not_supported);
  open.request.prepare(path, OpenFlags::read);
  perform(world, open);
  CHECK(open.error() == std::errc::operation_not_supported);
  CHECK(contents(path) == "bytes");
}

// preadv2(2) with RWF_NOWAIT as it may answer; without it as it is.
enum class Answer { nothing, again, unsupported, cold_page, cold_page_then_nothing };
Answer answer = Answer::nothing;
std::size_t asked = 0;
decltype(proa::sys::Table::preadv2) read_below = nullptr;

long cold_read(int fd, const iovec* pieces, int count, std::int64_t offset, int flags) noexcept {
  if ((flags & proa::sys::nowait) == 0) return read_below(fd, pieces, count, offset, flags);
  ++asked;
  switch (answer) {
    case Answer::nothing:
      return 0;
    case Answer::again:
      return -EAGAIN;
    case Answer::unsupported:
      return -EOPNOTSUPP;
    default:
      break;
  }
  if (offset > 0) return answer == Answer::cold_page ? -EAGAIN : 0;
  const iovec page = {pieces->iov_base, 4096};
  return read_below(fd, &page, 1, offset, flags);
}

TEST_CASE("what is not in the page cache is read all the same", "[file][R11][F13]") {
  answer = GENERATE(Answer::nothing, Answer::again, Answer::unsupported, Answer::cold_page,
                    Answer::cold_page_then_nothing);
  asked = 0;
  const Folder folder;
  const std::string bytes = pattern(3, 20000);
  ReadingAt read(30000);
  World world;
  const proa::File file = open_file(world, folder.file("a", bytes));
  read_below = proa::sys::table.preadv2;
  const Replaced replaced(proa::sys::table.preadv2, cold_read);
  for (int i = 0; i < 3; ++i) {
    perform(world, (read.from(file.descriptor()), read));
    CHECK(!read.error());
    CHECK(read.results.back().bytes == bytes.size());
    CHECK((read.text() == bytes));
  }
  if (configuration() == "epoll") {
    CHECK(asked == (answer == Answer::unsupported ? 1 : answer >= Answer::cold_page ? 6 : 3));
  }
  read.request.prepare_exactly(file.descriptor(), 19000, {read.memory.data(), 1001});
  perform(world, read);
  CHECK(read.error() == proa::Error::end_of_file);
  CHECK(read.bytes() == 1000);
}

}  // namespace
