// Input that goes into a file: what belongs to it and what does not, its end, and the ways in which
// it can go wrong.
#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Error;
using proa::OpenFlags;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

Link any_link() { return GENERATE(Link::tcp4, Link::path); }

proa::File new_file(World& world, const Folder& folder, const std::string& name = "a") {
  return open_file(world, folder.path(name),
                   OpenFlags::read | OpenFlags::write | OpenFlags::create);
}

// Notes what on_received() says as an event, and the number.
class Storing : public Stream {
 public:
  using Stream::Stream;
  std::vector<std::uint64_t> stored;
  std::function<void(std::uint64_t)> on_stored;

 private:
  void on_received(std::uint64_t bytes) override {
    events.push_back("stored");
    stored.push_back(bytes);
    if (on_stored) on_stored(bytes);
  }
};

class Stores {
 public:
  Storing& add(World& world, proa::Socket& socket) {
    return all_.emplace_back(*world, std::move(socket));
  }

 private:
  std::list<Storing> all_;
};

struct StoreLine {
  Storing& stream;
  Peer& far;
};

StoreLine store_line(Stores& stores, World& world, Link link = Link::tcp4) {
  const Connection pair = world.pair(link);
  return {stores.add(world, pair.near), pair.far};
}

void wait_stored(World& world, Storing& stream, std::size_t times = 1) {
  world.run_until(
      "it was told", [&] { return stream.stored.size() >= times; }, 20s);
}

TEST_CASE("input goes into a file, and on_read goes on with the byte behind", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  const std::size_t size = GENERATE(std::size_t{1}, 100 * kib, 5 * mib);
  auto [stream, far] = store_line(stores, world, any_link());
  stream.opened = [&, &s = stream] {
    s.receive_file(file.descriptor(), 10, size);
    CHECK(s.stored.empty());  // R1
  };
  stream.on_stored = [&](std::uint64_t) { CHECK(contents(folder.path("a")).size() == 10 + size); };
  far.send(pattern(1, size) + "behind");
  world.run_until("the rest arrived", [&s = stream] { return s.received.size() == 6; });
  CHECK(stream.received == "behind");
  CHECK(stream.stored == std::vector<std::uint64_t>{size});
  CHECK(stream.file_received() == size);
  CHECK(stream.events == Events{"open", "stored", "read"});
  CHECK(contents(folder.path("a")) == std::string(10, '\0') + pattern(1, size));
}

TEST_CASE("what on_read did not use comes first", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{3}, std::size_t{9}, 300 * kib);
  auto [stream, far] = store_line(stores, world, any_link());
  stream.read = [&, &s = stream](Buffer& data) {
    if (!s.stored.empty() || s.received.substr(0, 4) != "head") return;
    s.received.clear();
    data.remove_prefix(4);
    s.receive_file(file.descriptor(), 0, size, std::move(data));
  };
  wait_open(world, stream);
  far.send("head" + pattern(2, size));
  turns(world, GENERATE(0, 3));
  far.send("behind");
  world.run_until("all arrived",
                  [&s = stream] { return s.stored.size() == 1 && s.received.size() == 6; });
  CHECK(stream.stored == std::vector<std::uint64_t>{size});
  CHECK(contents(folder.path("a")) == pattern(2, size));
  CHECK(stream.received == "behind");
}

TEST_CASE("several files one behind the other, some of nothing", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File a = new_file(world, folder, "a");
  const proa::File b = new_file(world, folder, "b");
  auto [stream, far] = store_line(stores, world, any_link());
  std::vector<std::uint64_t> counts;
  stream.on_stored = [&, &s = stream](std::uint64_t) { counts.push_back(s.file_received()); };
  stream.opened = [&, &s = stream] {
    s.receive_file(a.descriptor(), 0, 0);
    s.receive_file(a.descriptor(), 0, 700 * kib);
    s.receive_file(b.descriptor(), 0, 5);
    s.receive_file(b.descriptor(), 0, 0);
    s.receive_file(b.descriptor(), 5, 300 * kib);
  };
  far.send(pattern(3, 700 * kib) + "12345" + pattern(4, 300 * kib) + "behind");
  world.run_until("all arrived", [&s = stream] { return s.received.size() == 6; });
  CHECK(stream.received == "behind");
  CHECK(stream.stored == std::vector<std::uint64_t>{0, 700 * kib, 5, 0, 300 * kib});
  CHECK(contents(folder.path("a")) == pattern(3, 700 * kib));
  CHECK(contents(folder.path("b")) == "12345" + pattern(4, 300 * kib));
}

