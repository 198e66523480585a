#pragma once

#include <proa/file_requests.hpp>

struct iovec;

namespace proa {
inline namespace v0 {

namespace sys {
struct FileInfo;
}

/// Performs what is left of an operation on a file (see BackendSide::moved()), with system calls
/// that block. For a worker's thread. The result is for BackendSide::finish(); -EAGAIN of a
/// SendFile says that the socket has no room.
long perform_file(Operation& operation) noexcept;

/// The same for a read or write of a device, but without waiting: -EAGAIN if the device has nothing
/// to read, or no room, and BackendSide::moved() tells how far it came. A read ends with what there
/// is.
long perform_device(Operation& operation) noexcept;

/// Whether the operation is a ReadAt or a WriteAt.
inline bool transfers(const Operation& operation) noexcept {
  return operation.opcode() == Opcode::read_at || operation.opcode() == Opcode::write_at;
}

/// What perform_file() does, but -EAGAIN for a read of what the page cache does not have.
long perform_cached(Operation& operation) noexcept;

/// Makes one step of a read or write. The flags are those of preadv2(2).
long read_some(ReadAt& read, int flags) noexcept;
long write_some(WriteAt& write, int flags) noexcept;

/// Whether the file ends where the next step would begin.
bool at_end(const ReadAt& read) noexcept;

/// Judges the result of a step. Returns true if the operation is over; `result` is for finish()
/// then. Returns false if there is more to do; the step's bytes have been added to
/// BackendSide::moved() then.
bool step_ends(ReadAt& read, long& result) noexcept;
bool step_ends(WriteAt& write, long& result) noexcept;

/// Fills `pieces` with the part of a request behind `skip` bytes. Returns how many pieces that
/// took.
int gather(const ReadAt& read, std::size_t skip, iovec* pieces, int limit) noexcept;
int gather(const WriteAt& write, std::size_t skip, iovec* pieces, int limit) noexcept;
/// How many bytes a request moves in all, max_transfer at most.
std::size_t wanted(const ReadAt& read) noexcept;
std::size_t wanted(const WriteAt& write) noexcept;

/// What a backend has to know of an open file. It asks the system once per file.
enum class FileKind : std::uint8_t {
  unknown,
  other,     ///< has no offsets: a pipe, a terminal, a socket
  buffered,  ///< transfers go through the page cache
  direct,    ///< transfers bypass the page cache (O_DIRECT)
};
/// `unknown` if the system does not say; the caller must not remember that.
FileKind kind_of(int number) noexcept;
bool is_direct(int number) noexcept;
/// Whether transfers end at the page cache, or each write has to wait for the disk (O_DIRECT,
/// O_DSYNC).
enum class FilePace : std::uint8_t { unknown, cached, slow };
FilePace pace_of(int number) noexcept;
/// Whether a read or write may find nothing, or no room, for as long as the file likes: it is for
/// perform_device().
bool may_have_nothing(const Operation& operation) noexcept;
/// Whether the file system lies on a block device, and is not served by another process or machine.
bool on_device(int number) noexcept;
/// Whether every write waits for the disk (O_DSYNC, O_SYNC).
bool is_synchronous(int number) noexcept;

/// Performs one of the calls of a FileCall, which blocks. The result is for finish().
long perform_call(FileCall& call) noexcept;
/// Returns the flags of open(2), with close-on-exec, and non-blocking, because opening a FIFO must
/// not block.
int open_flags(OpenFlags flags) noexcept;
/// Whether a file may have nothing to read for a while, and gives what it gives only once: a
/// device, a pipe, some files of /proc.
bool gives_once(int number) noexcept;
/// Gives a file that was opened by open_flags() the mode in which the library uses it. What
/// gives_once() stays non-blocking. On all others O_NONBLOCK makes io_uring answer EAGAIN instead
/// of waiting for the disk.
Descriptor settle_opened(int number) noexcept;
/// Makes a File of the descriptor that was opened.
long adopt_opened(Open& open, long descriptor, System& system) noexcept;
FileStatus to_status(const sys::FileInfo& info) noexcept;
/// The directory from which the system resolves the path.
int directory_of(const FileCall& call) noexcept;

}  // namespace v0
}  // namespace proa
