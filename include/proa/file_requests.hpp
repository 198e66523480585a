#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/bytes.hpp>
#include <proa/detail/pieces.hpp>
#include <proa/file.hpp>
#include <proa/operation.hpp>
#include <string>
#include <vector>

// Requests on files. They have a meaning of their own on every backend, which docs/BACKENDS.md
// tells the cost of: none ever makes the loop wait for a disk.
//
// They are not ordered among each other (R5): what must follow another one is submitted in its
// callback. A cancel, a deadline or close() ends what has not begun; what the kernel is at goes on,
// and completes as if nothing had been asked (R4): a disk cannot be told to stop.

namespace proa {

/// Reads from an offset until the memory is full or the file ends: a count below what was asked for
/// is the end of the file, and 0 bytes without an error is a read at or behind it. More than
/// max_transfer bytes are read as max_transfer. preadv(2).
///
/// Errors: those of preadv(2) with the bytes that were read before (EISDIR, EBADF, ESPIPE for pipes
/// and sockets), Error::misaligned, Error::end_of_file for read_exactly. Refused by submit():
/// Error::bad_length, Error::bad_offset above 2^63 - 1 less the length.
class ReadAt : public Operation {
 public:
  ReadAt() noexcept : Operation(Opcode::read_at, Direction::none) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor file, std::uint64_t offset, MutableBytes memory) noexcept {
    prepare(file, offset, &memory, 1);
  }
  /// Scattered: the list is copied.
  void prepare(Descriptor file, std::uint64_t offset, const MutableBytes* pieces,
               std::size_t count) noexcept;
  /// The same, but a file that ends before the memory is full is Error::end_of_file, with the bytes
  /// that there were.
  void prepare_exactly(Descriptor file, std::uint64_t offset, MutableBytes memory) noexcept {
    prepare(file, offset, &memory, 1);
    exactly_ = true;
  }

  std::uint64_t offset() const noexcept { return offset_; }
  const Pieces<MutableBytes>& pieces() const noexcept { return pieces_; }
  bool exactly() const noexcept { return exactly_; }
  /// What submit() says to it: 0, or a negative code of the library's.
  std::int32_t refusal() const noexcept { return refusal_; }

 private:
  std::uint64_t offset_ = 0;
  Pieces<MutableBytes> pieces_;
  std::int32_t refusal_ = 0;
  bool exactly_ = false;
};

/// Writes all of the memory at an offset: completes when the last byte was taken, or with an error
/// and the bytes that were (ENOSPC, EFBIG, ...). It is on the disk when a Sync that was submitted
/// after this completion has completed. More than max_transfer bytes are written as max_transfer.
/// pwritev(2). Refused by submit() as ReadAt.
class WriteAt : public Operation {
 public:
  WriteAt() noexcept : Operation(Opcode::write_at, Direction::none) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor file, std::uint64_t offset, Bytes bytes) noexcept {
    prepare(file, offset, &bytes, 1);
  }
  /// Gathered: the list is copied.
  void prepare(Descriptor file, std::uint64_t offset, const Bytes* pieces,
               std::size_t count) noexcept;
  /// At the end of the file, wherever that is at that moment; Linux 4.16 (RWF_APPEND), elsewhere
  /// the file has to be opened with OpenFlags::append.
  void prepare_append(Descriptor file, Bytes bytes) noexcept {
    prepare(file, 0, &bytes, 1);
    append_ = true;
  }

  std::uint64_t offset() const noexcept { return offset_; }
  const Pieces<Bytes>& pieces() const noexcept { return pieces_; }
  bool append() const noexcept { return append_; }
  /// What submit() says to it: 0, or a negative code of the library's.
  std::int32_t refusal() const noexcept { return refusal_; }

 private:
  std::uint64_t offset_ = 0;
  Pieces<Bytes> pieces_;
  std::int32_t refusal_ = 0;
  bool append_ = false;
};

/// What a FileCall does.
enum class FileVerb : std::uint8_t {
  open,
  close,
  sync,
  data_sync,
  status,
  truncate,
  allocate,
  unlink,
  rename,
  make_directory,
  read_link,
  list_directory,
};

