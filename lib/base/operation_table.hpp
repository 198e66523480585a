#pragma once

// One row per Opcode: what the library knows of each kind of operation. A new kind begins with a
// row here (docs/HACKING.md, "Adding an operation").

#include <array>
#include <cstddef>
#include <proa/operation.hpp>

namespace proa {
inline namespace v0 {

/// What an operation works on. That decides who performs the operation.
enum class Works : std::uint8_t {
  time,       // the core itself
  stream,     // a backend, on a descriptor
  datagrams,  // a backend, on a socket
  file,       // a backend, or a worker where the system can only block
  worker,     // a thread of a WorkerPool
};

/// What a result leaves in the request. The core discards this if no owner is left to take it.
enum class Brings : std::uint8_t { nothing, socket, block, file };

/// So many pieces of memory take about the time of a callback (R8).
inline constexpr std::size_t pieces_of_callback = 16;

struct OperationTraits {
  Opcode opcode;
  const char* name;
  Works works_on;
  Brings brings;
  bool writes;      // the system may raise SIGPIPE or SIGXFSZ for it
  bool continuous;  // a repeating operation keeps its direction: the core refuses others meanwhile
  bool told_once;   // the system tells its error only once, so no cancel may hide it
  // What a result takes of a share or a round's budget (R8): so many callbacks, and one more for
  // every 2^moved_shift of what it moved. 2^12 bytes take about the time of a callback. Datagrams
  // that were sent count each, because each is told, and their bytes are an extra cost
  // (BackendSide::extra_cost()), as are the pieces of a request and of what a stream sends. The
  // system call of a batch of datagrams is more work than a callback, and so is what the kernel
  // does with a path and the library with a descriptor that is opened. A connection is a socket
  // that the kernel makes, and a handler with its first operations.
  std::uint8_t callbacks;
  std::uint8_t moved_shift;
};

inline constexpr std::array<OperationTraits, 15> operation_table = {{
    // opcode, name, works on, brings, writes, continuous, told once, callbacks, moved shift
    {Opcode::recv, "Recv", Works::stream, Brings::nothing, false, false, false, 1, 12},
    {Opcode::send, "Send", Works::stream, Brings::nothing, true, false, false, 1, 12},
    {Opcode::recv_buffers, "RecvBuffers", Works::stream, Brings::block, false, true, true, 1, 12},
    {Opcode::send_buffers, "SendBuffers", Works::stream, Brings::nothing, true, false, false, 1,
     12},
    {Opcode::accept, "Accept", Works::stream, Brings::socket, false, false, false, 12, 12},
    {Opcode::connect, "Connect", Works::stream, Brings::nothing, false, false, false, 12, 12},
    {Opcode::timer, "Timer", Works::time, Brings::nothing, false, false, false, 1, 12},
    {Opcode::read_at, "ReadAt", Works::file, Brings::nothing, false, false, true, 1, 12},
    {Opcode::write_at, "WriteAt", Works::file, Brings::nothing, true, false, true, 3, 12},
    {Opcode::file_call, "FileCall", Works::file, Brings::file, false, false, true, 12, 12},
    {Opcode::send_file, "SendFile", Works::stream, Brings::nothing, true, false, false, 1, 12},
    {Opcode::work, "Work", Works::worker, Brings::nothing, false, false, false, 1, 12},
    {Opcode::recv_datagrams, "RecvDatagrams", Works::datagrams, Brings::block, false, true, true, 1,
     12},
    {Opcode::send_datagrams, "SendDatagrams", Works::datagrams, Brings::nothing, true, false, false,
     4, 0},
    {Opcode::poll, "Poll", Works::stream, Brings::nothing, false, true, false, 1, 12},
}};

constexpr const OperationTraits& traits_of(Opcode opcode) noexcept {
  return operation_table[static_cast<std::size_t>(opcode)];
}
inline const OperationTraits& traits_of(const Operation& operation) noexcept {
  return traits_of(operation.opcode());
}

namespace detail {
constexpr bool rows_are_in_order() noexcept {
  for (std::size_t i = 0; i < operation_table.size(); ++i) {
    if (operation_table[i].opcode != static_cast<Opcode>(i)) return false;
  }
  return true;
}
}  // namespace detail
static_assert(detail::rows_are_in_order(), "a row stands at its opcode");
static_assert(operation_table.back().opcode == Opcode::poll, "the last opcode has the last row");

}  // namespace v0
}  // namespace proa
