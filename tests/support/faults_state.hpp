#pragma once

// What the faults are, shared by those of calls and those of io_uring. It lives as long as the
// program: a worker may be inside a wrapper when a test is over.

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <vector>

#include "support/ledger.hpp"

struct aiocb;
struct io_uring;
struct kevent;

namespace proa_test::faults {

struct Plan {
  long error = 0;
  std::uint64_t skip = 0;
  std::uint64_t times = 0;
};

struct State {
  proa::sys::Table below;
  std::atomic<bool> active{false};
  std::atomic<std::size_t> longest{0};
  std::atomic<unsigned> most_datagrams{0};
  std::atomic<double> interrupting{0};
  std::atomic<double> denying{0};
  std::atomic<std::uint64_t> injected{0};
  std::map<std::uint64_t, int> told;  // what CQEs will say, by their tags
  std::mutex mutex;                   // of what follows
  std::array<Plan, static_cast<unsigned>(Call::number)> plans{};
  std::minstd_rand random;
};
extern State state;

// Whether what has this probability happens now.
bool hit(double probability) noexcept;
// 0: go on; else what to return.
long planned(Call call) noexcept;
// What a transfer may move now; 0: all.
std::size_t longest() noexcept;
// How many datagrams one call moves; 0: all.
unsigned most_datagrams() noexcept;
// As many of the pieces as fit into `most`.
std::vector<iovec> cut(const iovec* pieces, std::size_t count, std::size_t most);

// Notes how the kernel is made to tell again what a descriptor is ready for, until it is closed.
void watched(int fd, std::function<void()> repeat_edge);
void unwatched(int fd);

// Puts the faults of calls that not every system has into the table.
void wrap_own_calls(proa::sys::Table& wrapped);

// In place of the calls of these names.
long uring_submit_and_wait(io_uring* ring, unsigned want, const timespec* timeout) noexcept;
long kevent(int kq, const struct kevent* changes, int count, struct kevent* events, int most,
            const timespec* timeout) noexcept;
long aio_readv(aiocb* block) noexcept;
long aio_writev(aiocb* block) noexcept;
long aio_return(aiocb* block) noexcept;

}  // namespace proa_test::faults
