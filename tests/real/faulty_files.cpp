// faulty_files FOLDER STORE: a file system (FUSE) over a disk that fails when it is told to, and
// that loses what was not synced when the power fails. STORE, a folder, is the disk: it has the
// files as they are after a sync, and of what was written since only a beginning, as kernels write
// back when they like. Nothing is cached: what a program reads or writes comes here.
//
// What is written to the file "faults" of FOLDER is an order:
//
//   read 3 5 2   the third read from now on and the next one fail with errno 5; also write, sync
//                (of a file or of a folder) and truncate. Of the first write that fails half of
//                the bytes are written
//   power        all that was not synced is gone, new files too if their folder was not, and what
//                was opened before fails with EIO
//
// Its contents are the number of faults that have happened since the last order.
#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace {

/// The first `stored` bytes are those on the disk; what the disk has behind these is old.
struct File {
  std::string bytes;
  std::size_t stored = 0;
};

struct Fault {
  std::string kind;
  unsigned calls = 0;  // until it happens
  int error = 0;
  unsigned times = 0;
  unsigned happened = 0;
};

constexpr std::string_view orders = "/faults";

// One thread serves all.
std::string store;
std::map<std::string, File> files;
std::set<std::string> fresh;  // files, since the last sync of a folder
Fault fault;
std::uint64_t power = 0;  // how often it has failed; a file that is open has the number of then
std::uint32_t dice = 1;

std::string on_disk(const char* path) { return store + path; }

bool fails(const char* kind) {
  if (fault.kind != kind) return false;
  if (fault.calls > 1) return --fault.calls, false;
  if (fault.happened == fault.times) return false;
  ++fault.happened;
  return true;
}

/// Writes what comes behind `stored`, up to `end`, to the disk.
int put_on_disk(const char* path, File& file, std::size_t end) {
  const int disk = ::open(on_disk(path).c_str(), O_WRONLY | O_CLOEXEC);
  if (disk < 0) return -errno;
  while (file.stored < end) {
    const ssize_t written = ::pwrite(disk, &file.bytes[file.stored], end - file.stored,
                                     static_cast<off_t>(file.stored));
    if (written <= 0) break;
    file.stored += static_cast<std::size_t>(written);
  }
  const bool all = end == file.bytes.size();
  const bool done = file.stored == end && (!all || ::ftruncate(disk, static_cast<off_t>(end)) == 0);
  ::close(disk);
  return done ? 0 : -EIO;
}

/// As a program sees it; nullptr if there is none.
File* find(const char* path) {
  const auto found = files.find(path);
  if (found != files.end()) return &found->second;
  const int disk = ::open(on_disk(path).c_str(), O_RDONLY | O_CLOEXEC);
  if (disk < 0) return nullptr;
  File file;
  char piece[65536];
  for (ssize_t got; (got = ::read(disk, piece, sizeof piece)) > 0;) {
    file.bytes.append(piece, static_cast<std::size_t>(got));
  }
  ::close(disk);
  file.stored = file.bytes.size();
  return &files.emplace(path, std::move(file)).first->second;
}

/// The same for one that a program has open; nullptr if the power has failed since.
File* find(const char* path, const fuse_file_info* open) {
  return open && open->fh != power ? nullptr : find(path);
}

int obey(const std::string& order) {
  fault = {};
  if (order == "power") {
    ++power;
    for (const std::string& path : fresh) ::unlink(on_disk(path.c_str()).c_str());
    fresh.clear();
    files.clear();
    return 0;
  }
  char kind[16] = "";
  if (std::sscanf(order.c_str(), "%15s %u %d %u", kind, &fault.calls, &fault.error, &fault.times) !=
      4) {
    return -EINVAL;
  }
  fault.kind = kind;
  return 0;
}

void* begin(fuse_conn_info*, fuse_config* config) {
  config->direct_io = 1;
  config->attr_timeout = 0;
  config->entry_timeout = 0;
  // Whoever mounted it waits for this: now it answers.
  if (::write(STDOUT_FILENO, "\n", 1) != 1) std::exit(1);
  return nullptr;
}

