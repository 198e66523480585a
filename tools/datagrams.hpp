// What the tools that answer datagrams share: how they bind, and what they say of those that the
// system has dropped.
#pragma once

#include <climits>
#include <string>

#include "serving_options.hpp"

namespace tool {

enum { option_receive_buffer = 3000 };

#define TOOL_RECEIVE_BUFFER_OPTION \
  { "receive-buffer", required_argument, nullptr, tool::option_receive_buffer }

#define TOOL_RECEIVE_BUFFER_HELP                                                                \
  "      --receive-buffer BYTES  room for datagrams that wait (SO_RCVBUF; Linux gives no more " \
  "than\n"                                                                                      \
  "                         net.core.rmem_max); what found no room is told at the end\n"

inline int to_receive_buffer(const std::string& text) {
  return static_cast<int>(to_number("receive-buffer", text, 1, INT_MAX));
}

/// A socket that is bound to all addresses has to be told which one was asked, for its answers.
inline proa::DatagramOptions datagram_options(const proa::Address& bound_to, int receive_buffer) {
  const proa::Address address = bound_to.with_port(0);
  proa::DatagramOptions options;
  options.destination =
      address == proa::Address::ipv4({0, 0, 0, 0}, 0) || address == proa::Address::ipv6({}, 0);
  options.receive_buffer = receive_buffer;
  return options;
}

inline void complain_of_dropped(const proa::DatagramHandler& handler) {
  const std::uint32_t number = handler.dropped();
  if (number == 0) return;
  complain(handler.address().to_string() + ": " + std::to_string(number) +
           " datagrams were dropped (--receive-buffer)");
}

}  // namespace tool