/// The base of the requests that do one thing to a file or a path. Paths are copied. A relative
/// path is looked up from `at`, an open directory, or from the working directory if that is not
/// valid (openat(2)). A path with a NUL byte is refused by submit() with Error::path_has_nul; all
/// else that can be wrong with it comes as the system says it (ENOENT, ENAMETOOLONG, EACCES, ...).
class FileCall : public Operation {
 public:
  FileVerb verb() const noexcept { return verb_; }
  const std::string& path() const noexcept { return path_; }
  /// Looked up by path(), be it empty (ENOENT), and not the descriptor's own file.
  bool by_path() const noexcept { return by_path_; }
  const std::string& second_path() const noexcept { return second_path_; }
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t length() const noexcept { return length_; }
  OpenFlags flags() const noexcept { return flags_; }
  unsigned mode() const noexcept { return mode_; }
  /// What submit() says to it: 0, or a negative code of the library's.
  std::int32_t refusal() const noexcept { return refusal_; }

 protected:
  explicit FileCall(FileVerb verb) noexcept
      : Operation(Opcode::file_call, Direction::none), verb_(verb) {}
  ~FileCall() = default;

  void prepare_file(Descriptor file, std::uint64_t offset = 0, std::uint64_t length = 0) noexcept;
  void prepare_path(Descriptor at, const char* path, std::size_t size) noexcept;
  void prepare_second(const char* path, std::size_t size) noexcept;
  void prepare_path(Descriptor at, const std::string& path) noexcept {
    prepare_path(at, path.data(), path.size());
  }

  OpenFlags flags_ = OpenFlags::read;
  unsigned mode_ = 0;
  FileVerb verb_;

 private:
  void copy(std::string& to, const char* path, std::size_t size) noexcept;

  bool by_path_ = false;
  std::int32_t refusal_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t length_ = 0;
  std::string path_;
  std::string second_path_;
};

/// Opens a file. openat(2). A FIFO does not block.
class Open : public FileCall {
 public:
  Open() noexcept : FileCall(FileVerb::open) {}

  /// `mode` counts with OpenFlags::create alone.
  void prepare(const std::string& path, OpenFlags flags, unsigned mode = 0644,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
    mode_ = mode;
  }
  /// In the callback: the file; move from it, or it is closed with the next result. Backends put it
  /// here.
  File& file() noexcept { return file_; }

 private:
  File file_;
};

/// Closes a file where close(2) may take long (NFS, FUSE), or to see its error (EIO, ENOSPC,
/// EDQUOT). The descriptor is gone in any case but one: a cancel or a deadline that came before a
/// worker had begun leaves the file in here. shutdown() closes it. Refused by submit() while
/// anything else is in flight on the file (EBUSY); from its submission on others are
/// (Error::closing), until the number may be another file's.
class CloseFile : public FileCall {
 public:
  CloseFile() noexcept : FileCall(FileVerb::close) {}

  /// Takes the file over; if submit() refuses, it is still here, and is closed with this object.
  void prepare(File file) noexcept {
    prepare_file(file.descriptor());
    file_ = std::move(file);
  }
  /// For backends: what to close.
  File& file() noexcept { return file_; }
  /// For the proactor: it was closed.
  void closed() noexcept { file_.drop(); }

 private:
  File file_;
};

/// Brings what was written to the disk. It covers the writes that had completed when it was
/// submitted, no others. An error (EIO) is told once: what was written since the last Sync may be
/// lost then, and another Sync does not bring it back. fsync(2), fdatasync(2).
class Sync : public FileCall {
 public:
  Sync() noexcept : FileCall(FileVerb::sync) {}

  void prepare(Descriptor file) noexcept {
    prepare_file(file);
    verb_ = FileVerb::sync;
  }
  /// Without what is not needed to read the data again, such as times.
  void prepare_data(Descriptor file) noexcept {
    prepare_file(file);
    verb_ = FileVerb::data_sync;
  }
};

/// What the system knows of a file. statx(2).
class Status : public FileCall {
 public:
  Status() noexcept : FileCall(FileVerb::status) {}

