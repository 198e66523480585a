// Requests on paths, and what is done to a whole file.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "contract/file_rig.hpp"

namespace {

using namespace proa_test;
using proa::Error;
using proa::FileType;
using proa::OpenFlags;

TEST_CASE("F01: what cannot be opened is told by name of the error", "[file][F01]") {
  const Folder folder;
  Recording<proa::Open> open;
  World world;
  const auto error_of = [&](const std::string& path, OpenFlags flags) {
    open.request.prepare(path, flags);
    perform(world, open);
    CHECK(!open.request.file().valid());
    return open.error();
  };
  CHECK(error_of(folder.path("none"), OpenFlags::read) == std::errc::no_such_file_or_directory);
  CHECK(error_of(folder.path(), OpenFlags::write) == std::errc::is_a_directory);
  CHECK(error_of(folder.file("a", ""), OpenFlags::read | OpenFlags::directory) ==
        std::errc::not_a_directory);
  CHECK(error_of(folder.path(std::string(300, 'x')), OpenFlags::read) ==
        std::errc::filename_too_long);
  CHECK(error_of(folder.path("a"), OpenFlags::write | OpenFlags::create | OpenFlags::exclusive) ==
        std::errc::file_exists);
  open.request.prepare(std::string("a\0b", 3), OpenFlags::read);
  CHECK(world->submit(open.request) == Error::path_has_nul);
}

TEST_CASE("a file is opened, written, synced, asked about, cut and closed", "[file][F08]") {
  const Folder folder;
  Recording<proa::Open> open;
  WritingAt write;
  Recording<proa::WriteAt> append;
  Recording<proa::Sync> sync;
  Recording<proa::Status> status;
  Recording<proa::Truncate> cut;
  Recording<proa::Allocate> allocate;
  Recording<proa::CloseFile> close;
  World world;
  open.request.prepare(folder.path("a"), OpenFlags::read | OpenFlags::write | OpenFlags::create,
                       0600);
  perform(world, open);
  REQUIRE(!open.error());
  proa::File file = std::move(open.request.file());
  REQUIRE(file.valid());
  perform(world, (write.to(file.descriptor(), 0, "0123456789"), write));
  let_append(file);
  append.request.prepare_append(file.descriptor(), "end");
  perform(world, append);
  CHECK(!append.error());
  sync.request.prepare(file.descriptor());
  perform(world, sync);
  CHECK(!sync.error());
  sync.request.prepare_data(file.descriptor());
  perform(world, sync);
  CHECK(!sync.error());
  CHECK(contents(folder.path("a")) == "0123456789end");
  status.request.prepare(file.descriptor());
  perform(world, status);
  REQUIRE(!status.error());
  CHECK(status.request.status().type == FileType::regular);
  CHECK(status.request.status().size == 13);
  CHECK(status.request.status().permissions == 0600);
  cut.request.prepare(file.descriptor(), 4);
  perform(world, cut);
  CHECK(!cut.error());
  CHECK(contents(folder.path("a")) == "0123");
  allocate.request.prepare(file.descriptor(), 0, 8192);
  perform(world, allocate);
  if (!allocate.error()) CHECK(contents(folder.path("a")).size() == 8192);
  close.request.prepare(std::move(file));
  perform(world, close);
  CHECK(!close.error());
  CHECK(!close.request.file().valid());
}

TEST_CASE("names are made, changed, listed, followed and removed", "[file]") {
  const Folder folder;
  Recording<proa::MakeDirectory> make;
  Recording<proa::Rename> rename;
  Recording<proa::ListDirectory> list;
  Recording<proa::ReadLink> read_link;
  Recording<proa::Status> status;
  Recording<proa::Unlink> unlink;
  World world;
  const proa::File at = open_file(world, folder.path(), OpenFlags::read | OpenFlags::directory);
  make.request.prepare("below", 0700, at.descriptor());
  perform(world, make);
  CHECK(!make.error());
  folder.file("one", "1");
  folder.file("two", "22");
  REQUIRE(::symlink("two", folder.path("link").c_str()) == 0);
  rename.request.prepare("one", "two", at.descriptor());
  perform(world, rename);
  CHECK(!rename.error());
  CHECK(contents(folder.path("two")) == "1");
  list.request.prepare(folder.path());
  perform(world, list);
  REQUIRE(!list.error());
  std::vector<std::string> names;
  for (const proa::DirectoryEntry& entry : list.request.entries()) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  CHECK(names == std::vector<std::string>{"below", "link", "two"});
  read_link.request.prepare(folder.path("link"));
  perform(world, read_link);
  CHECK(read_link.request.target() == "two");
  status.request.prepare(folder.path("link"), OpenFlags::no_follow);
  perform(world, status);
  CHECK(status.request.status().type == FileType::symbolic_link);
  status.request.prepare(folder.path("link"));
  perform(world, status);
  CHECK(status.request.status().type == FileType::regular);
  unlink.request.prepare("two", OpenFlags::read, at.descriptor());
  perform(world, unlink);
  CHECK(!unlink.error());
  unlink.request.prepare("below", OpenFlags::directory, at.descriptor());
  perform(world, unlink);
  CHECK(!unlink.error());
  unlink.request.prepare("below", OpenFlags::directory, at.descriptor());
  perform(world, unlink);
  CHECK(unlink.error() == std::errc::no_such_file_or_directory);
}

TEST_CASE("F06: a full device is an error with the bytes that were taken", "[file][F06]") {
  WritingAt write;
  World world;
  const proa::File full = open_file(world, "/dev/full", OpenFlags::write);
  perform(world, (write.to(full.descriptor(), 0, "bytes"), write));
  CHECK(write.error() == std::errc::no_space_on_device);
  CHECK(write.bytes() == 0);
}

TEST_CASE("offsets and lengths that cannot be are refused", "[file][F11]") {
  const Folder folder;
  ReadingAt read(10);
  World world;
  const proa::File file = open_file(world, folder.file("a", "bytes"));
  CHECK(world->submit(read.from(file.descriptor(), std::uint64_t{1} << 63)) == Error::bad_offset);
  CHECK(world->submit(read.from(file.descriptor(), (std::uint64_t{1} << 63) - 5)) ==
        Error::bad_offset);
  read.request.prepare(file.descriptor(), 0, nullptr, 0);
  CHECK(world->submit(read.request) == Error::bad_length);
  CHECK(world->submit(read.from(proa::Descriptor())) == std::errc::bad_file_descriptor);
}

}  // namespace
