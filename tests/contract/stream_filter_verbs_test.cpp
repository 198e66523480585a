// What a filter says at the edges: behind its end, behind its failure, and in another's place.
#include <proa/stream_filter.hpp>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;
using proa::Bytes;

// Puts a mark before each write, and answers for itself unless the test takes the word.
class Marking : public proa::StreamFilter {
 public:
  explicit Marking(char mark) : mark_(mark) {}
  std::function<void()> connected, received, ended, finished;
  using StreamFilter::fail;
  using StreamFilter::give_end;
  using StreamFilter::send_end;
  void say(const char* words) { send(block(words)); }
  void tell(const char* words) { give(block(words)); }

 private:
  Buffer block(const char* words) {
    Buffer made = proactor().take_buffer();
    made.append(Bytes(std::string_view(words)));
    return made;
  }
  void on_connected() noexcept override {
    if (connected) connected();
  }
  void on_received(Buffer data) noexcept override {
    give(std::move(data));
    if (received) received();
  }
  void on_ended() noexcept override { ended ? ended() : give_end(); }
  void on_written(Buffer data) noexcept override {
    Buffer marked = proactor().take_buffer();
    marked.append({&mark_, 1});
    send(std::move(marked));
    send(std::move(data));
  }
  void on_finished() noexcept override { finished ? finished() : send_end(); }
  char mark_;
};

Marking& marking(Stream& stream, char mark = '-') {
  auto made = std::make_unique<Marking>(mark);
  Marking& filter = *made;
  stream.set_filter(std::move(made));
  return filter;
}

TEST_CASE("a filter in another's place: on_write() tells what was written", "[filter]") {
  Streams streams;
  World world;
  // Without the filter that the configuration sets on all streams: its tape does not see all.
  const Connection pair = world.pair();
  Stream& stream = streams.add(*world, std::move(pair.near));
  std::string expected;
  stream.opened = [&] {
    marking(stream, '1');
    stream.write("z");
    marking(stream, '2');
    stream.set_filter(nullptr);
    stream.write("yy");
    stream.write("");
    marking(stream, '3');
    stream.write("xxx");
    expected = "1z2yy3xxx";
  };
  world.run_until("all was told", [&] { return stream.writes.size() == 4; });
  CHECK(stream.writes == std::vector<std::size_t>{1, 2, 0, 3});
  world.run_until("all arrived", [&] { return pair.far.received() == expected; });
}

TEST_CASE("a filter in another's place does what that one was asked for", "[filter]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.ended = [] {};
  Marking& silent = marking(stream);
  bool asked = false;
  silent.ended = silent.finished = [&] { asked = true; };
  SECTION("the end of the input") {
    far.half_close();
    world.run_until("the filter was asked", [&] { return asked; });
    turns(world, 5);
    CHECK(!stream.saw("end"));
    marking(stream);
    world.run_until("the end was told", [&, s = &stream] { return s->saw("end"); });
  }
  SECTION("the last words") {
    wait_open(world, stream);
    stream.half_close();
    world.run_until("the filter was asked", [&] { return asked; });
    turns(world, 5);
    CHECK(!far.ended());
    marking(stream);
    world.run_until("the output has ended", [&, peer = &far] { return peer->ended(); });
  }
}

TEST_CASE("what a filter sends behind its end goes nowhere", "[filter]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Marking& filter = marking(stream);
  // Before it is asked, an end has no effect.
  filter.connected = [&] { filter.send_end(); };
  filter.finished = [&] {
    filter.say("bye");
    filter.send_end();
    filter.say("more");
  };
  wait_open(world, stream);
  stream.write("x");
  world.run_until("it arrived", [&, peer = &far] { return peer->received() == "-x"; });
  stream.half_close();
  world.run_until("the output has ended", [&, peer = &far] { return peer->ended(); });
  CHECK(far.received() == "-xbye");
}

TEST_CASE("a filter that fails: its last words go out, and nothing behind them counts",
          "[filter]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 10 * hang;
  World world(with);
  auto [stream, far] = line(streams, world);
  Marking& filter = marking(stream);
  const auto fail = [&] {
    filter.say("bye");
    filter.fail(std::make_error_code(std::errc::bad_message));
    filter.say("more");
    filter.tell("more");
  };
  Events expected{"open", "read", "error", "closed"};
  std::string arrives = "bye";
  SECTION("at what it received") {
    filter.received = fail;
    far.send("?");
  }
  SECTION("at the first of much that came") {
    filter.received = [&, s = &stream] {
      if (!s->saw("read")) fail();
    };
    stream.opened = [] {};
    far.send("?");
    far.send_pattern(1, 30000);
    world.run_until("all was sent", [&, f = &far] { return f->sent(); });
    stream.start_reading();
  }
  SECTION("behind a write") {
    filter.received = fail;
    stream.read = [s = &stream](Buffer&) { s->write("x"); };
    stream.opened = [s = &stream] {
      s->start_reading();
      s->write("answer");
    };
    far.send("?");
    expected = {"open", "write", "read", "error", "closed"};
    arrives = "-answerbye";
  }
  SECTION("while reading is stopped") {
    stream.opened = [] {};
    wait_open(world, stream);
    fail();
    world.run_until("the error was told", [&, s = &stream] { return s->saw("error"); });
    expected = {"open", "error", "closed"};
  }
  wait_closed(world, stream);
  CHECK(stream.error == std::errc::bad_message);
  if (arrives == "bye") CHECK(stream.events == expected);
  CHECK(stream.received.find("more") == std::string::npos);
  world.run_until("the last words arrived",
                  [&, peer = &far] { return peer->ended() || peer->error() != 0; });
  CHECK(far.received() == arrives);
  CHECK(far.error() == 0);
}

TEST_CASE("a filter that fails does not wait for a peer that takes nothing", "[filter]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 10 * hang;
  World world(with);
  auto [stream, far] = line(streams, world);
  Marking& filter = marking(stream);
  proa::Watermarks marks;
  marks.limit = std::size_t{64} << 20;
  stream.set_watermarks(marks);
  far.read(false);
  wait_open(world, stream);
  stream.write(Bytes(std::string(std::size_t{16} << 20, 'x')));
  turns(world, 20);
  CHECK(!stream.saw("write"));
  filter.say("bye");
  filter.fail(std::make_error_code(std::errc::bad_message));
  wait_closed(world, stream);
  CHECK(stream.error == std::errc::bad_message);
  CHECK(!stream.saw("write"));
}

TEST_CASE("half_close() behind a refused write asks the filter for its last words",
          "[filter][R5][T12]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  stream.failed = [](std::error_code) {};
  Marking& filter = marking(stream);
  filter.finished = [&] {
    filter.say(" bye");
    filter.send_end();
  };
  wait_open(world, stream);
  stream.write("before");
  const bool told_before = GENERATE(false, true);
  SECTION("a write") { stream.write(proa::Buffer()); }
  SECTION("a file, which a filter does not get") {
    stream.send_file({0, proa::DescriptorKind::file}, 0, 1);
  }
  if (told_before) {
    world.run_until("it was told", [&s = stream] { return s.saw("error"); });
  }
  stream.half_close();
  wait_ended(world, far);
  CHECK(far.received() == "-before bye");
  far.send("!");
  world.run_until("it still reads", [&s = stream] { return s.received == "!"; });
  CHECK(stream.count("error") == 1);
}

}  // namespace
