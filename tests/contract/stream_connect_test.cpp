// StreamHandler::connect(): opened or told why not, once; given up at the deadline or by close().
#include <algorithm>
#include <proa/poll.hpp>

#include "contract/stream_rig.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Buffer;
using proa::Error;

// A client of a listener, and who was accepted.
struct Meeting {
  Meeting(Streams& streams, World& made, Link kind = Link::tcp4)
      : world(made), listener(made.listen(kind)), client(streams.add(*made)) {}
  Peer& accept() {
    proa::Descriptor accepted;
    world.run_until("a connection came", [&] {
      return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
    });
    return world.peer(proa::Socket(world.system(), accepted));
  }
  // The client finishes: who accepts it hears this, and then its end.
  void check_finish(const std::string& expected) {
    client.finish();
    Peer& far = accept();
    wait_ended(world, far);
    CHECK(far.received() == expected);
    far.close();
    wait_closed(world, client);
  }
  World& world;
  proa::Socket& listener;
  Stream& client;
};

TEST_CASE("connect() opens the stream; what was written before goes first", "[R1][R2]") {
  Streams streams;
  World world;
  const Link kind = GENERATE(Link::tcp4, Link::tcp6, Link::path, Link::abstract);
  Meeting meeting(streams, world, kind);
  Stream& client = meeting.client;
  client.opened = [&] {
    client.start_reading();
    client.write("and behind");
  };
  client.write("before, ");
  client.write("");
  client.connect(meeting.listener.local_address());
  client.write("between, ");
  CHECK(client.events.empty());
  CHECK(!client.connected());
  Peer& far = meeting.accept();
  far.send("hello");
  far.half_close();
  wait_ended(world, far);
  wait_closed(world, client);
  CHECK(far.received() == "before, between, and behind");
  CHECK(client.received == "hello");
  CHECK(client.events.front() == "open");
  CHECK(client.writes == std::vector<std::size_t>{8, 0, 9, 10});
  CHECK(!client.error);
}

TEST_CASE("a request of the program's own takes nothing of why a stream does not connect",
          "[R5][R12]") {
  Streams streams;
  Read read;
  World world;
  proa::Socket* listener = nullptr;
  const Address address = world.full_listener(&listener);
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  Stream& client = streams.add(*world);
  client.connect(address);
  world.submit(read.from(client.descriptor()));
  turns(world, 5);
  listener->close();
  wait_closed(world, client);
  CHECK(client.error == std::errc::connection_refused);
  CHECK(client.events == Events{"error", "closed"});
  CHECK(read.done());
}

TEST_CASE("start_reading() and finish() before the connection is there", "[R1]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  client.opened = [] {};
  SECTION("reading") {
    client.start_reading();
    client.connect(meeting.listener.local_address());
    Peer& far = meeting.accept();
    far.send("x");
    world.run_until("it was read", [&] { return client.received == "x"; });
    CHECK(client.events.front() == "open");
  }
  SECTION("the end, behind a write") {
    client.write("all there is");
    client.connect(meeting.listener.local_address());
    client.finish();
    Peer& far = meeting.accept();
    wait_ended(world, far);
    CHECK(far.received() == "all there is");
    far.half_close();
    wait_closed(world, client);
    CHECK(client.events == Events{"open", "write", "closed"});
  }
  SECTION("the end alone") {
    client.connect(meeting.listener.local_address());
    client.finish();
    Peer& far = meeting.accept();
    wait_ended(world, far);
    far.half_close();
    wait_closed(world, client);
    CHECK(!client.error);
  }
}

TEST_CASE("T01: a stream that nobody accepts is told so, once", "[R2][T01]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address address = closed_port(world);
  SECTION("the default closes") {
    client.connect(address);
    wait_closed(world, client);
    CHECK(client.events == Events{"error", "closed"});
  }
  SECTION("a handler that stays is open until it is closed") {
    client.failed = [](std::error_code) {};
    client.connect(address);
    world.run_until("it was told", [&] { return client.saw("error"); });
    turns(world, 10);
    CHECK(client.events == Events{"error"});
    CHECK(client.is_open());
    client.close();
    wait_closed(world, client);
  }
  CHECK(client.error == std::errc::connection_refused);
}

