// Devices: what has nothing to read, or no room, for as long as it likes. A FIFO stands in for one:
// the test makes it take reads and writes at an offset, as most devices do.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <proa/file_handler.hpp>

#include "contract/file_rig.hpp"
#include "raw.hpp"
#include "support/patterns.hpp"
#include "support/replaced.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

bool is_fifo(int number) {
  struct stat status = {};
  return ::fstat(number, &status) == 0 && S_ISFIFO(status.st_mode);
}

long told(ssize_t result) { return result < 0 ? -errno : result; }

decltype(proa::sys::table.preadv2) preadv2_before;
decltype(proa::sys::table.pwritev2) pwritev2_before;

// What a FIFO does that takes requests at an offset: it reads or writes without one.
template <class Before, class Call>
long transfer(Before before, Call call, int number, const iovec* pieces, int count,
              std::int64_t offset, int flags) noexcept {
  if (!is_fifo(number) || offset < 0) return before(number, pieces, count, offset, flags);
  if (flags != 0) return -EOPNOTSUPP;
  return pieces->iov_len == 0 ? 0 : told(call(number, pieces, count));
}

long read_device(int number, const iovec* pieces, int count, std::int64_t offset,
                 int flags) noexcept {
  return transfer(preadv2_before, ::readv, number, pieces, count, offset, flags);
}

long write_device(int number, const iovec* pieces, int count, std::int64_t offset,
                  int flags) noexcept {
  return transfer(pwritev2_before, ::writev, number, pieces, count, offset, flags);
}

// Every FIFO is a device while this lives. The World goes first.
struct Devices {
  Devices() {
    preadv2_before = proa::sys::table.preadv2;
    pwritev2_before = proa::sys::table.pwritev2;
    proa::sys::table.preadv2 = read_device;
    proa::sys::table.pwritev2 = write_device;
  }
  ~Devices() {
    proa::sys::table.preadv2 = preadv2_before;
    proa::sys::table.pwritev2 = pwritev2_before;
  }
};

constexpr OpenFlags both_ways = OpenFlags::read | OpenFlags::write;

