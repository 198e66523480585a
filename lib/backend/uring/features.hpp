#pragma once

// The one table of everything that the backend uses of io_uring, with the kernel release that
// brought each item.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/release.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

enum class Sort : unsigned char {
  vital,  ///< an SQE opcode that nothing can replace
  /// another SQE opcode in use; where a filter refuses it, the loop makes the system call
  opcode,
  /// one for a file and registered memory; without it another one is used, as for other memory
  registered_opcode,
  /// one for a file; a worker performs the request if the kernel lacks the opcode, or a filter
  /// refuses it
  file_opcode,
  marker,  ///< an opcode that the backend does not use; it shows which release the kernel is
  /// a call of io_uring_register(2); the backend makes all of them before it enables the ring
  register_call,
  late_register_call,  ///< a call that it makes later
  sqe_flag,            ///< IOSQE_*
  setup_flag,          ///< IORING_SETUP_*
  enter_flag,          ///< IORING_ENTER_*, of the call in which the loop sleeps
  op_flag,  ///< an OpFlag: a flag of one opcode, which the kernel's probe does not report
};

enum OpFlag : unsigned { recv_multishot, recv_multishot_limit, poll_first, poll_multishot };

struct Row {
  Sort sort;
  unsigned value;
  Release since;
  const char* name;
};

extern const Row table[];
extern const std::size_t table_size;

/// The kernel release that brought this entry of the table.
Release since(Sort sort, unsigned value) noexcept;

/// The features that one ring uses.
struct Features {
  Release release = lowest_uring_release;  ///< the kernel's, or the allowed one if that is older
  unsigned setup_flags = 0;
  bool buffer_ring = false;
  bool multishot_recv = false;
  /// a multishot receive may end behind a number of bytes
  bool multishot_limit = false;
  bool poll_first = false;
  bool multishot_poll = false;
  bool resizes = false;             ///< the queues begin small and grow
  bool registered_buffers = false;  ///< transfers of direct files use a table of registered blocks
  bool no_iowait = false;  ///< the kernel does not count a sleeping loop as a thread in I/O wait
  bool multishot_datagrams = false;
  std::uint64_t opcodes = 0;  ///< bit N is set if the ring may use opcode N
  std::uint64_t refused = 0;  ///< the same for what the kernel has, and a filter refuses

  bool has_opcode(unsigned opcode) const noexcept { return (opcodes >> opcode & 1) != 0; }
  bool files = false;  ///< Options::native_files
  bool reads_files() const noexcept;
  bool writes_files() const noexcept;
  bool has_files() const noexcept;
  /// Whether the backend makes this call of io_uring_register(2) when the ring is enabled.
  bool calls_late(unsigned call) const noexcept;
  /// The names of the opcodes that a filter refuses.
  std::string refused_names() const;
  bool has(unsigned setup_flag) const noexcept { return (setup_flags & setup_flag) != 0; }
};

/// Whether a filter may have refused the SQE of this result. A system call that does the same tells
/// whether it was the filter.
inline bool is_refusal(long result) noexcept { return result == -EACCES || result == -EPERM; }

}  // namespace uring
}  // namespace v0
}  // namespace proa
