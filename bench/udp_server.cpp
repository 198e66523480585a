// A datagram echo server to be measured: `udp_server [-p port] [--backend name] [--workers n]
// [--gso]`. What arrives goes back in the buffer it came in; with --gso many datagrams in one. Each
// worker is a thread with a proactor and a socket of its own; the kernel divides the clients among
// the sockets.
#include <getopt.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Settings {
  std::string port = "8080";
  std::size_t workers = 1;
  proa::Options proactor;
  proa::DatagramOptions socket;
};

struct Echo final : proa::DatagramHandler {
  using DatagramHandler::DatagramHandler;
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override {
    if (info.segment == 0) return send(std::move(data), source);
    send_segments(std::move(data), info.segment, source);
  }
};

struct Worker {
  std::unique_ptr<proa::Proactor> proactor;
  std::unique_ptr<Echo> echo;
};

void usage(std::FILE* to) {
  std::fputs(
      "usage: udp_server [-p port] [--backend name] [--workers n] [--gso]\n"
      "Echoes UDP on 127.0.0.1:port (8080; 0 for any) until it is killed.\n",
      to);
}

Settings parse(int argc, char** argv) {
  static const option kLong[] = {
      {"port", required_argument, nullptr, 'p'},    {"backend", required_argument, nullptr, 'b'},
      {"workers", required_argument, nullptr, 'w'}, {"gso", no_argument, nullptr, 'g'},
      {"help", no_argument, nullptr, 'h'},          {}};
  Settings settings;
  settings.socket.receive_buffer = 8 << 20;
  for (int name; (name = getopt_long(argc, argv, "p:b:w:h", kLong, nullptr)) != -1;) {
    switch (name) {
      case 'p':
        settings.port = optarg;
        break;
      case 'b':
        settings.proactor.backend = optarg;
        settings.proactor.fallback = false;
        break;
      case 'w':
        settings.workers = std::strtoul(optarg, nullptr, 10);
        break;
      case 'g':
        settings.socket.coalesce = true;
        settings.proactor.buffer_size = 66048;
        break;
      case 'h':
        usage(stdout);
        std::exit(0);
      default:
        usage(stderr);
        std::exit(2);
    }
  }
  if (settings.workers == 0 || settings.workers > 1024) {
    std::fputs("udp_server: workers are from 1 to 1024\n", stderr);
    std::exit(2);
  }
  settings.socket.reuse_port = settings.workers > 1;
  return settings;
}

[[noreturn]] void die(const std::string& detail) {
  std::fprintf(stderr, "udp_server: %s\n", detail.c_str());
  std::exit(1);
}

Worker make_worker(const Settings& settings, const proa::Address& address) {
  std::error_code error;
  std::string detail;
  Worker worker;
  worker.proactor = proa::Proactor::create(settings.proactor, error, &detail);
  if (!worker.proactor) die(detail);
  worker.echo = std::make_unique<Echo>(*worker.proactor);
  if (worker.echo->bind(address, settings.socket, &detail)) die(detail);
  return worker;
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = parse(argc, argv);
  std::error_code error;
  std::string detail;
  proa::Address address = proa::Address::parse("127.0.0.1:" + settings.port, error, &detail);
  if (error) die(detail);
  std::vector<Worker> workers;
  do {
    workers.push_back(make_worker(settings, address));
    address = workers.front().echo->address();  // with the port that the system chose
  } while (workers.size() < settings.workers);
  std::printf("listening on %s (%s)\n", address.to_string().c_str(),
              workers.front().proactor->backend().name.c_str());
  std::fflush(stdout);
  for (std::size_t i = 1; i < workers.size(); ++i) {
    std::thread([&proactor = *workers[i].proactor] { proactor.run(); }).detach();
  }
  workers.front().proactor->run();
}
