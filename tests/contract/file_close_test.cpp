// CloseFile: what it does to the number that it closes, and to those that still use it.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "contract/file_rig.hpp"
#include "support/plain.hpp"
#include "support/replaced.hpp"

namespace {

using namespace proa_test;
using proa::Error;
using proa::OpenFlags;

Gate gate;
decltype(proa::sys::Table::ftruncate) truncate_below = nullptr;
decltype(proa::sys::Table::close) close_below = nullptr;
bool close_waits = false;
long close_result = 0;

long held_truncate(int fd, std::int64_t size) noexcept {
  gate.pass();
  return truncate_below(fd, size);
}
// Of a worker; the loop's own closes go through.
long held_close(int fd) noexcept {
  static const std::thread::id loop = std::this_thread::get_id();
  if (loop == std::this_thread::get_id()) return close_below(fd);
  if (close_waits) gate.pass();
  const long result = close_below(fd);
  return result < 0 ? result : close_result;
}

class Hold {
 public:
  Hold() {
    gate.shut();
    close_waits = false;
    close_result = 0;
    truncate_below = truncate_before_;
    close_below = close_before_;
    const int none = -1;
    held_close(none);  // names the loop's thread
  }
  ~Hold() { gate.open(); }

 private:
  decltype(truncate_below) truncate_before_ = proa::sys::table.ftruncate;
  decltype(close_below) close_before_ = proa::sys::table.close;
  Replaced<long(int, std::int64_t) noexcept> truncate_{proa::sys::table.ftruncate, held_truncate};
  Replaced<long(int) noexcept> close_{proa::sys::table.close, held_close};
};

proa::Options one_worker() {
  proa::Options with = options();
  with.workers = 1;
  return with;
}

void hold(World& world, Recording<proa::Truncate>& cut, proa::Descriptor file) {
  cut.request.prepare(file, 0);
  world.submit(cut.request);
  world.run_until("a worker is held", [] { return gate.arrived() == 1; });
}

bool is_open(int number) { return ::fcntl(number, F_GETFD) >= 0; }

TEST_CASE("CloseFile is refused while the file is in use", "[file][R2]") {
  const Folder folder;
  Recording<proa::Truncate> cut;
  Recording<proa::CloseFile> close;
  World world(one_worker());
  proa::File file = open_file(world, folder.file("a", "bytes"));
  Hold held;
  hold(world, cut, file.descriptor());
  close.request.prepare(std::move(file));
  CHECK(world->submit(close.request) == std::errc::device_or_resource_busy);
  gate.open();
  world.run_until("it is free", [&] { return cut.done(); });
  perform(world, close);
  CHECK(!close.error());
}

TEST_CASE("nothing is taken on for a file that waits to be closed", "[file][R2]") {
  const Folder folder;
  Recording<proa::Truncate> cut;
  Recording<proa::CloseFile> close;
  Recording<proa::Sync> sync;
  Recording<proa::SendFile> send;
  ReadingAt read;
  World world(one_worker());
  const Connection line = world.pair();
  const proa::File other = open_file(world, folder.file("b", ""));
  proa::File file = open_file(world, folder.file("a", "bytes"));
  const proa::Descriptor number = file.descriptor();
  Hold held;
  hold(world, cut, other.descriptor());
  close.request.prepare(std::move(file));
  world.submit(close.request);
  CHECK(world->submit(read.from(number)) == Error::closing);
  sync.request.prepare(number);
  CHECK(world->submit(sync.request) == Error::closing);
  send.request.prepare(line.descriptor(), number, 0, 5);
  CHECK(world->submit(send.request) == Error::closing);
  SECTION("closed, it is a bad descriptor") {
    gate.open();
    world.run_until("it is closed", [&] { return close.done(); });
    CHECK(!close.error());
    CHECK(!is_open(number.number));
    perform(world, (read.from(number), read));
    CHECK(read.error() == std::errc::bad_file_descriptor);
  }
  SECTION("cancelled, it is as before") {
    world->cancel(close.request);
    world.run_until("it is cancelled", [&] { return close.done(); });
    CHECK(close.error() == std::errc::operation_canceled);
    CHECK(close.request.file().valid());
    gate.open();
    perform(world, (read.from(number), read));
    CHECK(read.text() == "bytes");
    close.request.file().close();
    CHECK(!is_open(number.number));
  }
  SECTION("too late, it is as before as well") {
    read.results.clear();
    world->cancel(close.request);
    world.run_until("it ended", [&] { return close.done(); });
    world.submit(close.request, world.in(1ms));
    world.run_until("it is late", [&] { return close.results.size() == 2; });
    CHECK(close.error() == Error::deadline);
    CHECK(close.request.file().valid());
    CHECK(is_open(number.number));
    close.request.file().close();
  }
  SECTION("the end of all closes it") {
    std::thread opener([] { gate.open(); });
    CHECK(world->shutdown(hang) == 0);
    opener.join();
    CHECK(close.results.size() == 1);
    CHECK(!close.request.file().valid());
    CHECK(!is_open(number.number));
  }
  gate.open();
  world.run_until("the other file is free", [&] { return cut.done(); });
}

TEST_CASE("an error of close(2) is told, cancelled or not, and the file is gone", "[file][R4]") {
  const Folder folder;
  Recording<proa::CloseFile> close;
  World world(one_worker());
  proa::File file = open_file(world, folder.file("a", "bytes"));
  const int number = file.descriptor().number;
  Hold held;
  close_waits = true;
  close_result = -EIO;
  close.request.prepare(std::move(file));
  world.submit(close.request);
  world.run_until("a worker is at it", [] { return gate.arrived() == 1; });
  if (GENERATE(false, true)) world->cancel(close.request);
  gate.open();
  world.run_until("it is closed", [&] { return close.done(); });
  CHECK(close.error() == std::errc::io_error);
  CHECK(!close.request.file().valid());
  CHECK(!is_open(number));
}

TEST_CASE("the next owner of a closed number is left alone", "[file][R2]") {
  const Folder folder;
  Recording<proa::CloseFile> close;
  Recording<proa::CloseFile> second;
  Read read;
  World world(one_worker());
  proa::File file = open_file(world, folder.file("a", "bytes"));
  const int number = file.descriptor().number;
  std::error_code error;
  close.request.prepare(std::move(file));
  world.submit(close.request);
  // Into the worker's hands, and no further: what is done is not collected.
  const auto until = std::chrono::steady_clock::now() + hang;
  world->run_once(0ms);
  while (is_open(number) && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  if (close.done()) return;  // it was faster; another run tells
  SECTION("a socket") {
    int ends[2];
    REQUIRE(plain_pair(ends, false));
    REQUIRE((ends[0] == number || ends[1] == number));
    if (ends[1] == number) std::swap(ends[0], ends[1]);
    proa::Socket socket = proa::Socket::borrow(*world, ends[0], error);
    REQUIRE(!error);
    world.submit(read.from(socket.descriptor()));
    world.run_until("the first is told", [&] { return close.done(); });
    REQUIRE(::write(ends[1], "hello", 5) == 5);
    world.run_until("it is heard", [&] { return read.done(); });
    CHECK(read.text() == "hello");
    socket.close();
    ::close(ends[0]);
    ::close(ends[1]);
  }
  SECTION("a file, closed the same way") {
    proa::File next = open_file(world, folder.path("a"));
    REQUIRE(next.descriptor().number == number);
    second.request.prepare(std::move(next));
    world.submit(second.request);
    world.run_until("both are closed", [&] { return close.done() && second.done(); });
    CHECK(!second.error());
  }
}

}  // namespace
