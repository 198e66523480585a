#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <proa/detail/api.hpp>
#include <proa/owned_descriptor.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

class Proactor;

/// How a file is opened; combine with | and &. The library always sets O_CLOEXEC. open(2).
enum class OpenFlags : unsigned {
  read = 1,
  write = 2,
  append = 4,      ///< every write goes to the file's end and ignores its offset; implies write
  create = 8,      ///< makes the file if there is none; `mode` are its permissions, less the umask
  exclusive = 16,  ///< with create: fails if there is a file already
  truncate = 32,
  direct = 64,      ///< transfers bypass the page cache: see FileAlignment
  data_sync = 128,  ///< every write is on the disk when it completes (O_DSYNC)
  directory = 256,  ///< fails unless the path is a directory; for the `at` of path requests
  no_follow = 512,  ///< fails if the last part of the path is a symbolic link
};
constexpr OpenFlags operator|(OpenFlags a, OpenFlags b) noexcept {
  return static_cast<OpenFlags>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr OpenFlags operator&(OpenFlags a, OpenFlags b) noexcept {
  return static_cast<OpenFlags>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr OpenFlags& operator|=(OpenFlags& a, OpenFlags b) noexcept { return a = a | b; }
constexpr OpenFlags& operator&=(OpenFlags& a, OpenFlags b) noexcept { return a = a & b; }
constexpr bool has(OpenFlags flags, OpenFlags flag) noexcept {
  return (static_cast<unsigned>(flags) & static_cast<unsigned>(flag)) != 0;
}

/// What OpenFlags::direct asks of a request: its memory, offset and length are multiples of these.
/// A request that is not aligned ends with Error::misaligned, on every backend; file systems that
/// do not insist (tmpfs) accept it.
struct FileAlignment {
  std::size_t memory = 4096;
  std::size_t offset = 4096;
  /// The system reported these values (statx(2), STATX_DIOALIGN); else they are a safe guess.
  bool reported = false;
};

/// What kind of file it is (inode(7)).
enum class FileType : std::uint8_t {
  unknown,
  regular,
  directory,
  symbolic_link,
  pipe,
  socket,
  character_device,
  block_device,
};

/// What the system knows of a file (statx(2)). Times are wall clock, nanoseconds since 1970.
struct FileStatus {
  FileType type = FileType::unknown;
  std::uint64_t size = 0;      ///< bytes
  std::uint64_t occupied = 0;  ///< bytes on the disk
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  std::uint64_t links = 0;
  std::uint32_t permissions = 0;  ///< the lower 12 bits of the mode
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::chrono::nanoseconds modified{0};
  std::chrono::nanoseconds changed{0};
  std::chrono::nanoseconds accessed{0};
};

/// Owns one open file. The request Open makes it, or the calls below, which may wait for a disk:
/// they are for the start of a program, not for the loop. Move-only. It must not outlive its
/// proactor, and no request may be in flight on it when it is closed: a FileHandler sees to that.
class PROA_API File : public OwnedDescriptor {
 public:
  using OwnedDescriptor::OwnedDescriptor;

  /// Opens in the calling thread. Errors are those of open(2), Error::path_has_nul.
  static File open(Proactor& proactor, const std::string& path, OpenFlags flags, unsigned mode,
                   std::error_code& error) noexcept;
  /// Takes over a descriptor of the program; errc::bad_file_descriptor if it is not open.
  static File adopt(Proactor& proactor, int number, std::error_code& error) noexcept;
  /// Uses a descriptor that still belongs to the program.
  static File borrow(Proactor& proactor, int number, std::error_code& error) noexcept;

  /// What OpenFlags::direct asks of requests on this file.
  FileAlignment alignment() const noexcept;

 private:
  friend class CloseFile;
  /// Forgets the descriptor, whose number may belong to another file by now.
  void drop() noexcept {
    if (valid()) system_->count_owned(-1);
    forget();
  }
};

}  // namespace v0
}  // namespace proa
