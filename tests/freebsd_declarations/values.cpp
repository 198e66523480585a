// The numbers that the emulation of the tests has taken for FreeBSD's. Compiled where the headers
// are FreeBSD's own, this asserts them; on Linux, that the emulation has them.
#include <aio.h>
#include <sys/event.h>

#include <type_traits>

static_assert(EVFILT_READ == -1 && EVFILT_WRITE == -2 && EVFILT_AIO == -3 && EVFILT_USER == -11 &&
              EVFILT_SIGNAL == -6);
static_assert(EV_ADD == 0x0001 && EV_DELETE == 0x0002 && EV_ENABLE == 0x0004);
static_assert(EV_DISABLE == 0x0008 && EV_ONESHOT == 0x0010 && EV_CLEAR == 0x0020);
static_assert(EV_RECEIPT == 0x0040 && EV_DISPATCH == 0x0080);
static_assert(EV_ERROR == 0x4000 && EV_EOF == 0x8000);
static_assert(NOTE_FFNOP == 0 && NOTE_FFAND == 0x40000000 && NOTE_FFOR == 0x80000000);
static_assert(NOTE_FFCOPY == 0xc0000000 && NOTE_FFLAGSMASK == 0x00ffffff);
static_assert(NOTE_TRIGGER == 0x01000000);
static_assert(SIGEV_KEVENT == 3);
static_assert(AIO_CANCELED == 1 && AIO_NOTCANCELED == 2 && AIO_ALLDONE == 3);

using Event = struct kevent;
static_assert(sizeof(Event) == 64 && std::is_same_v<decltype(Event::ident), uintptr_t>);
static_assert(std::is_same_v<decltype(Event::filter), short>);
static_assert(std::is_same_v<decltype(Event::flags), unsigned short>);
static_assert(std::is_same_v<decltype(Event::fflags), unsigned>);
static_assert(std::is_same_v<decltype(Event::data), int64_t>);
static_assert(std::is_same_v<decltype(Event::udata), void*>);
