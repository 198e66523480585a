// Starts servers with the tools of the system: fork, the shell, a parent-death signal so that none
// is left behind when the benchmark is interrupted. CPU time is read from the process's own clock:
// nanoseconds, not the 10 ms ticks of /proc/PID/stat, and one system call for all threads.
#include "process.hpp"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <random>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "arguments.hpp"

namespace bench {
namespace {

/// For a server to start and to end. Under valgrind, on a busy machine, both can take 10 seconds.
constexpr std::chrono::seconds kPatience(30);

cpu_set_t allowed_processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  sched_getaffinity(0, sizeof allowed, &allowed);
  return allowed;
}

/// Those of the beginning: pin_to() leaves fewer.
const cpu_set_t& all_processors() {
  static const cpu_set_t all = allowed_processors();
  return all;
}

int type_of(Transport transport) {
  return (transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
}

/// A port that nobody listens on just now. Below those that the kernel hands out to clients.
std::uint16_t free_port(Transport transport) {
  static std::mt19937 random{std::random_device{}()};
  for (int tries = 0; tries < 1000; ++tries) {
    const auto port = static_cast<std::uint16_t>(20000 + random() % 8000);
    const Endpoint endpoint = to_endpoint("127.0.0.1", port);
    const int descriptor = socket(AF_INET, type_of(transport), 0);
    const bool free = descriptor >= 0 && bind(descriptor, endpoint.get(), endpoint.length) == 0;
    if (descriptor >= 0) close(descriptor);
    if (free) return port;
  }
  throw std::runtime_error("no free port from 20000 to 27999");
}

std::string with_port(std::string command, std::uint16_t port) {
  const std::string number = std::to_string(port);
  for (std::size_t at = 0; (at = command.find("%p", at)) != std::string::npos;
       at += number.size()) {
    command.replace(at, 2, number);
  }
  return command;
}

/// Whether the server is up. For udp a datagram is sent, and its echo waited for a little: a port
/// without a socket refuses at once.
bool answers(std::uint16_t port, Transport transport) {
  const Endpoint endpoint = to_endpoint("127.0.0.1", port);
  const int descriptor = socket(AF_INET, type_of(transport), 0);
  bool answered = connect(descriptor, endpoint.get(), endpoint.length) == 0;
  if (answered && transport == Transport::udp) {
    char byte = 0;
    const timeval patience{0, 20000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    answered = send(descriptor, &byte, 1, 0) == 1 && recv(descriptor, &byte, 1, 0) == 1;
  }
  close(descriptor);
  return answered;
}

[[noreturn]] void become(const std::string& command, int processor, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // it died before the line above
  pin_to(processor);
  // Where it listens is known here; what it says about errors goes to our stderr.
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (dup2(nowhere, STDOUT_FILENO) < 0) _exit(126);
  const std::string line = "exec " + command;
  execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
  _exit(127);
}

}  // namespace

Processors choose_processors() {
  const cpu_set_t& allowed = all_processors();
  Processors chosen;
  int found = 0;
  for (int processor = 0; processor < CPU_SETSIZE && found < 2; ++processor) {
    if (!CPU_ISSET(processor, &allowed)) continue;
    if (found++ == 0) chosen.server = processor;
    chosen.load = processor;
  }
  return chosen;
}

void pin_to(int processor) {
  const cpu_set_t& all = all_processors();
  if (processor == kAnyProcessor) {
    sched_setaffinity(0, sizeof all, &all);
    return;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  sched_setaffinity(0, sizeof one, &one);
}

ServerProcess::ServerProcess(const std::string& name, const std::string& command,
                             Transport transport, int processor)
    : name_(name), transport_(transport), port_(free_port(transport)) {
  const pid_t parent = getpid();
  const std::string line = with_port(command, port_);
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) become(line, processor, parent);

  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!answers(port_, transport)) {
    const bool ended = waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (!ended && std::chrono::steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      continue;
    }
    if (!ended) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    throw std::runtime_error(name + (ended ? ": ended" : ": did not answer for 30 seconds") + " (" +
                             line + ")");
  }
}

void ServerProcess::terminate() {
  kill(pid_, SIGTERM);
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (waitpid(pid_, nullptr, WNOHANG) != pid_) {
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error(name_ + ": did not end within 30 seconds of SIGTERM");
    }
    answers(port_, transport_);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  pid_ = -1;
}

ServerProcess::~ServerProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::chrono::nanoseconds ServerProcess::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    throw std::runtime_error(name_ + ": has ended");
  }
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace bench
