// Lines and frames over real connections: handlers that take one request at a time, peers that send
// halves, too much, or end in between.
#include <algorithm>
#include <proa/frame_reader.hpp>
#include <proa/line_reader.hpp>
#include <string>
#include <vector>

#include "file_handler_rig.hpp"
#include "stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Bytes;
using proa::Error;
using proa::FrameLength;

// Answers each line with the same line. While one is worked on, which takes until a later round, it
// does not read, and asks for no other line.
class Session : public proa::StreamHandler {
 public:
  Session(proa::Proactor& proactor, proa::Socket connected)
      : StreamHandler(proactor, std::move(connected)) {}

  std::size_t answered = 0, reads = 0;
  std::error_code error, at_end;
  bool closed = false;

 private:
  void on_read(proa::Buffer& data) override {
    ++reads;
    if (working_) FAIL("it does not read");
    lines_.add(std::move(data));
    serve();
  }
  void serve() {
    if (lines_.next()) {
      working_ = true;
      stop_reading();
      request_ = lines_.line();
      REQUIRE(proactor().post([this] { answer(); }));
    } else if (lines_.error()) {
      on_error(lines_.error());
    } else {
      start_reading();
    }
  }
  void answer() {
    working_ = false;
    if (closed) return;
    ++answered;
    write(Bytes(request_ + "\n"));
    serve();
  }
  void on_end() override {
    at_end = lines_.end();
    finish();
  }
  void on_error(std::error_code code) override {
    error = code;
    write("bye\n");
    finish();
  }
  void on_closed() override { closed = true; }

  proa::LineReader lines_{3000};
  std::string request_;
  bool working_ = false;
};

struct Talk {
  explicit Talk(World& world, Link link = Link::tcp4) : Talk(world, world.pair(link)) {}
  Talk(World& world, const Connection& pair)
      : session(*world, std::move(pair.near)), far(pair.far) {}
  Session session;
  Peer& far;
};

TEST_CASE("framing: lines are answered one at a time, in order, however they come", "[framing]") {
  std::list<Talk> talks;
  World world;
  Talk& talk = talks.emplace_back(world, any_link());
  std::string expected;
  std::string sent;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const std::string line = std::to_string(i) + std::string(i * 37 % 900 * (i % 3), 'x');
    expected += line + "\n";
    sent += line + (i % 2 == 0 ? "\r\n" : "\n");
  }
  std::size_t at = 0;
  for (std::size_t size = 1; size < 100; ++size) {  // in small pieces first, then all the rest
    talk.far.send(std::string_view(sent).substr(at, size));
    at += size;
    world.turn();
  }
  talk.far.send(std::string_view(sent).substr(at));
  talk.far.half_close();
  world.run_until("all was answered", [&] { return talk.session.closed && talk.far.ended(); });
  CHECK(talk.session.answered == 300);
  CHECK(talk.far.received() == expected);
  CHECK(!talk.session.error);
  CHECK(!talk.session.at_end);
}

TEST_CASE("framing: peers with half a line take no buffer from the others", "[framing][R11]") {
  std::list<Talk> talks;
  proa::Options few = options();
  few.buffers = 4;
  World world(few);
  for (int i = 0; i < 20; ++i) talks.emplace_back(world).far.send("half");
  const auto all = [&](const auto& holds) {
    return [&] { return std::all_of(talks.begin(), talks.end(), holds); };
  };
  const auto has_read = [](const Talk& talk) { return talk.session.reads > 0; };
  world.run_until("all halves came", all(has_read));
  Talk whole(world);
  whole.far.send("whole\n");
  world.run_until("it was answered", [&] { return whole.far.received() == "whole\n"; });
  whole.session.close();
  world.run_until("it is closed", [&] { return whole.session.closed; });
  for (Talk& talk : talks) talk.far.send(" a line\n");
  const auto has_answer = [](const Talk& talk) { return talk.far.received() == "half a line\n"; };
  world.run_until("all were answered", all(has_answer));
}

TEST_CASE("framing: a line above the limit is an error behind those before it", "[framing]") {
  std::list<Talk> talks;
  World world;
  Talk& talk = talks.emplace_back(world, any_link());
  const bool endless = GENERATE(true, false);
  talk.far.send("good\nbetter\n" + std::string(endless ? 100000 : 3001, 'x') + "\nbest\n");
  world.run_until("it is told", [&] { return talk.far.received_bytes() >= 16; });
  CHECK(talk.far.received() == "good\nbetter\nbye\n");
  CHECK(talk.session.error == Error::too_long);
  CHECK(talk.session.answered == 2);
}

TEST_CASE("framing: an end within a line is told", "[framing]") {
  std::list<Talk> talks;
  World world;
  Talk& talk = talks.emplace_back(world, any_link());
  talk.far.send("good\nbett");
  talk.far.half_close();
  world.run_until("it has ended", [&] { return talk.session.closed; });
  CHECK(talk.far.received() == "good\n");
  CHECK(talk.session.at_end == Error::cut_short);
  CHECK(!talk.session.error);
}

TEST_CASE("framing: frames larger than blocks, and of no bytes, go both ways", "[framing]") {
  Streams streams;
  World world;
  const FrameLength length{3, proa::ByteOrder::little, true};
  const Line line = proa_test::line(streams, world, any_link());
  proa::FrameReader frames(100000, length);
  const auto send = [&](Bytes payload) {
    char prefix[3];
    REQUIRE(!length.put(prefix, payload.size));
    const Bytes pieces[] = {{prefix, sizeof prefix}, payload};
    line.stream.writev(pieces, 2);
  };
  line.stream.read = [&](proa::Buffer& data) {
    frames.add(std::move(data));
    while (frames.next()) send(frames.frame());
    if (frames.error()) FAIL(frames.error().message());
  };
  std::string sent;
  for (const std::size_t size : {1u, 0u, 100000u, 4096u, 50000u, 0u}) {
    char prefix[3];
    REQUIRE(!length.put(prefix, size));
    sent.append(prefix, sizeof prefix).append(pattern(1, size));
  }
  line.far.send(sent);
  line.far.half_close();
  world.run_until("it has ended", [&] { return line.far.ended(); });
  CHECK(line.far.received().size() == sent.size());
  CHECK((line.far.received() == sent));
  CHECK(!frames.end());
}

TEST_CASE("framing: a file is read line by line, and its last line may lack the LF",
          "[framing][file]") {
  const Folder folder;
  Filings filings;
  const std::string last = "the last";
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 3000; ++i) {
    expected.push_back("line " + std::to_string(i));
    text += expected.back() + "\n";
  }
  World world;
  Filing& file = filings.add(*world);
  proa::LineReader lines(100);
  std::vector<std::string> read;
  file.read = [&](proa::Buffer& data) {
    lines.add(std::move(data));
    while (lines.next()) read.emplace_back(lines.line());
  };
  file.ended = [&] {
    CHECK(lines.end() == Error::cut_short);
    CHECK(lines.line() == last);
    file.close();
  };
  file.open(folder.file("lines", text + last), proa::OpenFlags::read);
  file.start_reading();
  wait_closed(world, file);
  CHECK(read == expected);
}

}  // namespace
