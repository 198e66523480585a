// Files that only Linux has, or has ways to bring about.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "contract/file_rig.hpp"
#include "contract/raw.hpp"
#include "support/faults.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

TEST_CASE("F10: files of /proc are read to their end", "[file][F10]") {
  const std::string path = GENERATE("/proc/filesystems", "/proc/kallsyms");
  constexpr std::size_t most = 50000;
  const std::string expected = [&] {
    const int raw = ::open(path.c_str(), O_RDONLY);
    std::string bytes(most, '\0');
    std::size_t size = 0;
    ssize_t got = 0;
    while (raw >= 0 && (got = ::read(raw, bytes.data() + size, most - size)) > 0) {
      size += static_cast<std::size_t>(got);
    }
    if (raw >= 0) ::close(raw);
    return bytes.substr(0, size);
  }();
  if (expected.empty()) return;
  ReadingAt read(most);
  World world;
  const proa::File file = open_file(world, path, OpenFlags::read);
  perform(world, (read.from(file.descriptor()), read));
  CHECK(!read.error());
  CHECK((read.text() == expected));
  perform(world, (read.from(file.descriptor(), 10), read));
  CHECK(read.text().substr(0, 100) == std::string_view(expected).substr(10, 100));
}

TEST_CASE("F10: an eventfd has no offsets", "[file][F10]") {
  ReadingAt read(8);
  WritingAt write;
  World world;
  std::error_code error;
  const proa::File file = proa::File::adopt(*world, ::eventfd(1, EFD_CLOEXEC), error);
  REQUIRE(!error);
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.error() == std::errc::invalid_seek);
  perform(world, (write.to(file.descriptor(), 0, std::string_view("\1\0\0\0\0\0\0\0", 8)), write));
  CHECK(write.error() == std::errc::invalid_seek);
}

TEST_CASE("a SendFile that has sent all does not wait for more room", "[file][R4]") {
  constexpr std::size_t size = std::size_t{4} << 20;  // what a worker sends in one turn
  const Folder folder;
  folder.file("a", pattern(1, size));
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read);
  const Connection line = world.pair(Link::path);
  line.far.read(false);
  const int room = size;  // enough for all, and for no more: the socket polls unwritable then
  if (::setsockopt(line.descriptor().number, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
    return skip("a large socket buffer takes CAP_NET_ADMIN");
  }
  send.request.prepare(line.descriptor(), file.descriptor(), 0, size);
  world.submit(send.request);
  world.run_until("all is sent, though nobody reads", [&] { return send.done(); });
  CHECK(!send.error());
  CHECK(send.bytes() == size);
}

// sendfile(2) as it behaves when a reset comes in the midst of it: the bytes, and then EPIPE.
// The second call finds the connection over, in both directions or in its own.
std::atomic<int> halves{0};
std::atomic<int> over{SHUT_RDWR};
long half_a_sendfile(int to, int from, std::int64_t offset, std::size_t size) noexcept {
  if (halves++ > 0) {
    ::shutdown(to, over);
    return -EPIPE;
  }
  return proa::sys::direct::sendfile(to, from, offset, size / 2);
}

TEST_CASE("a SendFile that a reset has ended half-way is told the reset", "[file][R2]") {
  const Replaced replaced(proa::sys::table.sendfile, half_a_sendfile);
  halves = 0;
  std::errc expected = std::errc::connection_reset;
  Link link = Link::tcp4;
  over = SHUT_RDWR;
  SECTION("a reset") {}
  SECTION("no reset: the other direction goes on") {
    over = SHUT_WR;
    expected = std::errc::broken_pipe;
  }
  SECTION("no reset: a UNIX peer that is gone tells it to who receives") {
    link = Link::path;
    expected = std::errc::broken_pipe;
  }
  const Folder folder;
  folder.file("a", pattern(1, 1000));
  Recording<proa::SendFile> send;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read);
  const Connection line = world.pair(link);
  send.request.prepare(line.descriptor(), file.descriptor(), 0, 1000);
  world.submit(send.request);
  world.run_until("it has ended", [&] { return send.done(); });
  CHECK(send.error() == expected);
  CHECK(send.bytes() == 500);
}

