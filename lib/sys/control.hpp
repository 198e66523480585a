#pragma once

// Control messages: what the kernel says of a datagram besides its bytes, and of datagrams that
// were sent.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <proa/datagram_info.hpp>
#include <proa/socket_option.hpp>

namespace proa {

/// Room for all control messages that DatagramOptions can ask for.
#ifdef __linux__
inline constexpr std::size_t control_room = 128;
#else
inline constexpr std::size_t control_room = 192;  // with room for names of interfaces
#endif

/// Reads control messages as recvmsg(2) delivers them. Ignores messages that are malformed or
/// unknown.
void decode_control(const void* control, std::size_t size, DatagramInfo& info) noexcept;

/// The control message that asks for segmentation. Used only where the system has
/// SocketOption::segment_size.
struct SegmentSize {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint16_t))];

  void attach(msghdr& message, std::uint32_t size) noexcept;
};

/// Implements System::take_notice().
long take_send_notice(int socket, SendNotice& notice) noexcept;

}  // namespace proa
