// Performs operations on files with system calls that a worker waits in, and holds the rules that
// all backends share: what a short result means, and when a request is over.
#include "file/file_calls.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <proa/backend.hpp>
#include <proa/requests.hpp>

#include "base/error_code.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr int most_pieces = 64;
constexpr int most_retries = 100;
/// A worker sends so many bytes of one SendFile in a row, so that a fast reader does not keep the
/// worker to itself.
constexpr std::uint64_t sending_share = std::uint64_t{4} << 20;

template <class Piece>
int gather_pieces(const Pieces<Piece>& from, std::size_t skip, std::size_t most, iovec* pieces,
                  int limit) noexcept {
  int count = 0;
  auto [first, position] = from.find(skip);
  for (std::size_t i = first; i < from.count() && count < limit && position < most; ++i) {
    const Piece& piece = from.data()[i];
    const std::size_t begin = std::max(position, skip);
    const std::size_t end = std::min(position + piece.size, most);
    if (begin < end) {
      const char* const data = static_cast<const char*>(piece.data) + (begin - position);
      pieces[count++] = {const_cast<char*>(data), end - begin};
    }
    position += piece.size;
  }
  return count;
}

long end_of_file(const ReadAt& read) noexcept {
  return read.exactly() && BackendSide::moved(read) < wanted(read) ? code_of(Error::end_of_file)
                                                                   : 0;
}

bool is_ready(const Operation& operation) noexcept {
  const short events = operation.opcode() == Opcode::read_at ? POLLIN : POLLOUT;
  return sys::ready_now(operation.descriptor().number, events);
}

template <class Request>
long perform_transfer(Request& request, long (*some)(Request&, int) noexcept) noexcept {
  for (;;) {
    long result = some(request, 0);
    // EAGAIN comes from some file systems, and from a non-blocking descriptor that has nothing to
    // read.
    for (int i = 0; i < most_retries && result == -EAGAIN; ++i) result = some(request, 0);
    if (step_ends(request, result)) return result;
  }
}

// A request of no bytes tells whether the device takes such requests at all: one that has no
// offsets says so at once, and not when it has something to read.
long refusal_of_device(const Operation& operation) noexcept {
  char nothing = 0;
  const iovec empty = {&nothing, 0};
  const int number = operation.descriptor().number;
  const long result = operation.opcode() == Opcode::read_at
                          ? sys::preadv2(number, &empty, 1, 0, 0)
                          : sys::pwritev2(number, &empty, 1, 0, 0);
  return result < 0 ? result : 0;
}

template <class Request>
long perform_on_device(Request& request, long (*some)(Request&, int) noexcept) noexcept {
  if (const long refusal = refusal_of_device(request); refusal < 0) return refusal;
  while (is_ready(request)) {
    long result = some(request, 0);
    if (result == -EAGAIN) break;
    if (step_ends(request, result)) return result;
  }
  return -EAGAIN;
}

// When a reset has ended the call before half-way, the kernel told the bytes alone, and tells of
// the reset no more than EPIPE. A TCP connection that is over in both directions was reset, unless
// this side has ended its own direction in the midst of the send, and the peer its own.
bool was_reset(Descriptor to) noexcept {
  int on = 0;
  socklen_t size = sizeof on;
  if (sys::getsockopt(to.number, IPPROTO_TCP, TCP_NODELAY, &on, &size) < 0) return false;
  return (sys::poll_now(to.number, 0) & POLLHUP) != 0;
}

long perform_send(SendFile& send) noexcept {
  std::uint64_t share = 0;
  bool fell_short = false;
  for (;;) {
    const std::size_t moved = BackendSide::moved(send);
    const std::uint64_t left = send.length() - moved;
    if (left == 0) return 0;
    if (share >= sending_share) return -EAGAIN;
    const auto asked = static_cast<std::size_t>(std::min<std::uint64_t>(left, sending_share));
    const long sent = sys::sendfile(send.descriptor().number, send.file().number,
                                    static_cast<std::int64_t>(send.offset() + moved), asked);
    if (sent == -EPIPE && fell_short && was_reset(send.descriptor())) return -ECONNRESET;
    if (sent <= 0) return sent;
    fell_short = static_cast<std::size_t>(sent) < asked;
    BackendSide::advance(send, static_cast<std::size_t>(sent));
    share += static_cast<std::uint64_t>(sent);
  }
}

}  // namespace

long perform_file(Operation& operation) noexcept {
  switch (operation.opcode()) {
    case Opcode::read_at:
      return perform_transfer(static_cast<ReadAt&>(operation), &read_some);
    case Opcode::write_at:
      return perform_transfer(static_cast<WriteAt&>(operation), &write_some);
    case Opcode::file_call:
      return perform_call(static_cast<FileCall&>(operation));
    case Opcode::send_file:
      return perform_send(static_cast<SendFile&>(operation));
    default:
      return -EOPNOTSUPP;
  }
}

