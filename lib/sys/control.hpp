#pragma once

// Control messages: what the kernel says of a datagram besides its bytes, and of datagrams that
// were sent.

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <proa/datagram_info.hpp>
#include <proa/socket_option.hpp>

namespace proa {
inline namespace v0 {

/// Room for all control messages that DatagramOptions can ask for.
#ifdef __linux__
inline constexpr std::size_t control_room = 128;
#else
inline constexpr std::size_t control_room = 192;  // with room for names of interfaces
#endif

/// Reads control messages as recvmsg(2) delivers them. Ignores messages that are malformed or
/// unknown.
void decode_control(const void* control, std::size_t size, DatagramInfo& info) noexcept;

/// The control messages of a datagram that is sent.
class SendControl {
 public:
  void add_source(msghdr& message, const DatagramSource& source) noexcept;
  /// Asks for segmentation. Used only where the system has SocketOption::segment_size.
  void add_segment_size(msghdr& message, std::uint16_t size) noexcept;

 private:
  template <class Value>
  void add(msghdr& message, int level, int type, const Value& value) noexcept;

  static constexpr std::size_t source_size = 20;  // in6_pktinfo, the largest
  alignas(cmsghdr) char bytes_[CMSG_SPACE(source_size) + CMSG_SPACE(sizeof(std::uint16_t))];
};

/// Implements System::take_notice().
long take_send_notice(int socket, SendNotice& notice) noexcept;

}  // namespace v0
}  // namespace proa
