// Addresses: whatever the text or the bytes, the result is right or unset, and what was understood
// survives the way to text and back.

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <proa/address.hpp>

#include "fuzz.hpp"

using proa::Address;

namespace {

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

void round_trip(const Address& address) {
  const std::string text = address.to_string();
  require(printable(text), "the text is printable");
  std::error_code error;
  const Address again = Address::parse(text, error);
  require(!error, "parse() reads what to_string() wrote");
  require(again == address, "parse() gives the address back");
  require(again.to_string() == text, "one address has one text");
}

void parse(std::string_view text) {
  std::error_code error;
  std::string detail;
  const Address address = Address::parse(text, error, &detail);
  require(address.is_set() == !error, "an address or an error");
  require(detail.empty() == !error, "an error is described");
  require(printable(detail), "the description is printable");
  if (address.is_set()) round_trip(address);
}

void factories(std::string_view bytes) {
  std::error_code error;
  const Address path = Address::unix_path(bytes, error);
  require(path.is_set() == !error, "a path or an error");
  if (!error) require(path.path() == bytes, "a path is kept whole");
  if (!error) round_trip(path);

  const Address name = Address::abstract(bytes, error);
  require(name.is_set() == !error, "a name or an error");
  if (!error) require(name.path().substr(1) == bytes, "a name is kept whole");
  if (!error) round_trip(name);
}

void raw(std::string_view bytes, int family) {
  std::string sockaddr(bytes);
  const auto value = static_cast<sa_family_t>(family);
  constexpr std::size_t at = offsetof(::sockaddr, sa_family);
  if (sockaddr.size() >= at + sizeof value) std::memcpy(&sockaddr[at], &value, sizeof value);

  const Address address = Address::from_raw(sockaddr.data(), sockaddr.size());
  if (!address.is_set()) return;
  require(address.size() <= sizeof(sockaddr_un), "no longer than the system accepts");
  const Address again = Address::from_raw(address.data(), address.size());
  require(again == address && again.size() == address.size(), "raw bytes give the address back");
  require(address.with_port(7).with_port(address.port()) == address, "ports come back");
  // Not to be read back: the unnamed, the name of no bytes, a path without room for its NUL.
  const std::string_view path = address.path();
  const bool full = path.size() == sizeof(sockaddr_un::sun_path) && path.front() != '\0';
  const bool empty = path.empty() || path == std::string_view("", 1);
  if (address.family() == Address::Family::local && (empty || full)) {
    require(printable(address.to_string()), "the text is printable");
  } else {
    round_trip(address);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz_input(data, size);
  parse(input);
  factories(input);
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, size > 0 ? data[0] : 0}) raw(input, family);
  return 0;
}

std::vector<std::string> fuzz_seeds() {
  return {"127.0.0.1:80",
          "*:65535",
          "[::1]:80",
          "[2001:db8::1:0:0:1]:443",
          "[::ffff:1.2.3.4]:1",
          "[fe80::1%lo]:80",
          "[fe80::1%3]:80",
          "[fe80::1%4294967295]:0",
          "unix:/run/echo.sock",
          "unix:\\x40a\\x0a",
          "unix:@name",
          "unix:@a\\x00\\xff",
          "unix:/" + std::string(106, 'p'),
          "unix:@" + std::string(107, 'n'),
          "localhost:80",
          std::string(28, '\0'),
          std::string("\1\0/tmp/x\0", 9),
          std::string(111, 'x')};
}
