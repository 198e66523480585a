#pragma once

// kqueue(2) of FreeBSD 13 as its manual page declares it: types, prototypes and names. The page
// gives no numbers, so there are none here: what is compiled with this relies on none.
#pragma GCC system_header

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct kevent {
  uintptr_t ident;
  short filter;
  u_short flags;
  u_int fflags;
  int64_t data;
  void* udata;
  uint64_t ext[4];
};

extern const short EVFILT_READ, EVFILT_WRITE, EVFILT_AIO, EVFILT_VNODE, EVFILT_PROC, EVFILT_SIGNAL,
    EVFILT_TIMER, EVFILT_USER;
extern const u_short EV_ADD, EV_ENABLE, EV_DISABLE, EV_DISPATCH, EV_DELETE, EV_RECEIPT, EV_ONESHOT,
    EV_CLEAR, EV_EOF, EV_ERROR;
extern const u_int NOTE_FFNOP, NOTE_FFAND, NOTE_FFOR, NOTE_FFCOPY, NOTE_FFCTRLMASK, NOTE_FFLAGSMASK,
    NOTE_TRIGGER;

extern "C" {
int kqueue(void);
int kevent(int kq, const struct kevent* changelist, int nchanges, struct kevent* eventlist,
           int nevents, const struct timespec* timeout);
}
