// How the input ends behind a filter: by an error of the connection, and by the filter's own word.
#include <proa/stream_filter.hpp>

#include "contract/filter_rig.hpp"

namespace {

using namespace proa_test;
using proa::Buffer;

// A stream whose filter holds what the peer has sent, behind an error of the connection.
struct Failed {
  Failed(Streams& streams, World& world, bool reads = true)
      : at(line(streams, world)), stream(at.stream), filter(late(stream)) {
    at.far.send("late");
    world.run_until("the filter holds it", [&] { return filter.holds(); });
    if (!reads) stream.stop_reading();
    turns(world, 2);
    at.far.reset();
    if (!reads) stream.write("x");
    world.run_until("the filter is asked for the rest", [&] { return filter.ends > 0; });
    turns(world, 5);
    CHECK(!stream.saw("read"));
    CHECK(!stream.saw("error"));
  }
  Line at;
  Stream& stream;
  Late& filter;
};

TEST_CASE("what a filter holds is read before an error of the connection", "[filter][R2]") {
  Streams streams;
  World world;
  SECTION("of the input") {
    Failed failed(streams, world);
    failed.filter.let_go();
    turns(world, 5);
    CHECK(failed.stream.saw("read"));
    CHECK(!failed.stream.saw("error"));
    failed.filter.give_end();
    wait_closed(world, failed.stream);
    CHECK(failed.stream.events == Events{"open", "read", "error", "closed"});
    CHECK(failed.stream.received == "late");
    CHECK(failed.stream.error == std::errc::connection_reset);
  }
  SECTION("of a send, while reading is off") {
    Failed failed(streams, world, false);
    failed.filter.let_go();
    failed.filter.give_end();
    turns(world, 5);
    CHECK(!failed.stream.saw("read"));
    failed.stream.start_reading();
    wait_closed(world, failed.stream);
    CHECK(failed.stream.received == "late");
    CHECK(failed.stream.count("error") == 1);
    CHECK(failed.stream.events.back() == "closed");
  }
  SECTION("and the connection's error is the one that is told") {
    Failed failed(streams, world);
    failed.filter.let_go();
    failed.filter.fail(std::make_error_code(std::errc::bad_message));
    wait_closed(world, failed.stream);
    CHECK(failed.stream.events == Events{"open", "read", "error", "closed"});
    CHECK(failed.stream.error == std::errc::connection_reset);
  }
}

TEST_CASE("a filter that says nothing keeps an error back no longer than the linger time",
          "[filter][R2]") {
  proa::Options with = options();
  with.linger = 50ms;
  Streams streams;
  World world(with);
  auto [stream, far] = line(streams, world);
  Late& filter = late(stream);
  far.send("late");
  world.run_until("the filter holds it", [&] { return filter.holds(); });
  far.reset();
  wait_closed(world, stream);
  CHECK(stream.events == Events{"open", "error", "closed"});
  CHECK(stream.error == std::errc::connection_reset);
}

TEST_CASE("a filter ends the input before the connection's end", "[filter][R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Late& filter = late(stream);
  bool goes_on = true;
  stream.ended = [&, s = &stream] {
    if (!goes_on) s->finish();
  };
  far.send("late");
  world.run_until("the filter holds it", [&] { return filter.holds(); });
  std::string received = "late";
  Events expected{"open", "read", "end"};
  const auto wait_end = [&, s = &stream] {
    world.run_until("the end is told", [&] { return s->saw("end"); });
  };
  SECTION("the output goes on, and what comes behind it is thrown away") {
    filter.let_go();
    filter.give_end();
    wait_end();
    far.send("more");
    stream.write("answer");
    world.run_until("the answer arrived",
                    [&, peer = &far] { return peer->received() == "answer"; });
    expected.push_back("write");
    turns(world, 5);
    CHECK(stream.events == expected);
    CHECK(!filter.holds());
    stream.finish();
  }
  SECTION("finish() in on_end()") {
    goes_on = false;
    filter.let_go();
    filter.give_end();
    wait_end();
  }
  SECTION("what the filter gives behind it is dropped") {
    filter.give_end();
    filter.let_go();
    wait_end();
    received = "";
    expected = {"open", "end"};
    stream.finish();
  }
  SECTION("while reading is stopped it is told later") {
    stream.stop_reading();
    filter.let_go();
    filter.give_end();
    turns(world, 5);
    CHECK(stream.events == Events{"open"});
    stream.start_reading();
    wait_end();
    stream.finish();
  }
  SECTION("finish() before it is told") {
    stream.stop_reading();
    filter.let_go();
    filter.give_end();
    stream.finish();
    received = "";
    expected = {"open"};
  }
  // The stream waits for the connection's end: to close with input unread would reset it.
  world.run_until("the peer saw the end", [&, peer = &far] { return peer->ended(); });
  far.send("and more");
  turns(world, 5);
  CHECK(!stream.is_closed());
  CHECK(filter.ends == 0);
  CHECK(stream.events == expected);
  far.half_close();
  wait_closed(world, stream);
  expected.push_back("closed");
  CHECK(stream.events == expected);
  CHECK(stream.received == received);
  CHECK(far.error() == 0);
}

}  // namespace
