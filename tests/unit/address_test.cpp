// Addresses as text: what is read, what is refused with which words, what is written.
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <proa/address.hpp>
#include <proa/error.hpp>
#include <string>

#include "support/catch.hpp"

using proa::Address;
using proa::Error;
using Family = proa::Address::Family;

namespace {

constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;

Address parsed(const std::string& text) {
  std::error_code error;
  std::string detail = "stale";
  const Address address = Address::parse(text, error, &detail);
  INFO(text << ": " << detail);
  CHECK(!error);
  CHECK(detail.empty());
  CHECK(address.is_set());
  return address;
}

void refuses(const std::string& text, Error expected, const std::string& sentence) {
  std::error_code error;
  std::string detail;
  const Address address = Address::parse(text, error, &detail);
  INFO(text);
  CHECK(error == expected);
  CHECK(detail == sentence);
  CHECK(!address.is_set());
  CHECK(Address::parse(text, error) == Address());  // without a detail, the same
  CHECK(error == expected);
}

template <class Sockaddr>
Sockaddr as(const Address& address) {
  Sockaddr result;
  std::memcpy(&result, address.data(), sizeof result);
  return result;
}

}  // namespace

TEST_CASE("address: unset by default", "[address]") {
  const Address address;
  CHECK(!address.is_set());
  CHECK(address.family() == Family::none);
  CHECK(address.size() == 0);
  CHECK(address.port() == 0);
  CHECK(address.path().empty());
  CHECK(address.to_string() == "unset");
  CHECK(address == Address());
  CHECK(address != Address::loopback(0));
  CHECK(address.with_port(7) == address);
}

TEST_CASE("address: IPv4 text", "[address]") {
  const Address address = parsed("1.2.3.4:80");
  CHECK(address.family() == Family::ipv4);
  CHECK(address.port() == 80);
  CHECK(address.size() == sizeof(sockaddr_in));
  CHECK(as<sockaddr_in>(address).sin_family == AF_INET);
  CHECK(as<sockaddr_in>(address).sin_port == htons(80));
  CHECK(as<sockaddr_in>(address).sin_addr.s_addr == htonl(0x01020304));
  CHECK(address == Address::ipv4({1, 2, 3, 4}, 80));
  CHECK(address == Address::ipv4(0x01020304, 80));
  CHECK(address != Address::ipv4({1, 2, 3, 5}, 80));
  CHECK(address != Address::ipv4({1, 2, 3, 4}, 81));
  CHECK(parsed("127.0.0.1:65535") == Address::loopback(65535));
  CHECK(parsed("127.0.0.1:0") == Address::loopback(0));
  CHECK(parsed("*:80") == Address::ipv4(0u, 80));
  CHECK(parsed("*:80").to_string() == "0.0.0.0:80");
  CHECK(address.with_port(8080).to_string() == "1.2.3.4:8080");
}

TEST_CASE("address: IPv6 text is canonical", "[address]") {
  const Address address = parsed("[::1]:80");
  CHECK(address.family() == Family::ipv6);
  CHECK(address.port() == 80);
  CHECK(address.size() == sizeof(sockaddr_in6));
  CHECK(as<sockaddr_in6>(address).sin6_port == htons(80));
  CHECK(address == Address::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 80));
  CHECK(address != parsed("[::2]:80"));
  CHECK(address != parsed("[::1]:81"));
  CHECK(parsed("[2001:DB8:0:0:1:0:0:1]:443").to_string() == "[2001:db8::1:0:0:1]:443");
  CHECK(parsed("[::ffff:1.2.3.4]:1").to_string() == "[::ffff:1.2.3.4]:1");
  CHECK(parsed("[::]:0").to_string() == "[::]:0");
  CHECK(address.with_port(9).to_string() == "[::1]:9");
}

