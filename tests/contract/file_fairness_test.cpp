// Files are one source of news among others, and blocks of the pool are for sockets and for files,
// in turns (R8).
#include <ctime>
#include <proa/requests.hpp>

#include "contract/fairness_rig.hpp"
#include "contract/file_handler_rig.hpp"

namespace {

using namespace proa_test;

TEST_CASE("M04: with few buffers, streams and a file that is read both go on",
          "[file][R8][R11][M04]") {
  const Folder folder;
  std::list<Recording<proa::RecvBuffers>> streams;
  Filings filings;
  proa::Options few = options();
  few.buffers = GENERATE(std::size_t{2}, std::size_t{4});
  few.buffer_size = 1024;
  World world(few);
  std::vector<Peer*> peers;
  std::size_t reads = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const Connection connection = world.pair(Link::path);
    auto& stream = streams.emplace_back();
    stream.then = [&reads, &stream = stream] {
      ++reads;
      stream.results.clear();
      stream.request.buffer().reset();
    };
    stream.request.prepare(connection.descriptor());
    world.submit(stream.request);
    connection.far.send_pattern(1, std::size_t{1} << 30);
    peers.push_back(&connection.far);
  }
  world.run_until("all buffers are in use", [&] { return reads > 500; });
  // Read again from its beginning whenever it ends.
  Filing& file = filings.add(*world);
  file.ended = [&] {
    file.received.clear();
    file.start_reading(0);
  };
  file.open(folder.file("a", pattern(1, 10000)), proa::OpenFlags::read);
  file.start_reading();
  for (int i = 0; i < 20; ++i) {
    const std::size_t file_before = file.reads;
    world.run_until("the file is read", [&] { return file.reads > file_before; });
    const std::size_t before = reads;
    world.run_until("the streams are read", [&] { return reads > before + 8; });
  }
  file.close();
  for (Peer* peer : peers) peer->close();
}

TEST_CASE("M04: requests on files that are submitted again in their callbacks starve no stream",
          "[file][R8][M04]") {
  const bool writing = GENERATE(false, true);
  const std::size_t size = GENERATE(std::size_t{1}, std::size_t{65536}, std::size_t{1} << 18);
  const std::size_t together = GENERATE(std::size_t{1}, std::size_t{100});
  // Of those that move much a round tells few, and each round reaches the stream.
  const std::size_t most = size > 65536 && !writing ? most_per_echo / 8 : most_per_echo_in_line;
  CAPTURE(writing, size, together);
  const Folder folder;
  const std::string bytes = pattern(1, size);
  Source source;
  std::list<ReadingAt> reads;
  std::list<WritingAt> writes;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  const proa::File file = open_file(world, folder.file("a", bytes));
  for (std::size_t i = 0; i < together; ++i) {
    if (writing) {
      auto& each = writes.emplace_back();
      go_on(source, each, [&] { world.submit(each.to(file.descriptor(), 0, bytes)); });
    } else {
      auto& each = reads.emplace_back(size);
      go_on(source, each, [&] { world.submit(each.from(file.descriptor())); });
    }
  }
  CHECK(most_turns(world, source, far) <= most);
  source.stopped = true;
  world.run_until("all have ended", [&] { return all_ended(reads) && all_ended(writes); });
}

