// A filter between a stream's protocol and its connection: the protocol does not know, whatever the
// filter does to the bytes, and whatever it says by itself. The tests of streams run over one that
// only looks on as well (the configuration epoll-stream-filter).
#include <unistd.h>

#include <proa/file.hpp>
#include <proa/server.hpp>
#include <proa/stream_filter.hpp>

#include "contract/filter_rig.hpp"
#include "contract/raw.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;

constexpr std::size_t mib = std::size_t{1} << 20;

// Greets its peer before all else, cuts what is written into frames, hides their bytes, and says
// farewell. What is written before the peer's greeting has come waits.
class Framing : public proa::StreamFilter {
 public:
  std::size_t frames = 0;

 private:
  static constexpr char greeting = 'G', frame = 'F', farewell = 'B';

  void on_connected() noexcept override { say(greeting, {}); }
  bool wants_input() const noexcept override { return !greeted_; }
  void on_written(Buffer data) noexcept override {
    if (!greeted_) return (void)waiting_.append(data.text());
    say(frame, data.text());
  }
  void on_finished() noexcept override {
    finished_ = true;
    if (greeted_) part();
  }
  void on_ended() noexcept override {
    ended_ ? give_end() : fail(std::make_error_code(std::errc::connection_aborted));
  }
  void on_received(Buffer data) noexcept override {
    came_.append(data.text());
    std::size_t at = 0;
    while (came_.size() - at >= 3) {
      const auto size = static_cast<std::size_t>(static_cast<unsigned char>(came_[at + 1])) * 256 +
                        static_cast<unsigned char>(came_[at + 2]);
      if (came_.size() - at < 3 + size) break;
      took(came_[at], came_.substr(at + 3, size));
      at += 3 + size;
    }
    came_.erase(0, at);
  }

  void took(char what, std::string bytes) {
    if (what == greeting) {
      greeted_ = true;
      if (!waiting_.empty()) say(frame, std::exchange(waiting_, {}));
      if (finished_) part();
    } else if (what == farewell) {
      ended_ = true;
    } else if (what == frame && greeted_) {
      ++frames;
      for (char& byte : bytes) byte = static_cast<char>(byte ^ 0x55);
      each_block(bytes, [this](Buffer block) { give(std::move(block)); });
    } else {
      fail(std::make_error_code(std::errc::bad_message));
    }
  }
  void part() {
    say(farewell, {});
    send_end();
  }
  void say(char what, std::string_view bytes) {
    do {
      const std::string_view part = bytes.substr(0, 10007);
      bytes.remove_prefix(part.size());
      std::string all = {what, static_cast<char>(part.size() / 256),
                         static_cast<char>(part.size() % 256)};
      for (const char byte : part) all += static_cast<char>(byte ^ 0x55);
      each_block(all, [this](Buffer block) { send(std::move(block)); });
    } while (!bytes.empty());
  }
  template <class Use>
  void each_block(std::string_view bytes, Use use) {
    while (!bytes.empty()) {
      Buffer block = proactor().take_buffer();
      bytes.remove_prefix(block.append(Bytes(bytes)));
      use(std::move(block));
    }
  }

  bool greeted_ = false;
  bool ended_ = false;
  bool finished_ = false;
  std::string waiting_, came_;
};

// All that a stream asks of a filter is noexcept: a filter that may throw does not compile.
struct Bound : proa::StreamFilter {
  static void check() {
    static_assert(noexcept(std::declval<Bound&>().StreamFilter::on_connected()));
    static_assert(noexcept(std::declval<Bound&>().on_received(Buffer())));
    static_assert(noexcept(std::declval<Bound&>().StreamFilter::on_ended()));
    static_assert(noexcept(std::declval<Bound&>().on_written(Buffer())));
    static_assert(noexcept(std::declval<Bound&>().StreamFilter::on_finished()));
    static_assert(noexcept(std::declval<Bound&>().StreamFilter::wants_input()));
  }
};

struct Pair {
  Pair(Streams& streams, World& world, Link kind = Link::tcp4)
      : pair(world.pair(kind)),
        a(streams.add(*world, std::move(pair.near))),
        b(streams.add(*world, std::move(pair.far.socket()))) {
    a.set_filter(std::make_unique<Framing>());
    b.set_filter(std::make_unique<Framing>());
    // Neither has opened the connection: both would be held by their own output.
    proa::Watermarks marks;
    marks.pause_reading = false;
    a.set_watermarks(marks);
    b.set_watermarks(marks);
  }
  Connection pair;
  Stream& a;
  Stream& b;
};

