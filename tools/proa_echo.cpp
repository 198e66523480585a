// proa-echo: sends back what it receives, on any number of addresses, and winds up cleanly when it
// is told to end.
#include <chrono>
#include <list>
#include <optional>
#include <vector>

#include "datagrams.hpp"
#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-echo --listen ADDRESS [--listen ADDRESS]... [options]\n"
    "Sends back what it receives. ADDRESS is 127.0.0.1:7, [::1]:7, *:7, unix:/a/path or "
    "unix:@name;\n"
    "port 0 lets the system choose. With udp: in front, as in udp:127.0.0.1:7 or\n"
    "udp:unix:/a/path, it echoes datagrams; those that came to udp:0.0.0.0 or udp:[::] come back\n"
    "from the address that they were sent to. Prints \"listening on ADDRESS (backend)\" for each.\n"
    "\n"
    "  -l, --listen ADDRESS   where to listen; repeatable\n"
    "                         Sockets that systemd passes (LISTEN_FDS) are served too, by the\n"
    "                         first thread\n"
    "      --idle SECONDS     close a connection on which nothing moves for so long "
    "(never)\n" TOOL_RECEIVE_BUFFER_HELP TOOL_SERVING_HELP TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "Datagrams of unnamed UNIX sockets, and those longer than a UDP datagram can be, are dropped.\n"
    "\n" TOOL_SIGNALS_HELP
    "What was received by then is still sent back. Exit status: 0 after such an end, 1 after an\n"
    "error, 2 for bad usage.\n";

struct Settings {
  std::optional<proa::Duration> idle;
  int receive_buffer = 0;
};

class Echo final : public proa::StreamHandler {
 public:
  Echo(proa::Proactor& proactor, proa::Socket socket, const Settings& settings)
      : StreamHandler(proactor, std::move(socket)) {
    if (settings.idle) set_idle_timeout(*settings.idle);
  }

 private:
  void on_read(proa::Buffer& data) override { write(std::move(data)); }
  void on_closed() override { delete this; }
};

class DatagramEcho final : public proa::DatagramHandler {
 public:
  explicit DatagramEcho(proa::Proactor& proactor)
      : DatagramHandler(proactor), deadline_(proactor, *this) {}

  /// Sends back what had come, then closes; after `limit` at the latest.
  void drain(proa::Duration limit) {
    tool::complain_of_dropped(*this);
    DatagramHandler::drain();
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
    if (source.is_set() && !info.truncated) send(std::move(data), source, info.answer_from());
  }
  void on_closed() override { deadline_.stop(); }

  Deadline deadline_;
};

/// Whether it asks for datagrams; the address is looked at, so that all are before one is bound.
bool is_datagram(const std::string& text) {
  const bool datagrams = text.compare(0, tool::datagram_prefix.size(), tool::datagram_prefix) == 0;
  tool::to_address(datagrams ? text.substr(tool::datagram_prefix.size()) : text);
  return datagrams;
}

tool::Service make_service(proa::Proactor& proactor, const Settings& settings) {
  const auto echoes = std::make_shared<std::list<DatagramEcho>>();
  const auto make = [&](proa::Socket socket, const proa::Address&) {
    return new Echo(proactor, std::move(socket), settings);
  };
  return {std::make_shared<proa::Server<Echo>>(proactor, make),
          {[&, echoes](const proa::Address& address, bool reuse_port, proa::Address& bound,
                       std::string* detail) {
             proa::DatagramOptions options =
                 tool::datagram_options(address, settings.receive_buffer);
             options.reuse_port = reuse_port;
             DatagramEcho& echo = echoes->emplace_back(proactor);
             const std::error_code error = echo.bind(address, options, detail);
             bound = echo.address();
             return error;
           },
           [echoes](proa::Duration limit) {
             for (DatagramEcho& each : *echoes) each.drain(limit);
           },
           [&, echoes](proa::Socket socket) {
             const proa::DatagramOptions options =
                 tool::datagram_options(socket.local_address(), settings.receive_buffer);
             return echoes->emplace_back(proactor).bind(std::move(socket), options);
           }},
          {}};
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_idle = 1 };
  const option long_options[] = {{"idle", required_argument, nullptr, option_idle},
                                 TOOL_RECEIVE_BUFFER_OPTION,
                                 TOOL_SERVING_OPTIONS,
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  tool::Serving serving;
  Settings settings;
  for (int c; (c = ::getopt_long(argc, argv, "l:h", long_options, nullptr)) != -1;) {
    if (tool::take_serving_option(c, serving)) continue;
    switch (c) {
      case 'l':
        if (is_datagram(optarg)) serving.options.buffer_size = tool::datagram_buffer_size;
        serving.addresses.push_back(optarg);
        break;
      case option_idle:
        settings.idle = tool::to_seconds("idle", optarg);
        break;
      case tool::option_receive_buffer:
        settings.receive_buffer = tool::to_receive_buffer(optarg);
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (optind < argc) tool::bad_usage(std::string("unexpected argument \"") + argv[optind] + "\"");
  return tool::serve(std::move(serving),
                     [&](proa::Proactor& proactor) { return make_service(proactor, settings); });
}