TEST_CASE("connect() again, from on_error()", "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address nobody = closed_port(world);
  proa::Socket& listener = world.listen();
  int attempts = 1;
  client.failed = [&](std::error_code) {
    ++attempts;
    client.connect(attempts < 4 ? nobody : listener.local_address());
  };
  client.write("at last");
  client.connect(nobody);
  Peer* far = nullptr;
  world.run_until("a connection came", [&] {
    proa::Descriptor accepted;
    if (world.system().accept(listener.descriptor(), accepted, nullptr) < 0) return false;
    far = &world.peer(proa::Socket(world.system(), accepted));
    return true;
  });
  wait_received(world, *far, 7);
  CHECK(far->received() == "at last");
  CHECK(client.events == Events{"error", "error", "error", "open", "write"});
}

TEST_CASE("connect() again ends the program's own requests on the descriptor before", "[R2][R6]") {
  Streams streams;
  Recording<proa::Poll> poll(proa::Direction::in);
  Sending send;
  World world;
  Stream& client = streams.add(*world);
  const Address nobody = closed_port(world);
  const Address there = world.listen().local_address();
  Events expected{"error", "open", "write"};
  bool again = true;
  client.failed = [&](std::error_code) {
    if (std::exchange(again, false)) client.connect(there);
  };
  SECTION("it connects") {}
  SECTION("it is closed before") {
    client.failed = [&](std::error_code) {
      client.connect(there);
      client.close();
    };
    expected = {"error", "closed"};
  }
  SECTION("a second connect() is refused") {
    client.failed = [&](std::error_code) {
      if (!std::exchange(again, false)) return;
      client.connect(there);
      client.connect(there);
    };
    expected = {"error", "error", "open", "write"};
  }
  client.write("at last");
  client.connect(nobody);
  poll.request.prepare(client.descriptor());
  // A request that would wait for ever, and one that waits for the connection.
  world.submit(poll.request);
  world.submit(send.to(client.descriptor(), "mine"));
  world.run_until("all is told", [&] { return client.events.size() == expected.size(); });
  CHECK(client.events == expected);
  CHECK(poll.done());
  CHECK(send.done());
}

TEST_CASE("after on_closed() a stream is as new: it may connect again", "[R6]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  int left = 4;
  client.closed = [&] {
    if (--left == 0) return;
    CHECK(!client.is_open());
    client.connect(meeting.listener.local_address());
    client.write("again");
  };
  client.set_watermarks({0, 0, 5});
  client.connect(meeting.listener.local_address());
  client.write("first");
  for (int i = 0; i < 4; ++i) {
    Peer& far = meeting.accept();
    wait_received(world, far, 5);
    CHECK(far.received() == (i == 0 ? "first" : "again"));
    // All the ways to end.
    if (i % 2 == 0) far.half_close();
    if (i == 1) far.reset();
    if (i == 3) client.finish();
    if (i != 1) wait_ended(world, far);
    if (i == 3) far.half_close();
  }
  world.run_until("it was closed for good", [&] { return left == 0; });
  CHECK(client.count("open") == 4);
  CHECK(client.count("closed") == 4);
  CHECK(client.count("error") == 1);
}

TEST_CASE("T02: close() while connecting: on_closed alone follows", "[R6][T02]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  bool answered = GENERATE(true, false);
  const Address address = answered ? world.listen().local_address() : world.full_listener();
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  client.connect(address);
  SECTION("at once") {}
  SECTION("a turn later") { turns(world, answered ? 0 : 2); }
  SECTION("by finish()") { client.finish(); }
  client.close();
  CHECK(client.events.empty());
  wait_closed(world, client);
  turns(world, 5);
  CHECK(client.events == Events{"closed"});
}

TEST_CASE("T03: a connect that nobody answers ends at its deadline", "[R7][T03]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address address = world.full_listener();
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  const proa::TimePoint deadline = world.in(30ms);
  proa::TimePoint told;
  client.failed = [&](std::error_code) { told = world.system().now(); };
  client.connect(address, deadline);
  world.run_until("it was told", [&] { return client.saw("error"); });
  CHECK(told >= deadline);
  CHECK(client.error == Error::deadline);
  turns(world, 5);
  CHECK(client.events == Events{"error"});
}

