// Socket addresses: IPv4, IPv6 with scope, UNIX paths and abstract UNIX names (Linux).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <proa/detail/api.hpp>
#include <string>
#include <string_view>
#include <system_error>

namespace proa {
inline namespace v0 {

/// A socket address, or none ("unset"). A plain value: trivially copyable, owns nothing, refers to
/// nothing. Like an int it may be read from any number of threads at once, but not be changed
/// meanwhile. No method calls back. Only to_string() and the reporting of errors allocate. Ports
/// are numbers in host byte order.
///
/// The text form, read by parse() and written by to_string():
///
///     127.0.0.1:80         IPv4
///     [::1]:80             IPv6, in brackets
///     [fe80::1%eth0]:80    with a scope: the name of an interface, or its number as in %3
///     *:80                 the same as 0.0.0.0:80, every IPv4 address of this machine (read only);
///                          for IPv6 as well, write [::]:80, which Linux by default makes
///                          dual-stack
///     unix:/run/my.sock    a path, up to its last byte; it may be relative
///     unix:@name           an abstract name, without the NUL byte that precedes it in sockaddr_un
///
/// A port is required: decimal, 0 to 65535, no sign, no spaces; 0 lets the system choose when
/// binding. Host names are refused: nothing here asks DNS. In paths and abstract names a
/// backslash, an x and two hexadecimal digits are the byte of that value; to_string() writes so
/// every byte that is not printable ASCII, the backslash, and an @ at the start of a path, hence
/// what a peer chose for its name cannot forge a line of a log.
class PROA_API Address {
 public:
  enum class Family : std::uint8_t {
    none,   ///< unset, or of a family that proa does not know
    ipv4,   ///< AF_INET
    ipv6,   ///< AF_INET6
    local,  ///< AF_UNIX: path, abstract name, or unnamed
  };

  /// Bytes at buffer(): one more than Linux ever writes for these families.
  static constexpr std::size_t capacity = 112;

  /// Makes an unset address.
  Address() noexcept = default;

  /// Reads the text form. Throws std::system_error, whose what() quotes the text and says what is
  /// wrong with it; codes as in the other overload.
  static Address parse(std::string_view text);

  /// Reads the text form. On failure the result is unset, `error` is one of Error::bad_address,
  /// port_out_of_range, path_too_long, path_has_nul, and `*detail`, if asked for, is a sentence
  /// that quotes the text: `port 70000 in "127.0.0.1:70000" is above 65535`. On success both are
  /// cleared. The text is not kept. Looking up the name of an interface asks the system, all else
  /// does not. If there is no memory for the sentence, it stays empty.
  static Address parse(std::string_view text, std::error_code& error,
                       std::string* detail = nullptr) noexcept;

  /// {127, 0, 0, 1} or 0x7f000001 is 127.0.0.1. Cannot fail.
  static Address ipv4(std::array<std::uint8_t, 4> bytes, std::uint16_t port) noexcept;
  static Address ipv4(std::uint32_t host_order, std::uint16_t port) noexcept;

  /// The 16 bytes in the order in which they are written; `scope` is the number of an interface, 0
  /// for none. Cannot fail.
  static Address ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                      std::uint32_t scope = 0) noexcept;

  /// 127.0.0.1. Cannot fail.
  static Address loopback(std::uint16_t port) noexcept;

  /// Makes a UNIX path of these bytes, without escapes; copies them. Errors: Error::bad_address if
  /// empty, path_has_nul, path_too_long above 107 bytes (103 on BSD and macOS: the room in
  /// sockaddr_un less the final NUL). The first form throws std::system_error, the second returns
  /// an unset address.
  static Address unix_path(std::string_view path);
  static Address unix_path(std::string_view path, std::error_code& error) noexcept;

  /// Makes an abstract UNIX name of these bytes, given without the leading NUL byte; any byte is
  /// allowed, also NUL, and there are no escapes. Copies them. Errors: Error::bad_address if empty,
  /// path_too_long above 107 bytes. The first form throws std::system_error, the second returns an
  /// unset address. Systems other than Linux refuse to bind or connect to such an address.
  static Address abstract(std::string_view name);
  static Address abstract(std::string_view name, std::error_code& error) noexcept;

  /// Copies a sockaddr of `size` bytes, of any alignment. The result is unset if the sockaddr is
  /// null, of an unknown family, shorter than its family demands or longer than `capacity`: treat
  /// that as Error::bad_address.
  static Address from_raw(const void* sockaddr, std::size_t size) noexcept;

  /// Which family it is of; Family::none if it is unset.
  Family family() const noexcept;

  /// False for a default-constructed address and after a failed parse() or from_raw().
  bool is_set() const noexcept { return size_ != 0; }

  /// The port in host byte order; 0 for UNIX addresses and unset ones.
  std::uint16_t port() const noexcept;

  /// The number of the interface to which an IPv6 address belongs ([fe80::1%eth0], RFC 4007); 0 if
  /// it names none, and for other families.
  std::uint32_t scope() const noexcept;

  /// The same address with another port; UNIX addresses and unset ones come back unchanged.
  Address with_port(std::uint16_t port) const noexcept;

  /// The UNIX path without its final NUL, or the abstract name with its leading NUL, as the system
  /// sees it; empty when unnamed and for other families. Points into this object.
  std::string_view path() const noexcept;

  /// The sockaddr, aligned for any sockaddr type, and its length in bytes as bind() and connect()
  /// want it; 0 when unset. Points into this object.
  const void* data() const noexcept { return raw_; }
  std::size_t size() const noexcept { return size_; }

  /// For the system to fill in: `capacity` bytes at buffer(), then set_size() with the length that
  /// it reported. Between the two the address must not be read. What is not understood (see
  /// from_raw()) becomes unset; a longer length than `capacity` means that the system cut the
  /// address, and is not understood either. Points into this object.
  void* buffer() noexcept { return raw_; }
  void set_size(std::size_t size) noexcept;

  /// The text form; parse() reads it back as an equal address. Exceptions, which parse() refuses:
  /// "unset", "unix:" for an unnamed UNIX socket, "unix:@" for a foreign abstract name of no bytes,
  /// and a foreign path that fills sockaddr_un without a final NUL. A scope is written as the name
  /// of the interface if there is such an interface (which asks the system), else as its number.
  /// Throws std::bad_alloc only.
  std::string to_string() const;

  /// True for the same family and the same address, port and scope, or the same path. IPv6 flow
  /// labels do not count.
  friend bool operator==(const Address& a, const Address& b) noexcept { return a.equals(b); }
  friend bool operator!=(const Address& a, const Address& b) noexcept { return !a.equals(b); }

 private:
  bool equals(const Address& other) const noexcept;
  std::uint32_t understood(std::size_t size) noexcept;

  alignas(8) unsigned char raw_[capacity] = {};
  std::uint32_t size_ = 0;
};

static_assert(sizeof(Address) <= 120, "handlers and requests hold these by value");

}  // namespace v0
}  // namespace proa