// sendfile(2) that takes the error of a connection, and returns late.
Gate taking;
Gate returning;
std::atomic<bool> taken{false};
long sendfile_that_takes_the_reset(int to, int, std::int64_t, std::size_t) noexcept {
  taking.pass();
  while (::send(to, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN) {
  }
  const int error = errno;
  taken = true;
  returning.pass();
  return -error;
}

TEST_CASE("neither a cancel nor a deadline tells an end before the send that knows of a reset",
          "[file][R2][R4]") {
  const bool late = GENERATE(false, true);
  const Replaced replaced(proa::sys::table.sendfile, sendfile_that_takes_the_reset);
  taking.shut();
  returning.shut();
  taken = false;
  const Folder folder;
  folder.file("a", pattern(1, 1000));
  Recording<proa::SendFile> send;
  Read read;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read);
  const Connection line = world.pair();
  send.request.prepare(line.descriptor(), file.descriptor(), 0, 1000);
  world.submit(send.request);
  world.run_until("a worker sends", [] { return taking.arrived() > 0; });
  line.far.reset();
  taking.open();
  world.run_until("it has met the reset", [] { return taken.load(); });
  world.submit(read.from(line.descriptor()), late ? world.in(50ms) : proa::never);
  turns(world, 20);  // it meets an end
  if (late) {
    const proa::TimePoint behind = world.in(100ms);
    world.run_until("its deadline has passed", [&] { return world.system().now() > behind; });
  } else {
    world->cancel(read.request);
    turns(world, 20);
  }
  CHECK(!read.done());
  returning.open();
  world.run_until("both ended", [&] { return read.done() && send.done(); });
  CHECK(send.error() == std::errc::connection_reset);
  CHECK(read.error() == std::errc::connection_reset);
}

// io_uring ends with ECANCELED what it has no thread for (RLIMIT_NPROC, a full cgroup).
TEST_CASE("what the kernel has no thread for is done, and nothing is cancelled", "[file][R4]") {
  const Folder folder;
  WritingAt write;
  Recording<proa::Sync> sync;
  Recording<proa::Status> status;
  Read read;
  Recording<proa::RecvBuffers> buffers;
  std::string received;
  buffers.then = [&] { received += buffers.request.buffer().text(); };
  Sending send;
  World world;
  // No other makes threads in the kernel, and a filter leaves files to workers.
  const bool makes_threads = world->backend().name == "uring" && !files_by_workers();
  if (!makes_threads || configuration() == "uring-filtered") return;
  const proa::File file =
      open_file(world, folder.file("a", ""), OpenFlags::read | OpenFlags::write);
  const Raw from(::open(folder.file("b", "others").c_str(), O_RDONLY | O_CLOEXEC));
  const Raw to(::open(folder.file("c", "").c_str(), O_WRONLY | O_CLOEXEC));
  const proa::Socket& input = borrow(world, from);
  Faults faults;
  faults.fail(Call::pwritev2, -ECANCELED);
  faults.fail(Call::fsync, -ECANCELED);
  faults.fail(Call::status, -ECANCELED);
  perform(world, (write.to(file.descriptor(), 0, "bytes"), write));
  perform(world, (sync.request.prepare(file.descriptor()), sync));
  perform(world, (status.request.prepare(file.descriptor()), status));
  CHECK(status.request.status().size == 5);
  faults.fail(Call::read, -ECANCELED);
  perform(world, (read.from(input.descriptor()), read));
  CHECK(read.text() == "others");
  REQUIRE(::lseek(from.number, 0, SEEK_SET) == 0);
  faults.fail(Call::read, -ECANCELED);
  perform(world, (buffers.request.prepare(input.descriptor()), buffers));
  CHECK(received == "others");
  faults.fail(Call::writev, -ECANCELED);
  perform(world, (send.to(borrow(world, to).descriptor(), "sent"), send));
  CHECK(send.bytes() == 4);
  CHECK(faults.injected() == 6);
  for (const auto& error :
       {write.error(), sync.error(), status.error(), read.error(), buffers.error(), send.error()}) {
    CHECK(!error);
  }
  CHECK(world->counters().cancelled == 0);
}

}  // namespace
