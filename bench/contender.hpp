// Who takes part in a comparison.
#pragma once

#include <string>
#include <vector>

namespace bench {

/// A program to measure: `command` starts it, by the shell; %p in it stands for the port.
struct Contender {
  std::string name;
  std::string command;
  std::string role = "given";  ///< "ours", "floor", "peer", or "given" on the command line
  std::string backend{};
  std::string version{};  ///< of its library: "libuv 1.44.2"
};

using Group = std::vector<Contender>;

/// NAME=COMMAND with %p for the port, from the command line; what is wrong ends the program.
Contender to_contender(const std::string& text);

/// A program that was built beside this one, with a role; the version is what it prints for -V.
/// Throws std::runtime_error if it is not there.
Contender ours(const std::string& program, const std::string& backend, const std::string& options);
/// The library with both backends, by a program that takes -b.
Group both_ours(const std::string& program, const std::string& options);
Contender floor(const std::string& program, const std::string& backend, const std::string& options);

/// Adds the peer to `group` if it was built.
void add_peer(Group& group, const std::string& name, const std::string& program,
              const std::string& backend, const std::string& options);

/// The TCP servers that were built, with these options besides the port: those on epoll, and those
/// on io_uring. The floor is first.
Group epoll_servers(const std::string& options = {});
Group uring_servers(const std::string& options = {});

}  // namespace bench
