#pragma once

struct aiocb;
struct iovec;

namespace proa {
inline namespace v0 {
namespace sys {

/// Whether EVFILT_SIGNAL counts all signals. On macOS the filter counts those sent to the process
/// only, and raise(3) sends to a thread (kevent(2)).
#ifdef __APPLE__
inline constexpr bool counts_all_signals = false;
#else
inline constexpr bool counts_all_signals = true;
#endif

/// Fills an aio(4) request: what it moves, and which kqueue reports its end, once, with this udata.
/// Does nothing where the system has no such requests (aio_limit()).
void describe(aiocb& block, int kqueue, void* udata, iovec* pieces, int count) noexcept;

}  // namespace sys
}  // namespace v0
}  // namespace proa
