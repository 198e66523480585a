// An error that is due is told, once, whatever verb follows: finish() closes behind it, and it is
// the one that says what went wrong.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include "contract/stream_rig.hpp"
#include "support/allocations.hpp"

namespace {

using namespace proa_test;
using proa::Address;
using proa::Error;
using proa::Socket;

// All errors of a stream whose on_error() closes, as the default does, or does nothing.
struct Told {
  explicit Told(Stream& stream) : closes(GENERATE(true, false)) {
    stream.failed = [this, &stream](std::error_code error) {
      errors.push_back(error);
      if (closes) stream.close();
    };
  }
  const bool closes;
  std::vector<std::error_code> errors;
};

std::error_code to_code(int error) { return {error, std::system_category()}; }

// No descriptor is free while it lives.
struct NoDescriptors {
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before);
    const int next = ::dup(0);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
};

TEST_CASE("finish() closes behind the error that is due", "[R2][T13]") {
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  Told told(client);
  std::error_condition expected = std::errc::not_connected;
  SECTION("no connect()") { client.write("x"); }
  SECTION("no connect(), half_close()") { client.half_close(); }
  SECTION("connect() to nowhere") {
    client.connect(Address());
    client.write("x");
    expected = std::errc::invalid_argument;
  }
  SECTION("connect() without a descriptor") {
    const NoDescriptors none;
    client.connect(listener.local_address());
    client.write("x");
    expected = std::errc::too_many_files_open;
  }
  SECTION("a write of no memory") {
    client.write(proa::Bytes(nullptr, 10));
    client.connect(listener.local_address());
    expected = std::errc::invalid_argument;
  }
  client.finish();
  CHECK(client.events.empty());
  wait_closed(world, client);
  REQUIRE(told.errors.size() == 1);
  CHECK(told.errors[0] == expected);
  CHECK(client.events.back() == "closed");
}

TEST_CASE("finish() of a stream with an error that is due and all sent closes behind it",
          "[R2][T13]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  wait_open(world, stream);
  Told told(stream);
  stream.set_read_timeout(0s);
  stream.finish();
  far.half_close();
  wait_closed(world, stream);
  CHECK(told.errors.size() == 1);
}

TEST_CASE("finish() of a stream that connects in vain closes behind on_error()", "[R2][T13]") {
  Streams streams;
  proa::Options with = options();
  with.linger = hang;
  World world(with);
  Stream& client = streams.add(*world);
  Told told(client);
  const bool refused = GENERATE(true, false);
  client.connect(refused ? closed_port(world) : Address::parse("unix:/nonexistent/proa"));
  client.write("x");
  client.finish();
  const proa::TimePoint before = world.system().now();
  wait_closed(world, client);
  CHECK(world.system().now() - before < hang / 2);
  CHECK(told.errors.size() == 1);
  CHECK(client.events == Events{"error", "closed"});
}

TEST_CASE("a stream that finishes may connect elsewhere in on_error()", "[R2][T13]") {
  Streams streams;
  World world;
  proa::Socket& listener = world.listen();
  Stream& client = streams.add(*world);
  client.failed = [&](std::error_code) { client.connect(listener.local_address()); };
  const bool at_once = GENERATE(true, false);
  client.connect(at_once ? Address() : closed_port(world));
  client.write("x");
  client.finish();
  proa::Descriptor accepted;
  world.run_until("a connection came", [&] {
    return world.system().accept(listener.descriptor(), accepted, nullptr) == 0;
  });
  Peer& far = world.peer(Socket(world.system(), accepted));
  wait_ended(world, far);
  CHECK(far.received() == "x");
  far.half_close();
  wait_closed(world, client);
  CHECK(client.count("error") == 1);
}

TEST_CASE("finish() in the on_read() before a send's error: the error is told all the same",
          "[R2][T11]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  Told told(stream);
  stream.opened = [] {};
  stream.read = [&s = stream](proa::Buffer&) { s.finish(); };
  wait_open(world, stream);
  const bool reads = GENERATE(true, false);
  if (reads) far.send("too large");
  turns(world, 3);
  far.close();
  stream.write("request");
  if (reads) {
    turns(world, 3);
    stream.start_reading();
  } else {
    stream.finish();
  }
  wait_closed(world, stream);
  CHECK(stream.received == (reads ? "too large" : ""));
  REQUIRE(told.errors.size() == 1);
  CHECK(told.errors[0] == std::errc::broken_pipe);
}

TEST_CASE("an exception from the on_error() that finish() waits for does not keep it open",
          "[R2][C07]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  client.failed = [](std::error_code) { throw 1; };
  const int how = GENERATE(0, 1);
  if (how == 1) client.connect(closed_port(world));
  client.write("x");
  client.finish();
  int thrown = 0;
  for (int i = 0; i < 1000 && !client.is_closed(); ++i) {
    try {
      world->run_once(10ms);
    } catch (int) {
      ++thrown;
    }
  }
  CHECK(client.is_closed());
  CHECK(thrown == 1);
}

TEST_CASE("what keeps a stream from its connection is told, not the want of one", "[R2]") {
  Streams streams;
  World world;
  std::error_condition expected = std::errc::invalid_argument;
  const auto told = [&](Stream& client) {
    Told by(client);
    turns(world, 20);
    REQUIRE(by.errors.size() == 1);
    CHECK(by.errors[0] == expected);
    CHECK(client.is_open() != by.closes);
  };
  SECTION("connect() to nowhere, then a write") {
    Stream& client = streams.add(*world);
    client.connect(Address());
    client.write("x");
    told(client);
  }
  SECTION("a write, then connect() to nowhere") {
    Stream& client = streams.add(*world);
    client.write("x");
    client.connect(Address());
    told(client);
  }
  SECTION("a write, then a connect() that fails") {
    Stream& client = streams.add(*world);
    client.write("x");
    client.connect(closed_port(world));
    expected = std::errc::connection_refused;
    told(client);
  }
  SECTION("an invalid socket, and a write") {
    Stream& client = streams.add(*world, Socket());
    client.write("x");
    expected = std::errc::bad_file_descriptor;
    told(client);
  }
}

