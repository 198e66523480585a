#pragma once

// aio_read(2), aio_fsync(2) and their like, and sigevent(3), of FreeBSD 13 as their manual pages
// declare them. No numbers, as in sys/event.h.

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

// <signal.h> has the one of this system.
struct freebsd_sigevent {
  int sigev_notify;
  int sigev_signo;
  union sigval sigev_value;
  int sigev_notify_kqueue;
  unsigned short sigev_notify_kevent_flags;
};
#define sigevent freebsd_sigevent

struct aiocb {
  int aio_fildes;
  off_t aio_offset;
  volatile void* aio_buf;
  size_t aio_nbytes;
  volatile void* aio_iov;
  size_t aio_iovcnt;
  struct sigevent aio_sigevent;
};

extern const int SIGEV_KEVENT;
extern const int AIO_CANCELED, AIO_NOTCANCELED, AIO_ALLDONE;

extern "C" {
int aio_read(struct aiocb* iocb);
int aio_readv(struct aiocb* iocb);
int aio_write(struct aiocb* iocb);
int aio_writev(struct aiocb* iocb);
int aio_fsync(int op, struct aiocb* iocb);
int aio_error(const struct aiocb* iocb);
ssize_t aio_return(struct aiocb* iocb);
int aio_cancel(int fildes, struct aiocb* iocb);
}
