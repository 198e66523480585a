// What stands in for calls of Linux's own answers as those do.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/plain.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace {

using namespace proa_test;
namespace portable = proa::sys::portable;

struct File {
  explicit File(const std::string& bytes) : stream(std::tmpfile()) {
    REQUIRE(stream != nullptr);
    REQUIRE(::write(number(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  ~File() { std::fclose(stream); }
  int number() const { return ::fileno(stream); }
  std::FILE* stream;
};

struct Pipe {
  Pipe() { REQUIRE(plain_pipe(ends)); }
  ~Pipe() {
    for (const int end : ends) ::close(end);
  }
  int ends[2];
};

bool set_up(long socket) {
  const int number = static_cast<int>(socket);
  return (::fcntl(number, F_GETFL) & O_NONBLOCK) != 0 &&
         (::fcntl(number, F_GETFD) & FD_CLOEXEC) != 0;
}

// Two UDP sockets, the second connected to the first.
struct Datagrams {
  Datagrams() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(near, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(near, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    REQUIRE(::connect(far, reinterpret_cast<sockaddr*>(&address), size) == 0);
  }
  ~Datagrams() {
    ::close(near);
    ::close(far);
  }
  int near = static_cast<int>(portable::socket(AF_INET, SOCK_DGRAM));
  int far = static_cast<int>(portable::socket(AF_INET, SOCK_DGRAM));
};

// Messages of one piece each.
struct Messages {
  Messages() {
    for (std::size_t i = 0; i < all.size(); ++i) {
      pieces[i] = {bytes[i].data(), bytes[i].size()};
      all[i].header.msg_iov = &pieces[i];
      all[i].header.msg_iovlen = 1;
    }
  }
  std::array<std::array<char, 16>, 4> bytes{};
  std::array<iovec, 4> pieces{};
  std::array<proa::sys::Message, 4> all{};
};

TEST_CASE("sockets are non-blocking and close-on-exec, accepted ones too", "[sys]") {
  const int listener = static_cast<int>(portable::socket(AF_INET, SOCK_STREAM));
  CHECK(set_up(listener));
  REQUIRE(::listen(listener, 1) == 0);
  CHECK(portable::accept(listener, nullptr, nullptr) == -EAGAIN);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  const int client = plain_socket(AF_INET, SOCK_STREAM);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), size) == 0);
  const long accepted = portable::accept(listener, nullptr, nullptr);
  REQUIRE(accepted >= 0);
  CHECK(set_up(accepted));
  for (const int number : {listener, client, static_cast<int>(accepted)}) ::close(number);
}

TEST_CASE("datagrams come in one call as far as they are there, empty ones too", "[sys]") {
  const Datagrams sockets;
  Messages in;
  CHECK(portable::recvmmsg(sockets.near, in.all.data(), 4, MSG_DONTWAIT) == -EAGAIN);
  Messages out;
  for (std::size_t i = 0; i < 3; ++i) out.pieces[i].iov_len = i == 1 ? 0 : 10 + i;
  CHECK(portable::sendmmsg(sockets.far, out.all.data(), 3, MSG_DONTWAIT) == 3);
  CHECK(out.all[2].bytes == 12);
  // All that are there up to an empty one, which the call behind begins with.
  CHECK(portable::sendmmsg(sockets.far, out.all.data(), 1, MSG_DONTWAIT) == 1);
  std::vector<unsigned> sizes;
  std::vector<long> calls;
  for (long got = 0;
       (got = portable::recvmmsg(sockets.near, in.all.data(), 4, MSG_DONTWAIT)) > 0;) {
    calls.push_back(got);
    for (long i = 0; i < got; ++i) sizes.push_back(in.all[static_cast<std::size_t>(i)].bytes);
  }
  CHECK(sizes == std::vector<unsigned>{10, 0, 12, 10});
  CHECK(calls.size() <= 2);
}

TEST_CASE("of a pipe no more is read or written than is there or free", "[sys]") {
  const Pipe pipe;
  char byte = 'x';
  const iovec piece = {&byte, 1};
  CHECK(portable::preadv2(pipe.ends[0], &piece, 1, -1, proa::sys::nowait) == -EAGAIN);
  CHECK(portable::pwritev2(pipe.ends[1], &piece, 1, -1, proa::sys::nowait) == 1);
  CHECK(portable::preadv2(pipe.ends[0], &piece, 1, -1, proa::sys::nowait) == 1);
  std::string much(1 << 20, 'y');
  const iovec pieces = {much.data(), much.size()};
  long written = 0;
  while ((written = portable::pwritev2(pipe.ends[1], &pieces, 1, -1, proa::sys::nowait)) > 0) {
  }
  CHECK(written == -EAGAIN);
}

TEST_CASE("that a file may make nobody wait cannot be had", "[sys]") {
  const File file("bytes");
  char bytes[8];
  const iovec piece = {bytes, sizeof bytes};
  CHECK(portable::preadv2(file.number(), &piece, 1, 0, proa::sys::nowait) == -EOPNOTSUPP);
  CHECK(portable::pwritev2(file.number(), &piece, 1, 0, proa::sys::nowait) == -EOPNOTSUPP);
  CHECK(portable::pwritev2(file.number(), &piece, 1, 0, proa::sys::append) == -EOPNOTSUPP);
  CHECK(portable::preadv2(file.number(), &piece, 1, 1, 0) == 4);
  CHECK(std::string_view(bytes, 4) == "ytes");
}

TEST_CASE("a file is told of as by the system's own call", "[sys]") {
  const File file("bytes");
  const auto check = [](const proa::sys::FileInfo& a, const proa::sys::FileInfo& b) {
    CHECK(a.mode == b.mode);
    CHECK(a.user == b.user);
    CHECK(a.group == b.group);
    CHECK(a.inode == b.inode);
    CHECK(a.links == b.links);
    CHECK(a.size == b.size);
    CHECK(a.sectors == b.sectors);
    CHECK(a.modified.tv_nsec == b.modified.tv_nsec);
    CHECK(a.changed.tv_sec == b.changed.tv_sec);
    CHECK(a.accessed.tv_nsec == b.accessed.tv_nsec);
  };
  proa::sys::FileInfo ours{}, theirs{};
  REQUIRE(portable::file_info(file.number(), &ours) == 0);
  REQUIRE(proa::sys::direct::file_info(file.number(), &theirs) == 0);
  CHECK(ours.size == 5);
  check(ours, theirs);
  REQUIRE(portable::status(AT_FDCWD, "/", 0, &ours) == 0);
  REQUIRE(proa::sys::direct::status(AT_FDCWD, "/", 0, &theirs) == 0);
  check(ours, theirs);
  CHECK(portable::status(AT_FDCWD, "", 0, &ours) == -ENOENT);
}

TEST_CASE("a stretch of a file is sent to a pipe and to a socket", "[sys]") {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += std::to_string(i);
  const File file(bytes);
  const Pipe pipe;
  int pair[2];
  REQUIRE(plain_pair(pair));
  const bool socket = GENERATE(false, true);
  const int to = socket ? pair[1] : pipe.ends[1];
  const int from = socket ? pair[0] : pipe.ends[0];
  CHECK(portable::sendfile(to, file.number(), 100, 1000) == 1000);
  std::string got(4000, '\0');
  CHECK(::read(from, got.data(), got.size()) == 1000);
  CHECK(got.substr(0, 1000) == bytes.substr(100, 1000));
  CHECK(portable::sendfile(to, file.number(), 0, bytes.size() + 1) ==
        static_cast<long>(bytes.size()));
  CHECK(portable::sendfile(to, file.number(), static_cast<std::int64_t>(bytes.size()), 10) == 0);
  const int folder = ::open("/", O_RDONLY);
  CHECK(portable::sendfile(to, folder, 0, 10) == -EINVAL);
  CHECK(portable::sendfile(to, pipe.ends[0], 0, 10) == -ESPIPE);
  for (const int number : {folder, pair[0], pair[1]}) ::close(number);
}

TEST_CASE("all bytes of entropy are filled", "[sys]") {
  std::array<char, 1000> bytes{};
  CHECK(portable::entropy(bytes.data(), bytes.size()) == 1000);
  // 64 zeros in a row are no accident.
  CHECK(std::search_n(bytes.begin(), bytes.end(), 64, '\0') == bytes.end());
}

TEST_CASE("the signal of a failed write is taken, and no other", "[sys]") {
  sigset_t before;
  REQUIRE(::pthread_sigmask(SIG_BLOCK, nullptr, &before) == 0);
  proa::sys::direct::block_write_signals();
  CHECK(portable::take_write_signals() == -EAGAIN);
  ::raise(SIGPIPE);
  CHECK(portable::take_write_signals() >= 0);
  CHECK(portable::take_write_signals() == -EAGAIN);
  REQUIRE(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
}

TEST_CASE("a terminal is opened anew", "[sys]") {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) {
    return skip("no pseudo-terminals here: posix_openpt failed");
  }
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  REQUIRE(slave >= 0);
  const long again = portable::reopen_tty(slave, O_RDWR | O_NONBLOCK | O_NOCTTY);
  REQUIRE(again >= 0);
  CHECK((::fcntl(static_cast<int>(again), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(slave, F_GETFL) & O_NONBLOCK) == 0);
  for (const int number : {master, slave, static_cast<int>(again)}) ::close(number);
  const Pipe pipe;
  CHECK(portable::reopen_tty(pipe.ends[0], O_RDONLY) == -ENOTTY);
}

}  // namespace
