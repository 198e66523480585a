#pragma once

#include <proa/socket_option.hpp>

namespace proa {
inline namespace v0 {

/// System::set_option() and get_option(): -ENOPROTOOPT where the system has no such option.
long set_socket_option(int socket, SocketOption option, int value) noexcept;
long get_socket_option(int socket, SocketOption option, int& value) noexcept;

}  // namespace v0
}  // namespace proa
