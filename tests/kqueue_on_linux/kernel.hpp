#pragma once

// The inside of the emulated kernel. A kqueue is an epoll set that holds two more, one per filter
// of descriptors (so that no edge of one is taken for one of the other), and an eventfd that is
// readable while `active` is not empty: for events that come from no descriptor. One lock guards
// everything; it is held with signals blocked, because kevent() may be called from their handlers.
// Memory comes from pages of its own: allocations of a kernel are none of the program's.

#include <sys/event.h>
#include <sys/socket.h>

#include <array>
#include <boost/intrusive/list.hpp>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <new>

namespace proa_test::emulated {

namespace intrusive = boost::intrusive;
using Hook = intrusive::list_member_hook<intrusive::link_mode<intrusive::auto_unlink>>;

enum class Kind { tcp, local, datagram, pipe, vnode, other };

struct Kqueue;

struct Knote {
  struct kevent event {};  // what is reported, but for fflags and data, which the filter makes
  Kqueue* kqueue = nullptr;
  Knote* next = nullptr;  // on the same descriptor or signal
  Hook owned;             // by the kqueue
  Hook queued;            // active: to be reported
  Kind kind = Kind::other;
  unsigned saved_fflags = 0;
  std::int64_t saved_data = 0;
  std::uint64_t acked = 0;  // WRITE on TCP: bytes acknowledged at the last report
  bool disabled = false;
  bool armed = false;      // in the epoll set of its filter
  bool mute = false;       // never ready: the descriptor is not open for that
  bool triggered = false;  // USER
  bool told = false;       // was reported before
  bool told_of_end = false;
};

template <Hook Knote::*hook>
using KnoteList = intrusive::list<Knote, intrusive::member_hook<Knote, Hook, hook>,
                                  intrusive::constant_time_size<false>>;

/// Where events come from, in the order in which they are asked.
enum Source : std::size_t { from_active, from_reads, from_writes, sources };

struct Kqueue {
  int outer = -1;
  std::array<int, sources> inner{-1, -1, -1};  // the eventfd and two epoll sets
  KnoteList<&Knote::owned> knotes;
  KnoteList<&Knote::queued> active;
  int sleepers = 0;
  std::size_t first = 0;  // the source to begin with: the one that did not get its turn
  bool closed = false;
};

/// What is known of a descriptor number.
struct Slot {
  Kqueue* kqueue = nullptr;  // which it is
  Knote* knotes = nullptr;   // that watch it
  bool refused = false;      // connect() has reported that it failed
};

constexpr int most_descriptors = 1 << 20;
constexpr int most_aio = 256;  // vfs.aio.max_aio_queue_per_proc
constexpr std::size_t cell = 512;
/// nullptr for a number that no descriptor can have.
Slot* slot(int descriptor) noexcept;

class Giant {
 public:
  Giant() noexcept;
  ~Giant();
  Giant(const Giant&) = delete;
  Giant& operator=(const Giant&) = delete;

 private:
  sigset_t before_;
};
std::mutex& giant_mutex() noexcept;

/// False once for all until the first kqueue is made: nothing has to be looked up then.
bool in_use() noexcept;
void set_in_use(int descriptor) noexcept;
bool macos() noexcept;

// All that follows wants Giant held.
void* take_cell() noexcept;
void give_cell(void* memory) noexcept;
template <class T>
T* make() noexcept {
  static_assert(sizeof(T) <= cell);
  void* const memory = take_cell();
  return memory ? new (memory) T : nullptr;
}
template <class T>
void unmake(T& made) noexcept {
  made.~T();
  give_cell(&made);
}

Kqueue* find_kqueue(int descriptor) noexcept;
void close_kqueue(int descriptor) noexcept;
/// 0 or an error number.
int apply(Kqueue& kqueue, struct kevent change) noexcept;
/// Of a knote that epoll does not watch.
bool is_ready(Knote& knote) noexcept;
/// Hands out one event, and does what the flags of the knote say must follow.
void report(Knote& knote, struct kevent& event) noexcept;
void drop(Knote& knote) noexcept;  // and frees it, but for AIO
void activate(Knote& knote) noexcept;
void deactivate(Knote& knote) noexcept;
void attach(Knote& knote, Kqueue& kqueue) noexcept;
/// Of a descriptor: 0 or an error number.
int classify(Knote& knote, int descriptor) noexcept;
/// Whether READ or WRITE is ready, and what is to be said of it. `bits` are epoll's.
bool evaluate(Knote& knote, std::uint32_t bits, const Slot& slot) noexcept;
bool evaluate_vnode(Knote& knote) noexcept;
/// Whether a connection was reset, told once.
bool take_reset(int descriptor) noexcept;
/// Whether FreeBSD 15 refuses to send there.
bool is_unspecified(const sockaddr* address) noexcept;
/// From now on it counts the signal that it is for.
void listen(Knote& knote) noexcept;
void listen_no_longer(Knote& knote) noexcept;
void forget_signals_after_fork() noexcept;
/// Returns once no AIO on this file is in flight.
void await_aio(int descriptor) noexcept;
void forget_aio_after_fork() noexcept;
void forget_kqueues_after_fork() noexcept;

/// The system's own, past the emulation.
int real_close(int descriptor) noexcept;
void follow_forks() noexcept;

}  // namespace proa_test::emulated
