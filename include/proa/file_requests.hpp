#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/bytes.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/pieces.hpp>
#include <proa/file.hpp>
#include <proa/operation.hpp>
#include <string>
#include <vector>

// Requests on files mean the same on every backend; docs/BACKENDS.md tells what they cost. None
// ever makes the loop wait for a disk.
//
// Requests on files are not ordered among each other (R5): submit what must follow a request in its
// callback. A cancel, a deadline or close() ends a request that has not begun. What the kernel has
// begun goes on, and completes as if nothing had been asked (R4), because a disk cannot be told to
// stop. EAGAIN is the error of each when a worker would have to perform it and the system gives no
// thread for the first one (pthread_create(3)).

namespace proa {
inline namespace v0 {

/// Reads from an offset until the memory is full or the file ends. A count below the size of the
/// memory means that the file has ended, and 0 bytes without an error that the offset is at its end
/// or after it. More than max_transfer bytes are read as max_transfer. preadv(2).
///
/// A device that has nothing is waited for, by no thread that files need, until cancel(), close()
/// or the deadline; the read then ends with what there is, unless it is prepare_exactly()'s.
///
/// Errors: those of preadv(2), with the bytes that were read before (EISDIR, EBADF, ESPIPE for
/// pipes and sockets), Error::misaligned, Error::end_of_file for prepare_exactly(). submit()
/// refuses with Error::bad_length, and with Error::bad_offset above 2^63 - 1 less the length.
class PROA_API ReadAt : public Operation {
 public:
  ReadAt() noexcept : Operation(Opcode::read_at, Direction::none) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor file, std::uint64_t offset, MutableBytes memory) noexcept {
    prepare(file, offset, &memory, 1);
  }
  /// Scattered over several pieces; the list is copied.
  void prepare(Descriptor file, std::uint64_t offset, const MutableBytes* pieces,
               std::size_t count) noexcept;
  /// The same, but if the file ends before the memory is full, the result is Error::end_of_file
  /// with the bytes that were read.
  void prepare_exactly(Descriptor file, std::uint64_t offset, MutableBytes memory) noexcept {
    prepare(file, offset, &memory, 1);
    exactly_ = true;
  }

  /// For backends: what prepare() was given.
  std::uint64_t offset() const noexcept { return offset_; }
  const Pieces<MutableBytes>& pieces() const noexcept { return pieces_; }
  bool exactly() const noexcept { return exactly_; }
  /// Why submit() refuses the request: 0, or a negative code of the library.
  std::int32_t refusal() const noexcept { return refusal_; }

 private:
  std::uint64_t offset_ = 0;
  Pieces<MutableBytes> pieces_;
  std::int32_t refusal_ = 0;
  bool exactly_ = false;
};

/// Writes all of the memory at an offset: completes when the system has taken the last byte, or
/// with an error (ENOSPC, EFBIG, ...) and the number of bytes that it has taken. The bytes are on
/// the disk when a Sync has completed that was submitted after this completion. More than
/// max_transfer bytes are written as max_transfer. pwritev(2). submit() refuses as for ReadAt.
class PROA_API WriteAt : public Operation {
 public:
  WriteAt() noexcept : Operation(Opcode::write_at, Direction::none) {}

  /// The memory belongs to the proactor from submit() to the callback (R3).
  void prepare(Descriptor file, std::uint64_t offset, Bytes bytes) noexcept {
    prepare(file, offset, &bytes, 1);
  }
  /// Gathered from several pieces; the list is copied.
  void prepare(Descriptor file, std::uint64_t offset, const Bytes* pieces,
               std::size_t count) noexcept;
  /// Writes at the end that the file has at that moment. Linux 4.16 (RWF_APPEND); elsewhere the
  /// file has to be opened with OpenFlags::append.
  void prepare_append(Descriptor file, Bytes bytes) noexcept {
    prepare(file, 0, &bytes, 1);
    append_ = true;
  }