TEST_CASE("an error that has nothing to do with it does not hide the want of a connection",
          "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error); };
  const bool first = GENERATE(true, false);
  if (first) client.set_read_timeout(0s);
  client.write("x");
  if (!first) client.set_read_timeout(0s);
  turns(world, 20);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == std::errc::not_connected);
  CHECK(errors[1] == std::errc::invalid_argument);
}

TEST_CASE("an error that leaves a stream without a connection is counted if nobody answers it",
          "[R2]") {
  Streams streams;
  World world;
  Stream* client = nullptr;
  SECTION("connect() to nowhere") {
    client = &streams.add(*world);
    client->connect(Address());
  }
  SECTION("an invalid socket") { client = &streams.add(*world, Socket()); }
  SECTION("no connect()") {
    client = &streams.add(*world);
    client->write("x");
  }
  client->failed = [](std::error_code) {};
  turns(world, 20);
  CHECK(client->count("error") == 1);
  CHECK(world->counters().errors_unanswered == 1);
}

// The default on_error() ignores the first of the two: the stream would wait for ever.
TEST_CASE("two different errors that are due together are both told", "[R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  std::vector<std::error_code> errors;
  stream.failed = [&](std::error_code error) { errors.push_back(error); };
  wait_open(world, stream);
  stream.half_close();
  stream.write("late");
  stream.write("too late");
  const bool file = GENERATE(true, false);
  file ? stream.receive_file({}, 0, 100) : stream.set_read_timeout(proa::Duration(0));
  world.run_until("both were told", [&] { return errors.size() == 2; });
  turns(world, 5);
  REQUIRE(errors.size() == 2);
  CHECK(errors[0] == Error::closing);
  CHECK(errors[1] == (file ? std::errc::bad_file_descriptor : std::errc::invalid_argument));
}

TEST_CASE("however many different errors are due together, each is told, in order", "[R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  std::vector<std::error_code> errors;
  stream.failed = [&](std::error_code error) { errors.push_back(error); };
  stream.opened = [] {};
  wait_open(world, stream);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> made(std::tmpfile(), &std::fclose);
  const proa::Descriptor file{::fileno(made.get()), proa::DescriptorKind::file};
  const auto all = [&, &sender = stream] {
    sender.half_close();
    sender.write("late");
    sender.set_read_timeout(0s);
    sender.connect(Address::loopback(9));
    sender.receive_file({}, 0, 100);
    sender.receive_file(file, UINT64_MAX, 100);
    sender.receive_file(file, 0, 100);
    proa::Buffer some = world->take_buffer();
    some.append("x");
    sender.receive_file(file, 0, 100, std::move(some));
    sender.write("too late");
    sender.set_idle_timeout(0s);
  };
  const std::vector<std::error_code> expected = {Error::closing,    to_code(EINVAL),
                                                 to_code(EISCONN),  to_code(EBADF),
                                                 Error::bad_offset, to_code(EALREADY)};
  for (int times = 0; times < 2; ++times) {
    errors.clear();
    all();
    world.run_until("all were told", [&] { return errors.size() >= expected.size(); });
    turns(world, 5);
    CHECK(errors == expected);
  }
}

TEST_CASE("the want of a connection is told first, and the others in their order", "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  std::vector<std::error_code> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error); };
  client.set_read_timeout(0s);
  client.receive_file({}, 0, 100);
  client.write("x");
  turns(world, 20);
  CHECK(errors == std::vector<std::error_code>{to_code(ENOTCONN), to_code(EINVAL), to_code(EBADF)});
}

TEST_CASE("a refused write hides no other error, and none hides it", "[R2]") {
  Streams streams;
  World world;
  Stream& client = streams.add(*world);
  std::vector<int> errors;
  client.failed = [&](std::error_code error) { errors.push_back(error.value()); };
  std::vector<int> expected = {EINVAL, ENOBUFS};
  const bool connects = GENERATE(false, true);
  const bool late = GENERATE(false, true);
  const bool first = GENERATE(false, true);
  CAPTURE(connects, late, first);
  if (connects) {
    proa::Socket& listener = world.listen();
    const Address address = listener.local_address();
    listener.close();
    client.connect(address);
  }
  if (connects && late) world.run_until("it was refused", [&] { return errors.size() == 1; });
  if (first) client.write(proa::Buffer());
  client.set_watermarks({1, 2, 3});
  if (!first) client.write(proa::Buffer());
  if (connects) expected.push_back(ECONNREFUSED);
  if (!connects || late) expected.push_back(ENOTCONN);
  world.run_until("all were told", [&] { return errors.size() >= expected.size(); });
  turns(world, 5);
  std::sort(errors.begin(), errors.end());
  std::sort(expected.begin(), expected.end());
  CHECK(errors == expected);
}

TEST_CASE("without memory to note them, errors that are due are told as one", "[R2]") {
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world);
  Told told(stream);
  wait_open(world, stream);
  stream.half_close();
  stream.write("late");
  {
    FailingAllocation failing(1, true);
    stream.receive_file({}, 0, 100);
  }
  turns(world, 20);
  REQUIRE(told.errors.size() == 1);
  CHECK(told.errors[0] == std::errc::not_enough_memory);
}

}  // namespace
