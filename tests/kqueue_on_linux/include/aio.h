#pragma once

// <aio.h> as FreeBSD 13 has it, in place of glibc's. For tests on Linux only. The symbols have
// names of their own, so that glibc's calls stay what they are for everybody else.

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#define SIGEV_KEVENT 3
#define sigev_notify_kqueue sigev_signo
#define sigev_notify_kevent_flags _sigev_un._pad[0]

#define AIO_CANCELED 1
#define AIO_NOTCANCELED 2
#define AIO_ALLDONE 3

#define LIO_NOP 0
#define LIO_WRITE 1
#define LIO_READ 2
#define LIO_NOWAIT 0
#define LIO_WAIT 1

struct aiocb {
  int aio_fildes;
  off_t aio_offset;
  volatile void* aio_buf;
  size_t aio_nbytes;
  int aio_lio_opcode;
  int aio_reqprio;
  struct sigevent aio_sigevent;
};

#define aio_iov aio_buf
#define aio_iovcnt aio_nbytes

#define PROA_EMULATED(name) __asm__("proa_emulated_" #name)
extern "C" {
int aio_read(struct aiocb*) PROA_EMULATED(aio_read);
int aio_readv(struct aiocb*) PROA_EMULATED(aio_readv);
int aio_write(struct aiocb*) PROA_EMULATED(aio_write);
int aio_writev(struct aiocb*) PROA_EMULATED(aio_writev);
int aio_fsync(int how, struct aiocb*) PROA_EMULATED(aio_fsync);
int aio_error(const struct aiocb*) PROA_EMULATED(aio_error);
ssize_t aio_return(struct aiocb*) PROA_EMULATED(aio_return);
int aio_cancel(int descriptor, struct aiocb*) PROA_EMULATED(aio_cancel);
int lio_listio(int mode, struct aiocb* const*, int count, struct sigevent*)
    PROA_EMULATED(lio_listio);
}
#undef PROA_EMULATED
