// compare idle: what an idle connection costs a server in user memory. Opens many, lets each echo
// once, and looks how far the server's resident memory has grown since it only listened. Kernel
// memory (the sockets) is not in it.
#include <getopt.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

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
#include "progress.hpp"
#include "standing.hpp"

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

constexpr char kHelp[] = R"(usage: compare idle [options] [NAME=COMMAND ...]

How far the anonymous memory of each server grows per idle connection that has echoed 64 bytes. What
the first 1200 of them have made it take is not counted.
  -n, --hold N             connections beyond those (10000)
)";

/// By then a server has the code, the pools and the rings of buffers that do not grow any more.
constexpr std::size_t kFirst = 1200;
constexpr int kRuns = 3;

/// What it has grown by per connection.
Memory growth_of(const Contender& contender, std::size_t connections, int processor) {
  Held held;  // outlives the server: who closes first keeps the port, and that is the server then
  const ServerProcess server(contender.name, contender.command, Transport::tcp, processor);
  for (std::size_t i = 0; i < kFirst; ++i) held.open(server.port());
  let_it_settle(server);
  const Memory before = memory_of(server);
  for (std::size_t i = 0; i < connections; ++i) held.open(server.port());
  let_it_settle(server);
  const Memory after = memory_of(server);
  return {after.resident - before.resident, after.anonymous - before.anonymous};
}

Samples measure_one(const Contender& contender, std::size_t connections, int processor) {
  const auto each = [connections](std::int64_t growth) {
    return static_cast<double>(growth) / static_cast<double>(connections);
  };
  Samples samples{contender, {}, 0, {}};
  for (int run = 0; run < kRuns; ++run) {
    show_progress("Idle connections: " + contender.name);
    const Memory growth = growth_of(contender, connections, processor);
    finish_work(1);
    samples.values.push_back(each(growth.anonymous));
    samples.details = {{"resident bytes per connection", each(growth.resident)}};
  }
  return samples;
}

}  // namespace

int compare_idle(int argc, char** argv, Report& report) {
  static const option kLong[] = {
      {"hold", required_argument, nullptr, 'n'}, {"help", no_argument, nullptr, 'h'}, {}};
  std::size_t connections = 10000;
  for (int name; (name = getopt_long(argc, argv, "n:h", kLong, nullptr)) != -1;) {
    if (name == 'n') {
      connections = to_number("hold", optarg, 1, 1000000);
    } else if (name == 'h') {
      std::fputs(kHelp, stdout);
      return kFine;
    } else {
      std::fputs("try --help\n", stderr);
      return EX_USAGE;
    }
  }
  Group group = contenders_from(argc, argv, optind);
  if (group.empty()) {
    group = epoll_servers();
    const Group more = uring_servers();
    group.insert(group.end(), more.begin(), more.end());
  }
  const int processor = take_processors();
  if (const auto limit = raise_descriptor_limit(); connections + kFirst + 64 > limit) {
    throw std::runtime_error(std::to_string(connections + kFirst) +
                             " connections need more descriptors than the limit of " +
                             std::to_string(limit));
  }
  Comparison comparison;
  comparison.name = "idle-" + std::to_string(connections);
  comparison.group = "Idle connections";
  comparison.title = std::to_string(connections) + " connections that have echoed " +
                     std::to_string(kSize) + " bytes";
  comparison.quantity = "user memory per connection";
  comparison.unit = "bytes";
  int status = kFine;
  expect_work(static_cast<double>(group.size()) * kRuns);
  std::vector<Samples> samples;
  for (const auto& contender : group) {
    try {
      samples.push_back(measure_one(contender, connections, processor));
    } catch (const std::exception& error) {
      clear_progress();
      std::fprintf(stderr, "compare: %s: %s\n", contender.name.c_str(), error.what());
      comparison.note += (comparison.note.empty() ? "not measured: " : "; ") + contender.name +
                         ": " + error.what();
      status = kFailed;
    }
  }
  if (samples.empty()) {
    report.skip(comparison, "no server could be measured");
    return status;
  }
  // No ratios: a floor that holds nothing per connection has none.
  for (const auto& one : samples) comparison.contestants.push_back(stand({one}).front());
  report.add(std::move(comparison));
  return status;
}

}  // namespace bench
