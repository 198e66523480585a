// kqueue(2) and kevent(2): what is done with a change, and how events are collected. Follows what
// FreeBSD 13.2 does, down to what looks odd: see expected/.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <new>
#include <utility>

#include "emulation.hpp"
#include "kernel.hpp"

namespace proa_test {

namespace emulated {

namespace {

std::mutex mutex;
std::atomic<bool> used{false};
std::atomic<bool> as_macos{false};
Slot slots[most_descriptors];
int slots_used = 0;

constexpr std::size_t cell = 512;
struct Cell {
  Cell* next;
};
Cell* free_cells = nullptr;

template <class T>
T* make() noexcept {
  static_assert(sizeof(T) <= cell);
  if (!free_cells) {
    constexpr std::size_t size = 128 * cell;
    void* const made =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) return nullptr;
    for (std::size_t at = 0; at < size; at += cell) {
      free_cells = new (static_cast<char*>(made) + at) Cell{free_cells};
    }
  }
  return new (std::exchange(free_cells, free_cells->next)) T;
}

template <class T>
void unmake(T& made) noexcept {
  made.~T();
  free_cells = new (static_cast<void*>(&made)) Cell{free_cells};
}

bool of_descriptor(const Knote& knote) noexcept {
  return knote.event.filter == EVFILT_READ || knote.event.filter == EVFILT_WRITE;
}

int set_of(const Knote& knote) noexcept {
  return knote.kqueue->inner[knote.event.filter == EVFILT_READ ? from_reads : from_writes];
}

// Tells the epoll set to look at it now and from now on. Always for edges: level and one-shot
// knotes are armed again by hand, so that one that is not ready after all does not spin.
int arm(Knote& knote) noexcept {
  if (knote.disabled || knote.mute) return 0;
  if (knote.kind == Kind::vnode) {
    if (evaluate_vnode(knote)) activate(knote);
    return 0;
  }
  epoll_event asked{};
  asked.events = (knote.event.filter == EVFILT_READ ? EPOLLIN | EPOLLRDHUP : EPOLLOUT) | EPOLLET;
  asked.data.ptr = &knote;
  const int what = knote.armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  if (::epoll_ctl(set_of(knote), what, static_cast<int>(knote.event.ident), &asked) < 0) {
    return errno;
  }
  knote.armed = true;
  return 0;
}

void disarm(Knote& knote) noexcept {
  if (!std::exchange(knote.armed, false)) return;
  ::epoll_ctl(set_of(knote), EPOLL_CTL_DEL, static_cast<int>(knote.event.ident), nullptr);
}

void free_if_unused(Kqueue& kqueue) noexcept {
  if (!kqueue.closed || kqueue.sleepers > 0) return;
  for (const int descriptor : kqueue.inner) {
    if (descriptor >= 0) real_close(descriptor);
  }
  unmake(kqueue);
}

Knote* find(Kqueue& kqueue, const struct kevent& change) noexcept {
  if (change.filter == EVFILT_READ || change.filter == EVFILT_WRITE) {
    for (Knote* at = slot(static_cast<int>(change.ident))->knotes; at; at = at->next) {
      if (at->kqueue == &kqueue && at->event.filter == change.filter) return at;
    }
    return nullptr;
  }
  for (Knote& knote : kqueue.knotes) {
    if (knote.event.filter == change.filter && knote.event.ident == change.ident) return &knote;
  }
  return nullptr;
}

int add(Kqueue& kqueue, const struct kevent& change) noexcept {
  if (change.filter == EVFILT_AIO) return macos() ? ENOTSUP : EPERM;  // aio calls alone may
  Knote* const knote = make<Knote>();
  if (!knote) return ENOMEM;
  knote->event = change;
  knote->event.flags &= static_cast<unsigned short>(~(EV_ADD | EV_DELETE | EV_ENABLE | EV_DISABLE));
  knote->event.fflags = 0;
  knote->event.data = 0;
  knote->saved_fflags = change.fflags;
  knote->saved_data = change.data;
  knote->disabled = (change.flags & EV_DISABLE) != 0;
  attach(*knote, kqueue);
  if (!of_descriptor(*knote)) return 0;
  const int descriptor = static_cast<int>(change.ident);
  slots_used = std::max(slots_used, descriptor + 1);
  knote->next = std::exchange(slot(descriptor)->knotes, knote);
  int error = classify(*knote, descriptor);
  if (error == 0) error = arm(*knote);
  if (error != 0) drop(*knote);
  return error;
}

// filt_usertouch() of FreeBSD.
void touch_user(Knote& knote, const struct kevent& change) noexcept {
  const unsigned flags = change.fflags & NOTE_FFLAGSMASK;
  if ((change.fflags & NOTE_TRIGGER) != 0) knote.triggered = true;
  switch (change.fflags & NOTE_FFCTRLMASK) {
    case NOTE_FFAND:
      knote.saved_fflags &= flags;
      break;
    case NOTE_FFOR:
      knote.saved_fflags |= flags;
      break;
    case NOTE_FFCOPY:
      knote.saved_fflags = flags;
      break;
    default:
      break;
  }
  knote.saved_data = change.data;
  if ((change.flags & EV_CLEAR) != 0) knote.triggered = false;
}

bool evaluate_active(Knote& knote) noexcept {
  if (knote.disabled) return false;
  if (knote.kind == Kind::vnode) return evaluate_vnode(knote);
  return knote.event.filter == EVFILT_AIO ? (knote.event.flags & EV_EOF) != 0 : knote.triggered;
}

int apply(Kqueue& kqueue, struct kevent change) noexcept {
  change.flags &= static_cast<unsigned short>(~EV_SYSFLAGS);
  switch (change.filter) {
    case EVFILT_READ:
    case EVFILT_WRITE:
      if (change.ident >= most_descriptors) return EBADF;
      if (::fcntl(static_cast<int>(change.ident), F_GETFD) < 0) return EBADF;
      break;
    case EVFILT_USER:
    case EVFILT_AIO:
      break;
    default:
      return EINVAL;  // there are more, which nobody needs here
  }
  Knote* const knote = find(kqueue, change);
  if (!knote) return (change.flags & EV_ADD) != 0 ? add(kqueue, change) : ENOENT;
  if ((change.flags & EV_DELETE) != 0) {
    drop(*knote);
    return 0;
  }
  if ((change.flags & EV_ENABLE) != 0) {
    knote->disabled = false;
  } else if ((change.flags & EV_DISABLE) != 0) {
    knote->disabled = true;
  }
  knote->event.udata = change.udata;
  if (of_descriptor(*knote)) {
    if (!knote->disabled) return arm(*knote);
    disarm(*knote);
    deactivate(*knote);
    return 0;
  }
  if (change.filter == EVFILT_USER) touch_user(*knote, change);
  if (evaluate_active(*knote)) activate(*knote);
  return 0;
}

// Hands out one event, and does what the flags of the knote say must follow.
void report(Knote& knote, struct kevent& event) noexcept {
  const unsigned flags = knote.event.flags;
  event = knote.event;
  if ((flags & EV_ONESHOT) != 0) return drop(knote);
  if (knote.event.filter == EVFILT_USER) {
    event.fflags = knote.saved_fflags;
    event.data = knote.saved_data;
    if ((flags & EV_CLEAR) != 0) knote.triggered = false;
  }
  knote.told = true;
  if ((flags & EV_DISPATCH) != 0) {
    knote.disabled = true;
    disarm(knote);
  } else if ((flags & EV_CLEAR) == 0) {
    if (knote.armed) {
      arm(knote);
    } else {
      activate(knote);
    }
  }
}

int collect_active(Kqueue& kqueue, struct kevent* events, int room) noexcept {
  int got = 0;
  KnoteList<&Knote::queued> now;
  now.swap(kqueue.active);
  while (got < room && !now.empty()) {
    Knote& knote = now.front();
    now.pop_front();
    if (evaluate_active(knote)) report(knote, events[got++]);
  }
  kqueue.active.splice(kqueue.active.begin(), now);
  eventfd_t ignored = 0;
  if (kqueue.active.empty()) ::eventfd_read(kqueue.inner[from_active], &ignored);
  return got;
}

int collect_descriptors(int set, struct kevent* events, int room) noexcept {
  std::array<epoll_event, 64> ready;
  int got = 0;
  while (got < room) {
    const int asked = std::min<int>(room - got, ready.size());
    const int count = ::epoll_wait(set, ready.data(), asked, 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<std::size_t>(i)];
      Knote& knote = *static_cast<Knote*>(event.data.ptr);
      if (evaluate(knote, event.events, *slot(static_cast<int>(knote.event.ident)))) {
        report(knote, events[got++]);
      }
    }
    // Less than asked for is all there was; a level knote must not be reported twice.
    if (count < asked || got > 0) break;
  }
  return got;
}

int collect(Kqueue& kqueue, const epoll_event* which, int count, struct kevent* events,
            int room) noexcept {
  std::array<bool, sources> has{};
  for (int i = 0; i < count; ++i) has[which[i].data.u64] = true;
  int got = 0;
  for (std::size_t i = 0; i < sources; ++i) {
    const std::size_t source = (kqueue.first + i) % sources;
    if (got == room) {
      kqueue.first = source;
      return got;
    }
    if (!has[source]) continue;
    got += source == from_active
               ? collect_active(kqueue, events + got, room - got)
               : collect_descriptors(kqueue.inner[source], events + got, room - got);
  }
  kqueue.first = 0;
  return got;
}

std::int64_t nanoseconds(const timespec& time) noexcept {
  constexpr std::int64_t ten_years = 10LL * 365 * 24 * 3600;
  return std::min<std::int64_t>(time.tv_sec, ten_years) * 1'000'000'000 + time.tv_nsec;
}

std::int64_t now() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return nanoseconds(time);
}

