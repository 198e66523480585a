#pragma once

#include <proa/file_requests.hpp>

struct iovec;

namespace proa {

namespace sys {
struct FileInfo;
}

/// Performs an operation on a file with system calls that wait for as long as it takes, behind what
/// BackendSide::moved() says is done. For a worker's thread. What it returns is for
/// BackendSide::finish(); -EAGAIN of a SendFile says that the socket has no room.
long perform_file(Operation& operation) noexcept;

/// One step of a read or write: the flags are those of preadv2(2).
long read_some(ReadAt& read, int flags) noexcept;
long write_some(WriteAt& write, int flags) noexcept;

/// Whether the file ends where the next step would begin.
bool at_end(const ReadAt& read) noexcept;

/// What the step's result means: true if the operation is over, with `result` for finish(); false
/// if there is more to do, and then the step was added to BackendSide::moved().
bool step_ends(ReadAt& read, long& result) noexcept;
bool step_ends(WriteAt& write, long& result) noexcept;

/// The part of a request that is left, as a system call takes it; how many pieces.
int gather(const ReadAt& read, std::size_t skip, iovec* pieces, int limit) noexcept;
int gather(const WriteAt& write, std::size_t skip, iovec* pieces, int limit) noexcept;
/// Bytes that a request moves in all: no more than max_transfer.
std::size_t wanted(const ReadAt& read) noexcept;
std::size_t wanted(const WriteAt& write) noexcept;

/// What a backend has to know of an open file, asked of the system once.
enum class FileKind : std::uint8_t {
  unknown,
  other,     ///< has no offsets: a pipe, a terminal, a socket
  buffered,  ///< through the page cache
  direct,    ///< past it, and the disk is one (O_DIRECT)
};
/// `unknown` if the system does not tell, which must not be remembered.
FileKind kind_of(int number) noexcept;
bool is_direct(int number) noexcept;
/// Its file system is that of a block device, and not of another process or machine.
bool on_device(int number) noexcept;
/// Every write waits for the disk (O_DSYNC, O_SYNC).
bool is_synchronous(int number) noexcept;

/// The flags of open(2), close-on-exec and non-blocking among them: a FIFO must not block.
int open_flags(OpenFlags flags) noexcept;
/// Makes a File of what was opened, in blocking mode again.
long adopt_opened(Open& open, long descriptor, System& system) noexcept;
FileStatus to_status(const sys::FileInfo& info) noexcept;
/// The directory that a path is looked up from.
int directory_of(const FileCall& call) noexcept;

}  // namespace proa