TEST_CASE("the linger time bounds a finish() that waits for the connection", "[T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = 30ms;
  World world(with);
  Stream& client = streams.add(*world);
  const Address address = world.full_listener();
  if (!address.is_set()) return skip("a listener without room resets connections here", true);
  client.connect(address);
  client.write("x");
  client.finish();
  wait_closed(world, client);
  CHECK(client.events == Events{"closed"});
}

TEST_CASE("a verb that needs a connection, on a stream that opens none, is told so once", "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  SECTION("write()") { client.write("x"); }
  SECTION("writes of nothing") {
    client.write("");
    client.write("");
  }
  SECTION("half_close()") { client.half_close(); }
  SECTION("write() and half_close()") {
    client.write("x");
    client.half_close();
  }
  SECTION("send_file()") { client.send_file({0, proa::DescriptorKind::file}, 0, 1); }
  SECTION("receive_file()") { client.receive_file({0, proa::DescriptorKind::file}, 0, 1); }
  CHECK(client.events.empty());
  world->run();  // which ends
  CHECK(client.events == Events{"error", "closed"});
  CHECK(client.error == std::errc::not_connected);
}

TEST_CASE("a verb that only says what shall be opens nothing", "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  client.start_reading();
  client.stop_reading();
  client.start_reading();
  client.set_watermarks({0, 0, 5});
  client.set_read_timeout(hang);
  CHECK(!client.is_open());
  world->run();  // which has nothing to wait for
  client.opened = [] {};
  client.connect(meeting.listener.local_address());
  meeting.accept().send("x");
  world.run_until("it was read", [&] { return client.received == "x"; });
}

TEST_CASE("what was written after a connect() that failed waits for the next one", "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  client.failed = [](std::error_code) {};
  client.connect(closed_port(world));
  world.run_until("it was told", [&] { return client.saw("error"); });
  client.write("at last");
  client.connect(meeting.listener.local_address());
  Peer& far = meeting.accept();
  wait_received(world, far, 7);
  CHECK(client.events == Events{"error", "open", "write"});
}

TEST_CASE("a refused write that was told before there was a connection does not end the output",
          "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  client.failed = [](std::error_code) {};
  std::size_t errors = 2;  // the want of a connection, and the refusal
  if (GENERATE(true, false)) {
    client.connect(closed_port(world));
    world.run_until("it was told", [&] { return client.saw("error"); });
  }
  client.write("before");
  client.write(proa::Buffer());
  client.write(" the gap");
  errors += client.count("error");
  world.run_until("all was told", [&] { return client.count("error") == errors; });
  const bool meanwhile = GENERATE(true, false);
  if (meanwhile) {
    client.write(", behind");
    world.run_until("it lacks a connection", [&] { return client.count("error") > errors; });
  }
  client.connect(meeting.listener.local_address());
  if (!meanwhile) client.write(", behind");
  meeting.check_finish("before, behind");
}

TEST_CASE("a write that was refused before connect() takes nothing from those before it", "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  const std::size_t size = 300 * 1024;
  const auto connect = [&] { client.connect(meeting.listener.local_address()); };
  const auto write = [&] {
    client.write(proa::Bytes(pattern(1, size)));
    client.write(proa::Buffer());
  };
  std::vector<std::error_code> errors;
  const bool when_told = GENERATE(false, true);
  client.failed = [&](std::error_code error) {  // closes as the default does, but for the first
    errors.push_back(error);
    if (error == std::errc::not_connected) return connect();
    client.close();
  };
  write();
  if (!when_told) connect();
  Peer& far = meeting.accept();
  far.expect_pattern(1);
  wait_closed(world, client);
  wait_ended(world, far);
  CHECK(far.received_bytes() == size);
  CHECK(client.writes == std::vector<std::size_t>{size});
  CHECK(errors.size() == (when_told ? 2 : 1));
  CHECK(errors.back() == std::errc::no_buffer_space);
}

