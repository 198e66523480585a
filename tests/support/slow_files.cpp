// A file system (FUSE) with a slow disk: a program of its own, which SlowFiles mounts.
//
//   /reads   a pattern; each read takes the delay
//   /writes  what was written to it; each write and each sync takes the delay
//
// Nothing is cached: what a program reads or writes comes here, several at once.
#define FUSE_USE_VERSION 312
#include "support/slow_files.hpp"

#include <fuse.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "support/patterns.hpp"

namespace {

using namespace proa_test;

constexpr unsigned threads = 64;

std::chrono::milliseconds delay;
std::mutex mutex;
std::string written;

bool is(const char* path, const char* name) {
  return path[0] == '/' && std::strcmp(path + 1, name) == 0;
}

void* begin(fuse_conn_info*, fuse_config* config) {
  config->direct_io = 1;
  config->attr_timeout = 0;
  // Whoever mounted it waits for this: now it answers.
  if (::write(STDOUT_FILENO, slow_files_ready, 1) != 1) std::exit(1);
  return nullptr;
}

int status(const char* path, struct stat* result, fuse_file_info*) {
  *result = {};
  result->st_nlink = 1;
  if (std::strcmp(path, "/") == 0) {
    result->st_mode = S_IFDIR | 0755;
    return 0;
  }
  result->st_mode = S_IFREG | 0644;
  if (is(path, slow_reads)) {
    result->st_size = slow_size;
    return 0;
  }
  if (!is(path, slow_writes)) return -ENOENT;
  const std::lock_guard lock(mutex);
  result->st_size = static_cast<off_t>(written.size());
  return 0;
}

int open_file(const char* path, fuse_file_info*) {
  return is(path, slow_reads) || is(path, slow_writes) ? 0 : -ENOENT;
}

int read_some(const char* path, char* memory, size_t size, off_t offset, fuse_file_info*) {
  const auto from = static_cast<std::size_t>(offset);
  if (is(path, slow_reads)) {
    std::this_thread::sleep_for(delay);
    const std::size_t count = from >= slow_size ? 0 : std::min<std::size_t>(size, slow_size - from);
    for (std::size_t i = 0; i < count; ++i) memory[i] = pattern_at(slow_seed, from + i);
    return static_cast<int>(count);
  }
  const std::lock_guard lock(mutex);
  if (from >= written.size()) return 0;
  return static_cast<int>(written.copy(memory, size, from));
}

int write_some(const char* path, const char* bytes, size_t size, off_t offset, fuse_file_info*) {
  if (!is(path, slow_writes)) return -EACCES;
  std::this_thread::sleep_for(delay);
  const auto from = static_cast<std::size_t>(offset);
  const std::lock_guard lock(mutex);
  if (written.size() < from + size) written.resize(from + size);
  written.replace(from, size, bytes, size);
  return static_cast<int>(size);
}

int sync_file(const char*, int, fuse_file_info*) {
  std::this_thread::sleep_for(delay);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: slow_files FOLDER MILLISECONDS\n", stderr);
    return 2;
  }
  delay = std::chrono::milliseconds(std::atoi(argv[2]));
  fuse_operations operations{};
  operations.init = begin;
  operations.getattr = status;
  operations.open = open_file;
  operations.read = read_some;
  operations.write = write_some;
  operations.fsync = sync_file;
  char* none[] = {argv[0], nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, none);
  fuse* const files = fuse_new(&arguments, &operations, sizeof operations, nullptr);
  if (!files || fuse_mount(files, argv[1]) != 0) return 1;
  fuse_session* const session = fuse_get_session(files);
  fuse_loop_config* const config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(config, threads);
  int failed = fuse_set_signal_handlers(session);
  if (failed == 0) {
    failed = fuse_loop_mt(files, config);
    fuse_remove_signal_handlers(session);
  }
  fuse_unmount(files);
  fuse_loop_cfg_destroy(config);
  fuse_destroy(files);
  ::rmdir(argv[1]);  // nobody else does if the test was killed
  return failed < 0 ? 1 : 0;
}
