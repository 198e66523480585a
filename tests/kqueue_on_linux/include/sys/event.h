#pragma once

// <sys/event.h> as FreeBSD 13 has it: names, types and values. For tests on Linux only. A system
// header, as the real one is, because a function that is named like a class draws a warning.
#pragma GCC system_header

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_AIO (-3)
#define EVFILT_VNODE (-4)
#define EVFILT_PROC (-5)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER (-7)
#define EVFILT_LIO (-10)
#define EVFILT_USER (-11)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
#define EV_SYSFLAGS 0xf000
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

#define NOTE_FFNOP 0x00000000
#define NOTE_FFAND 0x40000000
#define NOTE_FFOR 0x80000000
#define NOTE_FFCOPY 0xc0000000
#define NOTE_FFCTRLMASK 0xc0000000
#define NOTE_FFLAGSMASK 0x00ffffff
#define NOTE_TRIGGER 0x01000000

#define NOTE_SECONDS 0x00000001
#define NOTE_MSECONDS 0x00000002
#define NOTE_USECONDS 0x00000004
#define NOTE_NSECONDS 0x00000008

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned int fflags;
  int64_t data;
  void* udata;
  uint64_t ext[4];
};

#define EV_SET(event, a, b, c, d, e, f)           \
  do {                                            \
    struct kevent* const set_ = (event);          \
    set_->ident = static_cast<uintptr_t>(a);      \
    set_->filter = static_cast<short>(b);         \
    set_->flags = static_cast<unsigned short>(c); \
    set_->fflags = static_cast<unsigned int>(d);  \
    set_->data = static_cast<int64_t>(e);         \
    set_->udata = (f);                            \
    set_->ext[0] = set_->ext[1] = 0;              \
    set_->ext[2] = set_->ext[3] = 0;              \
  } while (false)

extern "C" {
int kqueue();
int kevent(int kq, const struct kevent* changelist, int nchanges, struct kevent* eventlist,
           int nevents, const struct timespec* timeout);
}
