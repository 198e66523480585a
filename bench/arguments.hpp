// Numbers and addresses from the command line: the whole text must be one, or the program ends and
// names it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace bench {

[[noreturn]] inline void bad_usage(const std::string& message) {
#ifdef __linux__
  const char* const program = program_invocation_short_name;
#else
  const char* const program = getprogname();
#endif
  std::fprintf(stderr, "%s: %s (try --help)\n", program, message.c_str());
  std::exit(EX_USAGE);
}

/// The number that `text` is, between `low` and `high`; `what` names it in the message.
inline std::uint64_t to_number(const std::string& what, const std::string& text, std::uint64_t low,
                               std::uint64_t high) {
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  errno = 0;
  const std::uint64_t number = digits ? std::strtoull(text.c_str(), nullptr, 10) : 0;
  if (!digits || errno != 0 || number < low || number > high) {
    bad_usage(what + " '" + text + "' is not a number from " + std::to_string(low) + " to " +
              std::to_string(high));
  }
  return number;
}

/// A time in seconds, fractions allowed, more than 0 and at most a day.
inline double to_seconds(const std::string& what, const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(seconds > 0 && seconds <= 86400)) {
    bad_usage(what + " '" + text + "' is not a time in seconds, above 0 and at most 86400");
  }
  return seconds;
}

struct Endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  int family() const { return address.ss_family; }
};

/// `host` must be a numeric IPv4 or IPv6 address: names are not resolved.
inline Endpoint to_endpoint(const std::string& host, std::uint16_t port) {
  Endpoint endpoint;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&endpoint.address);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&endpoint.address);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    endpoint.length = sizeof *v4;
  } else if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    endpoint.length = sizeof *v6;
  } else {
    bad_usage("host '" + host + "' is not a numeric IPv4 or IPv6 address");
  }
  return endpoint;
}

/// Allows this process, and those it starts, as many descriptors as the system lets it have.
/// Returns that number.
inline std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace bench