// As many as io_uring or the workers have at once.
TEST_CASE("M04: however many requests on files are in flight, they starve no stream",
          "[file][R8][M04]") {
  constexpr std::size_t together = 2000;
  enum class Kind { read, status, open, pieces };
  const Kind kind = GENERATE(Kind::read, Kind::status, Kind::open, Kind::pieces);
  CAPTURE(static_cast<int>(kind));
  const Folder folder;
  Source source;
  std::list<Recording<proa::ReadAt>> reads;
  std::list<Recording<proa::Status>> statuses;
  std::list<Recording<proa::Open>> opens;
  char memory[1];
  std::vector<proa::MutableBytes> pieces(kind == Kind::pieces ? 1000 : 1, {memory, 0});
  pieces.front().size = 1;
  Streams streams;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  const std::size_t number = kind == Kind::pieces ? 50 : kind == Kind::open ? 500 : together;
  for (std::size_t i = 0; i < number; ++i) {
    if (kind == Kind::status) {
      proa::Status& request = statuses.emplace_back().request;
      go_on(source, statuses.back(), [&] {
        request.prepare(file.descriptor());
        world.submit(request);
      });
    } else if (kind == Kind::open) {
      proa::Open& request = opens.emplace_back().request;
      go_on(source, opens.back(), [&] {
        request.prepare(folder.path("a"), proa::OpenFlags::read);
        world.submit(request);
      });
    } else {
      proa::ReadAt& request = reads.emplace_back().request;
      go_on(source, reads.back(), [&] {
        request.prepare(file.descriptor(), 0, pieces.data(), pieces.size());
        world.submit(request);
      });
    }
  }
  const std::size_t most = kind == Kind::pieces ? most_per_echo / 8
                           : kind == Kind::read ? most_per_echo_in_line
                                                : most_file_calls_per_echo;
  CHECK(most_turns(world, source, far) <= most);
  source.stopped = true;
  world.run_until("all have ended",
                  [&] { return all_ended(reads) && all_ended(statuses) && all_ended(opens); });
  for (auto& each : opens) const proa::File closed = std::move(each.request.file());
}

// The kernel has more to tell than its queue has places, and tells of files and of sockets.
TEST_CASE("M04: with the smallest queues, streams and requests on files both go on",
          "[file][R8][R11][M04]") {
  const Folder folder;
  proa::Options small = options();
  small.uring_entries = GENERATE(1u, 2u, 4u, 8u);
  CAPTURE(small.uring_entries);
  Source source;
  std::list<Recording<proa::Status>> statuses;
  Streams streams;
  World world(small);
  std::vector<Peer*> peers;
  for (std::size_t i = 0; i < 20; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    stream.echoes = true;
    wait_open(world, stream);
    peers.push_back(&far);
  }
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  for (std::size_t i = 0; i < 30; ++i) {
    proa::Status& request = statuses.emplace_back().request;
    go_on(source, statuses.back(), [&] {
      request.prepare(file.descriptor());
      world.submit(request);
    });
  }
  for (std::size_t i = 1; i <= 20; ++i) {
    const std::size_t before = source.turns;
    for (Peer* const far : peers) far->send("x");
    world.run_until("all answered", [&] {
      return std::all_of(peers.begin(), peers.end(),
                         [i](Peer* far) { return far->received_bytes() == i; });
    });
    world.run_until("requests have ended", [&] { return source.turns > before; });
  }
  source.stopped = true;
  world.run_until("all have ended", [&] { return all_ended(statuses); });
}

TEST_CASE("M04: a full completion queue hides no stream behind requests on files",
          "[file][R8][M04]") {
  const Folder folder;
  proa::Options small = options();
  small.uring_entries = GENERATE(2u, 8u);
  CAPTURE(small.uring_entries);
  Source source;
  std::list<ReadingAt> reads;
  Streams streams;
  World world(small);
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  for (std::size_t i = 0; i < 1000; ++i) {
    ReadingAt& each = reads.emplace_back(1);
    go_on(source, each, [&] { world.submit(each.from(file.descriptor())); });
  }
  CHECK(most_turns(world, source, far) <= most_per_echo_in_line);
  source.stopped = true;
  world.run_until("all have ended", [&] { return all_ended(reads); });
}

// Each takes many calls: io_uring(7) takes 64 pieces in one.
TEST_CASE("M04: a round takes requests of many pieces no further than by one call each",
          "[file][R8][M04]") {
  const Folder folder;
  std::list<Recording<proa::ReadAt>> reads;
  char memory[1];
  std::vector<proa::MutableBytes> pieces(1000, {memory, 1});
  World world;
  const proa::File file = open_file(world, folder.file("a", pattern(1, pieces.size())));
  for (std::size_t i = 0; i < 500; ++i) {
    proa::ReadAt& request = reads.emplace_back().request;
    request.prepare(file.descriptor(), 0, pieces.data(), pieces.size());
    world.submit(request);
  }
  const auto steps = [&] { return world->counters().retries + world->counters().completed; };
  const auto rounds = [&] { return world->counters().rounds; };
  const auto all_done = [&] {
    return std::all_of(reads.begin(), reads.end(), [](auto& each) { return each.done(); });
  };
  std::uint64_t most = 0;  // in a round
  while (!all_done()) {
    const std::uint64_t steps_before = steps();
    const std::uint64_t rounds_before = rounds();
    world->run_once(5s);
    most = std::max(most, (steps() - steps_before) / (rounds() - rounds_before));
  }
  CHECK(most <= reads.size() + options().round_budget);
  for (auto& each : reads) CHECK(each.bytes() == pieces.size());
}

