// A stream that is asked to connect while it closes: what is asked is not lost.
#include <functional>
#include <memory>

#include "stream_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;
using proa::Address;

TEST_CASE("a connect() behind close() begins when on_closed() has returned", "[R6]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address there = world.listen().local_address();
  const Address nowhere = closed_port(world);
  Events expected{"error", "closed", "open"};
  client.failed = [&](std::error_code) {
    client.close();
    client.connect(there);
  };
  SECTION("in on_error()") {}
  SECTION("the last one counts") {
    client.failed = [&](std::error_code) {
      client.close();
      client.connect(nowhere);
      client.connect(nowhere);
      client.connect(there);
    };
  }
  SECTION("each time") {
    int times = 0;
    client.failed = [&, times](std::error_code) mutable {
      client.close();
      client.connect(++times < 3 ? nowhere : there);
    };
    expected = {"error", "closed", "error", "closed", "error", "closed", "open"};
  }
  SECTION("what on_closed() connects comes first") {
    client.failed = [&](std::error_code) {
      client.close();
      client.connect(nowhere);
    };
    client.closed = [&] {
      client.closed = {};
      client.connect(there);
    };
  }
  SECTION("a second close() forgets it") {
    client.failed = [&](std::error_code) {
      client.close();
      client.connect(there);
      client.close();
    };
    expected = {"error", "closed"};
  }
  client.connect(nowhere);
  wait_closed(world, client);
  CHECK(client.is_open() == (expected.back() == "open"));  // at once: run() goes on
  world.run_until("all of it came", [&] { return client.events.size() >= expected.size(); });
  turns(world, 5);
  CHECK(client.events == expected);
  CHECK(client.connected() == (expected.back() == "open"));
}

TEST_CASE("so does one of a stream that was closed while it connected, and with its deadline",
          "[R6]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address there = world.listen().local_address();
  client.failed = [](std::error_code) {};
  client.connect(there);
  if (GENERATE(true, false)) wait_open(world, client);
  client.close();
  const bool late = GENERATE(true, false);
  client.connect(there, late ? world.system().now() - 1h : proa::never);
  client.events.clear();
  world.run_until("it was told", [&] { return client.events.size() == 2; });
  CHECK(client.events[0] == "closed");
  // An end that came before its deadline was looked at is as good.
  CHECK((client.events[1] == "open" || (late && client.error == proa::Error::deadline)));
}

TEST_CASE("what was asked of a handler that is destroyed in on_closed() is gone with it", "[R6]") {
  World world;
  struct Mortal : proa::StreamHandler {
    using StreamHandler::StreamHandler;
    bool* gone = nullptr;

   private:
    void on_read(proa::Buffer&) override {}
    void on_closed() override {
      *gone = true;
      delete this;
    }
  };
  bool gone = false;
  auto* const mortal = new Mortal(*world);
  mortal->gone = &gone;
  mortal->close();
  mortal->connect(closed_port(world));
  world.run_until("it is gone", [&] { return gone; });
  CHECK(world->run() == 0);
}

TEST_CASE("nothing is carried out behind shutdown()", "[R6][C06]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  client.close();
  client.connect(world.listen().local_address());
  CHECK(world->shutdown(hang) == 0);
  CHECK(client.events == Events{"closed"});
  CHECK(!client.is_open());
}

TEST_CASE("an error that a stream's owner does not answer is counted", "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  client.failed = [](std::error_code) {};
  client.connect(closed_port(world));
  world.run_until("it was told", [&] { return client.saw("error"); });
  CHECK(client.is_open());
  CHECK(world->counters().errors_unanswered == 1);
  client.close();
  wait_closed(world, client);
  client.failed = {};
  client.connect(closed_port(world));
  world.run_until("it was told", [&] { return client.count("closed") == 2; });
  CHECK(world->counters().errors_unanswered == 1);
}

TEST_CASE("a connect() behind close() that finds no memory is an error, told once", "[R2][R6]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  const Address there = world.listen().local_address();
  const bool connecting = GENERATE(false, true);
  if (connecting) {
    client.connect(there);
  } else {
    client.start_reading();
  }
  if (!connecting) turns(world, 3);
  client.close();
  if (GENERATE(false, true)) client.connect(there);  // which the next one replaces
  bool failed = false;
  {
    FailingAllocation none(1, true);
    client.connect(there);
    failed = none.stop();
  }
  CHECK(failed);
  world.run_until("it was told", [&] { return client.saw("error"); });
  CHECK(client.error == std::errc::not_enough_memory);
  world.run_until("it was closed again", [&] { return client.count("closed") == 2; });
  turns(world, 5);
  CHECK(client.events == Events{"closed", "error", "closed"});
  client.events.clear();
  client.connect(there);  // as new
  world.run_until("it is open", [&] { return client.saw("open"); });
}

TEST_CASE("timeouts and watermarks hold for the next connection too, a filter does not", "[R6]") {
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  const bool sets_while_closing = GENERATE(true, false);
  const auto set = [&] {
    client.set_watermarks({100, 50, 5000});
    client.set_read_timeout(10ms);
  };
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) {
    errors.push_back(error);
    if (error == proa::Error::deadline) client.close();
  };
  if (!sets_while_closing) set();
  client.connect(listener.local_address());
  wait_open(world, client);
  client.close();
  if (sets_while_closing) set();
  wait_closed(world, client);
  errors.clear();
  CHECK(client.watermarks().limit == 5000);
  client.connect(listener.local_address());
  client.write(proa::Bytes(std::string(5001, 'x')));
  world.run_until("it timed out", [&] { return client.count("closed") == 2; });
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == proa::Error::write_limit);
  CHECK(errors[1] == proa::Error::deadline);
}

}  // namespace
