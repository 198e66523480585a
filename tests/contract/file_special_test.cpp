// What is not a plain file: what works does so everywhere, and what does not has one error.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include "contract/file_rig.hpp"
#include "support/death.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr OpenFlags read_write = OpenFlags::read | OpenFlags::write;

std::error_code error_of(World& world, Recording<proa::Open>& open, const std::string& path,
                         OpenFlags flags) {
  open.request.prepare(path, flags);
  perform(world, open);
  return open.error();
}

TEST_CASE("F10: a named pipe opens without waiting, and has no offsets", "[file][F10]") {
  const Folder folder;
  const std::string path = folder.path("pipe");
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Recording<proa::Open> open;
  ReadingAt read;
  WritingAt write;
  World world;
  CHECK(error_of(world, open, path, OpenFlags::write) == std::errc::no_such_device_or_address);
  REQUIRE(!error_of(world, open, path, read_write));
  const proa::File pipe = std::move(open.request.file());
  perform(world, (read.from(pipe.descriptor()), read));
  CHECK(read.error() == std::errc::invalid_seek);
  perform(world, (write.to(pipe.descriptor(), 0, "bytes"), write));
  CHECK(write.error() == std::errc::invalid_seek);
  CHECK(write.bytes() == 0);
}

TEST_CASE("F10: devices are read and written as they are", "[file][F10]") {
  ReadingAt read(10000);
  WritingAt write;
  World world;
  const proa::File zero = open_file(world, "/dev/zero", OpenFlags::read);
  perform(world, (read.from(zero.descriptor(), 5), read));
  CHECK(!read.error());
  CHECK(read.text() == std::string(10000, '\0'));
  const proa::File null = open_file(world, "/dev/null");
  perform(world, (read.from(null.descriptor()), read));
  CHECK(!read.error());
  CHECK(read.bytes() == 0);
  perform(world, (write.to(null.descriptor(), 1 << 20, "bytes"), write));
  CHECK(!write.error());
  CHECK(write.bytes() == 5);
}

TEST_CASE("a socket is no file, and stays the program's", "[file]") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  {
    World world;
    std::error_code error;
    CHECK(!proa::File::adopt(*world, ends[0], error).valid());
    CHECK(error == std::errc::invalid_seek);
    CHECK(!proa::File::borrow(*world, ends[0], error).valid());
    CHECK(error == std::errc::invalid_seek);
  }
  CHECK(::close(ends[0]) == 0);
  CHECK(::close(ends[1]) == 0);
}

TEST_CASE("what is asked of a closed descriptor is EBADF", "[file]") {
  const Folder folder;
  ReadingAt read;
  WritingAt write;
  Recording<proa::Sync> sync;
  Recording<proa::Status> status;
  Recording<proa::Truncate> cut;
  Recording<proa::Allocate> allocate;
  World world;
  const int number = ::open(folder.file("a", "bytes").c_str(), O_RDWR | O_CLOEXEC);
  std::error_code error;
  const proa::File file = proa::File::borrow(*world, number, error);
  REQUIRE(!error);
  REQUIRE(::close(number) == 0);
  const proa::Descriptor closed = file.descriptor();
  perform(world, (read.from(closed), read));
  CHECK(read.error() == std::errc::bad_file_descriptor);
  perform(world, (write.to(closed, 0, "bytes"), write));
  CHECK(write.error() == std::errc::bad_file_descriptor);
  sync.request.prepare(closed);
  perform(world, sync);
  CHECK(sync.error() == std::errc::bad_file_descriptor);
  status.request.prepare(closed);
  perform(world, status);
  CHECK(status.error() == std::errc::bad_file_descriptor);
  cut.request.prepare(closed, 0);
  perform(world, cut);
  CHECK(cut.error() == std::errc::bad_file_descriptor);
  allocate.request.prepare(closed, 0, 1);
  perform(world, allocate);
  CHECK(allocate.error() == std::errc::bad_file_descriptor);
  CHECK(!proa::File::adopt(*world, number, error).valid());
  CHECK(error == std::errc::bad_file_descriptor);
}

TEST_CASE("F01: a directory is opened, and is no file", "[file][F01]") {
  const Folder folder;
  Recording<proa::Open> open;
  ReadingAt read;
  WritingAt write;
  Recording<proa::Truncate> cut;
  World world;
  REQUIRE(!error_of(world, open, folder.path(), OpenFlags::read));
  const proa::File file = std::move(open.request.file());
  perform(world, (read.from(file.descriptor()), read));
  CHECK(read.error() == std::errc::is_a_directory);
  CHECK(read.bytes() == 0);
  perform(world, (write.to(file.descriptor(), 0, "bytes"), write));
  CHECK(write.error() == std::errc::bad_file_descriptor);
  cut.request.prepare(file.descriptor(), 0);
  perform(world, cut);
  CHECK(cut.error() == std::errc::invalid_argument);
}

TEST_CASE("a file is used in the ways that it was opened for", "[file]") {
  const Folder folder;
  const std::string path = folder.file("a", "bytes");
  ReadingAt read;
  WritingAt write;
  World world;
  const proa::File reads = open_file(world, path, OpenFlags::read);
  const proa::File writes = open_file(world, path, OpenFlags::write);
  perform(world, (read.from(writes.descriptor()), read));
  CHECK(read.error() == std::errc::bad_file_descriptor);
  perform(world, (write.to(reads.descriptor(), 0, "other"), write));
  CHECK(write.error() == std::errc::bad_file_descriptor);
  CHECK(contents(path) == "bytes");
}