TEST_CASE("while reading is stopped nothing goes on, and nothing is lost", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, any_link());
  constexpr std::size_t size = 3 * mib;
  far.send_pattern(5, size);
  stream.opened = [&s = stream] { s.stop_reading(); };
  wait_open(world, stream);
  stream.receive_file(file.descriptor(), 0, size - 7);
  for (int i = 0; i < 10; ++i) {
    turns(world, 3);
    stream.stop_reading();
    turns(world, 3);
    const std::uint64_t before = stream.file_received();
    turns(world, 10);
    CHECK(stream.file_received() == before);
    CHECK(stream.received_bytes == 0);
    stream.start_reading();
  }
  wait_stored(world, stream);
  world.run_until("the rest arrived", [&s = stream] { return s.received_bytes == 7; });
  CHECK(stream.received == pattern(5, 7, size - 7));
  CHECK(first_difference(5, contents(folder.path("a"))) == no_difference);
}

TEST_CASE("a peer that ends before the file is full: what came is written", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  const std::size_t came = GENERATE(std::size_t{0}, std::size_t{1000}, 2 * mib);
  auto [stream, far] = store_line(stores, world, any_link());
  std::uint64_t at_end = UINT64_MAX;
  std::string in_file;
  const auto note = [&, &s = stream] {
    at_end = s.file_received();
    in_file = contents(folder.path("a"));
    s.close();
  };
  stream.ended = note;
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, came + 1); };
  far.send(pattern(6, came));
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.stored.empty());
  CHECK(at_end == came);
  CHECK(in_file == pattern(6, came));
}

TEST_CASE("an error of the file leaves the connection, and the bytes, to the handler", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File full = open_file(world, "/dev/full", OpenFlags::write);
  const proa::File read_only = open_file(world, folder.file("a", "x"), OpenFlags::read);
  const bool is_full = GENERATE(true, false);
  const proa::File& file = is_full ? full : read_only;
  auto [stream, far] = store_line(stores, world, any_link());
  stream.opened = [&, &s = stream] {
    s.receive_file(file.descriptor(), 0, 500 * kib);
    s.receive_file(file.descriptor(), 0, 10);
  };
  far.send_pattern(7, 600 * kib);
  SECTION("the default closes") {
    wait_closed(world, stream);
    CHECK(stream.events == Events{"open", "error", "closed"});
  }
  SECTION("a handler that stays gets what was not written, and can answer") {
    stream.failed = [&s = stream](std::error_code) { s.write("no room"); };
    stream.expect_pattern(7);
    world.run_until("the rest arrived", [&s = stream] { return s.received_bytes == 600 * kib; });
    CHECK(stream.difference == no_difference);
    wait_received(world, far, 7);
    CHECK(far.received() == "no room");
  }
  CHECK(stream.count("error") == 1);
  CHECK(stream.error == std::error_code(is_full ? ENOSPC : EBADF, std::system_category()));
  CHECK(stream.stored.empty());
  CHECK(stream.file_received() == 0);
}

TEST_CASE("what cannot be received into is told by on_error", "[file][R2]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  wait_open(world, stream);
  SECTION("no file") {
    stream.receive_file({}, 0, 1);
    wait_closed(world, stream);
    CHECK(stream.error == std::errc::bad_file_descriptor);
  }
  SECTION("an offset that overflows") {
    stream.receive_file(file.descriptor(), INT64_MAX, 1);
    wait_closed(world, stream);
    CHECK(stream.error == Error::bad_offset);
  }
  SECTION("a second one that brings bytes of its own") {
    stream.read = [&, &s = stream](Buffer& data) {
      s.receive_file(file.descriptor(), 0, 100);
      s.receive_file(file.descriptor(), 0, 100, std::move(data));
    };
    far.send("1234");
    wait_closed(world, stream);
    CHECK(stream.error == std::errc::connection_already_in_progress);
  }
  CHECK(stream.count("error") == 1);
}

