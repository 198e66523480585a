// The faults of aio(4) as FreeBSD has it.
#include <aio.h>
#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "support/faults_state.hpp"

namespace proa_test::faults {

namespace {

bool turned_away(aiocb& block) noexcept {
  if (hit(state.denying)) return true;
  std::size_t most = longest();
  const bool direct = (::fcntl(block.aio_fildes, F_GETFL) & O_DIRECT) != 0;
  if (most == 0 || (direct && most % 512 != 0)) return false;
  ++state.injected;
  auto* const pieces = static_cast<iovec*>(const_cast<void*>(block.aio_iov));
  std::size_t kept = 0;
  for (; kept < block.aio_iovcnt && most > 0; ++kept) {
    pieces[kept].iov_len = std::min(pieces[kept].iov_len, most);
    most -= pieces[kept].iov_len;
  }
  block.aio_iovcnt = kept;
  return false;
}

}  // namespace

long aio_readv(aiocb* block) noexcept {
  if (const long error = planned(Call::aio_readv)) return error;
  return turned_away(*block) ? -EAGAIN : state.below.aio_readv(block);
}
long aio_writev(aiocb* block) noexcept {
  if (const long error = planned(Call::aio_writev)) return error;
  return turned_away(*block) ? -EAGAIN : state.below.aio_writev(block);
}
// The request is over all the same.
long aio_return(aiocb* block) noexcept {
  const long result = state.below.aio_return(block);
  const long error = planned(Call::aio_return);
  return error ? error : result;
}

}  // namespace proa_test::faults
