#pragma once

// Control messages: what the kernel tells beside the bytes of a datagram, and of datagrams that
// were sent.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <proa/datagram_info.hpp>
#include <proa/socket_option.hpp>

namespace proa {

/// For all that DatagramOptions can ask for.
#ifdef __linux__
inline constexpr std::size_t control_room = 128;
#else
inline constexpr std::size_t control_room = 192;  // names of interfaces among it
#endif

/// Reads control messages as recvmsg(2) delivers them, and passes over the malformed and the
/// unknown.
void decode_control(const void* control, std::size_t size, DatagramInfo& info) noexcept;

/// The control message that asks for segmentation. Not used where SocketOption::segment_size is
/// refused.
struct SegmentSize {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint16_t))];

  void attach(msghdr& message, std::uint32_t size) noexcept;
};

/// System::take_notice().
long take_send_notice(int socket, SendNotice& notice) noexcept;

}  // namespace proa
