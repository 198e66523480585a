// What becomes of a change, and of a knote when it is reported. Follows what FreeBSD 13.2 does,
// down to what looks odd: see expected/.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "kernel.hpp"

namespace proa_test::emulated {

namespace {

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
  if (change.filter == EVFILT_SIGNAL) {
    knote->event.flags |= EV_CLEAR;
    listen(*knote);
  }
  if (!of_descriptor(*knote)) return 0;
  const int descriptor = static_cast<int>(change.ident);
  set_in_use(descriptor);
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

}  // namespace

bool is_ready(Knote& knote) noexcept {
  if (knote.disabled) return false;
  if (knote.kind == Kind::vnode) return evaluate_vnode(knote);
  if (knote.event.filter == EVFILT_SIGNAL) return knote.event.data > 0;
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
    case EVFILT_SIGNAL:
      if (macos()) return ENOTSUP;  // counts not all signals there, and is not used
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
    knote->told = false;  // asked again, it tells again
    if (!knote->disabled) return arm(*knote);
    disarm(*knote);
    deactivate(*knote);
    return 0;
  }
  if (change.filter == EVFILT_USER) touch_user(*knote, change);
  if (is_ready(*knote)) activate(*knote);
  return 0;
}

void report(Knote& knote, struct kevent& event) noexcept {
  const unsigned flags = knote.event.flags;
  event = knote.event;
  if ((flags & EV_ONESHOT) != 0) return drop(knote);
  if (knote.event.filter == EVFILT_USER) {
    event.fflags = knote.saved_fflags;
    event.data = knote.saved_data;
    if ((flags & EV_CLEAR) != 0) knote.triggered = false;
  }
  if (knote.event.filter == EVFILT_SIGNAL) knote.event.data = 0;
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
  if (knote.event.filter == EVFILT_SIGNAL) listen_no_longer(knote);
  if (knote.event.filter == EVFILT_AIO) {
    knote.kqueue = nullptr;
  } else {
    unmake(knote);
  }
}

}  // namespace proa_test::emulated