int status(const char* path, struct stat* result, fuse_file_info*) {
  *result = {};
  result->st_nlink = 1;
  if (path == orders) {
    result->st_mode = S_IFREG | 0600;
    return 0;
  }
  if (::lstat(on_disk(path).c_str(), result) != 0) return -errno;
  if (!S_ISREG(result->st_mode)) return 0;
  const File* const file = find(path);
  if (!file) return -EIO;
  result->st_size = static_cast<off_t>(file->bytes.size());
  return 0;
}

int open_file(const char* path, fuse_file_info* info) {
  info->fh = power;
  return path == orders || find(path) ? 0 : -ENOENT;
}

int create_file(const char* path, mode_t mode, fuse_file_info* info) {
  const int disk = ::open(on_disk(path).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (disk < 0) return -errno;
  ::close(disk);
  fresh.insert(path);
  return open_file(path, info);
}

int read_some(const char* path, char* memory, size_t size, off_t offset, fuse_file_info* info) {
  const auto from = static_cast<std::size_t>(offset);
  if (path == orders) {
    const std::string text = std::to_string(fault.happened) + "\n";
    return from < text.size() ? static_cast<int>(text.copy(memory, size, from)) : 0;
  }
  const File* const file = find(path, info);
  if (!file) return -EIO;
  if (fails("read")) return -fault.error;
  return from < file->bytes.size() ? static_cast<int>(file->bytes.copy(memory, size, from)) : 0;
}

int write_some(const char* path, const char* bytes, size_t size, off_t offset,
               fuse_file_info* info) {
  if (path == orders) {
    const int result = obey(std::string(bytes, size));
    return result < 0 ? result : static_cast<int>(size);
  }
  File* const file = find(path, info);
  if (!file) return -EIO;
  const bool failed = fails("write");
  if (failed) size = fault.happened == 1 ? size / 2 : 0;
  const auto from = static_cast<std::size_t>(offset);
  if (file->bytes.size() < from + size) file->bytes.resize(from + size);
  file->bytes.replace(from, size, bytes, size);
  file->stored = std::min(file->stored, from);
  dice = dice * 1664525u + 1013904223u;
  if (file->stored == from) put_on_disk(path, *file, from + dice / 65536 % (size + 1));
  // A file system that gets full takes what has room, and fails from then on.
  if (failed && !(fault.error == ENOSPC && size > 0)) return -fault.error;
  return static_cast<int>(size);
}

int truncate_file(const char* path, off_t size, fuse_file_info* info) {
  if (path == orders) return 0;
  File* const file = find(path, info);
  if (!file) return -EIO;
  if (fails("truncate")) return -fault.error;
  file->bytes.resize(static_cast<std::size_t>(size));
  file->stored = std::min(file->stored, file->bytes.size());
  return 0;
}

int sync_file(const char* path, int, fuse_file_info* info) {
  File* const file = find(path, info);
  if (!file) return -EIO;
  return fails("sync") ? -fault.error : put_on_disk(path, *file, file->bytes.size());
}

int sync_folder(const char*, int, fuse_file_info*) {
  if (fails("sync")) return -fault.error;
  fresh.clear();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: faulty_files FOLDER STORE\n", stderr);
    return 2;
  }
  store = argv[2];
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // upon which it unmounts
  fuse_operations operations{};
  operations.init = begin;
  operations.getattr = status;
  operations.open = open_file;
  operations.create = create_file;
  operations.read = read_some;
  operations.write = write_some;
  operations.truncate = truncate_file;
  operations.fsync = sync_file;
  operations.fsyncdir = sync_folder;
  char* none[] = {argv[0], nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, none);
  fuse* const made = fuse_new(&arguments, &operations, sizeof operations, nullptr);
  if (!made || fuse_mount(made, argv[1]) != 0) return 1;
  fuse_session* const session = fuse_get_session(made);
  const bool failed = fuse_set_signal_handlers(session) != 0 || fuse_loop(made) < 0;
  fuse_unmount(made);
  fuse_destroy(made);
  return failed ? 1 : 0;
}
