// proa-echo: sends back what it receives, on any number of addresses, and winds up cleanly when it
// is told to end.
#include <chrono>
#include <list>
#include <vector>

#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-echo --listen ADDRESS [--listen ADDRESS]... [options]\n"
    "Sends back what it receives. ADDRESS is 127.0.0.1:7, [::1]:7, *:7, unix:/a/path or "
    "unix:@name;\n"
    "port 0 lets the system choose. With udp: in front, as in udp:127.0.0.1:7 or\n"
    "udp:unix:/a/path, it echoes datagrams. Prints \"listening on ADDRESS (backend)\" for each.\n"
    "\n"
    "  -l, --listen ADDRESS   where to listen; repeatable\n"
    "      --drain SECONDS    how long connections may take to end after SIGINT or SIGTERM "
    "(5)\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "Datagrams of unnamed UNIX sockets, and those longer than a UDP datagram can be, are dropped.\n"
    "\n"
    "SIGINT or SIGTERM: what was received is still sent back, then it ends; a second one ends it\n"
    "at once. Exit status: 0 after such an end, 1 after an error, 2 for bad usage.\n";

class Echo final : public proa::StreamHandler {
 public:
  using StreamHandler::StreamHandler;

 private:
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

class DatagramEcho final : public proa::DatagramHandler {
 public:
  explicit DatagramEcho(proa::Proactor& proactor)
      : DatagramHandler(proactor), deadline_(proactor, *this) {}

  /// Sends what it has received, then closes; after `limit` at the latest.
  void drain(proa::Duration limit) {
    if (queued() == 0) return close();
    stop_receiving();
    deadline_.start(limit);
  }

 private:
  class Deadline final : public proa::TimerHandler {
   public:
    Deadline(proa::Proactor& proactor, DatagramEcho& echo) : TimerHandler(proactor), echo_(echo) {}

   private:
    void on_timer(std::uint64_t) override { echo_.close(); }

    DatagramEcho& echo_;
  };

  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override {
    if (source.is_set() && !info.truncated) send(std::move(data), source);
  }
  void on_sent(const proa::Address&, const proa::Result&) override {
    if (!deadline_.armed() || queued() > 0) return;
    deadline_.stop();
    close();
  }

  Deadline deadline_;
};

using DatagramEchoes = std::list<DatagramEcho>;

/// Whether it asks for datagrams; the address is looked at, so that all are before one is bound.
bool is_datagram(const std::string& text) {
  const bool datagrams = text.compare(0, tool::datagram_prefix.size(), tool::datagram_prefix) == 0;
  tool::to_address(datagrams ? text.substr(tool::datagram_prefix.size()) : text);
  return datagrams;
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_drain = 1 };
  const option long_options[] = {{"listen", required_argument, nullptr, 'l'},
                                 {"drain", required_argument, nullptr, option_drain},
                                 {"help", no_argument, nullptr, 'h'},
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  proa::Options options;
  std::vector<std::string> addresses;
  proa::Duration deadline = std::chrono::seconds(5);
  for (int c; (c = ::getopt_long(argc, argv, "l:h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case 'l':
        if (is_datagram(optarg)) options.buffer_size = tool::datagram_buffer_size;
        addresses.push_back(optarg);
        break;
      case option_drain:
        deadline = tool::to_seconds("drain", optarg);
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (optind < argc) tool::bad_usage(std::string("unexpected argument \"") + argv[optind] + "\"");
  if (addresses.empty()) tool::bad_usage("no address to listen on");
  const auto proactor = tool::make_proactor(options);
  proa::Server<Echo> server(*proactor);
  DatagramEchoes datagrams;
  const tool::Datagrams also = {
      [&](const proa::Address& address, proa::Address& bound, std::string* detail) {
        DatagramEcho& echo = datagrams.emplace_back(*proactor);
        const std::error_code error = echo.bind(address, {}, detail);
        bound = echo.address();
        return error;
      },
      [&](proa::Duration limit) {
        for (DatagramEcho& each : datagrams) each.drain(limit);
      }};
  return tool::serve(*proactor, server, addresses, deadline, also);
}