TEST_CASE("address: IPv6 scopes are interfaces by name or number", "[address]") {
  char name[IF_NAMESIZE] = {};
  unsigned index = 1;
  while (index < 1000 && !::if_indextoname(index, name)) ++index;
  if (index == 1000) return proa_test::skip("no network interface in this namespace", true);

  const Address by_name = parsed("[fe80::1%" + std::string(name) + "]:80");
  CHECK(as<sockaddr_in6>(by_name).sin6_scope_id == index);
  CHECK(by_name == parsed("[fe80::1%" + std::to_string(index) + "]:80"));
  CHECK(by_name != parsed("[fe80::1]:80"));
  CHECK(by_name.to_string() == "[fe80::1%" + std::string(name) + "]:80");
  CHECK(by_name.with_port(81).to_string() == "[fe80::1%" + std::string(name) + "]:81");
  CHECK(parsed("[fe80::1%4294967295]:80").to_string() == "[fe80::1%4294967295]:80");

  refuses("[fe80::1%no-such-if]:80", Error::bad_address,
          "interface no-such-if in \"[fe80::1%no-such-if]:80\" is not known to the system");
  // As long as IF_NAMESIZE allows and beyond: never cut to a name that exists.
  const std::string longer = std::string(name) + std::string(IF_NAMESIZE, 'x');
  refuses("[fe80::1%" + longer + "]:80", Error::bad_address,
          "interface " + longer + " in \"[fe80::1%" + longer + "]:80\" is not known to the system");
  refuses("[fe80::1%]:80", Error::bad_address,
          "interface (empty) in \"[fe80::1%]:80\" is not known to the system");
  refuses("[fe80::1%0]:80", Error::bad_address,
          "scope 0 in \"[fe80::1%0]:80\" is not between 1 and 4294967295");
  refuses("[fe80::1%4294967296]:80", Error::bad_address,
          "scope 4294967296 in \"[fe80::1%4294967296]:80\" is not between 1 and 4294967295");
}

TEST_CASE("address: ports are decimal numbers up to 65535", "[address]") {
  refuses("127.0.0.1:70000", Error::port_out_of_range,
          "port 70000 in \"127.0.0.1:70000\" is above 65535");
  refuses("[::1]:65536", Error::port_out_of_range, "port 65536 in \"[::1]:65536\" is above 65535");
  refuses("*:99999999999999999999", Error::port_out_of_range,
          "port 99999999999999999999 in \"*:99999999999999999999\" is above 65535");
  for (const std::string port : {"-1", "+1", " 1", "1 ", "0x10", "1e3", "http", "1\n"}) {
    std::error_code error;
    std::string detail;
    CHECK(!Address::parse("127.0.0.1:" + port, error, &detail).is_set());
    INFO(detail);
    CHECK(error == Error::bad_address);
    CHECK(detail.find("is not a decimal number") != std::string::npos);
  }
  for (const std::string text : {"", "127.0.0.1", "127.0.0.1:", "[::1]", "[::1]:", "localhost"}) {
    refuses(text, Error::bad_address, '"' + text + "\" has no port");
  }
}

TEST_CASE("address: names and malformed numbers are refused, DNS is not asked", "[address]") {
  for (const std::string host : {"localhost", "1.2.3", "1.2.3.4.5", "256.0.0.1", "0x7f.0.0.1",
                                 "2130706433", "1.2.3.4 ", " 1.2.3.4", "1..2.3", "**"}) {
    std::error_code error;
    std::string detail;
    CHECK(!Address::parse(host + ":80", error, &detail).is_set());
    CHECK(error == Error::bad_address);
    const std::string start = "host " + host + " in \"" + host + ":80\" is not a numeric address";
    CHECK(detail.substr(0, start.size()) == start);
    CHECK(detail.find("names are not looked up") != std::string::npos);
  }
  refuses("::1:80", Error::bad_address,
          "\"::1:80\" has colons outside brackets; IPv6 is written [address]:port");
  refuses("[::1:80", Error::bad_address, "\"[::1:80\" has no closing bracket");
  refuses("[::1]80", Error::bad_address,
          "\"[::1]80\" must have a colon and a port after the bracket");
  refuses("[1.2.3.4]:80", Error::bad_address,
          "host 1.2.3.4 in \"[1.2.3.4]:80\" is not a numeric IPv6 address");
  refuses("[]:80", Error::bad_address, "host (empty) in \"[]:80\" is not a numeric IPv6 address");
  refuses("[1:2:3:4:5:6:7:8:9]:80", Error::bad_address,
          "host 1:2:3:4:5:6:7:8:9 in \"[1:2:3:4:5:6:7:8:9]:80\" is not a numeric IPv6 address");
  refuses(std::string("1.2.3.4\0.evil:80", 16), Error::bad_address,
          "\"1.2.3.4\\x00.evil:80\" contains a NUL byte");
}