  /// For backends: what prepare() was given.
  std::uint64_t offset() const noexcept { return offset_; }
  const Pieces<Bytes>& pieces() const noexcept { return pieces_; }
  bool append() const noexcept { return append_; }
  /// Why submit() refuses the request: 0, or a negative code of the library.
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

/// The base of the requests that do one thing to a file or a path. Paths are copied. The system
/// resolves a relative path from `at`, an open directory, or from the working directory if `at` is
/// not valid (openat(2)). submit() refuses a path with a NUL byte (Error::path_has_nul); other
/// errors of a path come from the system (ENOENT, ENAMETOOLONG, EACCES, ...).
class PROA_API FileCall : public Operation {
 public:
  /// For backends: what prepare() was given.
  FileVerb verb() const noexcept { return verb_; }
  const std::string& path() const noexcept { return path_; }
  /// Whether the request is about path(), which may be empty (ENOENT), and not about the
  /// descriptor's own file.
  bool by_path() const noexcept { return by_path_; }
  const std::string& second_path() const noexcept { return second_path_; }
  std::uint64_t offset() const noexcept { return offset_; }
  std::uint64_t length() const noexcept { return length_; }
  OpenFlags flags() const noexcept { return flags_; }
  unsigned mode() const noexcept { return mode_; }
  /// Why submit() refuses the request: 0, or a negative code of the library.
  std::int32_t refusal() const noexcept { return refusal_; }

 protected:
  /// For the requests derived from it.
  explicit FileCall(FileVerb verb) noexcept
      : Operation(Opcode::file_call, Direction::none), verb_(verb) {}
  ~FileCall() {
    if (pending()) abandon();  // while the verb is known, for the message
  }

  /// For the derived prepare(): the file, or one path or two. prepare_second() follows
  /// prepare_path().
  void prepare_file(Descriptor file, std::uint64_t offset = 0, std::uint64_t length = 0) noexcept;
  void prepare_path(Descriptor at, const char* path, std::size_t size) noexcept;
  void prepare_second(const char* path, std::size_t size) noexcept;
  void prepare_path(Descriptor at, const std::string& path) noexcept {
    prepare_path(at, path.data(), path.size());
  }

  /// What the derived prepare() sets itself.
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

/// Opens a file. openat(2). Opening a FIFO does not block.
class Open : public FileCall {
 public:
  Open() noexcept : FileCall(FileVerb::open) {}

  /// `mode` has an effect only with OpenFlags::create.
  void prepare(const std::string& path, OpenFlags flags, unsigned mode = 0644,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
    mode_ = mode;
  }
  /// In the callback: the file; move from it, or it is closed with the next result. The backend
  /// sets it.
  File& file() noexcept { return file_; }

 private:
  File file_;
};

/// Closes a file, where close(2) may take long (NFS, FUSE) or its error matters (EIO, ENOSPC,
/// EDQUOT). The descriptor is closed even then, with one exception: after a cancel or a deadline
/// that came before a worker had begun, this request still has the file. shutdown() closes it.
/// submit() refuses (EBUSY) while another request is in flight on the file. Once this one is
/// submitted, it refuses others on the file (Error::closing), until another file may have the
/// number.
class CloseFile : public FileCall {
 public:
  CloseFile() noexcept : FileCall(FileVerb::close) {}

  /// Takes the file over. If submit() refuses, this object still has the file, and closes it when
  /// destroyed.
  void prepare(File file) noexcept {
    prepare_file(file.descriptor());
    file_ = std::move(file);
  }
  /// For backends: the file to close.
  File& file() noexcept { return file_; }
  /// For the proactor: the file was closed.
  void closed() noexcept { file_.drop(); }

 private:
  File file_;
};

/// Brings written bytes to the disk: those of the writes that had completed when this was
/// submitted, and no others. The system tells an error (EIO) once: what was written since the last
/// Sync may be lost then, and another Sync does not bring it back. fsync(2), fdatasync(2).
class Sync : public FileCall {
 public:
  Sync() noexcept : FileCall(FileVerb::sync) {}