  void prepare(Descriptor file) noexcept { prepare_file(file); }
  /// OpenFlags::no_follow: of a symbolic link itself.
  void prepare(const std::string& path, OpenFlags flags = OpenFlags::read,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
  }
  /// In the callback, beside no error. Backends put it here.
  FileStatus& status() noexcept { return status_; }
  static constexpr std::size_t memory_size = 256;
  /// For backends: room for what the system writes, a struct statx.
  void* memory() noexcept { return memory_; }

 private:
  FileStatus status_;
  alignas(8) unsigned char memory_[memory_size];
};

/// Cuts a file, or lengthens it with a hole. ftruncate(2).
class Truncate : public FileCall {
 public:
  Truncate() noexcept : FileCall(FileVerb::truncate) {}
  void prepare(Descriptor file, std::uint64_t size) noexcept { prepare_file(file, size); }
};

/// Reserves blocks, and lengthens the file if need be: writes there do not meet ENOSPC.
/// fallocate(2); EOPNOTSUPP where the file system cannot.
class Allocate : public FileCall {
 public:
  Allocate() noexcept : FileCall(FileVerb::allocate) {}
  void prepare(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept {
    prepare_file(file, offset, length);
  }
};

/// Removes a name: a file's, or, with OpenFlags::directory, an empty directory's. unlinkat(2).
class Unlink : public FileCall {
 public:
  Unlink() noexcept : FileCall(FileVerb::unlink) {}
  void prepare(const std::string& path, OpenFlags flags = OpenFlags::read,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
  }
};

/// Gives a file another name; one that has that name is replaced at the same moment. Both are
/// looked up from `at`. renameat(2).
class Rename : public FileCall {
 public:
  Rename() noexcept : FileCall(FileVerb::rename) {}
  void prepare(const std::string& from, const std::string& to, Descriptor at = {}) noexcept {
    prepare_path(at, from);
    prepare_second(to.data(), to.size());
  }
};

/// mkdirat(2).
class MakeDirectory : public FileCall {
 public:
  MakeDirectory() noexcept : FileCall(FileVerb::make_directory) {}
  void prepare(const std::string& path, unsigned mode = 0777, Descriptor at = {}) noexcept {
    prepare_path(at, path);
    mode_ = mode;
  }
};

/// Where a symbolic link leads. readlinkat(2).
class ReadLink : public FileCall {
 public:
  ReadLink() noexcept : FileCall(FileVerb::read_link) {}
  void prepare(const std::string& path, Descriptor at = {}) noexcept { prepare_path(at, path); }
  /// In the callback. Backends put it here.
  std::string& target() noexcept { return target_; }

 private:
  std::string target_;
};

struct DirectoryEntry {
  std::string name;
  FileType type = FileType::unknown;  ///< where the file system tells it at no cost
};

/// All entries of a directory but "." and "..", in the order of the file system. readdir(3).
class ListDirectory : public FileCall {
 public:
  ListDirectory() noexcept : FileCall(FileVerb::list_directory) {}
  void prepare(const std::string& path, Descriptor at = {}) noexcept { prepare_path(at, path); }
  /// In the callback. Backends put them here.
  std::vector<DirectoryEntry>& entries() noexcept { return entries_; }

 private:
  std::vector<DirectoryEntry> entries_;
};

/// Sends a stretch of a file over a socket, without taking it through the program: completes when
/// the last byte was taken by the socket, or with an error and the bytes that were. A file that
/// ends before is no error: the count says so. Ordered with the socket's sends (R5). The disk is
/// waited for by a worker, the socket by the loop: submit() refuses a borrowed one in blocking mode
/// with errc::operation_not_supported. sendfile(2).
class SendFile : public Operation {
 public:
  SendFile() noexcept : Operation(Opcode::send_file, Direction::out) {}

  /// The file stays open, and yours, until the callback.
  void prepare(Descriptor socket, Descriptor file, std::uint64_t offset,
               std::uint64_t length) noexcept {
    check_idle("prepare");
    set_descriptor(socket);
    file_ = file;
    offset_ = offset;
    length_ = length;
  }
  Descriptor file() const noexcept { return file_; }
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t length() const noexcept { return length_; }

 private:
  Descriptor file_;
  std::uint64_t offset_ = 0;
  std::uint64_t length_ = 0;
};

}  // namespace proa
