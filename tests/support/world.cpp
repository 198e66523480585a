// The fixture of the contract tests, and its guards.
#include "support/world.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <thread>
#include <utility>

#include "sys/names.hpp"
#include "sys/sys.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROA_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROA_TEST_SANITIZED 1
#endif
#endif

#ifdef PROA_TEST_SANITIZED
extern "C" __attribute__((weak)) int __lsan_do_recoverable_leak_check();
#endif

namespace proa_test {

namespace {

// The pool maps its slabs and unmaps them with its last buffer: what is still mapped is still lent.
std::atomic<long> mappings{0};
long (*map_below)(std::size_t, void**) noexcept;
long (*unmap_below)(void*, std::size_t) noexcept;

long counted_map(std::size_t size, void** memory) noexcept {
  const long result = map_below(size, memory);
  if (result == 0) ++mappings;
  return result;
}

long counted_unmap(void* memory, std::size_t size) noexcept {
  --mappings;
  return unmap_below(memory, size);
}

bool count_mappings() {
  map_below = proa::sys::table.map;
  unmap_below = proa::sys::table.unmap;
  proa::sys::table.map = counted_map;
  proa::sys::table.unmap = counted_unmap;
  return true;
}

// Before the first test; the table itself needs no initialisation at run time.
[[maybe_unused]] const bool counting = count_mappings();

}  // namespace

std::size_t open_descriptors() {
  DIR* const folder = ::opendir("/dev/fd");
  REQUIRE(folder != nullptr);
  const std::string own = std::to_string(::dirfd(folder));
  std::size_t count = 0;
  bool is_complete = false;
  while (const dirent* const entry = ::readdir(folder)) {
    count += entry->d_name[0] != '.';
    is_complete = is_complete || own == entry->d_name;
  }
  ::closedir(folder);
  if (is_complete) return count - 1;  // without the folder's own
  // FreeBSD without fdescfs(5) lists 0 to 2 alone. New descriptors get the lowest number that is
  // free, so leaks are found among the first.
  constexpr int enough = 4096;
  count = 0;
  for (int number = 0; number < enough; ++number) count += ::fcntl(number, F_GETFD) >= 0;
  return count;
}

bool sanitized() {
#ifdef PROA_TEST_SANITIZED
  return true;
#else
  return false;
#endif
}

World::World(const proa::Options& with)
    : descriptors_before_(open_descriptors()),
      mappings_before_(mappings.load()),
      proactor_(make_proactor(with)) {}

World::~World() {
  if (std::uncaught_exceptions() == 0) {
    end();
    return;
  }
  // The test has failed already: only leave in order.
  if (std::exchange(ended_, true)) return;
  proactor_->shutdown(5s);
  peers_.clear();
  sockets_.clear();
  for (const auto& path : paths_) ::unlink(path.c_str());
}

void World::end(bool shut_down) {
  if (std::exchange(ended_, true)) return;
  if (!shut_down) CHECK(proactor_->shutdown(hang) == 0);
  CHECK(proactor_->counters().submitted == proactor_->counters().completed);
  peers_.clear();
  sockets_.clear();
  for (const auto& path : paths_) ::unlink(path.c_str());
  proactor_.reset();
  {
    INFO("descriptors left open");
    CHECK(open_descriptors() == descriptors_before_);
  }
  {
    INFO("memory of pools still mapped: a buffer is still lent");
    CHECK(mappings.load() == mappings_before_);
  }
#ifdef PROA_TEST_SANITIZED
  // The check walks all memory: made each time it would take most of the suite's time. A leak
  // between two checks is found by the next one, and the last one is made at exit.
  static unsigned worlds = 0;
  if (__lsan_do_recoverable_leak_check && ++worlds % 64 == 0) {
    INFO("memory leaked, in this test or one of the 63 before");
    CHECK(__lsan_do_recoverable_leak_check() == 0);
  }
#endif
}

void World::turn() {
  if (proactor_->run_once(1ms) == 0) std::this_thread::yield();
  for (Peer& peer : peers_) peer.turn();
}

void World::run_until(const std::string& what, const std::function<bool()>& holds,
                      proa::Duration limit) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) FAIL("waited in vain until " << what);
    turn();
  }
}

void World::submit(proa::Operation& operation, proa::TimePoint deadline) {
  const std::error_code error = proactor_->submit(operation, deadline);
  if (ended_) return;  // a callback of the shutdown, where it is refused
  INFO(error.message());
  REQUIRE(!error);
}

proa::Address World::fresh_address(Link link) {
  static int number = 0;
  const std::string name =
      "proa-test-" + std::to_string(::getpid()) + "-" + std::to_string(++number);
  switch (link) {
    case Link::tcp4:
      return proa::Address::loopback(0);
    case Link::tcp6:
      return proa::Address::parse("[::1]:0");
    case Link::abstract:
      if (proa::sys::abstract_names) return proa::Address::abstract(name);
      break;
    case Link::path:
      break;
  }
  const char* const folder = std::getenv("TMPDIR");
  paths_.push_back((folder ? folder : std::string("/tmp")) + "/" + name);
  return proa::Address::unix_path(paths_.back());
}

proa::Socket& World::listen(Link link, int backlog) {
  const proa::Address address = fresh_address(link);
  std::error_code error;
  proa::Socket& listener =
      own(proa::Socket::open(*proactor_, address.family(), proa::Transport::stream, error));
  REQUIRE(!error);
  REQUIRE(!listener.bind(address));
  REQUIRE(!listener.listen(backlog));
  return listener;
}

// Linux takes backlog + 1 connections into the queue, and does not answer those that follow.
proa::Address World::full_listener(proa::Socket** made) {
  proa::Socket& listener = listen(Link::tcp4, 1);
  if (made) *made = &listener;
  const proa::Address address = listener.local_address();
  for (int i = 0; i < 4; ++i) peer().connect(address);
  turns(*this, 20);
  const bool resets =
      std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.error() != 0; });
  return resets ? proa::Address() : address;
}

Peer& World::peer() { return peers_.emplace_back(system()); }

Peer& World::peer(proa::Socket connected) {
  return peers_.emplace_back(system(), std::move(connected));
}

proa::Socket& World::own(proa::Socket socket) { return sockets_.emplace_back(std::move(socket)); }

Connection World::pair(Link link) {
  proa::Socket& listener = listen(link);
  Peer& far = peer();
  far.connect(listener.local_address());
  proa::Descriptor accepted;
  const auto until = std::chrono::steady_clock::now() + hang;
  for (;;) {
    const long result = system().accept(listener.descriptor(), accepted, nullptr);
    if (result == 0 && far.connected()) break;
    REQUIRE((result == 0 || result == -EAGAIN));
    far.turn();
    if (result == 0 && far.connected()) break;
    if (std::chrono::steady_clock::now() > until) FAIL("waited in vain for a connection");
    turn();
  }
  listener.close();
  sockets_.pop_back();
  return {own(proa::Socket(system(), accepted)), far};
}

}  // namespace proa_test
