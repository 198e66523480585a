#pragma once

#include <cstdint>

namespace proa {
inline namespace v0 {

/// SOCK_STREAM or SOCK_DGRAM, socket(2).
enum class Transport : unsigned char { stream, datagram };
/// What Handler::set_option() and Socket::set_option() set.
enum class SocketOption : unsigned char {
  reuse_address,
  reuse_port,
  no_delay,
  keep_alive,           ///< SO_KEEPALIVE: probe a silent peer; see the next three, tcp(7)
  keep_alive_idle,      ///< seconds without traffic before the first probe (TCP_KEEPIDLE)
  keep_alive_interval,  ///< seconds between probes (TCP_KEEPINTVL)
  keep_alive_count,     ///< probes without an answer that end the connection (TCP_KEEPCNT)
  user_timeout,         ///< milliseconds that sent bytes may stay unacknowledged (TCP_USER_TIMEOUT)
  defer_accept,         ///< a listener's: seconds for which a connection may bring no bytes before
                        ///< it is given out all the same (TCP_DEFER_ACCEPT); 0: at once
  fast_open,            ///< a listener's: so many connections may bring bytes with their SYN
                        ///< (TCP_FASTOPEN)
  fast_open_connect,    ///< before connect(2): the first send goes out with the SYN
                        ///< (TCP_FASTOPEN_CONNECT)
  quick_acknowledge,    ///< 1: acknowledge at once for the time being (TCP_QUICKACK)
  unsent_limit,         ///< bytes that may wait unsent before there is no room (TCP_NOTSENT_LOWAT)
  v6_only,
  send_buffer,     ///< bytes
  receive_buffer,  ///< bytes
  linger,  ///< seconds; 0 makes close() reset the connection, -1 is the default; EINVAL below
  broadcast,
  tell_destination,  ///< each of these makes recvmsg(2) deliver a control message
  tell_traffic_class,
  tell_arrival,
  tell_errors,          ///< take_notice() has the errors of what was sent (IP_RECVERR, ip(7))
  zero_copy,            ///< the system may borrow what is sent until take_notice() returns it
  coalesce,             ///< UDP: several datagrams of a source come in one buffer (UDP_GRO)
  segment_size,         ///< UDP: setting 0 fails unless the system cuts what is sent (UDP_SEGMENT)
  keep_whole,           ///< 1: never cut into fragments (IP_MTU_DISCOVER, the DF bit)
  path_mtu,             ///< read only, bytes; of a connected socket (IP_MTU)
  traffic_class,        ///< of datagrams that are sent (IP_TOS, IPV6_TCLASS)
  multicast_interface,  ///< the interface's number
  multicast_hops,
  multicast_loop,  ///< whether this machine gets its own datagrams to groups
  dropped,  ///< read only: datagrams that found no room in the receive buffer or were damaged,
            ///< modulo 2^32; of a socket, since it was made (SO_MEMINFO, Linux 4.12)
  pending_error,  ///< read only: takes the socket's error (SO_ERROR), 0 or -errno
};
/// SHUT_RD, SHUT_WR or SHUT_RDWR, shutdown(2).
enum class ShutdownSide : unsigned char { receive, send, both };

/// What the system returns for what was sent.
struct SendNotice {
  std::int32_t error = 0;   ///< -errno: an error of the network; 0: none
  bool returned = false;    ///< the system has returned memory that it borrowed to send, ...
  std::uint32_t first = 0;  ///< ... that of these messages, counted from 0
  std::uint32_t last = 0;
};

}  // namespace v0
}  // namespace proa
