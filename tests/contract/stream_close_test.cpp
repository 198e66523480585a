// close(): whatever was going on, only on_closed() follows, once and last.
#include <unistd.h>

#include <memory>

#include "contract/stream_rig.hpp"
#include "support/death.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;
using proa::Error;

TEST_CASE("K06: close() inside any callback: only on_closed follows, once", "[R6][K06][T26]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Stream* const s = &stream;
  const auto close = [s] {
    s->close();
    CHECK(!s->is_closed());  // never from the verb itself
    s->close();
    s->start_reading();
    s->write("dropped");
    s->finish();
  };
  Events expected;
  Buffer kept;
  SECTION("on_open") {
    stream.opened = close;
    far.send("never seen");
    expected = {"open", "closed"};
  }
  SECTION("on_read") {
    stream.read = [close](Buffer&) { close(); };
    far.send_pattern(1, 100000);
    far.half_close();
    expected = {"open", "read", "closed"};
  }
  SECTION("on_read, with the buffer kept") {
    stream.read = [&](Buffer& data) {
      kept = std::move(data);
      close();
    };
    far.send_pattern(1, 100000);
    expected = {"open", "read", "closed"};
  }
  SECTION("on_read of what was held") {
    wait_open(world, stream);
    stream.stop_reading();
    far.send_pattern(1, 100000);
    turns(world, 5);
    stream.read = [close](Buffer&) { close(); };
    stream.start_reading();
    expected = {"open", "read", "closed"};
  }
  SECTION("on_write") {
    stream.written = [close](std::size_t) { close(); };
    for (int i = 0; i < 10; ++i) stream.write("more");
    expected = {"open", "write", "closed"};
  }
  SECTION("on_drained") {
    stream.drained = close;
    stream.set_watermarks({0, 0, 100000});
    stream.write("x");
    expected = {"open", "write", "drained", "closed"};
  }
  SECTION("on_end") {
    stream.ended = close;
    far.half_close();
    expected = {"open", "end", "closed"};
  }
  SECTION("on_error") {
    stream.failed = [close](std::error_code) { close(); };
    far.reset();
    expected = {"open", "error", "closed"};
  }
  SECTION("on_error of a deadline") {
    stream.failed = [close](std::error_code) { close(); };
    stream.set_read_timeout(1ms);
    expected = {"open", "error", "closed"};
  }
  SECTION("on_closed itself") {
    stream.closed = [s] { s->stop_reading(); };
    stream.opened = [s] { s->close(); };
    expected = {"open", "closed"};
  }
  wait_closed(world, stream);
  turns(world, 5);
  CHECK(stream.events == expected);
  CHECK(stream.reads <= 1);
  CHECK(stream.writes.size() <= 1);
  CHECK(!stream.is_open());
  CHECK(!stream.descriptor().valid());
}

TEST_CASE("close() with everything in flight", "[R6]") {
  Streams streams;
  World world;
  auto [stream, far] = narrow_line(streams, world);
  far.read(false);
  stream.set_read_timeout(10s);
  stream.set_idle_timeout(10s);
  SECTION("reading and writing") {
    stream.write(Bytes(std::string(std::size_t{4} << 20, 'x')));
    stream.set_watermarks({std::size_t{64} << 20, 0, std::size_t{64} << 20});
    turns(world, 10);
  }
  SECTION("reading held back by the marks") {
    stream.write(Bytes(std::string(std::size_t{4} << 20, 'x')));
    far.send_pattern(1, 1000000);
    turns(world, 10);
  }
  SECTION("finishing") {
    stream.write(Bytes(std::string(std::size_t{4} << 20, 'x')));
    turns(world, 5);
    stream.finish();
    turns(world, 5);
  }
  SECTION("before the first turn") { stream.write("x"); }
  const std::size_t before = stream.events.size();
  stream.close();
  CHECK(stream.closing());
  CHECK(stream.events.size() == before);
  wait_closed(world, stream);
  CHECK(stream.events.size() == before + 1);
  CHECK(stream.queued() == 0);
}

// A stream with requests of its own on its descriptor, which deletes itself.
class Owner : public proa::StreamHandler {
 public:
  struct Story {
    Events events;
    std::error_code read_error, send_error, refused;
    bool deleted = false;
  };
  Owner(proa::Proactor& proactor, proa::Socket socket, Story& story)
      : StreamHandler(proactor, std::move(socket)), story_(story) {}
  ~Owner() override { story_.deleted = true; }