// More than the kernel gets at once: each has its turn behind those that have waited.
TEST_CASE(
    "M04: requests on files that are submitted again in their callbacks starve no other request",
    "[file][R8][M04]") {
  proa::Options with = options();
  with.round_budget = GENERATE(std::size_t{32}, std::size_t{1024});
  constexpr std::size_t together = 300;
  const Folder folder;
  Source source;
  std::list<Recording<proa::Status>> statuses;
  World world(with);
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  const auto begin = [&](proa::Status& status) {
    status.prepare(file.descriptor());
    world.submit(status);
  };
  for (std::size_t i = 0; i < together; ++i) {
    proa::Status& request = statuses.emplace_back().request;
    go_on(source, statuses.back(), [&] { begin(request); });
  }
  world.run_until("they go on", [&] { return source.turns > together; });
  std::size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    Recording<proa::Status> one;
    const std::size_t before = source.turns;
    begin(one.request);
    world.run_until("it had its turn", [&] { return one.done(); });
    most = std::max(most, source.turns - before);
  }
  CHECK(most <= 3 * together);
  source.stopped = true;
  world.run_until("all have ended", [&] { return all_ended(statuses); });
}

double seconds_of_thread() {
  timespec now{};
  REQUIRE(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// What the loop's thread takes to cancel so many Syncs at once, for each of them, and then, with as
// many in flight again, to close idle streams.
struct Times {
  double cancel = 0;
  double close = 0;
};
Times times_with(std::size_t together) {
  const Folder folder;
  std::list<Recording<proa::Sync>> syncs(together);
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", ""));
  // The streams get numbers that files had.
  std::list<proa::File> opened;
  for (int i = 0; i < 110; ++i) opened.push_back(open_file(world, folder.path("a")));
  for (proa::File& each : opened) {
    Recording<proa::CloseFile> close;
    perform(world, (close.request.prepare(std::move(each)), close));
  }
  std::vector<Stream*> idle;
  for (int i = 0; i < 100; ++i) {
    auto [stream, far] = line(streams, world, Link::path);
    idle.push_back(&stream);
    wait_open(world, *idle.back());
  }
  const auto submit_all = [&] {
    for (auto& each : syncs) {
      each.request.prepare(file.descriptor());
      world.submit(each.request);
    }
    turns(world, 3);
  };
  Times times;
  submit_all();
  double before = seconds_of_thread();
  for (auto& each : syncs) world->cancel(each.request);
  world.run_until("all have ended", [&] { return all_ended(syncs); });
  times.cancel = (seconds_of_thread() - before) / static_cast<double>(together);
  submit_all();
  before = seconds_of_thread();
  for (Stream* const each : idle) each->close();
  times.close = seconds_of_thread() - before;
  for (auto& each : syncs) world->cancel(each.request);
  world.run_until("all have ended", [&] { return all_ended(syncs); });
  return times;
}

TEST_CASE("however many requests on files are in flight, a cancel and a close take the same time",
          "[file][R8]") {
  // The least of several runs, and much room: the processor's caches do not hold as many. A search
  // for each cancel, or for each close, takes 60 times as long.
  Times few{1, 1};
  Times many{1, 1};
  for (int i = 0; i < 3; ++i) {
    const Times with_few = times_with(200);
    const Times with_many = times_with(16000);
    few = {std::min(few.cancel, with_few.cancel), std::min(few.close, with_few.close)};
    many = {std::min(many.cancel, with_many.cancel), std::min(many.close, with_many.close)};
  }
  CAPTURE(few.cancel, many.cancel, few.close, many.close);
  CHECK(many.cancel < 15 * few.cancel);
  CHECK(many.close < 15 * few.close);
}

TEST_CASE("close() of a file does not wait for the requests that nobody has begun", "[file][R4]") {
  const Folder folder;
  Filings filings;
  std::list<Recording<proa::Status>> statuses;
  World world;
  Filing& file = filings.add(*world);
  file.open(folder.file("a", "some bytes"), proa::OpenFlags::read);
  wait_for(world, file, "open");
  for (std::size_t i = 0; i < 1000; ++i) {
    proa::Status& status = statuses.emplace_back().request;
    status.prepare(file.descriptor());
    world.submit(status);
  }
  file.close();
  wait_closed(world, file);
  std::size_t cancelled = 0;
  for (auto& each : statuses) {
    REQUIRE(each.results.size() == 1);
    cancelled += each.error() == std::errc::operation_canceled;
  }
  CHECK(cancelled > 0);
}

TEST_CASE("M04: a file's handler that always has more starves no stream", "[file][R8][M04]") {
  enum class More { reads, writes, writes_of_nothing, syncs, many_writes, many_syncs };
  const More more = GENERATE(More::reads, More::writes, More::writes_of_nothing, More::syncs,
                             More::many_writes, More::many_syncs);
  CAPTURE(static_cast<int>(more));
  const Folder folder;
  Source source;
  Streams streams;
  Filings filings;
  World world;
  auto [stream, far] = line(streams, world, Link::path);
  stream.echoes = true;
  wait_open(world, stream);
  Filing& file = filings.add(*world);
  std::size_t untold = 0;
  const std::size_t many = more >= More::many_writes ? 20000 : 1;
  file.ended = [&] {
    file.received.clear();
    if (!source.stopped) file.start_reading(0);
  };
  file.read = [&](proa::Buffer&) { ++source.turns; };
  const auto told = [&] {
    --untold;
    source.again();
  };
  file.written = [&](std::size_t) {
    file.writes.clear();
    told();
  };
  file.synced = told;
  source.next = [&] {
    if (untold > 0) return;
    for (; untold < many; ++untold) {
      if (more == More::syncs || more == More::many_syncs) {
        file.sync();
      } else {
        file.write(more == More::writes_of_nothing ? "" : "x");
      }
    }
    if (more == More::many_writes) file.set_write_position(0);
  };
  file.open(folder.file("a", "some bytes"), proa::OpenFlags::read | proa::OpenFlags::write);
  wait_for(world, file, "open");
  more == More::reads ? file.start_reading() : source.next();
  CHECK(most_turns(
            world, source, far, [] {}, more >= More::many_writes ? 100 : 20) <= most_per_echo);
  source.stopped = true;
  world.run_until("all are told", [&] { return untold == 0; });
  file.close();
  wait_closed(world, file);
}

TEST_CASE("M04: a stream that gives its input back without end hears what else there is",
          "[file][R8][M04]") {
  const Folder folder;
  Streams streams;
  World world;
  const proa::File file = open_file(world, folder.file("a", ""));
  auto [stream, far] = line(streams, world, Link::path);
  std::size_t reads = 0;
  bool stopped = false;
  // A file of no bytes, and behind it what was read: it is read again.
  stream.read = [&, s = &stream](proa::Buffer& data) {
    ++reads;
    s->received.clear();
    if (!stopped) s->receive_file(file.descriptor(), 0, 0, std::move(data));
  };
  stream.failed = [](std::error_code) {};
  wait_open(world, stream);
  far.send("x");
  world.run_until("it goes on", [&] { return reads > 20; });
  // A write of nothing, and an error: both are told from notices, as what is given back is.
  stream.write("");
  proa::Watermarks marks;
  marks.limit = 0;
  stream.set_watermarks(marks);
  stream.write("y");
  const std::size_t before = reads;
  world.run_until("both are told", [&, s = &stream] { return s->saw("write") && s->saw("error"); });
  CHECK(stream.error == proa::Error::write_limit);
  CHECK(reads - before <= 10);
  stopped = true;
}

}  // namespace
