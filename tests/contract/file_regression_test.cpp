// What was found wrong with files once, and is to stay mended.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <list>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"
#include "support/plain.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;

TEST_CASE("a CloseFile that was done is refused without another file", "[file][R2]") {
  const Folder folder;
  Recording<proa::CloseFile> close;
  World world;
  close.request.prepare(open_file(world, folder.file("a", "bytes")));
  perform(world, close);
  CHECK(!close.error());
  const proa::File next = open_file(world, folder.path("a"));  // most likely of the same number
  CHECK(world->submit(close.request) == std::errc::bad_file_descriptor);
  CHECK(::fcntl(next.descriptor().number, F_GETFD) >= 0);
}

TEST_CASE("a CloseFile of a borrowed descriptor leaves it open", "[file]") {
  const Folder folder;
  Recording<proa::CloseFile> close;
  World world;
  const int number = ::open(folder.file("a", "bytes").c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(number >= 0);
  std::error_code error;
  close.request.prepare(proa::File::borrow(*world, number, error));
  REQUIRE(!error);
  perform(world, close);
  CHECK(!close.error());
  CHECK(::fcntl(number, F_GETFD) >= 0);
  ::close(number);
}

TEST_CASE("without workers a CloseFile keeps its file", "[file]") {
  const Folder folder;
  Recording<proa::CloseFile> close;
  proa::Options with = options();
  with.workers = 0;
  World world(with);
  close.request.prepare(open_file(world, folder.file("a", "bytes")));
  perform(world, close);
  CHECK(close.error() == std::errc::operation_not_supported);
  CHECK(close.request.file().valid());
  close.request.file().close();
}

int close_result = 0;
long closing_close(int fd) noexcept {
  proa::sys::direct::close(fd);
  return close_result;
}

TEST_CASE("whatever close(2) says, the number is gone", "[file][R6]") {
  close_result = GENERATE(-EAGAIN, -ECANCELED, -EOPNOTSUPP, -EIO);
  const Folder folder;
  Recording<proa::CloseFile> close;
  World world;
  close.request.prepare(open_file(world, folder.file("a", "bytes")));
  const auto before = proa::sys::table.close;
  proa::sys::table.close = closing_close;
  perform(world, close);
  proa::sys::table.close = before;
  CHECK(close.error() == std::error_code(-close_result, std::system_category()));
  CHECK(!close.request.file().valid());
}

TEST_CASE("a file is not sent to a borrowed socket that would make a worker wait", "[file]") {
  const Folder folder;
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"), OpenFlags::read);
  int both[2];
  REQUIRE(plain_pair(both));
  std::error_code error;
  {
    const proa::Socket socket = proa::Socket::borrow(*world, both[0], error);
    REQUIRE(!error);
    send.request.prepare(socket.descriptor(), file.descriptor(), 0, 5);
    CHECK(world->submit(send.request) == std::errc::operation_not_supported);
  }
  ::close(both[0]);
  ::close(both[1]);
}

TEST_CASE("a busy disk does not starve a socket", "[file][R8]") {
  constexpr std::size_t depth = 64;
  constexpr std::size_t most = 20000;
  const Folder folder;
  folder.file("a", pattern(1, depth * block));
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  Read received;
  std::size_t done = 0;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::direct);
  const Connection line = world.pair();
  bool asked = false;
  world.submit(received.from(line.descriptor()));
  std::size_t late = 0;
  for (std::size_t i = 0; i < depth; ++i) {
    Aligned& into = memory.emplace_back(block);
    Recording<proa::ReadAt>& read = reads.emplace_back();
    read.then = [&, i] {
      // A callback that takes longer than the disk does per read.
      const auto until = std::chrono::steady_clock::now() + 50us;
      while (std::chrono::steady_clock::now() < until) {
      }
      if (asked && line.far.sent() && !received.done()) ++late;
      if (++done < most && !received.done()) {
        read.request.prepare(file.descriptor(), i * block, into.all());
        world.submit(read.request);
      }
    };
    read.request.prepare(file.descriptor(), i * block, into.all());
    world.submit(read.request);
  }
  world.run_until("the disk is busy", [&] { return done >= 4 * depth; });
  line.far.send("x");
  asked = true;
  world.run_until("the byte arrived", [&] { return received.done(); });
  CHECK(late < 4 * depth);
  world.run_until("all is quiet", [&] {
    return std::none_of(reads.begin(), reads.end(),
                        [](auto& one) { return one.request.pending(); });
  });
}

TEST_CASE("what was asked of a closed number is not remembered of the next file", "[file]") {
  if (configuration() != "epoll") return;
  const Folder folder;
  folder.file("a", pattern(1, block));
  ReadingAt lost(10);
  Recording<proa::ReadAt> read;
  Recording<proa::Sync> sync;
  Aligned memory(block);
  World world;
  const int number = ::open(folder.path("a").c_str(), O_RDONLY | O_CLOEXEC);
  ::close(number);
  perform(world, (lost.from({number, proa::DescriptorKind::file}), lost));
  CHECK(lost.error() == std::errc::bad_file_descriptor);
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::direct);
  REQUIRE(file.descriptor().number == number);
  sync.request.prepare(file.descriptor());
  perform(world, sync);
  const Ledger ledger;
  read.request.prepare(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(!read.error());
  CHECK(ledger.count(Call::aio_submit) == 1);
}

TEST_CASE("a large direct transfer is not prepared on the loop's thread", "[file][R8]") {
  constexpr std::size_t size = std::size_t{1} << 20;
  const Folder folder;
  const std::string bytes = pattern(1, size);
  folder.file("a", bytes);
  Recording<proa::ReadAt> read;
  Aligned memory(size);
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::direct);
  const Ledger ledger;
  read.request.prepare(file.descriptor(), 0, memory.all());
  perform(world, read);
  CHECK(!read.error());
  CHECK(memory.text() == bytes);
  CHECK(ledger.count(Call::aio_submit) == 0);
}

}  // namespace
