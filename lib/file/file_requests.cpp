// Checks and copies the inputs of requests on files. Upholds R3: paths and lists are copied.
#include <cerrno>
#include <limits>
#include <proa/file_requests.hpp>
#include <proa/requests.hpp>

#include "base/error_code.hpp"
#include "base/memory.hpp"

namespace proa {

namespace {

constexpr std::uint64_t last_offset = std::numeric_limits<std::int64_t>::max();

template <class Piece>
std::int32_t refuse(typename Pieces<Piece>::Fault fault, std::uint64_t offset,
                    std::size_t size) noexcept {
  if (fault == Pieces<Piece>::Fault::out_of_memory) return -ENOMEM;
  if (fault == Pieces<Piece>::Fault::bad_length) return code_of(Error::bad_length);
  return offset > last_offset || size > last_offset - offset ? code_of(Error::bad_offset) : 0;
}

}  // namespace

long System::open_file(const char*, OpenFlags, unsigned, Descriptor&) noexcept {
  return -EOPNOTSUPP;
}
long System::adopt_file(int, Descriptor&) noexcept { return -EOPNOTSUPP; }
long System::file_alignment(Descriptor, FileAlignment&) noexcept { return -EOPNOTSUPP; }

void ReadAt::prepare(Descriptor file, std::uint64_t offset, const MutableBytes* pieces,
                     std::size_t count) noexcept {
  check_idle("prepare");
  set_descriptor(file);
  offset_ = offset;
  exactly_ = false;
  const auto fault = pieces_.assign(pieces, count);
  refusal_ = refuse<MutableBytes>(fault, offset, pieces_.size());
}

void WriteAt::prepare(Descriptor file, std::uint64_t offset, const Bytes* pieces,
                      std::size_t count) noexcept {
  check_idle("prepare");
  set_descriptor(file);
  offset_ = offset;
  append_ = false;
  const auto fault = pieces_.assign(pieces, count);
  refusal_ = refuse<Bytes>(fault, offset, pieces_.size());
}

void FileCall::prepare_file(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept {
  check_idle("prepare");
  set_descriptor(file);
  offset_ = offset;
  length_ = length;
  by_path_ = false;
  path_.clear();
  refusal_ = file.valid() ? 0 : -EBADF;
  if (offset > last_offset || length > last_offset - offset) refusal_ = code_of(Error::bad_offset);
}

void FileCall::prepare_path(Descriptor at, const char* path, std::size_t size) noexcept {
  check_idle("prepare");
  set_descriptor(at);
  by_path_ = true;
  offset_ = length_ = 0;
  refusal_ = 0;
  copy(path_, path, size);
}

void FileCall::prepare_second(const char* path, std::size_t size) noexcept {
  copy(second_path_, path, size);
}

void FileCall::copy(std::string& to, const char* path, std::size_t size) noexcept {
  if (refusal_ != 0) return;
  if (std::string_view(path, size).find('\0') != std::string_view::npos) {
    refusal_ = code_of(Error::path_has_nul);
    return;
  }
  if (!with_memory([&] { to.assign(path, size); })) refusal_ = -ENOMEM;
}

}  // namespace proa