TEST_CASE("what is written through filters is read through them, both ways, and ended",
          "[filter]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  Pair pair(streams, world, kind);
  std::size_t size = 100;
  SECTION("little") {}
  SECTION("much") { size = 3 * mib + 17; }
  pair.a.expect_pattern(2);
  pair.b.expect_pattern(1);
  pair.a.write(Bytes(pattern(1, size)));
  pair.b.write(Bytes(pattern(2, size)));
  SECTION("one ends at once, one behind on_open()") {
    wait_open(world, pair.b);
    turns(world, 3);
  }
  pair.a.half_close();
  pair.b.half_close();
  wait_closed(world, pair.a);
  wait_closed(world, pair.b);
  for (Stream* const each : {&pair.a, &pair.b}) {
    CHECK(each->received_bytes == size);
    CHECK(each->difference == no_difference);
    CHECK(each->writes == std::vector<std::size_t>{size});
    CHECK(each->count("end") == 1);
    CHECK(!each->error);
  }
}

TEST_CASE("on_write() tells of what the protocol wrote, write by write", "[filter]") {
  Streams streams;
  World world;
  Pair pair(streams, world);
  const std::vector<std::size_t> sizes = {1, 0, 70000, 5, 0, 4096};
  const auto write_all = [&] {
    for (const std::size_t size : sizes) pair.a.write(Bytes(std::string(size, 'x')));
  };
  SECTION("before on_open()") {
    write_all();
    world.run_until("all was told", [&] { return pair.a.writes.size() == sizes.size(); });
  }
  SECTION("behind the greeting, by buffers too") {
    wait_open(world, pair.a);
    turns(world, 5);
    write_all();
    Buffer block = world->take_buffer();
    block.append("block");
    pair.a.write(std::move(block));
    world.run_until("all was told", [&] { return pair.a.writes.size() == sizes.size() + 1; });
    CHECK(pair.a.writes.back() == 5);
    pair.a.writes.pop_back();
  }
  CHECK(pair.a.writes == sizes);
}

TEST_CASE("a filter hears its peer although the protocol does not read", "[filter]") {
  Streams streams;
  World world;
  Pair pair(streams, world);
  pair.a.opened = [&] { pair.a.write("at last"); };
  pair.b.opened = [] {};
  world.run_until("it was written", [&] { return pair.a.saw("write"); });
  turns(world, 5);
  CHECK(pair.b.received.empty());
  pair.b.start_reading();
  world.run_until("it was read", [&] { return pair.b.received == "at last"; });
}

TEST_CASE("a stream is stopped, started and held behind its filter as without", "[filter][T33]") {
  Streams streams;
  World world;
  Pair pair(streams, world);
  pair.b.expect_pattern(7);
  const std::size_t size = mib;
  SECTION("stopped in each callback") {
    pair.b.read = [&](Buffer&) { pair.b.stop_reading(); };
    pair.a.write(Bytes(pattern(7, size)));
    world.run_until("all was read", [&] {
      if (pair.b.saw("open")) pair.b.start_reading();
      return pair.b.received_bytes == size;
    });
  }
  SECTION("held by its own output") {
    pair.b.set_watermarks({20000, 5000, 8 * mib});
    pair.b.echoes = true;
    pair.a.expect_pattern(7);
    pair.a.write(Bytes(pattern(7, size)));
    world.run_until("all came back", [&] { return pair.a.received_bytes == size; });
    CHECK(pair.a.difference == no_difference);
  }
  CHECK(pair.b.difference == no_difference);
}

TEST_CASE("an end without a farewell is an error, behind what had come", "[filter]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.set_filter(std::make_unique<Framing>());
  wait_open(world, stream);
  far.send(std::string("G\0\0F\0\1", 6) + 'x');
  std::errc expected = std::errc::connection_aborted;
  SECTION("no farewell") {}
  SECTION("bytes that make no sense") {
    far.send(std::string("?\0\0", 3));
    expected = std::errc::bad_message;
  }
  far.half_close();
  wait_closed(world, stream);
  CHECK(stream.received == std::string(1, 'x' ^ 0x55));
  CHECK(stream.events == Events{"open", "read", "error", "closed"});
  CHECK(stream.error == expected);
}

