#pragma once

struct aiocb;
struct iovec;

namespace proa::sys {

/// Says what an aio(4) request moves, and which kqueue its end is told to, once, with this udata.
/// Nothing where the system has no such requests (aio_limit()).
void describe(aiocb& block, int kqueue, void* udata, iovec* pieces, int count) noexcept;

}  // namespace proa::sys
