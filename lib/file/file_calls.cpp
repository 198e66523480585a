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
#include "base/memory.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr int most_pieces = 64;
constexpr unsigned sector = 512;
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

FileType type_of(unsigned mode) noexcept {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileType::regular;
    case S_IFDIR:
      return FileType::directory;
    case S_IFLNK:
      return FileType::symbolic_link;
    case S_IFIFO:
      return FileType::pipe;
    case S_IFSOCK:
      return FileType::socket;
    case S_IFCHR:
      return FileType::character_device;
    case S_IFBLK:
      return FileType::block_device;
    default:
      return FileType::unknown;
  }
}

long perform_status(Status& call) noexcept {
  const bool by_path = call.by_path() || !call.descriptor().valid();
  sys::FileInfo info{};
  const long result =
      sys::status(directory_of(call), by_path ? call.path().c_str() : nullptr,
                  has(call.flags(), OpenFlags::no_follow) ? AT_SYMLINK_NOFOLLOW : 0, &info);
  if (result == 0) call.status() = to_status(info);
  return result;
}

long perform_read_link(ReadLink& call) noexcept {
  char target[4096];
  const long size = sys::readlinkat(directory_of(call), call.path().c_str(), target, sizeof target);
  if (size < 0) return size;
  const auto assign = [&] { call.target().assign(target, static_cast<std::size_t>(size)); };
  return with_memory(assign) ? 0 : -ENOMEM;
}

long perform_list(ListDirectory& call) noexcept {
  call.entries().clear();
  void* directory = nullptr;
  long result = sys::open_directory(directory_of(call), call.path().c_str(), &directory);
  if (result < 0) return result;
  const char* name = nullptr;
  unsigned mode = 0;
  const bool all = with_memory([&] {
    while ((result = sys::next_entry(directory, &name, &mode)) > 0) {
      const std::string_view text = name;
      if (text != "." && text != "..") call.entries().push_back({std::string(text), type_of(mode)});
    }
  });
  if (!all) result = -ENOMEM;
  sys::close_directory(directory);
  return result;
}

long perform_open(Open& call) noexcept {
  return sys::openat(directory_of(call), call.path().c_str(), open_flags(call.flags()),
                     call.mode());
}

long perform_call(FileCall& call) noexcept {
  const int file = call.descriptor().number;
  const int directory = directory_of(call);
  const char* const path = call.path().c_str();
  switch (call.verb()) {
    case FileVerb::open:
      return perform_open(static_cast<Open&>(call));
    case FileVerb::close:
      return sys::close(file);
    case FileVerb::sync:
      return sys::fsync(file);
    case FileVerb::data_sync:
      return sys::fdatasync(file);
    case FileVerb::status:
      return perform_status(static_cast<Status&>(call));
    case FileVerb::truncate:
      return sys::ftruncate(file, static_cast<std::int64_t>(call.offset()));
    case FileVerb::allocate:
      return sys::fallocate(file, static_cast<std::int64_t>(call.offset()),
                            static_cast<std::int64_t>(call.length()));
    case FileVerb::unlink:
      return sys::unlinkat(directory, path,
                           has(call.flags(), OpenFlags::directory) ? AT_REMOVEDIR : 0);
    case FileVerb::rename:
      return sys::renameat(directory, path, call.second_path().c_str());
    case FileVerb::make_directory:
      return sys::mkdirat(directory, path, call.mode());
    case FileVerb::read_link:
      return perform_read_link(static_cast<ReadLink&>(call));
    case FileVerb::list_directory:
      return perform_list(static_cast<ListDirectory&>(call));
  }
  return -EOPNOTSUPP;
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

bool is_synchronous(int number) noexcept {
  const long flags = sys::file_flags(number);
  return flags >= 0 && (flags & O_DSYNC) != 0;
}

int open_flags(OpenFlags flags) noexcept {
  const bool read = has(flags, OpenFlags::read);
  const bool write = has(flags, OpenFlags::write) || has(flags, OpenFlags::append);
  int raw = write ? (read ? O_RDWR : O_WRONLY) : O_RDONLY;
  const struct {
    OpenFlags flag;
    int raw;
  } pairs[] = {{OpenFlags::append, O_APPEND},       {OpenFlags::create, O_CREAT},
               {OpenFlags::exclusive, O_EXCL},      {OpenFlags::truncate, O_TRUNC},
               {OpenFlags::direct, sys::direct_io}, {OpenFlags::data_sync, O_DSYNC},
               {OpenFlags::directory, O_DIRECTORY}, {OpenFlags::no_follow, O_NOFOLLOW}};
  for (const auto& pair : pairs) {
    if (has(flags, pair.flag)) raw |= pair.raw;
  }
  return raw | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
}

bool gives_once(int number) noexcept {
  sys::FileInfo info{};
  if (sys::file_info(number, &info) < 0) return false;
  if (!S_ISREG(info.mode)) return !S_ISBLK(info.mode) && !S_ISDIR(info.mode);
  return !info.on_device && sys::on_pseudo_file_system(number);
}

Descriptor settle_opened(int number) noexcept {
  if (gives_once(number)) return {number, DescriptorKind::pipe};
  sys::set_blocking(number);
  return {number, DescriptorKind::file};
}

long adopt_opened(Open& open, long descriptor, System& system) noexcept {
  if (descriptor < 0) return descriptor;
  const int number = static_cast<int>(descriptor);
  // If the program closed a file of this number behind the library's back, the backend still
  // remembers that file.
  system.forget({number, DescriptorKind::file});
  open.file() = File(system, settle_opened(number));
  return 0;
}

FileStatus to_status(const sys::FileInfo& info) noexcept {
  const auto time = [](const timespec& from) {
    return std::chrono::seconds(from.tv_sec) + std::chrono::nanoseconds(from.tv_nsec);
  };
  FileStatus status;
  status.type = type_of(info.mode);
  status.size = info.size;
  status.occupied = info.sectors * sector;
  status.inode = info.inode;
  status.device = info.device;
  status.links = info.links;
  status.permissions = info.mode & 07777u;
  status.user = info.user;
  status.group = info.group;
  status.modified = time(info.modified);
  status.changed = time(info.changed);
  status.accessed = time(info.accessed);
  return status;
}

int directory_of(const FileCall& call) noexcept {
  return call.descriptor().valid() ? call.descriptor().number : AT_FDCWD;
}

}  // namespace v0
}  // namespace proa
