#pragma once

// Files for tests: a folder that goes away, requests that remember, and what is in a file as the
// system says it, past the library.

#include <proa/file_requests.hpp>
#include <string>
#include <string_view>

#include "support/ledger.hpp"
#include "support/recording.hpp"
#include "support/world.hpp"

namespace proa_test {

// A folder of the test's own, removed with all that is in it.
class Folder {
 public:
  // In the folder for temporary files, or `under` another one.
  explicit Folder(const std::string& under = "");
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Makes a file of these bytes; its path.
  std::string file(const std::string& name, std::string_view bytes) const;

 private:
  std::string path_;
};

// What is in a file.
std::string contents(const std::string& path);

// Opens a file now, and fails the test if that is not possible. It goes away with the World.
proa::File open_file(World& world, const std::string& path,
                     proa::OpenFlags flags = proa::OpenFlags::read | proa::OpenFlags::write);

// To append to any file is Linux's (RWF_APPEND). Elsewhere it has to be opened for that, and then
// all that is written is appended.
bool appends_anywhere();
// So: makes it a file that was opened for that, or not, where this is needed.
void let_append(const proa::File& file, bool on = true);

// Memory for direct I/O.
class Aligned {
 public:
  explicit Aligned(std::size_t size, char fill = '?');
  ~Aligned();
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  char* data() { return data_; }
  std::string_view text() const { return {data_, size_}; }
  proa::MutableBytes all() { return {data_, size_}; }

 private:
  char* data_;
  std::size_t size_;
};

// A read with memory of its own.
struct ReadingAt : Recording<proa::ReadAt> {
  explicit ReadingAt(std::size_t size = 256) : memory(size, '?') {}
  proa::ReadAt& from(proa::Descriptor file, std::uint64_t offset = 0) {
    request.prepare(file, offset, {memory.data(), memory.size()});
    return request;
  }
  std::string_view text() const { return std::string_view(memory).substr(0, bytes()); }
  std::string memory;
};

struct WritingAt : Recording<proa::WriteAt> {
  proa::WriteAt& to(proa::Descriptor file, std::uint64_t offset, std::string_view bytes) {
    request.prepare(file, offset, bytes);
    return request;
  }
};

// The call that tells what became of an operation: of one on a file that is `call`, unless it is
// given to aio(4).
inline Call told_by(Call call) {
  return over_kqueue() && !files_by_workers() ? Call::aio_return : call;
}

// Submits and waits.
template <class Recorded>
void perform(World& world, Recorded& recorded) {
  world.submit(recorded.request);
  world.run_until("the request completed", [&] { return recorded.done(); });
}

}  // namespace proa_test