TEST_CASE("a refused write that was told, and other errors behind it: the output goes on", "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) {
    errors.push_back(error);
    if (error == std::errc::no_buffer_space) client.set_read_timeout(0s);
  };
  SECTION("another error is due when it is told") {
    client.write(proa::Buffer());
    client.set_idle_timeout(0s);
    world.run_until("all was told", [&] { return errors.size() >= 3; });
  }
  SECTION("another error is due when it connects") {
    client.write(proa::Buffer());
    world.run_until("it was told", [&] { return errors.size() == 2; });
  }
  SECTION("it was told while the stream connected, in vain") {
    const Address nobody = world.full_listener();
    if (!nobody.is_set()) return skip("a listener without room resets connections here", true);
    client.connect(nobody, world.in(30ms));
    client.write(proa::Buffer());
    world.run_until("it was told", [&] { return !errors.empty(); });
    CHECK(errors[0] == std::errc::no_buffer_space);
    world.run_until("all was told", [&] { return errors.size() == 3; });
    CHECK(std::count(errors.begin(), errors.end(), std::errc::timed_out) == 1);
  }
  client.connect(meeting.listener.local_address());
  client.write("behind");
  meeting.check_finish("behind");
}

TEST_CASE("a refused write is told behind the error of a connect(), however late that fails",
          "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  const bool late = GENERATE(false, true);
  const Address nobody = late ? world.full_listener() : closed_port(world);
  if (!nobody.is_set()) return skip("a listener without room resets connections here", true);
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error); };
  const auto connect = [&] { client.connect(nobody, late ? world.in(30ms) : proa::never); };
  const int place = GENERATE(0, 1, 2);
  if (place == 0) connect();
  client.write("before");
  if (place == 1) connect();
  client.write(proa::Buffer());
  client.write(" the gap");
  if (place == 2) connect();
  world.run_until("both were told", [&] { return errors.size() == 2; });
  CHECK(errors[1] == std::errc::no_buffer_space);
  client.write(", behind");
  world.run_until("it lacks a connection", [&] { return errors.size() == 3; });
  CHECK(errors[2] == std::errc::not_connected);
  client.connect(meeting.listener.local_address());
  meeting.check_finish("before, behind");
}

TEST_CASE("a life that on_closed() begins behind one that it took back ends as any other", "[R6]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  client.closed = [&] {
    if (client.count("closed") > 1) return;
    client.write("x");
    client.close();
    client.connect(closed_port(world));
  };
  client.close();
  world.run_until("it is closed again", [&] { return client.count("closed") == 2; });
  CHECK(client.events == Events{"closed", "error", "closed"});
  CHECK(!client.is_open());
}

TEST_CASE("a refused write that was not told before connect() ends the output", "[R2]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error); };
  client.write("before");
  client.write(proa::Buffer());
  client.connect(meeting.listener.local_address());
  client.write(", behind");
  Peer& far = meeting.accept();
  wait_received(world, far, 6);
  client.write(", behind");
  client.finish();
  wait_ended(world, far);
  CHECK(far.received() == "before");
  far.close();
  wait_closed(world, client);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0] == std::errc::no_buffer_space);
}

TEST_CASE("connect() where there is nothing to connect to, or a second time", "[R2][P01]") {
  Streams streams;
  World world;
  Meeting meeting(streams, world);
  Stream& client = meeting.client;
  SECTION("an unset address") {
    client.connect(Address());
    wait_closed(world, client);
    CHECK(client.error == Error::bad_address);
  }
  SECTION("a path that is not there") {
    client.connect(Address::parse("unix:/nonexistent/proa"));
    wait_closed(world, client);
    CHECK(client.error == std::errc::no_such_file_or_directory);
  }
  SECTION("twice") {
    client.failed = [](std::error_code) {};
    client.connect(meeting.listener.local_address());
    client.connect(meeting.listener.local_address());
    world.run_until("both were told", [&] { return client.events.size() == 2; });
    CHECK(client.saw("open"));
    CHECK(client.error == std::errc::connection_already_in_progress);
    client.connect(meeting.listener.local_address());
    world.run_until("it was told", [&] { return client.events.size() == 3; });
    CHECK(client.error == std::errc::already_connected);
    client.write("still works");
    wait_received(world, meeting.accept(), 11);
  }
  SECTION("after the shutdown") {
    world->shutdown(hang);
    client.connect(meeting.listener.local_address());
    client.start_reading();
    client.write("x");
    client.half_close();
    client.set_idle_timeout(1ms);
    client.finish();
    CHECK(world->shutdown(hang) == 0);
    // Nothing came of it: it may be destroyed.
    CHECK(!client.is_open());
    CHECK(!client.descriptor().valid());
  }
}

}  // namespace
