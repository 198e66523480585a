// proa-dns: answers DNS questions about a few names, over UDP (RFC 1035, RFC 6891) and TCP (RFC
// 7766). Nothing is kept of what comes in, beyond a query over TCP that has not come whole.
#include <fstream>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "datagrams.hpp"
#include "dns_message.hpp"
#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-dns --listen ADDRESS --record NAME=VALUE [options]\n"
    "Answers DNS questions over UDP and TCP. VALUE is an IPv4 address (A), an IPv6 address (AAAA)\n"
    "or txt:TEXT (TXT). Prints \"listening on ADDRESS (backend)\" for each address.\n"
    "\n"
    "  -l, --listen ADDRESS     127.0.0.1:5353 or [::1]:5353; repeatable. Answers to questions "
    "that\n"
    "                           came to 0.0.0.0 or [::] come from the address that was asked\n"
    "  -r, --record NAME=VALUE  a record; repeatable, for one name too\n"
    "  -f, --file FILE          records, one a line; # begins a line that says nothing\n"
    "      --timeout SECONDS    how long a connection may be idle, or a question on it may take "
    "to\n"
    "                           come whole (10)\n" TOOL_RECEIVE_BUFFER_HELP TOOL_SERVING_HELP
    "                         without --limit 100 connections are served\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n" TOOL_SIGNALS_HELP
    "What was received by then is still answered. Exit status: 0 after such an end, 1 after an\n"
    "error, 2 for bad usage.\n";

/// Connections at a time (--limit); a client needs one rarely, and for a moment.
constexpr std::size_t default_limit = 100;

struct Settings {
  dns::Zone zone;
  proa::Duration timeout = std::chrono::seconds(10);
  int receive_buffer = 0;
};

class Responder final : public proa::DatagramHandler {
 public:
  Responder(proa::Proactor& proactor, const dns::Zone& zone)
      : DatagramHandler(proactor), zone_(zone) {}

 private:
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override {
    answer_.clear();
    if (!dns::append_answer(zone_, data.text(), true, answer_)) return;
    send(proa::Bytes(answer_), source, info.answer_from());
  }

  const dns::Zone& zone_;
  std::string answer_;
};

/// Each query and each answer stands behind its length (RFC 1035, 4.2.2), and a client may send
/// several queries without waiting for the answers.
class Connection final : public proa::StreamHandler {
 public:
  Connection(proa::Proactor& proactor, proa::Socket socket, const Settings& settings)
      : StreamHandler(proactor, std::move(socket)), settings_(settings) {
    set_idle_timeout(settings.timeout);
  }

 private:
  static constexpr std::size_t length_size = 2;

  void on_read(proa::Buffer& data) override {
    const bool begins = input_.empty();
    input_.append(data.data(), data.size());
    answer_queries();
    if (begins || input_.empty()) begun_ = proactor().now();
    // A client that sends a byte now and then is not idle.
    if (proactor().now() - begun_ > settings_.timeout) close();
  }
  void on_drained() override { answer_queries(); }
  void on_end() override {
    ended_ = true;
    answer_queries();
  }
  void on_drain() override { on_end(); }
  void on_closed() override { delete this; }

  // While the client does not read its answers, its further queries wait, and no more are read.
  void answer_queries() {
    std::string_view rest = input_;
    while (rest.size() >= length_size && queued() <= watermarks().high) {
      const std::size_t size = dns::get16(rest, 0);
      if (size < dns::header_size) return close();  // what follows cannot be told from garbage
      if (rest.size() - length_size < size) break;
      answer(rest.substr(length_size, size));
      rest.remove_prefix(length_size + size);
    }
    if (rest.size() < input_.size()) begun_ = proactor().now();
    input_.erase(0, input_.size() - rest.size());
    if (ended_ && queued() <= watermarks().high) finish();
  }

  void answer(std::string_view query) {
    answer_.assign(length_size, '\0');
    if (!dns::append_answer(settings_.zone, query, false, answer_)) return;
    dns::put16(answer_, 0, static_cast<unsigned>(answer_.size() - length_size));
    write(proa::Bytes(answer_));
  }

  const Settings& settings_;
  std::string input_;  // from the first query on that has not been answered
  std::string answer_;
  proa::TimePoint begun_;  // when the query came that has not come whole
  bool ended_ = false;     // what has come is answered, then the connection ends
};

tool::Service make_service(proa::Proactor& proactor, const Settings& settings) {
  const auto responders = std::make_shared<std::list<Responder>>();
  return {
      std::make_shared<proa::Server<Connection>>(proactor,
                                                 [&](proa::Socket socket, const proa::Address&) {
                                                   return new Connection(
                                                       proactor, std::move(socket), settings);
                                                 }),
      {[&, responders](const proa::Address& address, bool reuse_port, proa::Address& bound,
                       std::string* detail) {
         proa::DatagramOptions options = tool::datagram_options(address, settings.receive_buffer);
         options.reuse_port = reuse_port;
         Responder& responder = responders->emplace_back(proactor, settings.zone);
         const std::error_code error = responder.bind(address, options, detail);
         bound = responder.address();
         return error;
       },
       [responders](proa::Duration) {
         for (Responder& each : *responders) {
           tool::complain_of_dropped(each);
           each.drain();
         }
       },
       {},  // no sockets that are passed
       true},
      {}};
}

void add_file(dns::Zone& zone, const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line[0] != '#') zone.add(line);
  }
  if (!file.eof()) tool::die("cannot read " + path);
}

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_timeout = 1 };
  const option long_options[] = {{"record", required_argument, nullptr, 'r'},
                                 {"file", required_argument, nullptr, 'f'},
                                 {"timeout", required_argument, nullptr, option_timeout},
                                 TOOL_RECEIVE_BUFFER_OPTION,
                                 TOOL_SERVING_OPTIONS,
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  tool::Serving serving;
  serving.limit = default_limit;
  Settings settings;
  for (int c; (c = ::getopt_long(argc, argv, "l:r:f:h", long_options, nullptr)) != -1;) {
    if (tool::take_serving_option(c, serving)) continue;
    switch (c) {
      case 'l':
        if (tool::to_address(optarg).family() == proa::Address::Family::local) {
          tool::bad_usage("\"" + std::string(optarg) + "\" is not an IP address with a port");
        }
        serving.addresses.push_back(optarg);
        break;
      case 'r':
        settings.zone.add(optarg);
        break;
      case 'f':
        add_file(settings.zone, optarg);
        break;
      case option_timeout:
        settings.timeout = tool::to_seconds("timeout", optarg);
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
  if (settings.zone.empty()) tool::bad_usage("no records");
  return tool::serve(std::move(serving),
                     [&](proa::Proactor& proactor) { return make_service(proactor, settings); });
}