TEST_CASE("close() and finish() while a file is received into", "[file][R6]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world, any_link());
  const bool closes = GENERATE(true, false);
  const int when = GENERATE(0, 1, 2, 5, 20);
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 64 * mib); };
  far.send_pattern(8, 8 * mib);
  wait_open(world, stream);
  turns(world, when);
  closes ? stream.close() : stream.finish();
  const Events before = stream.events;
  if (!closes) {
    wait_ended(world, far);
    far.close();
  }
  wait_closed(world, stream);
  CHECK(stream.events.size() == before.size() + 1);
  CHECK(stream.stored.empty());
  // No write comes behind on_closed().
  const std::string then = contents(folder.path("a"));
  CHECK(first_difference(8, then) == no_difference);
  turns(world, 5);
  CHECK(contents(folder.path("a")) == then);
}

TEST_CASE("an exception from on_received loses nothing", "[file][C07]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  wait_open(world, stream);
  for (std::size_t i = 0; i < 4; ++i) stream.receive_file(file.descriptor(), i * 1000, 1000);
  stream.on_stored = [](std::uint64_t bytes) { throw bytes; };
  far.send(pattern(9, 4000) + "behind");
  int caught = 0;
  const proa::TimePoint limit = world.in(10s);
  while (stream.received.size() < 6 && world.system().now() < limit) {
    try {
      world.turn();
    } catch (std::uint64_t) {
      ++caught;
    }
  }
  CHECK(caught == 4);
  CHECK(stream.received == "behind");
  CHECK(contents(folder.path("a")) == pattern(9, 4000));
}

TEST_CASE("the read timeout counts while a file waits for the peer", "[file][R7]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  stream.set_read_timeout(200ms);
  std::uint64_t came = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    came = s.file_received();
    s.close();
  };
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 1000); };
  wait_open(world, stream);
  for (int i = 0; i < 6; ++i) {
    far.send("12345");
    pass(world, 60ms);
  }
  REQUIRE(!stream.saw("error"));
  const proa::TimePoint since = world.system().now();
  wait_closed(world, stream);
  CHECK(world.system().now() - since > 100ms);
  CHECK(stream.error == Error::deadline);
  CHECK(came == 30);
  CHECK(contents(folder.path("a")).size() == 30);
}

TEST_CASE("a reset while a file is received into: what came is written first", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const proa::File file = new_file(world, folder);
  auto [stream, far] = store_line(stores, world);
  stream.opened = [&, &s = stream] { s.receive_file(file.descriptor(), 0, 64 * mib); };
  far.send_pattern(10, 200 * kib);
  world.run_until("some was written", [&s = stream] { return s.file_received() > 0; });
  std::uint64_t came = 0;
  stream.failed = [&, &s = stream](std::error_code) {
    came = s.file_received();
    s.close();
  };
  far.reset();
  wait_closed(world, stream);
  CHECK(stream.error == std::errc::connection_reset);
  CHECK(came > 0);
  CHECK(contents(folder.path("a")).size() == came);
  CHECK(first_difference(10, contents(folder.path("a"))) == no_difference);
}

TEST_CASE("a file to a socket to a file, in both directions at once", "[file]") {
  const Folder folder;
  Stores stores;
  World world;
  const std::size_t size = (sanitized() ? 4 : 16) * mib;
  const proa::File from_a = open_file(world, folder.file("from_a", pattern(11, size)));
  const proa::File from_b = open_file(world, folder.file("from_b", pattern(12, size)));
  const proa::File to_a = new_file(world, folder, "to_a");
  const proa::File to_b = new_file(world, folder, "to_b");
  const Connection pair = world.pair(any_link());
  Storing& a = stores.add(world, pair.near);
  Storing& b = stores.add(world, pair.far.socket());
  for (Storing* each : {&a, &b}) {
    each->opened = [&, each] {
      each->send_file(each == &a ? from_a.descriptor() : from_b.descriptor(), 0, size);
      each->receive_file(each == &a ? to_a.descriptor() : to_b.descriptor(), 0, size);
    };
    each->written = [each](std::size_t) { each->half_close(); };
  }
  wait_closed(world, a, 20s);
  wait_closed(world, b, 20s);
  CHECK(a.writes == std::vector<std::size_t>{size});
  CHECK(b.writes == std::vector<std::size_t>{size});
  CHECK(a.stored == std::vector<std::uint64_t>{size});
  CHECK(b.stored == std::vector<std::uint64_t>{size});
  CHECK(first_difference(12, contents(folder.path("to_a"))) == no_difference);
  CHECK(first_difference(11, contents(folder.path("to_b"))) == no_difference);
}

}  // namespace
