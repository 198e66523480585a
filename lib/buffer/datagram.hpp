#pragma once

// How a datagram stands in its block: header, name, control messages, bytes. io_uring fills blocks
// so (struct io_uring_recvmsg_out, io_uring_prep_recvmsg_multishot(3)), hence the others do too.

#include <cstddef>
#include <cstdint>
#include <proa/datagram.hpp>

#include "sys/control.hpp"

namespace proa {

struct DatagramHeader {
  std::uint32_t name_size;
  std::uint32_t control_size;
  std::uint32_t payload_size;  // of the datagram, also what had no room
  std::uint32_t flags;         // MSG_TRUNC, MSG_CTRUNC
};

inline constexpr std::size_t name_room = Address::capacity;

/// Where the bytes begin.
constexpr std::size_t bytes_at(bool with_control) noexcept {
  return sizeof(DatagramHeader) + name_room + (with_control ? control_room : 0);
}

}  // namespace proa
