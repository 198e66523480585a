#pragma once

#include <cstdint>
#include <proa/detail/api.hpp>
#include <string>
#include <system_error>
#include <vector>

namespace proa {
inline namespace v0 {

/// What a descriptor is that a service manager has passed.
enum class PassedKind : std::uint8_t {
  listener,  ///< for Server::listen(), AcceptHandler::listen()
  datagram,  ///< for DatagramHandler::bind()
  stream,    ///< a connected socket, for a StreamHandler
  other,     ///< a pipe, a device, a file
};

/// A descriptor that a service manager has opened for this process, which owns it.
struct PassedDescriptor {
  int number = -1;   ///< close-on-exec, in the mode in which it came
  std::string name;  ///< FileDescriptorName= of its unit; "unknown" if the manager gives no names
  PassedKind kind = PassedKind::other;
};

/// The descriptors that systemd, or a program with its protocol, has opened for this process
/// (socket activation, sd_listen_fds(3)), in the manager's order; none if there are none, or if
/// they are for another process (LISTEN_PID). The descriptors are close-on-exec from here on, and
/// LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are removed from the environment, after an error too:
/// children do not take the descriptors for theirs, and a second call finds none.
///
/// Socket::adopt() takes each over:
///
///     std::error_code error;
///     for (const proa::PassedDescriptor& passed : proa::listen_fds(error)) {
///       if (passed.kind != proa::PassedKind::listener) continue;
///       proa::Socket listener = proa::Socket::adopt(proactor, passed.number, error);
///       if (!error) error = server.listen(std::move(listener));
///       if (error) break;
///     }
///
/// Needs no proactor. It changes the environment, so call it before there are other threads.
/// Errors: errc::invalid_argument if a variable is not a number in its range, or there are not as
/// many names as descriptors; errc::bad_file_descriptor if one is not open. `*detail`, if given,
/// receives a sentence that names the value. Throws std::bad_alloc.
PROA_API std::vector<PassedDescriptor> listen_fds(std::error_code& error,
                                                  std::string* detail = nullptr);

}  // namespace v0
}  // namespace proa