  /// Everything, also times and permissions: fsync(2).
  void prepare(Descriptor file) noexcept {
    prepare_file(file);
    verb_ = FileVerb::sync;
  }
  /// Leaves out what nobody needs to read the data again, such as times.
  void prepare_data(Descriptor file) noexcept {
    prepare_file(file);
    verb_ = FileVerb::data_sync;
  }
};

/// What the system knows of a file. statx(2).
class Status : public FileCall {
 public:
  Status() noexcept : FileCall(FileVerb::status) {}

  /// Of an open file.
  void prepare(Descriptor file) noexcept { prepare_file(file); }
  /// With OpenFlags::no_follow, the status of a symbolic link itself.
  void prepare(const std::string& path, OpenFlags flags = OpenFlags::read,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
  }
  /// In a callback without an error. The backend sets it.
  FileStatus& status() noexcept { return status_; }
  static constexpr std::size_t memory_size = 256;
  /// For backends: room for the struct statx that the system writes.
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

/// Reserves blocks, and lengthens the file if need be, so that later writes there do not meet
/// ENOSPC. fallocate(2); EOPNOTSUPP where the file system cannot.
class Allocate : public FileCall {
 public:
  Allocate() noexcept : FileCall(FileVerb::allocate) {}
  void prepare(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept {
    prepare_file(file, offset, length);
  }
};

/// Removes a file's name or, with OpenFlags::directory, an empty directory. unlinkat(2).
class Unlink : public FileCall {
 public:
  Unlink() noexcept : FileCall(FileVerb::unlink) {}
  void prepare(const std::string& path, OpenFlags flags = OpenFlags::read,
               Descriptor at = {}) noexcept {
    prepare_path(at, path);
    flags_ = flags;
  }
};

/// Gives a file another name, and replaces a file that has the name at the same moment. Both paths
/// are resolved from `at`. renameat(2).
class Rename : public FileCall {
 public:
  Rename() noexcept : FileCall(FileVerb::rename) {}
  void prepare(const std::string& from, const std::string& to, Descriptor at = {}) noexcept {
    prepare_path(at, from);
    prepare_second(to.data(), to.size());
  }
};

/// Makes a directory. mkdirat(2).
class MakeDirectory : public FileCall {
 public:
  MakeDirectory() noexcept : FileCall(FileVerb::make_directory) {}
  void prepare(const std::string& path, unsigned mode = 0777, Descriptor at = {}) noexcept {
    prepare_path(at, path);
    mode_ = mode;
  }
};

/// Reads where a symbolic link leads. readlinkat(2).
class ReadLink : public FileCall {
 public:
  ReadLink() noexcept : FileCall(FileVerb::read_link) {}
  void prepare(const std::string& path, Descriptor at = {}) noexcept { prepare_path(at, path); }
  /// In the callback. The backend sets it.
  std::string& target() noexcept { return target_; }

 private:
  std::string target_;
};

/// One entry of a directory.
struct DirectoryEntry {
  std::string name;
  FileType type = FileType::unknown;  ///< known where the file system tells it at no cost
};

/// Lists all entries of a directory except "." and "..", in the order of the file system.
/// readdir(3).
class ListDirectory : public FileCall {
 public:
  ListDirectory() noexcept : FileCall(FileVerb::list_directory) {}
  void prepare(const std::string& path, Descriptor at = {}) noexcept { prepare_path(at, path); }
  /// In the callback. The backend sets them.
  std::vector<DirectoryEntry>& entries() noexcept { return entries_; }

 private:
  std::vector<DirectoryEntry> entries_;
};

/// Sends a part of a file over a socket, without taking it through the program: completes when the
/// socket has taken the last byte, or with an error and the number of bytes that it has taken. If
/// the file ends before, that is no error: the count says so. Ordered with the socket's sends (R5).
/// A worker waits for the disk, and the loop for the socket: submit() refuses a borrowed socket in
/// blocking mode with errc::operation_not_supported. Ends with errc::operation_canceled when the
/// FileHandler that has the file closes. sendfile(2).
class SendFile : public Operation {
 public:
  SendFile() noexcept : Operation(Opcode::send_file, Direction::out) {}

  /// The file still belongs to the program, and must stay open until the callback.
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

}  // namespace v0
}  // namespace proa