TEST_CASE("a filter that is set on the way: writes before it pass by it", "[filter]") {
  Streams streams;
  World world;
  const Connection pair = world.pair();
  Stream& stream = streams.add(*world, std::move(pair.near));
  wait_open(world, stream);
  stream.write("plain");
  stream.set_filter(std::make_unique<Framing>());
  stream.write("hidden");
  pair.far.send(std::string("G\0\0", 3));
  const std::string hidden = {'h' ^ 0x55, 'i' ^ 0x55, 'd' ^ 0x55,
                              'd' ^ 0x55, 'e' ^ 0x55, 'n' ^ 0x55};
  const std::string expected = "plain" + std::string("G\0\0F\0\6", 6) + hidden;
  world.run_until("it arrived", [&] { return pair.far.received() == expected; });
  world.run_until("it was told", [&] { return stream.writes.size() == 2; });
  CHECK(stream.writes == std::vector<std::size_t>{5, 6});
}

TEST_CASE("a file is not sent past a filter", "[filter][file]") {
  Streams streams;
  World world;
  Pair pair(streams, world);
  pair.a.send_file({0, proa::DescriptorKind::file}, 0, 1);
  wait_closed(world, pair.a);
  CHECK(pair.a.error == std::errc::operation_not_supported);
}

TEST_CASE("before on_closed() a filter is gone, and the stream as new", "[filter][R6]") {
  struct Mortal : Framing {
    explicit Mortal(bool& gone) : gone_(gone) {}
    ~Mortal() override { gone_ = true; }
    bool& gone_;
  };
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  bool gone = false;
  bool gone_at_end = false;
  client.closed = [&] { gone_at_end = gone; };
  SECTION("that never connected") {
    client.set_filter(std::make_unique<Mortal>(gone));
    CHECK(!client.is_open());
    client.close();
  }
  SECTION("in the middle") {
    client.set_filter(std::make_unique<Mortal>(gone));
    client.opened = [&] { client.close(); };
    client.connect(listener.local_address());
  }
  wait_closed(world, client);
  CHECK(gone_at_end);
}

TEST_CASE("what a filter gives behind the peer's end is read before the end", "[filter]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Late& filter = late(stream);
  const std::string path = "/tmp/proa-test-filter-" + std::to_string(::getpid());
  std::error_code error;
  proa::File file =
      proa::File::open(*world, path, proa::OpenFlags::write | proa::OpenFlags::create, 0600, error);
  REQUIRE(!error);
  std::uint64_t in_file = 0;
  Events expected{"open", "read", "end", "closed"};
  std::string received = "late";

  const bool into_file = GENERATE(false, true);
  if (into_file) {
    stream.opened = [&, s = &stream] { s->receive_file(file.descriptor(), 0, 100); };
    stream.ended = [&, s = &stream] {
      in_file = s->file_received();
      s->finish();
    };
    expected = {"open", "end", "closed"};
    received = "";
  }
  far.send("late");
  far.half_close();
  world.run_until("the filter heard of the end", [&] { return filter.ends > 0; });
  turns(world, 5);
  CHECK(stream.events == Events{"open"});
  SECTION("both at once") {
    filter.let_go();
    filter.give_end();
  }
  SECTION("the end later") {
    filter.let_go();
    turns(world, 5);
    CHECK(!stream.saw("end"));
    filter.give_end();
  }
  SECTION("while reading is stopped") {
    stream.stop_reading();
    filter.let_go();
    filter.give_end();
    turns(world, 5);
    CHECK(stream.events == Events{"open"});
    stream.start_reading();
  }
  SECTION("an end that is an error") {
    filter.let_go();
    filter.fail(std::make_error_code(std::errc::bad_message));
    expected =
        into_file ? Events{"open", "error", "closed"} : Events{"open", "read", "error", "closed"};
    in_file = 4;
  }
  SECTION("the stream writes meanwhile") {
    stream.write("answer");
    world.run_until("the answer arrived",
                    [&, peer = &far] { return peer->received() == "answer"; });
    expected.insert(expected.begin() + 1, "write");
    filter.let_go();
    filter.give_end();
  }
  SECTION("a send fails meanwhile") {
    far.reset();
    stream.write("x");
    turns(world, 5);
    CHECK(stream.events == Events{"open"});
    filter.let_go();
    filter.give_end();
    expected =
        into_file ? Events{"open", "error", "closed"} : Events{"open", "read", "error", "closed"};
    in_file = 4;
  }
  SECTION("the stream finishes meanwhile") {
    stream.finish();
    expected = {"open", "closed"};
    received = "";
    in_file = 4;
  }
  wait_closed(world, stream);
  CHECK(stream.events == expected);
  CHECK(stream.received == received);
  if (into_file) CHECK(in_file == 4);
  file.close();
  ::unlink(path.c_str());
}