struct Device {
  explicit Device(const Folder& folder, const std::string& name = "device")
      : path(folder.path(name)) {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  // As the library opens it, or as a program does that lends it: in blocking mode.
  proa::File open(World& world, bool borrowed) {
    if (!borrowed) return open_file(world, path, both_ways);
    lent.emplace_back(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::error_code error;
    proa::File file = proa::File::borrow(*world, lent.back().number, error);
    REQUIRE(!error);
    return file;
  }
  void give(std::string_view bytes) const {
    const Raw end(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    end.write(bytes);
  }
  const std::string path;
  std::list<Raw> lent;
};

// What a program does with files goes on.
void check_files(World& world, const Folder& folder) {
  Recording<proa::Status> status;
  Recording<proa::Open> open;
  ReadingAt read;
  WritingAt write;
  const std::string path = folder.file("plain", "bytes");
  status.request.prepare(path);
  perform(world, status);
  CHECK(!status.error());
  open.request.prepare(path, both_ways);
  perform(world, open);
  REQUIRE(!open.error());
  const proa::File file = std::move(open.request.file());
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == "bytes");
  write.request.prepare_append(file.descriptor(), "other");
  let_append(file);
  perform(world, write);
  CHECK(!write.error());
}

TEST_CASE("readers of devices that have nothing hold up no file", "[file][device][R8][R4]") {
  const Devices devices;
  const Folder folder;
  constexpr std::size_t readers = 9;  // more than there are workers
  std::list<ReadingAt> reads;
  World world;
  Device device(folder);
  const bool borrowed = GENERATE(false, true);
  CAPTURE(borrowed);
  std::list<proa::File> files;
  for (std::size_t i = 0; i < readers; ++i) {
    // A blocking read of what another descriptor's reader has just taken would keep a thread
    // (docs/BACKENDS.md), so the borrowed device has one descriptor.
    if (borrowed ? i == 0 : i % 3 == 0) files.push_back(device.open(world, borrowed));
    world.submit(reads.emplace_back(16).from(files.back().descriptor()));
  }
  turns(world, 5);
  check_files(world, folder);
  const auto ended = [&] {
    return static_cast<std::size_t>(
        std::count_if(reads.begin(), reads.end(), [](ReadingAt& each) { return each.done(); }));
  };
  CHECK(ended() == 0);
  for (std::size_t given = 1; given <= 2; ++given) {
    device.give("x");
    world.run_until("one read ended", [&] { return ended() == given; });
    turns(world, 5);
    check_files(world, folder);
    CHECK(ended() == given);
  }
  for (ReadingAt& each : reads) {
    if (each.done()) {
      CHECK(!each.error());
      CHECK(each.text() == "x");
    } else {
      world->cancel(each.request);
      world.run_until("it was cancelled", [&] { return each.done(); });
      CHECK(each.error() == std::errc::operation_canceled);
      CHECK(each.bytes() == 0);
    }
  }
}

TEST_CASE("what a device gives goes to its readers in their order", "[file][device][R2]") {
  const Devices devices;
  const Folder folder;
  std::list<ReadingAt> reads;
  std::string order;
  World world;
  Device device(folder);
  const proa::File file = device.open(world, GENERATE(false, true));
  for (char name = 'a'; name < 'e'; ++name) {
    ReadingAt& read = reads.emplace_back(16);
    read.then = [&order, &read, name] { order += name + std::string(read.text()); };
    world.submit(read.from(file.descriptor()));
  }
  for (std::size_t i = 1; i <= 4; ++i) {
    turns(world, 3);
    device.give(std::to_string(i));
    world.run_until("a read ended", [&] { return order.size() == 2 * i; });
  }
  CHECK(order == "a1b2c3d4");
}

TEST_CASE("a read of a device ends with what there is, one of all with all", "[file][device][R2]") {
  const Devices devices;
  const Folder folder;
  ReadingAt some(8);
  ReadingAt all(8);
  World world;
  Device device(folder);
  const proa::File file = device.open(world, GENERATE(false, true));
  world.submit(some.from(file.descriptor()));
  device.give("abc");
  world.run_until("the read ended", [&] { return some.done(); });
  CHECK(!some.error());
  CHECK(some.text() == "abc");
  all.request.prepare_exactly(file.descriptor(), 0, {all.memory.data(), all.memory.size()});
  world.submit(all.request);
  device.give("defg");
  turns(world, 5);
  CHECK(!all.done());
  device.give("hijk");
  world.run_until("the read ended", [&] { return all.done(); });
  CHECK(!all.error());
  CHECK(all.text() == "defghijk");
}

TEST_CASE("the deadline of a read ends the wait for a device", "[file][device][R7]") {
  const Devices devices;
  const Folder folder;
  ReadingAt read(8);
  World world;
  Device device(folder);
  const proa::File file = device.open(world, GENERATE(false, true));
  world.submit(read.from(file.descriptor()), world.in(5ms));
  world.run_until("the read ended", [&] { return read.done(); });
  CHECK(read.error() == proa::Error::deadline);
  device.give("later");
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.text() == "later");
}

TEST_CASE("a write waits for the room of a device", "[file][device][R8]") {
  const Devices devices;
  const Folder folder;
  WritingAt write;
  World world;
  Device device(folder);
  const proa::File file = device.open(world, false);
  const std::string bytes = pattern(1, 300000);
  world.submit(write.to(file.descriptor(), 0, bytes));
  turns(world, 5);
  CHECK(!write.done());
  check_files(world, folder);
  const Raw end(::open(device.path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  std::string came;
  world.run_until("all came", [&] {
    char part[4096];
    const ssize_t size = ::read(end.number, part, sizeof part);
    if (size > 0) came.append(part, static_cast<std::size_t>(size));
    return came.size() == bytes.size();
  });
  world.run_until("the write ended", [&] { return write.done(); });
  CHECK(!write.error());
  CHECK(write.bytes() == bytes.size());
  CHECK(first_difference(1, came) == no_difference);
}

// Reads on at each end.
class Reader : public proa::FileHandler {
 public:
  using FileHandler::FileHandler;
  std::string text;
  bool opened = false;
  int closed = 0;
  int behind_close = 0;

 protected:
  void on_open() override {
    opened = true;
    start_reading();
  }
  void on_read(proa::Buffer& data) override {
    text += data.text();
    behind_close += closing();
  }
  void on_end() override {
    behind_close += closing();
    start_reading();
  }
  void on_error(std::error_code) override { ++behind_close; }
  void on_closed() override { ++closed; }
};

TEST_CASE("a file's handler gives all that a device gives, in order", "[file][device][R2]") {
  const Devices devices;
  const Folder folder;
  World world;
  Device device(folder);
  Reader reader(*world);
  reader.open(device.path, both_ways);
  std::string given;
  for (int i = 0; i < 20; ++i) {
    const std::string part = std::to_string(i) + ",";
    given += part;
    world.run_until("it is open", [&] { return reader.opened; });
    device.give(part);
    world.run_until("it was read", [&] { return reader.text.size() >= given.size(); });
  }
  for (int i = 0; i < 300; ++i) {
    given += std::to_string(i) + ",";
    device.give(std::to_string(i) + ",");
    if (i % 3 == 0) world.turn();
  }
  world.run_until("all was read", [&] { return reader.text.size() >= given.size(); });
  CHECK(reader.text == given);
  reader.close();
  world.run_until("it is closed", [&] { return reader.closed == 1; });
}

TEST_CASE("close() ends the wait for a device", "[file][device][R6]") {
  const Devices devices;
  const Folder folder;
  World world;
  Device device(folder);
  std::list<Reader> readers;
  const std::size_t number = GENERATE(std::size_t{1}, std::size_t{6});
  for (std::size_t i = 0; i < number; ++i) {
    readers.emplace_back(*world).open(device.path, both_ways);
  }
  world.run_until("all are open", [&] {
    return std::all_of(readers.begin(), readers.end(), [](Reader& each) { return each.opened; });
  });
  turns(world, 5);
  SECTION("of each handler") {
    for (Reader& each : readers) each.close();
    world.run_until("all are closed", [&] {
      return std::all_of(readers.begin(), readers.end(),
                         [](Reader& each) { return each.closed == 1; });
    });
  }
  SECTION("of the proactor") { CHECK(world->shutdown(hang) == 0); }
  for (Reader& each : readers) {
    CHECK(each.closed == 1);
    CHECK(each.behind_close == 0);
    CHECK(each.text.empty());
  }
  world.run_until("the kernel has let go of the device", [&] {
    const int end = ::open(device.path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (end >= 0) ::close(end);
    return end < 0;
  });
}

Gate gate;

long read_nothing(int number, const iovec* pieces, int count, std::int64_t offset,
                  int flags) noexcept {
  if (!is_fifo(number)) return preadv2_before(number, pieces, count, offset, flags);
  gate.pass();
  return -EAGAIN;
}

TEST_CASE("close() ends the wait for a device that a thread is asking just then",
          "[file][device][R6]") {
  const Devices devices;
  const Folder folder;
  World world;
  Device device(folder);
  std::list<Reader> readers;
  const Replaced replaced(proa::sys::table.preadv2, read_nothing);
  gate.shut();
  Reader& reader = readers.emplace_back(*world);
  reader.open(device.path, both_ways);
  world.run_until("a thread asks the device", [] { return gate.arrived() == 1; });
  const bool of_all = GENERATE(false, true);
  of_all ? void(world->shutdown(0ns)) : reader.close();
  gate.open();
  world.run_until("it is closed", [&] { return reader.closed == 1; });
  CHECK(reader.behind_close == 0);
}

TEST_CASE("cancels that meet what a device gives lose nothing", "[file][device][R4][thread]") {
  const Devices devices;
  const Folder folder;
  ReadingAt read(4);
  World world;
  Device device(folder);
  const proa::File file = device.open(world, GENERATE(false, true));
  std::string given;
  std::string came;
  for (int i = 0; i < 300; ++i) {
    world.submit(read.from(file.descriptor()));
    if (i % 3 != 0) world.turn();
    const std::string part(1, static_cast<char>('a' + i % 26));
    device.give(part);
    given += part;
    world->cancel(read.request);
    world.run_until("the read ended", [&] { return read.done(); });
    const bool cancelled = read.error() == std::errc::operation_canceled;
    CHECK((cancelled || !read.error()));
    came += read.text();
    read.results.clear();
  }
  while (came.size() < given.size()) {
    perform(world, (read.from(file.descriptor()), read));
    REQUIRE(!read.error());
    came += read.text();
    read.results.clear();
  }
  CHECK(came == given);
}

}  // namespace
