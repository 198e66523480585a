// activate SOCKET... -- COMMAND...: opens sockets in blocking mode and runs a command that inherits
// them, as systemd does (sd_listen_fds(3)). SOCKET is tcp (a port of the system's choice), udp,
// unix:PATH, udp:unix:PATH or pipe; with NAME= in front it has a name.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int first = 3;

[[noreturn]] void fail(const std::string& what) {
  std::perror(("activate: " + what).c_str());
  std::exit(1);
}

int open_socket(const std::string& text) {
  if (text == "pipe") {
    int ends[2];
    return ::pipe(ends) == 0 ? ends[0] : -1;
  }
  const bool datagrams = text.compare(0, 3, "udp") == 0;
  const int type = datagrams ? SOCK_DGRAM : SOCK_STREAM;
  const std::size_t path = text.find("unix:");
  int made = -1;
  if (path == std::string::npos) {
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    made = ::socket(AF_INET, type, 0);
    if (::bind(made, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return -1;
  } else {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, text.c_str() + path + 5, sizeof name.sun_path - 1);
    made = ::socket(AF_UNIX, type, 0);
    if (::bind(made, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) return -1;
  }
  return datagrams || ::listen(made, 16) == 0 ? made : -1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string names;
  int count = 0;
  int at = 1;
  for (; at < argc && std::string(argv[at]) != "--"; ++at, ++count) {
    std::string text = argv[at];
    const std::size_t named = text.find('=');
    names += (count > 0 ? ":" : "") + (named == std::string::npos ? "" : text.substr(0, named));
    if (named != std::string::npos) text.erase(0, named + 1);
    const int made = open_socket(text);
    if (made < 0) fail(text);
    if (made != first + count && ::dup2(made, first + count) < 0) fail(text);
  }
  if (at + 1 >= argc) {
    std::fputs("usage: activate SOCKET... -- COMMAND...\n", stderr);
    return 2;
  }
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
  if (names.find_first_not_of(':') != std::string::npos)
    ::setenv("LISTEN_FDNAMES", names.c_str(), 1);
  ::execvp(argv[at + 1], argv + at + 1);
  fail(argv[at + 1]);
}
