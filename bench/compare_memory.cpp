// compare memory: what an idle connection costs a server in user memory. Opens many, lets each echo
// once, and looks how far the server's resident memory has grown since it only listened. Kernel
// memory (the sockets) is not in it.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include "arguments.hpp"
#include "compare.hpp"
#include "payload.hpp"
#include "process.hpp"

namespace bench {
namespace {

constexpr std::size_t kSize = 64;
constexpr std::size_t kPerSource = 20000;  // fewer than the ports that one source address has

struct Memory {
  std::int64_t resident = 0;   // bytes
  std::int64_t anonymous = 0;  // of these, not backed by a file
};

/// smaps_rollup, because it counts pages; statm is an estimate that can be 100 KiB off.
Memory memory_of(const ServerProcess& server) {
  std::ifstream file("/proc/" + std::to_string(server.pid()) + "/smaps_rollup");
  Memory memory;
  std::string word;
  while (file >> word) {
    std::int64_t kibibytes = 0;
    if (word == "Rss:" && file >> kibibytes) memory.resident = kibibytes * 1024;
    if (word == "Anonymous:" && file >> kibibytes) memory.anonymous = kibibytes * 1024;
  }
  if (memory.resident == 0) throw std::runtime_error(server.name() + ": cannot read its memory");
  return memory;
}

/// Until the server has used no CPU for a while.
void let_it_settle(const ServerProcess& server) {
  for (auto before = server.cpu_time();;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto now = server.cpu_time();
    if (now == before) return;
    before = now;
  }
}

/// Open connections, closed at the end.
class Held {
 public:
  Held() = default;
  ~Held() {
    for (const int descriptor : descriptors_) close(descriptor);
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  /// Connects one more and echoes once. Throws std::runtime_error.
  void open(std::uint16_t port) {
    const std::size_t number = descriptors_.size();
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    descriptors_.push_back(descriptor);
    const timeval limit{5, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    bind_to_source(descriptor, number / kPerSource);
    const Endpoint server = to_endpoint("127.0.0.1", port);
    if (connect(descriptor, server.get(), server.length) < 0) fail("connect");
    const char* request = payload_.request(0, number);
    char answer[kSize];
    if (send(descriptor, request, kSize, MSG_NOSIGNAL) != static_cast<ssize_t>(kSize)) fail("send");
    if (recv(descriptor, answer, kSize, MSG_WAITALL) != static_cast<ssize_t>(kSize))
      fail("no echo");
    if (std::memcmp(answer, request, kSize) != 0) fail("the echo differs");
  }

 private:
  void bind_to_source(int descriptor, std::size_t source) const {
    const int one = 1;
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    const Endpoint address = to_endpoint("127.0.0." + std::to_string(source + 1), 0);
    if (bind(descriptor, address.get(), address.length) < 0) fail("bind");
  }

  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error("connection " + std::to_string(descriptors_.size()) + ": " + what +
                             ": " + std::strerror(errno));
  }

  Payload payload_{kSize};
  std::vector<int> descriptors_;
};

void measure_one(const Contender& contender, std::size_t connections, int processor) {
  Held held;  // outlives the server: who closes first keeps the port, and that is the server then
  const ServerProcess server(contender.name, contender.command, Transport::tcp, processor);
  let_it_settle(server);
  const Memory before = memory_of(server);
  for (std::size_t i = 0; i < connections; ++i) held.open(server.port());
  let_it_settle(server);
  const Memory after = memory_of(server);
  const auto each = [&](std::int64_t growth) {
    return static_cast<double>(growth) / static_cast<double>(connections);
  };
  std::printf("%-24s %10" PRId64 " %12" PRId64 " %14.0f %14.0f\n", contender.name.c_str(),
              before.resident / 1024, after.resident / 1024, each(after.resident - before.resident),
              each(after.anonymous - before.anonymous));
  std::fflush(stdout);
}

}  // namespace

int compare_memory(const std::vector<Contender>& contenders, std::size_t connections,
                   int processor) {
  const std::uint64_t limit = raise_descriptor_limit();
  if (connections + 64 > limit) {
    throw std::runtime_error(std::to_string(connections) +
                             " connections need more descriptors than the limit of " +
                             std::to_string(limit));
  }
  std::printf("%zu connections held, each has echoed %zu bytes; resident memory of the server\n",
              connections, kSize);
  std::printf("%-24s %10s %12s %14s %14s\n", "server", "before/KiB", "holding/KiB", "bytes/conn",
              "anonymous/conn");
  int status = kFine;
  for (const auto& contender : contenders) {
    try {
      measure_one(contender, connections, processor);
    } catch (const std::exception& error) {
      std::printf("%-24s %s\n", contender.name.c_str(), error.what());
      status = kFailed;
    }
  }
  return status;
}

}  // namespace bench