// A number of events or -errno. The kqueue has been entered.
int sleep(Kqueue& kqueue, struct kevent* events, int room, const timespec* timeout) noexcept {
  const std::int64_t length = timeout ? nanoseconds(*timeout) : 0;
  const std::int64_t end = length > 0 ? now() + length : 0;
  for (;;) {
    std::array<epoll_event, sources> which;
    const std::int64_t left = length > 0 ? std::max<std::int64_t>(end - now(), 0) : 0;
    const timespec limit{left / 1'000'000'000, left % 1'000'000'000};
    const int count =
        ::epoll_pwait2(kqueue.outer, which.data(), sources, timeout ? &limit : nullptr, nullptr);
    int got = count < 0 ? -errno : 0;
    const Giant giant;
    if (kqueue.closed) {
      got = -EBADF;
    } else if (count > 0) {
      got = collect(kqueue, which.data(), count, events, room);
    }
    if (got == 0 && count != 0) continue;
    --kqueue.sleepers;
    free_if_unused(kqueue);
    return got;
  }
}

int failed(int error) noexcept {
  errno = error;
  return -1;
}

}  // namespace

Slot* slot(int descriptor) noexcept {
  return descriptor >= 0 && descriptor < most_descriptors ? &slots[descriptor] : nullptr;
}

