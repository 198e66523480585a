// Addresses as the system has them: bytes in, bytes out, and what it makes of ours.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <proa/address.hpp>
#include <string>
#include <type_traits>

#include "support/catch.hpp"
#include "support/plain.hpp"

using proa::Address;
using Family = proa::Address::Family;

static_assert(std::is_trivially_copyable<Address>::value, "");
static_assert(sizeof(Address) <= 120, "");

namespace {

constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;

// Binds to the address and asks the system what it is bound to.
Address bound(const Address& wanted) {
  const int family = static_cast<const sockaddr*>(wanted.data())->sa_family;
  const int fd = proa_test::plain_socket(family, SOCK_STREAM);
  REQUIRE(fd >= 0);
  const int status = ::bind(fd, static_cast<const sockaddr*>(wanted.data()),
                            static_cast<socklen_t>(wanted.size()));
  INFO(wanted.to_string());
  CHECK(status == 0);
  Address result;
  socklen_t size = Address::capacity;
  CHECK(::getsockname(fd, static_cast<sockaddr*>(result.buffer()), &size) == 0);
  result.set_size(size);
  ::close(fd);
  return result;
}

}  // namespace

TEST_CASE("address: raw bytes are right or unset", "[address]") {
  const Address v4 = Address::loopback(80);
  const Address v6 = Address::parse("[::1]:80");
  CHECK(Address::from_raw(v4.data(), v4.size()) == v4);
  CHECK(Address::from_raw(v6.data(), v6.size()) == v6);
  for (std::size_t size = 0; size < v4.size(); ++size) {
    CHECK(!Address::from_raw(v4.data(), size).is_set());
  }
  for (std::size_t size = 0; size < v6.size(); ++size) {
    CHECK(!Address::from_raw(v6.data(), size).is_set());
  }
  CHECK(!Address::from_raw(nullptr, 16).is_set());

  sockaddr_storage unknown{};
  unknown.ss_family = 200;
  CHECK(!Address::from_raw(&unknown, 16).is_set());
  unknown.ss_family = AF_UNIX;
  CHECK(!Address::from_raw(&unknown, Address::capacity + 1).is_set());

  alignas(8) char shifted[40];
  std::memcpy(shifted + 1, v6.data(), v6.size());
  CHECK(Address::from_raw(shifted + 1, v6.size()) == v6);

  Address filled = v6;
  std::memcpy(filled.buffer(), v4.data(), v4.size());
  filled.set_size(Address::capacity + 1);  // the system had more than it could store
  CHECK(!filled.is_set());
  filled.set_size(v4.size());
  CHECK(filled == v4);
}

TEST_CASE("address: one UNIX path, however its length is given", "[address]") {
  const Address path = Address::unix_path("/tmp/x");
  for (const std::size_t size : {path.size() - 1, path.size(), sizeof(sockaddr_un)}) {
    CHECK(Address::from_raw(path.data(), size) == path);
    CHECK(Address::from_raw(path.data(), size).size() == path.size());
  }
  const Address unnamed = Address::from_raw(path.data(), offsetof(sockaddr_un, sun_path));
  CHECK(unnamed.family() == Family::local);
  CHECK(unnamed.path().empty());
  CHECK(unnamed.to_string() == "unix:");

  // Others may fill sun_path without a final NUL, which Linux then counts all the same.
  Address full = Address::unix_path(std::string(longest_path, 'p'));
  static_cast<char*>(full.buffer())[offsetof(sockaddr_un, sun_path) + longest_path] = 'q';
  full.set_size(sizeof(sockaddr_un) + 1);
  CHECK(full.size() == sizeof(sockaddr_un));
  CHECK(full.path() == std::string(longest_path, 'p') + 'q');
}

TEST_CASE("address: the system takes it and gives it back", "[address]") {
  const Address v4 = bound(Address::loopback(0));
  CHECK(v4.port() != 0);
  CHECK(v4.with_port(0) == Address::loopback(0));

  char folder[] = "/tmp/proa-address-XXXXXX";
  REQUIRE(::mkdtemp(folder));
  std::string path = std::string(folder) + '/';
  path.resize(longest_path, 'p');
  CHECK(bound(Address::unix_path(path)) == Address::unix_path(path));
  CHECK(::unlink(path.c_str()) == 0);
  CHECK(::rmdir(folder) == 0);

#ifdef __linux__
  const Address name = Address::abstract("proa-address-test\x01-" + std::to_string(::getpid()));
  CHECK(bound(name) == name);
  std::string longest = "proa-address-test-" + std::to_string(::getpid());
  longest.resize(longest_path, 'n');
  CHECK(bound(Address::abstract(longest)) == Address::abstract(longest));
#endif
}
