// Requests that open, name, look at or change a file as a whole, as the system calls that a worker
// waits in.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <proa/file_requests.hpp>

#include "base/memory.hpp"
#include "file/file_calls.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr unsigned sector = 512;

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

}  // namespace

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