void forget_kqueues_after_fork() noexcept {
  std::fill_n(slots, slots_used, Slot{});
  used = false;
}

Giant::Giant() noexcept {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  mutex.lock();
}
Giant::~Giant() {
  mutex.unlock();
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}
std::mutex& giant_mutex() noexcept { return mutex; }

bool in_use() noexcept { return used.load(std::memory_order_acquire); }
bool macos() noexcept { return as_macos; }

Kqueue* find_kqueue(int descriptor) noexcept {
  Slot* const at = slot(descriptor);
  return at ? at->kqueue : nullptr;
}

void attach(Knote& knote, Kqueue& kqueue) noexcept {
  knote.kqueue = &kqueue;
  if (of_descriptor(knote)) {
    kqueue.knotes.push_back(knote);
  } else {
    kqueue.knotes.push_front(knote);  // these are searched for
  }
}

void activate(Knote& knote) noexcept {
  if (knote.queued.is_linked()) return;
  Kqueue& kqueue = *knote.kqueue;
  if (kqueue.active.empty()) ::eventfd_write(kqueue.inner[from_active], 1);
  kqueue.active.push_back(knote);
}

void deactivate(Knote& knote) noexcept {
  knote.queued.unlink();  // that the eventfd stays readable is found out by the next kevent()
}