TEST_CASE("address: UNIX paths", "[address]") {
  const Address address = parsed("unix:/run/echo.sock");
  CHECK(address.family() == Family::local);
  CHECK(address.path() == "/run/echo.sock");
  CHECK(address.size() == offsetof(sockaddr_un, sun_path) + 15);  // with the final NUL
  CHECK(as<sockaddr_un>(address).sun_family == AF_UNIX);
  CHECK(std::string(as<sockaddr_un>(address).sun_path) == "/run/echo.sock");
  CHECK(address.port() == 0);
  CHECK(address.with_port(80) == address);
  CHECK(address.to_string() == "unix:/run/echo.sock");
  CHECK(address == Address::unix_path("/run/echo.sock"));
  CHECK(address != Address::unix_path("/run/echo.soc"));
  CHECK(address != Address::abstract("/run/echo.sock"));
  CHECK(parsed("unix:relative:80").path() == "relative:80");
  CHECK(parsed("unix:/a\\x0ab").path() == "/a\nb");
  CHECK(Address::unix_path("/a\nb\\\xc3\xa4").to_string() == "unix:/a\\x0ab\\x5c\\xc3\\xa4");
  CHECK(Address::unix_path("@x").to_string() == "unix:\\x40x");
  CHECK(parsed("unix:\\x40x").path() == "@x");
}

TEST_CASE("address: P01 UNIX paths are exact, never cut", "[address]") {
  const std::string longest(longest_path, 'p');
  CHECK(parsed("unix:" + longest).path() == longest);
  CHECK(parsed("unix:" + longest).size() == sizeof(sockaddr_un));
  const std::string limit = "has a path above " + std::to_string(longest_path) + " bytes";
  for (const std::size_t excess : {1u, 2u, 1000u}) {
    const std::string path = longest + std::string(excess, 'p');
    refuses("unix:" + path, Error::path_too_long, "\"unix:" + path + "\" " + limit);
    refuses("unix:@" + path, Error::path_too_long, "\"unix:@" + path + "\" " + limit);
    std::error_code error;
    CHECK(!Address::unix_path(path, error).is_set());
    CHECK(error == Error::path_too_long);
    CHECK(!Address::abstract(path, error).is_set());
    CHECK(error == Error::path_too_long);
  }
  refuses("unix:", Error::bad_address, "\"unix:\" has an empty path");
  refuses("unix:@", Error::bad_address, "\"unix:@\" has an empty path");
  refuses(std::string("unix:/a\0b", 9), Error::path_has_nul,
          "\"unix:/a\\x00b\" contains a NUL byte");
  refuses(std::string("unix:@a\0b", 9), Error::path_has_nul,
          "\"unix:@a\\x00b\" contains a NUL byte");
  refuses("unix:/a\\x00b", Error::path_has_nul, "\"unix:/a\\x00b\" contains a NUL byte");
  for (const std::string text : {"\\", "a\\n", "\\x4", "\\xg0", "\\x 1", "\\x-1", "\\\\"}) {
    refuses("unix:" + text, Error::bad_address,
            "\"unix:" + text + "\" has a backslash that is not part of \\xHH");
  }
}

TEST_CASE("address: abstract UNIX names", "[address]") {
  const Address address = parsed("unix:@name");
  CHECK(address.family() == Family::local);
  CHECK(address.size() == offsetof(sockaddr_un, sun_path) + 5);
  CHECK(address.path() == std::string("\0name", 5));
  CHECK(address.to_string() == "unix:@name");
  CHECK(address == Address::abstract("name"));

  const std::string any("a\0\x01\x7f\\\xff@ ", 8);
  const Address odd = Address::abstract(any);
  CHECK(odd.path() == '\0' + any);
  CHECK(odd.to_string() == "unix:@a\\x00\\x01\\x7f\\x5c\\xff@ ");
  CHECK(parsed(odd.to_string()) == odd);
  CHECK(odd != Address::abstract("a"));
}

TEST_CASE("address: the forms that throw say what is wrong with what", "[address]") {
  CHECK(Address::parse("[::1]:80") == parsed("[::1]:80"));
  CHECK_THROWS_AS(Address::parse("1.2.3.4:70000"), std::system_error);
  try {
    Address::parse("1.2.3.4:70000");
  } catch (const std::system_error& error) {
    CHECK(error.code() == Error::port_out_of_range);
    CHECK(std::string(error.what()).find("port 70000 in \"1.2.3.4:70000\"") == 0);
  }
  try {
    Address::unix_path(std::string("/a\0b", 4));
    FAIL("accepted");
  } catch (const std::system_error& error) {
    CHECK(error.code() == Error::path_has_nul);
    CHECK(std::string(error.what()).find("\"/a\\x00b\"") == 0);
  }
  try {
    Address::abstract("");
    FAIL("accepted");
  } catch (const std::system_error& error) {
    CHECK(error.code() == Error::bad_address);
    CHECK(std::string(error.what()).find("\"\"") == 0);
  }
}
