#pragma once

// The one table of what the backend asks of io_uring, and from which kernel release on.

#include <cstddef>
#include <cstdint>
#include <string>

namespace proa::uring {

/// A kernel release as a number that can be compared: 5.19 is 5019.
using Release = unsigned;
constexpr Release release(unsigned major, unsigned minor) noexcept { return major * 1000 + minor; }
inline constexpr Release lowest_release = release(5, 11);  // IORING_FEAT_EXT_ARG
inline constexpr Release any_release = ~0u;

enum class Sort : unsigned char {
  opcode,         ///< an SQE opcode in use
  file_opcode,    ///< the same, but where the kernel lacks it a worker does that
  marker,         ///< an opcode that is asked for only to learn the kernel's release
  register_call,  ///< io_uring_register(2), all before the ring is enabled
  sqe_flag,       ///< IOSQE_*
  setup_flag,     ///< IORING_SETUP_*
  enter_flag,     ///< IORING_ENTER_*, of the sleeping call
  op_flag,        ///< OpFlag: flags of single opcodes, which no probe tells of
};

enum OpFlag : unsigned { accept_multishot, recv_multishot, poll_first, poll_multishot };

struct Row {
  Sort sort;
  unsigned value;
  Release since;
  const char* name;
};

extern const Row table[];
extern const std::size_t table_size;

/// When that entry of the table came into the kernel.
Release since(Sort sort, unsigned value) noexcept;

/// Reads Options::uring_release; false if it names no release that can work.
bool parse_release(const std::string& text, Release& parsed);
std::string to_string(Release release);

/// What one ring may and does use.
struct Features {
  Release release = lowest_release;  ///< the smaller of the kernel's and the one allowed
  unsigned setup_flags = 0;
  bool buffer_ring = false;
  bool multishot_accept = false;
  bool multishot_recv = false;
  bool poll_first = false;
  bool multishot_poll = false;
  bool no_iowait = false;  ///< the kernel does not count a thread that sleeps as one in I/O wait
  std::uint64_t file_opcodes = 0;  ///< a bit for each that may be used

  bool has_file_opcode(unsigned opcode) const noexcept { return (file_opcodes >> opcode & 1) != 0; }
  bool has(unsigned setup_flag) const noexcept { return (setup_flags & setup_flag) != 0; }
};

}  // namespace proa::uring
