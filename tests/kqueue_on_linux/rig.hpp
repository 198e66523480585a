#pragma once

// What the tests of the emulation share.

#include <netinet/in.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace proa_test {

using Events = std::vector<struct kevent>;

struct Queue {
  Queue() : number(kqueue()) { REQUIRE(number >= 0); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    if (number >= 0) ::close(number);
  }

  /// 0 or an error number.
  int change(std::uintptr_t ident, int filter, int flags, unsigned fflags = 0,
             std::uintptr_t udata = 0) const noexcept {
    struct kevent one;
    EV_SET(&one, ident, filter, flags, fflags, 0, reinterpret_cast<void*>(udata));
    return kevent(number, &one, 1, nullptr, 0, nullptr) < 0 ? errno : 0;
  }
  int watch(int descriptor, int filter, int flags = EV_ADD | EV_CLEAR,
            std::uintptr_t udata = 0) const noexcept {
    return change(static_cast<std::uintptr_t>(descriptor), filter, flags, 0, udata);
  }

  /// What is there, after at most this many milliseconds.
  Events take(int milliseconds, std::size_t most = 16) const {
    Events events(most);
    const timespec limit{milliseconds / 1000, milliseconds % 1000 * 1'000'000L};
    const int count = kevent(number, nullptr, 0, events.data(), static_cast<int>(most), &limit);
    REQUIRE(count >= 0);
    events.resize(static_cast<std::size_t>(count));
    return events;
  }
  Events take() const { return take(0); }

  int number;
};

/// Long enough for whatever must come.
constexpr int soon = 10'000;

inline bool has(const Events& events, int descriptor, int filter) {
  for (const auto& event : events) {
    if (event.ident == static_cast<std::uintptr_t>(descriptor) && event.filter == filter) {
      return true;
    }
  }
  return false;
}

struct Pair {
  explicit Pair(std::array<int, 2> made) : a(made[0]), b(made[1]) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    close_a();
    close_b();
  }
  void close_a() {
    if (a >= 0) ::close(a);
    a = -1;
  }
  void close_b() {
    if (b >= 0) ::close(b);
    b = -1;
  }
  int a;
  int b;
};

/// Reading end, writing end.
std::array<int, 2> make_pipe();
std::array<int, 2> make_local();
std::array<int, 2> make_tcp();
/// Of a socket on which nobody listens.
sockaddr_in closed_port(int type);

inline void put(int descriptor, const std::string& text) {
  REQUIRE(::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}
inline std::string get(int descriptor, std::size_t most = 100) {
  std::string text(most, '\0');
  const ssize_t got = ::read(descriptor, text.data(), most);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace proa_test
