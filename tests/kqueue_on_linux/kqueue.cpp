// kqueue(2) and kevent(2): the calls, and how events are collected.
#include <linux/time_types.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "kernel.hpp"

namespace proa_test::emulated {

namespace {

void free_if_unused(Kqueue& kqueue) noexcept {
  if (!kqueue.closed || kqueue.sleepers > 0) return;
  for (const int descriptor : kqueue.inner) {
    if (descriptor >= 0) real_close(descriptor);
  }
  unmake(kqueue);
}

int collect_active(Kqueue& kqueue, struct kevent* events, int room) noexcept {
  int got = 0;
  KnoteList<&Knote::queued> now;
  now.swap(kqueue.active);
  while (got < room && !now.empty()) {
    Knote& knote = now.front();
    now.pop_front();
    if (is_ready(knote)) report(knote, events[got++]);
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
    const __kernel_timespec limit{left / 1'000'000'000, left % 1'000'000'000};
    const auto count = static_cast<int>(::syscall(SYS_epoll_pwait2, kqueue.outer, which.data(),
                                                  sources, timeout ? &limit : nullptr, nullptr, 0));
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

void close_kqueue(int descriptor) noexcept {
  Kqueue& kqueue = *std::exchange(slot(descriptor)->kqueue, nullptr);
  while (!kqueue.knotes.empty()) drop(kqueue.knotes.front());
  kqueue.closed = true;
  if (kqueue.sleepers > 0) ::eventfd_write(kqueue.inner[from_active], 1);
  free_if_unused(kqueue);
}

}  // namespace proa_test::emulated

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
  static const bool following = (follow_forks(), true);
  static_cast<void>(following);
  set_in_use(made->outer);
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
