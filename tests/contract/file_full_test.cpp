// No room: a full disk, a full device, the process's own limit.
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "contract/file_rig.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

// A disk of so many bytes, while it lives.
class SmallDisk {
 public:
  SmallDisk(const Folder& folder, std::size_t size) : path_(folder.path("disk")) {
    if (::mkdir(path_.c_str(), 0700) != 0) FAIL("mkdir " << path_);
    const std::string limit = "size=" + std::to_string(size);
    mounted_ = ::mount("proa-test", path_.c_str(), "tmpfs", 0, limit.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  const std::string path_;
  bool mounted_ = false;
};

TEST_CASE("F06: on a full disk a write says how much went there, and no more is lost",
          "[file][R4][F06]") {
  constexpr std::size_t room = 65536;
  const Folder folder;
  const SmallDisk disk(folder, room);
  if (!disk.mounted()) return skip("no file system may be mounted here", true);
  const std::string earlier = pattern(1, 20000);
  const std::string more = pattern(2, 100000);
  WritingAt write;
  Recording<proa::Sync> sync;
  Recording<proa::Allocate> allocate;
  Recording<proa::Truncate> cut;
  World world;
  const proa::File file =
      open_file(world, disk.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create);
  perform(world, (write.to(file.descriptor(), 0, earlier), write));
  CHECK(!write.error());
  perform(world, (write.to(file.descriptor(), 20000, more), write));
  CHECK(write.error() == std::errc::no_space_on_device);
  CHECK(write.bytes() == room - 20000);
  CHECK((contents(disk.path("a")) == earlier + more.substr(0, room - 20000)));
  perform(world, (write.to(file.descriptor(), room, "x"), write));
  CHECK(write.error() == std::errc::no_space_on_device);
  CHECK(write.bytes() == 0);
  allocate.request.prepare(file.descriptor(), 0, 2 * room);
  perform(world, allocate);
  CHECK(allocate.error() == std::errc::no_space_on_device);
  sync.request.prepare(file.descriptor());
  perform(world, sync);
  CHECK(!sync.error());
  CHECK((contents(disk.path("a")).substr(0, 20000) == earlier));
  cut.request.prepare(file.descriptor(), 20000);
  perform(world, cut);
  perform(world, (write.to(file.descriptor(), 20000, "x"), write));
  CHECK(!write.error());
}

TEST_CASE("F06: a full device takes nothing, gathered or not", "[file][F06]") {
  Recording<proa::WriteAt> write;
  World world;
  const proa::File full = open_file(world, "/dev/full", OpenFlags::write);
  const std::string large = pattern(1, std::size_t{2} << 20);
  const proa::Bytes pieces[] = {"a", large, "b"};
  write.request.prepare(full.descriptor(), 0, pieces, 3);
  perform(world, write);
  CHECK(write.error() == std::errc::no_space_on_device);
  CHECK(write.bytes() == 0);
}

// Of this process, while it lives.
class LargestFile {
 public:
  explicit LargestFile(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit wanted = {bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &wanted);
  }
  ~LargestFile() { ::setrlimit(RLIMIT_FSIZE, &before_); }
  LargestFile(const LargestFile&) = delete;
  LargestFile& operator=(const LargestFile&) = delete;

 private:
  rlimit before_{};
};

TEST_CASE("F05: the limit of the process is an error, not a signal", "[file][R11][F05]") {
  constexpr std::size_t limit = std::size_t{1} << 20;
  const bool direct = GENERATE(false, true);
  const Folder folder;
  folder.file("a", "");
  Aligned memory(16384, 'x');
  Recording<proa::WriteAt> write;
  Recording<proa::Truncate> cut;
  Recording<proa::Allocate> allocate;
  World world;
  const OpenFlags flags = OpenFlags::read | OpenFlags::write;
  const proa::File file =
      open_file(world, folder.path("a"), direct ? flags | OpenFlags::direct : flags);
  {
    const LargestFile limited(limit);
    write.request.prepare(file.descriptor(), limit - 4096, memory.text());
    perform(world, write);
    CHECK(write.error() == std::errc::file_too_large);
    CHECK(write.bytes() == 4096);
    write.request.prepare(file.descriptor(), limit, memory.text());
    perform(world, write);
    CHECK(write.error() == std::errc::file_too_large);
    CHECK(write.bytes() == 0);
    if (!direct) {
      let_append(file);
      write.request.prepare_append(file.descriptor(), memory.text());
      perform(world, write);
      CHECK(write.error() == std::errc::file_too_large);
    }
    cut.request.prepare(file.descriptor(), limit + 1);
    perform(world, cut);
    CHECK(cut.error() == std::errc::file_too_large);
    allocate.request.prepare(file.descriptor(), 0, limit + 1);
    perform(world, allocate);
    CHECK(allocate.error() == std::errc::file_too_large);
  }
  CHECK(contents(folder.path("a")).size() == limit);
  sigset_t waiting;
  sigpending(&waiting);
  CHECK(sigismember(&waiting, SIGXFSZ) == 0);
}

}  // namespace
