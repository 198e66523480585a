#pragma once

// Something that goes on by itself, beside a stream that is asked for one echo after the other.
// Measured is how often the source has its turn before each answer: that bound, and not the
// machine, decides which part of its echoes the stream keeps (R8).

#include <algorithm>
#include <functional>

#include "contract/stream_rig.hpp"

namespace proa_test {

// Three rounds: one that the byte comes in, one that the answer leaves in, one more.
constexpr std::size_t most_per_echo = 3 * 64;
// One more, where the kernel tells of all descriptors in one line: what was in it before the byte,
// and before the answer, is told first.
constexpr std::size_t most_per_echo_in_line = most_per_echo + 64;
// An accepted connection counts for as much as several callbacks.
constexpr std::size_t most_connections_per_echo = most_per_echo / 4;
// And so does a request on files that neither reads nor writes.
constexpr std::size_t most_file_calls_per_echo = most_per_echo_in_line / 8;

// The stream is a UNIX one: what is sent to it is there at once, however busy the machine is. That
// of TCP may wait in the kernel for a thread of its own (ksoftirqd).

/// Something that goes on by itself from its callback until it is told to stop.
struct Source {
  std::size_t turns = 0;
  bool stopped = false;
  std::function<void()> next;  // begins the next one
  void again() {
    ++turns;
    if (!stopped) next();
  }
};

// Begins a request, and begins it again from its callback: one that the source goes on with.
template <class Request, class Begin>
void go_on(Source& source, Recording<Request>& each, Begin begin) {
  each.then = [&source, &each, begin] {
    each.results.clear();
    ++source.turns;
    if (!source.stopped) begin();
  };
  begin();
}

template <class Requests>
bool all_ended(const Requests& requests) {
  // From the end: who started last is mostly who ends last.
  return std::none_of(requests.rbegin(), requests.rend(),
                      [](const auto& each) { return each.request.pending(); });
}

// Asks for `echoes` of them, one by one; the most turns that the source had for one.
inline std::size_t most_turns(
    World& world, Source& source, Peer& far, const std::function<void()>& drain = [] {},
    std::size_t echoes = 20) {
  world.run_until("it goes on", [&] {
    drain();
    return source.turns >= 20;
  });
  std::size_t most = 0;
  for (std::size_t i = 1; i <= echoes; ++i) {
    far.send("x");
    far.turn();
    const std::size_t before = source.turns;
    // Results that moved much fill a round with a few of them.
    for (int rounds = 0; rounds < 400 && far.received_bytes() < i; ++rounds) {
      world->run_once(0ms);
      drain();
      far.turn();
    }
    REQUIRE(far.received_bytes() == i);
    most = std::max(most, source.turns - before);
  }
  return most;
}

}  // namespace proa_test
