// Input that goes into a file: what belongs to it and what does not.
#include "contract/store_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = kib * kib;

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
    const std::size_t told = stream.stored.size() + stream.received_bytes;
    std::uint64_t before = stream.file_received();
    int steps = 0;
    for (int turn = 0; turn < 15; ++turn) {
      world.turn();
      steps += std::exchange(before, stream.file_received()) != before;
    }
    CHECK(steps <= 1);  // what was on its way into the file
    CHECK(stream.stored.size() + stream.received_bytes == told);
    stream.start_reading();
  }
  wait_stored(world, stream);
  world.run_until("the rest arrived", [&s = stream] { return s.received_bytes == 7; });
  CHECK(stream.received == pattern(5, 7, size - 7));
  CHECK(first_difference(5, contents(folder.path("a"))) == no_difference);
}

TEST_CASE("a file to a socket to a file, in both directions at once", "[file][send_file]") {
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
  wait_closed(world, a);
  wait_closed(world, b);
  CHECK(a.writes == std::vector<std::size_t>{size});
  CHECK(b.writes == std::vector<std::size_t>{size});
  CHECK(a.stored == std::vector<std::uint64_t>{size});
  CHECK(b.stored == std::vector<std::uint64_t>{size});
  CHECK(first_difference(12, contents(folder.path("to_a"))) == no_difference);
  CHECK(first_difference(11, contents(folder.path("to_b"))) == no_difference);
}

}  // namespace