 protected:
  void on_open() override {
    recv_.prepare(descriptor(), {memory_, sizeof memory_});
    send_.prepare(descriptor(), Bytes(bytes_));
    again_.prepare(descriptor(), "more");
    story_.refused = proactor().submit(recv_);
    if (!story_.refused) story_.refused = proactor().submit(send_);
    if (!story_.refused) story_.refused = proactor().submit(again_);
    close();
  }
  void on_read(Buffer&) override { story_.events.push_back("read"); }
  void on_end() override { story_.events.push_back("end"); }
  void on_closed() override {
    story_.events.push_back("closed");
    delete this;
  }

 private:
  void received(const proa::Result& result) {
    story_.events.push_back("my receive");
    story_.read_error = result.error;
    story_.refused = proactor().submit(recv_);
    write("dropped");
  }
  void sent(const proa::Result& result) {
    story_.events.push_back("my send");
    story_.send_error = result.error;
  }
  void sent_again(const proa::Result&) { story_.events.push_back("my other send"); }

  Story& story_;
  char memory_[100] = {};
  std::string bytes_ = std::string(std::size_t{8} << 20, 'x');
  proa::On<proa::Recv, &Owner::received> recv_{*this};
  proa::On<proa::Send, &Owner::sent> send_{*this};
  proa::On<proa::Send, &Owner::sent_again> again_{*this};
};

TEST_CASE("requests of the user's own are delivered, once each, before on_closed", "[R6]") {
  Owner::Story story;
  World world;
  const Connection pair = world.pair();
  pair.far.read(false);
  new Owner(*world, std::move(pair.near), story);
  world.run_until("it is gone", [&] { return story.deleted; });
  REQUIRE(story.events.size() == 4);
  CHECK(story.events.back() == "closed");
  for (const char* const name : {"my receive", "my send", "my other send"}) {
    CHECK(std::count(story.events.begin(), story.events.end(), name) == 1);
  }
  CHECK(story.read_error == std::errc::operation_canceled);
  CHECK(story.send_error == std::errc::operation_canceled);
  CHECK(story.refused == Error::closing);  // of the attempt in the callback
}

TEST_CASE("delete in on_closed, of many at once", "[R6]") {
  struct Suicidal : proa::StreamHandler {
    Suicidal(proa::Proactor& proactor, proa::Socket socket, int& alive)
        : StreamHandler(proactor, std::move(socket)), alive_(alive) {
      ++alive_;
    }
    ~Suicidal() override { --alive_; }
    void on_read(Buffer& data) override { write(std::move(data)); }
    void on_closed() override { delete this; }
    int& alive_;
  };
  int alive = 0;
  World world;
  std::vector<Suicidal*> made;
  for (int i = 0; i < 50; ++i) {
    const Connection pair = world.pair(Link::path);
    made.push_back(new Suicidal(*world, std::move(pair.near), alive));
    pair.far.send("hello");
    if (i % 3 == 0) pair.far.half_close();
  }
  turns(world, 3);
  for (std::size_t i = 1; i < made.size(); i += 3) made[i]->close();
  for (std::size_t i = 2; i < made.size(); i += 3) made[i]->finish();
  CHECK(alive > 0);
  CHECK(world->shutdown(hang) == 0);
  CHECK(alive == 0);
}

TEST_CASE("P04: events of a duplicate of our descriptor reach nobody after close()", "[R6][P04]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::path);
  auto [stream, far] = line(streams, world, kind);
  wait_open(world, stream);
  turns(world, 3);
  const int duplicate = ::dup(stream.descriptor().number);
  REQUIRE(duplicate >= 0);
  stream.close();
  wait_closed(world, stream);
  const std::uint64_t delivered = world->counters().delivered;
  far.send("for nobody");
  turns(world, 5);
  char bytes[16];
  CHECK(::read(duplicate, bytes, sizeof bytes) == 10);
  far.half_close();
  turns(world, 5);
  CHECK(stream.events == Events{"open", "closed"});
  CHECK(world->counters().delivered == delivered);
  ::close(duplicate);
}

TEST_CASE("destroying a live stream aborts and names it", "[R6][misuse]") {
  const std::string message = message_of([] {
    auto proactor = make_proactor();
    auto stream = std::make_unique<Stream>(*proactor);
    stream->connect(proa::Address::loopback(1));
    stream.reset();
  });
  INFO(message);
  CHECK(message.find("StreamHandler") != std::string::npos);
  CHECK(message.find("destroyed before on_closed()") != std::string::npos);
  CHECK(message.find("descriptor") != std::string::npos);
}

TEST_CASE("a stream that never did anything may just be destroyed", "[R6]") {
  World world;
  { const Stream unused(*world); }
  Connection pair = world.pair();
  { const Stream unopened(*world, std::move(pair.near)); }
  CHECK(!world->run_once(0ms));
  wait_ended(world, pair.far);
}

}  // namespace
