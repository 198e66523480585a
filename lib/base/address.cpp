// Addresses as values. An Address keeps the bytes as the system has them, so that bind, connect and
// accept use them in place; everything else is computed from the bytes. Every constructor ends in
// set_size(), which makes the address right or unset: no address is cut to fit or half understood.

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <proa/address.hpp>
#include <proa/error.hpp>

#include "sys/names.hpp"

namespace proa {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;
static_assert(sizeof(sockaddr_un) < Address::capacity && sizeof(sockaddr_in6) < Address::capacity);

template <class Sockaddr>
Sockaddr load(const void* raw) noexcept {
  Sockaddr result;
  std::memcpy(&result, raw, sizeof result);
  return result;
}

template <class Sockaddr>
Address make(const Sockaddr& sockaddr) noexcept {
  return Address::from_raw(&sockaddr, sizeof sockaddr);
}

/// A NUL byte follows a path and precedes an abstract name, so both are one byte longer.
Address make_local(std::string_view bytes, bool is_abstract) noexcept {
  sockaddr_un sockaddr{};
  sockaddr.sun_family = AF_UNIX;
  const std::size_t room = sizeof sockaddr.sun_path - 1;
  std::memcpy(sockaddr.sun_path + (is_abstract ? 1 : 0), bytes.data(),
              std::min(bytes.size(), room));
  return Address::from_raw(&sockaddr, path_offset + bytes.size() + 1);
}

}  // namespace

Address Address::from_raw(const void* sockaddr, std::size_t size) noexcept {
  Address result;
  if (!sockaddr || size > capacity) return result;
  std::memcpy(result.raw_, sockaddr, size);
  result.set_size(size);
  return result;
}

void Address::set_size(std::size_t size) noexcept {
  size_ = understood(size);
  sys::set_length(raw_, size_);
}

std::uint32_t Address::understood(std::size_t size) noexcept {
  if (size > capacity || size < path_offset) return 0;
  switch (load<::sockaddr>(raw_).sa_family) {
    case AF_INET:
      return size >= sizeof(sockaddr_in) ? sizeof(sockaddr_in) : 0;
    case AF_INET6:
      return size >= sizeof(sockaddr_in6) ? sizeof(sockaddr_in6) : 0;
    case AF_UNIX: {
      // Linux counts a NUL byte behind a path that fills sun_path, but refuses to be given one.
      size = std::min(size, sizeof(sockaddr_un));
      const std::size_t room = size - path_offset;
      // On systems whose only names are paths, an unnamed socket may have a path of NUL bytes.
      if (!sys::abstract_names &&
          std::all_of(raw_ + path_offset, raw_ + size, [](unsigned char c) { return c == 0; })) {
        return path_offset;
      }
      const void* nul = std::memchr(raw_ + path_offset, 0, room);
      const bool is_path = room != 0 && raw_[path_offset] != 0;
      // Callers pass paths with and without their NUL byte, or all of sockaddr_un: this gives all
      // of them one length.
      if (is_path && nul) {
        size = static_cast<std::size_t>(static_cast<const unsigned char*>(nul) - raw_) + 1;
      } else if (is_path && room <= longest_path) {
        raw_[size++] = 0;
      }
      return static_cast<std::uint32_t>(size);
    }
    default:
      return 0;
  }
}

Address::Family Address::family() const noexcept {
  if (size_ == 0) return Family::none;
  switch (load<::sockaddr>(raw_).sa_family) {
    case AF_INET:
      return Family::ipv4;
    case AF_INET6:
      return Family::ipv6;
    default:
      return Family::local;
  }
}

Address Address::ipv4(std::uint32_t host_order, std::uint16_t port) noexcept {
  sockaddr_in sockaddr{};
  sockaddr.sin_family = AF_INET;
  sockaddr.sin_port = htons(port);
  sockaddr.sin_addr.s_addr = htonl(host_order);
  return make(sockaddr);
}

Address Address::ipv4(std::array<std::uint8_t, 4> bytes, std::uint16_t port) noexcept {
  std::uint32_t host_order = 0;
  for (const std::uint8_t byte : bytes) host_order = host_order << 8 | byte;
  return ipv4(host_order, port);
}

Address Address::ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                      std::uint32_t scope) noexcept {
  sockaddr_in6 sockaddr{};
  sockaddr.sin6_family = AF_INET6;
  sockaddr.sin6_port = htons(port);
  sockaddr.sin6_scope_id = scope;
  std::memcpy(&sockaddr.sin6_addr, bytes.data(), bytes.size());
  return make(sockaddr);
}

Address Address::loopback(std::uint16_t port) noexcept { return ipv4(INADDR_LOOPBACK, port); }

Address Address::unix_path(std::string_view path, std::error_code& error) noexcept {
  error.clear();
  if (path.empty()) {
    error = Error::bad_address;
  } else if (path.find('\0') != path.npos) {
    error = Error::path_has_nul;
  } else if (path.size() > longest_path) {
    error = Error::path_too_long;
  }
  return error ? Address() : make_local(path, false);
}

Address Address::abstract(std::string_view name, std::error_code& error) noexcept {
  error.clear();
  if (name.empty()) {
    error = Error::bad_address;
  } else if (name.size() > longest_path) {
    error = Error::path_too_long;
  }
  return error ? Address() : make_local(name, true);
}

std::uint16_t Address::port() const noexcept {
  switch (family()) {
    case Family::ipv4:
      return ntohs(load<sockaddr_in>(raw_).sin_port);
    case Family::ipv6:
      return ntohs(load<sockaddr_in6>(raw_).sin6_port);
    default:
      return 0;
  }
}

std::uint32_t Address::scope() const noexcept {
  return family() == Family::ipv6 ? load<sockaddr_in6>(raw_).sin6_scope_id : 0;
}

Address Address::with_port(std::uint16_t port) const noexcept {
  Address result = *this;
  const std::uint16_t network_order = htons(port);
  if (family() == Family::ipv4) {
    std::memcpy(result.raw_ + offsetof(sockaddr_in, sin_port), &network_order, 2);
  } else if (family() == Family::ipv6) {
    std::memcpy(result.raw_ + offsetof(sockaddr_in6, sin6_port), &network_order, 2);
  }
  return result;
}

std::string_view Address::path() const noexcept {
  if (family() != Family::local) return {};
  std::string_view bytes(reinterpret_cast<const char*>(raw_) + path_offset, size_ - path_offset);
  if (!bytes.empty() && bytes.front() != '\0' && bytes.back() == '\0') bytes.remove_suffix(1);
  return bytes;
}

bool Address::equals(const Address& other) const noexcept {
  if (family() != other.family()) return false;
  switch (family()) {
    case Family::none:
      return true;
    case Family::ipv4: {
      const auto a = load<sockaddr_in>(raw_), b = load<sockaddr_in>(other.raw_);
      return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
    }
    case Family::ipv6: {
      const auto a = load<sockaddr_in6>(raw_), b = load<sockaddr_in6>(other.raw_);
      return a.sin6_port == b.sin6_port && a.sin6_scope_id == b.sin6_scope_id &&
             std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
    }
    case Family::local:
      return path() == other.path();
  }
  return false;
}

}  // namespace proa