long perform_cached(Operation& operation) noexcept {
  if (operation.opcode() != Opcode::read_at) return perform_file(operation);
  ReadAt& read = static_cast<ReadAt&>(operation);
  long result = read_some(read, sys::nowait);
  // A short result means that a page is not in the cache, or that the file ends.
  return result > 0 && step_ends(read, result) ? result : -EAGAIN;
}

long perform_device(Operation& operation) noexcept {
  if (operation.opcode() == Opcode::write_at) {
    return perform_on_device(static_cast<WriteAt&>(operation), &write_some);
  }
  ReadAt& read = static_cast<ReadAt&>(operation);
  const long result = perform_on_device(read, &read_some);
  const bool enough = BackendSide::moved(read) > 0 && !read.exactly();
  return result == -EAGAIN && enough ? 0 : result;
}

std::size_t wanted(const ReadAt& read) noexcept {
  return std::min(read.pieces().size(), max_transfer);
}
std::size_t wanted(const WriteAt& write) noexcept {
  return std::min(write.pieces().size(), max_transfer);
}

int gather(const ReadAt& read, std::size_t skip, iovec* pieces, int limit) noexcept {
  return gather_pieces(read.pieces(), skip, wanted(read), pieces, limit);
}
int gather(const WriteAt& write, std::size_t skip, iovec* pieces, int limit) noexcept {
  return gather_pieces(write.pieces(), skip, wanted(write), pieces, limit);
}

long read_some(ReadAt& read, int flags) noexcept {
  iovec pieces[most_pieces];
  const std::size_t moved = BackendSide::moved(read);
  const int count = gather(read, moved, pieces, most_pieces);
  return sys::preadv2(read.descriptor().number, pieces, count,
                      static_cast<std::int64_t>(read.offset() + moved), flags);
}

long write_some(WriteAt& write, int flags) noexcept {
  iovec pieces[most_pieces];
  const std::size_t moved = BackendSide::moved(write);
  const int count = gather(write, moved, pieces, most_pieces);
  if (write.append()) flags |= sys::append;
  return sys::pwritev2(write.descriptor().number, pieces, count,
                       static_cast<std::int64_t>(write.offset() + moved), flags);
}

bool at_end(const ReadAt& read) noexcept {
  sys::FileInfo info{};
  const long result = sys::file_info(read.descriptor().number, &info);
  return result == 0 && read.offset() + BackendSide::moved(read) >= info.size;
}

bool step_ends(ReadAt& read, long& result) noexcept {
  // A direct read that begins at an end of file which is not a multiple of the block size is
  // misaligned.
  if (result == -EINVAL && BackendSide::moved(read) > 0 && at_end(read)) result = 0;
  if (result < 0) return true;
  const bool over =
      result == 0 || BackendSide::advance(read, static_cast<std::size_t>(result)) >= wanted(read);
  if (over) result = end_of_file(read);
  return over;
}

bool step_ends(WriteAt& write, long& result) noexcept {
  if (result == 0) result = -EIO;  // a write that moves nothing would repeat for ever
  if (result < 0) return true;
  const bool over = BackendSide::advance(write, static_cast<std::size_t>(result)) >= wanted(write);
  if (over) result = 0;
  return over;
}

FileKind kind_of(int number) noexcept {
  sys::FileInfo info{};
  const long result = sys::file_info(number, &info);
  if (result < 0) return FileKind::unknown;
  // For a pipe, O_DIRECT means that each write is a packet (pipe2(2)).
  if (!S_ISREG(info.mode) && !S_ISBLK(info.mode)) return FileKind::other;
  return is_direct(number) ? FileKind::direct : FileKind::buffered;
}

// A file of /proc may be a regular one, as the system sees it (/proc/kmsg, trace_pipe). It lies on
// no device, and has no size. The name of its file system would tell more, but statfs(2) may wait
// for a server.
bool may_have_nothing(const Operation& operation) noexcept {
  sys::FileInfo info{};
  if (sys::file_info(operation.descriptor().number, &info) < 0) return false;
  if (!S_ISREG(info.mode)) return !S_ISBLK(info.mode);
  return operation.opcode() == Opcode::read_at && !info.on_device && info.size == 0;
}

bool on_device(int number) noexcept {
  sys::FileInfo info{};
  const long result = sys::file_info(number, &info);
  return result == 0 && info.on_device;
}

bool is_direct(int number) noexcept {
  const long flags = sys::file_flags(number);
  return flags >= 0 && (flags & sys::direct_io) != 0;
}

FilePace pace_of(int number) noexcept {
  return is_direct(number) || is_synchronous(number) ? FilePace::slow : FilePace::cached;
}

bool is_synchronous(int number) noexcept {
  const long flags = sys::file_flags(number);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

}  // namespace v0
}  // namespace proa