// Cannot make sense of what it receives, and passes no end on.
class Refusing : public proa::StreamFilter {
  void on_received(Buffer) noexcept override { fail(std::make_error_code(std::errc::bad_message)); }
  void on_ended() noexcept override {}
  void on_written(Buffer data) noexcept override { send(std::move(data)); }
};

TEST_CASE("the error of a filter that has failed waits for no end that the filter passes on",
          "[filter]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 10 * hang;
  World world(with);
  auto [stream, far] = line(streams, world);
  const std::errc expected = std::errc::bad_message;
  bool send_failed = false;
  SECTION("the peer's end came with the bytes that it fails at") {
    stream.set_filter(std::make_unique<Refusing>());
    far.send("?");
    far.half_close();
  }
  SECTION("the peer's end came before") {
    Late& filter = late(stream);
    far.half_close();
    world.run_until("the filter heard of the end", [&] { return filter.ends > 0; });
    filter.fail(std::make_error_code(expected));
  }
  SECTION("the peer's end came before, and a send failed") {
    Late& filter = late(stream);
    far.half_close();
    world.run_until("the filter heard of the end", [&] { return filter.ends > 0; });
    if (GENERATE(false, true)) stream.stop_reading();
    far.reset();
    stream.write("x");
    turns(world, 5);
    CHECK(stream.events == Events{"open"});
    filter.fail(std::make_error_code(expected));
    send_failed = true;
  }
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", "error", "closed"});
  CHECK(stream.error);
  CHECK((stream.error == expected) == !send_failed);  // the first error is told
}

struct Served {
  explicit Served(World& world)
      : server(*world, [this, &world](proa::Socket socket, const proa::Address&) {
          Stream& made = streams.add(*world, std::move(socket));
          filter = &late(made);
          return stream = &made;
        }) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    Peer& far = world.peer();
    far.connect(server.addresses().at(0));
    far.send("late");
    far.half_close();
    world.run_until("the filter heard of the end", [&] { return filter && filter->ends > 0; });
    server.drain(hang, [this] { drained = true; });
  }
  Streams streams;
  Stream* stream = nullptr;
  Late* filter = nullptr;
  bool drained = false;
  proa::Server<Stream> server;
};

TEST_CASE("a drain waits for the end that a filter has not passed on yet", "[filter]") {
  World world;
  Served served(world);
  turns(world, 5);
  CHECK(served.stream->events == Events{"open"});
  served.filter->let_go();
  served.filter->give_end();
  world.run_until("it has drained", [&] { return served.drained; });
  CHECK(served.stream->events == Events{"open", "read", "end", "closed"});
}

TEST_CASE("behind the peer's end a filter that is silent is not waited for without bound",
          "[filter]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 50ms;
  World world(with);
  SECTION("timeouts") {
    auto [stream, far] = line(streams, world);
    Late& filter = late(stream);
    far.half_close();
    world.run_until("the filter heard of the end", [&] { return filter.ends > 0; });
    GENERATE(true, false) ? stream.set_read_timeout(10ms) : stream.set_idle_timeout(10ms);
    wait_closed(world, stream);
    CHECK(stream.events == Events{"open", "error", "closed"});
    CHECK(stream.error == proa::Error::deadline);
  }
  SECTION("a drain") {
    Served served(world);
    world.run_until("it has drained", [&] { return served.drained; });
    CHECK(served.stream->events == Events{"open", "closed"});
  }
}

}  // namespace
