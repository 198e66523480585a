#pragma once

// The layout of a block that holds a datagram: header, sender's address, control messages, bytes.
// io_uring fills blocks in this layout (struct io_uring_recvmsg_out,
// io_uring_prep_recvmsg_multishot(3)), so the other backends do the same.

#include <cstddef>
#include <cstdint>
#include <proa/datagram.hpp>

#include "sys/control.hpp"

namespace proa {
inline namespace v0 {

struct DatagramHeader {
  std::uint32_t name_size;
  std::uint32_t control_size;
  // the size of the datagram, including bytes for which the block had no room
  std::uint32_t payload_size;
  std::uint32_t flags;  // MSG_TRUNC, MSG_CTRUNC
};

inline constexpr std::size_t name_room = Address::capacity;

/// Where the datagram's bytes begin in the block.
constexpr std::size_t bytes_at(bool with_control) noexcept {
  return sizeof(DatagramHeader) + name_room + (with_control ? control_room : 0);
}

}  // namespace v0
}  // namespace proa