TEST_CASE("an empty path names nothing, whatever it is looked up from", "[file][R12]") {
  const Folder folder;
  Recording<proa::Open> open;
  Recording<proa::Status> status;
  Recording<proa::ReadLink> read_link;
  Recording<proa::Unlink> unlink;
  Recording<proa::ListDirectory> list;
  Recording<proa::MakeDirectory> make;
  Recording<proa::Rename> rename;
  World world;
  const proa::File directory =
      open_file(world, folder.path(), OpenFlags::read | OpenFlags::directory);
  const proa::Descriptor at = GENERATE(false, true) ? directory.descriptor() : proa::Descriptor();
  const auto check = [&](auto& call) {
    perform(world, call);
    CHECK(call.error() == std::errc::no_such_file_or_directory);
  };
  check((open.request.prepare("", OpenFlags::read, 0, at), open));
  check((status.request.prepare("", OpenFlags::read, at), status));
  check((read_link.request.prepare("", at), read_link));
  check((unlink.request.prepare("", OpenFlags::read, at), unlink));
  check((list.request.prepare("", at), list));
  check((make.request.prepare("", 0700, at), make));
  check((rename.request.prepare("", "b", at), rename));
  status.request.prepare(directory.descriptor());
  perform(world, status);
  CHECK(!status.error());
}

TEST_CASE("F01: what paths lead to has one error each", "[file][F01]") {
  const Folder folder;
  const std::string file = folder.file("a", "bytes");
  Recording<proa::Status> status;
  Recording<proa::ReadLink> read_link;
  Recording<proa::Unlink> unlink;
  Recording<proa::ListDirectory> list;
  Recording<proa::MakeDirectory> make;
  Recording<proa::Rename> rename;
  World world;
  const auto error_of = [&](auto& call) {
    perform(world, call);
    return call.error();
  };
  const std::string none = folder.path("none");
  const std::string longer = folder.path(std::string(256, 'x'));
  CHECK(error_of((status.request.prepare(none), status)) == std::errc::no_such_file_or_directory);
  CHECK(error_of((status.request.prepare(longer), status)) == std::errc::filename_too_long);
  CHECK(error_of((status.request.prepare(file + "/b"), status)) == std::errc::not_a_directory);
  CHECK(error_of((read_link.request.prepare(file), read_link)) == std::errc::invalid_argument);
  CHECK(error_of((unlink.request.prepare(folder.path()), unlink)) ==
        (on_linux ? std::errc::is_a_directory : std::errc::operation_not_permitted));
  CHECK(error_of((unlink.request.prepare(file, OpenFlags::directory), unlink)) ==
        std::errc::not_a_directory);
  CHECK(error_of((unlink.request.prepare(folder.path(), OpenFlags::directory), unlink)) ==
        std::errc::directory_not_empty);
  CHECK(error_of((list.request.prepare(file), list)) == std::errc::not_a_directory);
  CHECK(error_of((list.request.prepare(none), list)) == std::errc::no_such_file_or_directory);
  CHECK(error_of((make.request.prepare(file), make)) == std::errc::file_exists);
  CHECK(error_of((make.request.prepare(longer), make)) == std::errc::filename_too_long);
  CHECK(error_of((rename.request.prepare(none, file), rename)) ==
        std::errc::no_such_file_or_directory);
  CHECK(error_of((rename.request.prepare(file, longer), rename)) == std::errc::filename_too_long);
  const std::string nul("a\0b", 3);
  rename.request.prepare(file, nul);
  CHECK(world->submit(rename.request) == proa::Error::path_has_nul);
  status.request.prepare(nul);
  CHECK(world->submit(status.request) == proa::Error::path_has_nul);
  CHECK(contents(file) == "bytes");
}

// As nobody, in a child: what a proactor of this configuration says, one letter per request.
std::string outcomes(const std::string& secret, const std::string& folder) {
  return message_of([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) throw std::runtime_error("no nobody");
    Recording<proa::Open> open;
    Recording<proa::Open> create;
    Recording<proa::Unlink> unlink;
    Recording<proa::MakeDirectory> make;
    Recording<proa::Status> status;
    Recording<proa::Status> below;
    const auto proactor = make_proactor();
    open.request.prepare(secret, OpenFlags::read);
    create.request.prepare(folder + "/new", OpenFlags::write | OpenFlags::create);
    unlink.request.prepare(secret);
    make.request.prepare(folder + "/below", 0700);
    status.request.prepare(secret);
    below.request.prepare(folder + "/closed/a");
    std::string said;
    const auto say = [&](auto& call) {
      if (proactor->submit(call.request)) return;
      while (!call.done()) proactor->run_once(10s);
      said += call.error() == std::errc::permission_denied ? 'd' : call.error() ? '?' : 'a';
    };
    say(open), say(create), say(unlink), say(make), say(status), say(below);
    throw std::runtime_error(said);
  });
}

TEST_CASE("what the user may not do is denied, by workers and kernel threads too", "[file]") {
  if (::geteuid() != 0) return skip("only root can become somebody else", true);
  const Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  const std::string secret = folder.file("secret", "bytes");
  REQUIRE(::chmod(secret.c_str(), 0600) == 0);
  REQUIRE(::mkdir(folder.path("closed").c_str(), 0700) == 0);
  CHECK(outcomes(secret, folder.path()) == "ddddad");
  CHECK(contents(secret) == "bytes");
}

}  // namespace
