#pragma once

// A StreamHandler whose callbacks are noted, and, where a test sets one, replaced.

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/patterns.hpp"
#include "support/world.hpp"

namespace proa_test {

// A filter that changes nothing and counts what passes.
class Recorder : public proa::StreamFilter {
 public:
  struct Tape {
    std::size_t received = 0, written = 0, connected = 0;
  };
  explicit Recorder(Tape& tape) : tape_(tape) {}

 private:
  void on_connected() noexcept override { ++tape_.connected; }
  void on_received(proa::Buffer data) noexcept override {
    tape_.received += data.size();
    give(std::move(data));
  }
  void on_written(proa::Buffer data) noexcept override {
    tape_.written += data.size();
    send(std::move(data));
  }
  Tape& tape_;
};

class Stream : public proa::StreamHandler {
 public:
  explicit Stream(proa::Proactor& proactor) : StreamHandler(proactor) { record(); }
  Stream(proa::Proactor& proactor, proa::Socket connected)
      : StreamHandler(proactor, std::move(connected)) {
    record();
  }

  // In place of what the handler would do; each callback is noted first.
  std::function<void()> opened, drained, ended, closed;
  std::function<void(proa::Buffer&)> read;
  std::function<void(std::size_t)> written;
  std::function<void(std::error_code)> failed;
  bool echoes = false;  // writes back what it reads

  // What happened, in order. Consecutive reads are noted as one "read".
  std::vector<std::string> events;
  std::size_t count(const std::string& event) const {
    std::size_t number = 0;
    for (const std::string& each : events) number += each == event;
    return number;
  }
  bool saw(const std::string& event) const { return count(event) > 0; }
  bool is_closed() const { return saw("closed"); }

  std::string received;  // unless a pattern is expected
  std::size_t received_bytes = 0;
  std::size_t reads = 0;
  std::vector<std::size_t> writes;  // what on_write() said
  std::error_code error;            // the last one
  std::size_t most_queued = 0;      // of queued(), seen in callbacks

  // Checks what comes against a pattern instead of keeping it.
  void expect_pattern(std::uint32_t seed) {
    expecting_ = true;
    seed_ = seed;
  }
  std::size_t difference = no_difference;

 protected:
  void on_open() override {
    events.push_back("open");
    if (recorded_) CHECK(tape_.connected == 1);
    opened ? opened() : StreamHandler::on_open();
  }
  void on_read(proa::Buffer& data) override {
    note("read");
    ++reads;
    if (!expecting_) {
      received.append(data.text());
    } else if (difference == no_difference) {
      difference = first_difference(seed_, data.text(), received_bytes);
    }
    received_bytes += data.size();
    // What a test gives back to receive_file() is read again.
    if (recorded_ && tape_.received < data.size()) FAIL("the filter did not see it");
    if (read) read(data);
    if (echoes) write(std::move(data));
    most_queued = std::max(most_queued, queued());
  }
  void on_write(std::size_t bytes) override {
    note("write");
    writes.push_back(bytes);
    if (recorded_ && tape_.written < bytes) FAIL("the filter did not see it");
    if (written) written(bytes);
  }
  void on_drained() override {
    events.push_back("drained");
    if (drained) drained();
  }
  void on_end() override {
    events.push_back("end");
    ended ? ended() : StreamHandler::on_end();
  }
  void on_error(std::error_code code) override {
    events.push_back("error");
    error = code;
    failed ? failed(code) : StreamHandler::on_error(code);
  }
  void on_closed() override {
    events.push_back("closed");
    recorded_ = false;  // as new, and without a filter
    if (closed) closed();
  }

 private:
  void note(const char* event) {
    if (events.empty() || events.back() != event) events.push_back(event);
  }
  void record() {
    if (!streams_filtered()) return;
    recorded_ = true;
    set_filter(std::make_unique<Recorder>(tape_));
  }
  Recorder::Tape tape_;
  bool recorded_ = false;
  bool expecting_ = false;
  std::uint32_t seed_ = 0;
};

// Declare it before the World, whose end closes what is still open.
class Streams {
 public:
  template <class... Arguments>
  Stream& add(Arguments&&... arguments) {
    return all_.emplace_back(std::forward<Arguments>(arguments)...);
  }
  std::list<Stream>& all() { return all_; }

 private:
  std::list<Stream> all_;
};

// One stream and the peer at its other end.
struct Line {
  Stream& stream;
  Peer& far;
};

// One link after the other: the test runs once over each.
inline Link any_link() { return GENERATE(Link::tcp4, Link::path); }

inline Line line(Streams& streams, World& world, Link link = Link::tcp4) {
  const Connection pair = world.pair(link);
  return {streams.add(*world, std::move(pair.near)), pair.far};
}

inline void wait_open(World& world, Stream& stream) {
  world.run_until("the stream is open", [&] { return stream.saw("open"); });
}
inline void wait_closed(World& world, Stream& stream, proa::Duration limit = hang) {
  world.run_until(
      "the stream is closed", [&] { return stream.is_closed(); }, limit);
}
inline void wait_received(World& world, Peer& far, std::size_t bytes, proa::Duration limit = hang) {
  world.run_until(
      "the bytes arrived", [&] { return far.received_bytes() >= bytes; }, limit);
}
inline void wait_ended(World& world, Peer& far) {
  world.run_until("the peer saw the end", [&] { return far.ended() || far.error() != 0; });
}
// Where nobody listens.
inline proa::Address closed_port(World& world) {
  proa::Socket& listener = world.listen();
  const proa::Address address = listener.local_address();
  listener.close();
  return address;
}
// Goes on for so long.
inline void pass(World& world, proa::Duration time) {
  const proa::TimePoint until = world.in(time);
  world.run_until("the time is over", [&] { return world.system().now() >= until; });
}

// Little room in the kernel, so that a slow reader is felt soon. Not on the peer's side: a receive
// buffer that is too small to keep what was sent makes TCP wait for retransmissions.
inline Line narrow_line(Streams& streams, World& world, Link link = Link::tcp4) {
  const Connection pair = world.pair(link);
  REQUIRE(!pair.near.set_option(proa::SocketOption::send_buffer, 65536));
  return {streams.add(*world, std::move(pair.near)), pair.far};
}

using Events = std::vector<std::string>;

}  // namespace proa_test