void drop(Knote& knote) noexcept {
  disarm(knote);
  deactivate(knote);
  knote.owned.unlink();
  if (of_descriptor(knote)) {
    Knote** at = &slot(static_cast<int>(knote.event.ident))->knotes;
    while (*at && *at != &knote) at = &(*at)->next;
    if (*at) *at = knote.next;
  }
  if (knote.event.filter == EVFILT_AIO) {
    knote.kqueue = nullptr;
  } else {
    unmake(knote);
  }
}

void close_kqueue(int descriptor) noexcept {
  Kqueue& kqueue = *std::exchange(slot(descriptor)->kqueue, nullptr);
  while (!kqueue.knotes.empty()) drop(kqueue.knotes.front());
  kqueue.closed = true;
  if (kqueue.sleepers > 0) ::eventfd_write(kqueue.inner[from_active], 1);
  free_if_unused(kqueue);
}

}  // namespace emulated

void emulate_macos(bool on) noexcept { emulated::as_macos = on; }

}  // namespace proa_test

using namespace proa_test::emulated;

int kqueue() {
  const Giant giant;
  Kqueue* const made = make<Kqueue>();
  if (!made) return failed(ENOMEM);
  made->outer = ::epoll_create1(EPOLL_CLOEXEC);
  made->inner = {::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ::epoll_create1(EPOLL_CLOEXEC),
                 ::epoll_create1(EPOLL_CLOEXEC)};
  int error = made->outer < 0 || made->outer >= most_descriptors ? EMFILE : 0;
  for (std::size_t i = 0; i < sources && error == 0; ++i) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(made->outer, EPOLL_CTL_ADD, made->inner[i], &event) < 0) error = EMFILE;
  }
  if (error != 0) {
    if (made->outer >= 0) real_close(made->outer);
    made->closed = true;
    free_if_unused(*made);
    return failed(error);
  }
  slot(made->outer)->kqueue = made;
  slots_used = std::max(slots_used, made->outer + 1);
  static const bool following = (follow_forks(), true);
  static_cast<void>(following);
  used.store(true, std::memory_order_release);
  return made->outer;
}

int kevent(int number, const struct kevent* changes, int change_count, struct kevent* events,
           int room, const timespec* timeout) {
  if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999'999'999)) {
    return failed(EINVAL);
  }
  Kqueue* kqueue = nullptr;
  {
    const Giant giant;
    kqueue = find_kqueue(number);
    if (!kqueue) return failed(EBADF);
    int errors = 0;
    for (int i = 0; i < change_count; ++i) {
      const int error = apply(*kqueue, changes[i]);
      if (error == 0 && (changes[i].flags & EV_RECEIPT) == 0) continue;
      if (errors >= room) return error == 0 ? 0 : failed(error);
      events[errors] = changes[i];
      events[errors].flags = EV_ERROR;
      events[errors].data = error;
      ++errors;
    }
    if (errors > 0 || room <= 0) return errors;
    ++kqueue->sleepers;
  }
  const int got = sleep(*kqueue, events, room, timeout);
  return got < 0 ? failed(-got) : got;
}
