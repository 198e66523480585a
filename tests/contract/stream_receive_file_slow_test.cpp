// Files that are slower than the stream which is received into them.
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "contract/store_rig.hpp"
#include "support/patient_clock.hpp"
#include "support/replaced.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;

constexpr std::size_t mib = std::size_t{1} << 20;

// Until it is opened, a write that a worker has begun does not return. Declare it before the World.
class WriteGate {
 public:
  WriteGate() {
    shut_ = true;
    arrived_ = false;
    below_ = std::exchange(proa::sys::table.pwritev2, &pass);
  }
  ~WriteGate() {
    open();
    proa::sys::table.pwritev2 = below_;
  }
  void open() {
    const std::lock_guard lock(mutex_);
    shut_ = false;
    opened_.notify_all();
  }
  bool arrived() const { return arrived_; }

 private:
  static long pass(int fd, const iovec* pieces, int count, std::int64_t offset,
                   int flags) noexcept {
    arrived_ = true;
    {
      std::unique_lock lock(mutex_);
      while (shut_) opened_.wait(lock);
    }
    return below_(fd, pieces, count, offset, flags);
  }
  inline static decltype(proa::sys::table.pwritev2) below_ = nullptr;
  inline static std::mutex mutex_;
  inline static std::condition_variable opened_;
  inline static std::atomic<bool> arrived_{false};
  inline static bool shut_ = false;
};

TEST_CASE("the end of a stream waits for the write that has begun", "[file][R6]") {
  const Folder folder;
  Stores stores;
  WriteGate gate;
  proa::Options with = options();
  with.native_files = false;  // workers write
  World world(with);
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, any_link());
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, mib); };
  far.send_pattern(14, 1000);
  world.run_until("a worker writes", [&] { return gate.arrived(); });
  SECTION("close()") { stream.close(); }
  SECTION("finish()") {
    stream.finish();
    far.close();
  }
  turns(world, 20);
  CHECK(!stream.is_closed());
  CHECK(contents(folder.path("a")).empty());
  // What it writes is not lent to others meanwhile.
  const std::string others(20000, '!');
  for (int i = 0; i < 3; ++i) world->take_buffer().append(proa::Bytes(others));
  gate.open();
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", "closed"});
  CHECK(first_difference(14, contents(folder.path("a"))) == no_difference);
  CHECK(!contents(folder.path("a")).empty());
}

Gate occupying;
long held_truncate(int, std::int64_t) noexcept {
  occupying.pass();
  return 0;
}

// Keeps the only worker at a Truncate until it is released. Declare it before the World.
class Occupied {
 public:
  Occupied() { occupying.shut(); }
  ~Occupied() { occupying.open(); }
  void begin(World& world, proa::Descriptor file) {
    cut_.request.prepare(file, 0);
    world.submit(cut_.request);
    world.run_until("the worker is kept", [] { return occupying.arrived() == 1; });
  }
  void release(World& world) {
    occupying.open();
    world.run_until("the worker is free", [&] { return cut_.done(); });
  }

 private:
  Replaced<long(int, std::int64_t) noexcept> truncate_{proa::sys::table.ftruncate, held_truncate};
  Recording<proa::Truncate> cut_;
};

TEST_CASE("a peer that is faster than the file waits, and memory is bounded", "[file]") {
  const Folder folder;
  Stores stores;
  proa::Options with = options();
  with.native_files = false;
  with.workers = 1;
  with.buffers = 4096;  // they are not what bounds it
  Occupied worker;
  const PatientClock clock;
  World world(with);
  const proa::File other = open_file(world, folder.file("other", "x"));
  worker.begin(world, other.descriptor());
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, Link::path);
  constexpr std::size_t size = 4 * mib;
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, size); };
  far.send_pattern(13, size);
  stream.set_read_timeout(100ms);
  stream.set_idle_timeout(100ms);
  pass(world, 300ms);
  CHECK(!far.sent());
  CHECK(stream.file_received() == 0);
  const bool closes = GENERATE(false, true);
  if (closes) {
    stream.close();  // what no worker has begun is not waited for
    wait_closed(world, stream);
    worker.release(world);
    CHECK(contents(folder.path("a")).empty());
    return;
  }
  worker.release(world);
  wait_stored(world, stream);
  CHECK(!stream.saw("error"));  // it was not the peer who was silent
  CHECK(contents(folder.path("a")).size() == size);
  CHECK(first_difference(13, contents(folder.path("a"))) == no_difference);
}

TEST_CASE("a file that is slower than its stream leaves the buffers to others", "[file][R8]") {
  const Folder folder;
  Streams streams;
  Stores stores;
  proa::Options with = options();
  with.native_files = false;
  with.workers = 1;
  with.buffers = 4;
  Occupied worker;
  World world(with);
  const proa::File other = open_file(world, folder.file("other", "x"));
  worker.begin(world, other.descriptor());
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, Link::path);
  constexpr std::size_t size = 4 * mib;
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, size); };
  far.send_pattern(13, size);
  turns(world, 50);
  auto [echo, echo_far] = line(streams, world, Link::path);
  echo.echoes = true;
  echo_far.send("hello");
  wait_received(world, echo_far, 5);
  CHECK(!far.sent());
  CHECK(stream.stored.empty());
  worker.release(world);
  wait_stored(world, stream);
  CHECK(first_difference(13, contents(folder.path("a"))) == no_difference);
}

}  // namespace
