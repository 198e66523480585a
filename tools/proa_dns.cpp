// proa-dns: answers DNS questions about a few names (RFC 1035). What comes in is not trusted: every
// length is checked, and nothing is kept of it beyond the answer, which grows in the buffer that
// the question came in.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <list>
#include <string_view>
#include <vector>

#include "dns_zone.hpp"
#include "tool.hpp"

namespace {

constexpr char help[] =
    "usage: proa-dns --listen ADDRESS --record NAME=VALUE [options]\n"
    "Answers DNS questions over UDP. VALUE is an IPv4 address (A), an IPv6 address (AAAA) or\n"
    "txt:TEXT (TXT). Prints \"listening on ADDRESS (backend)\" for each address.\n"
    "\n"
    "  -l, --listen ADDRESS     127.0.0.1:5353 or [::1]:5353; repeatable\n"
    "  -r, --record NAME=VALUE  a record; repeatable, for one name too\n"
    "  -f, --file FILE          records, one a line; # begins a line that says "
    "nothing\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "SIGINT or SIGTERM end it. Exit status: 0 after that, 1 after an error, 2 for bad usage.\n";

constexpr unsigned class_in = 1;
constexpr std::size_t header_size = 12;
constexpr std::size_t longest_answer = 512;  // RFC 1035, 4.2.1
constexpr unsigned ttl = 60;                 // seconds

enum Code : unsigned { no_error, format_error, no_such_name = 3, not_implemented, refused };
enum Flag : unsigned { response = 0x8000, authoritative = 0x0400, truncated = 0x0200 };

unsigned get16(const char* at) {
  const auto byte = [&](int i) { return static_cast<unsigned>(static_cast<unsigned char>(at[i])); };
  return byte(0) << 8 | byte(1);
}

void put16(char* at, unsigned value) {
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value);
}

std::string as16(unsigned value) {
  char bytes[2];
  put16(bytes, value);
  return {bytes, sizeof bytes};
}

/// The first question of a packet.
struct Question {
  std::string_view name;
  unsigned type = 0;
  unsigned in_class = 0;
  std::size_t end = 0;  // where it ends in the packet; 0: it is none
};

Question read_question(std::string_view packet) {
  std::size_t at = header_size;
  for (;;) {
    if (at >= packet.size()) return {};
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(packet[at]));
    // A pointer has its two highest bits set: a first name has nothing to point to.
    if (size > dns::longest_label) return {};
    at += size + 1;
    if (at - header_size > dns::longest_name) return {};
    if (size == 0) break;
  }
  if (packet.size() < at + 4) return {};
  return {packet.substr(header_size, at - header_size), get16(&packet[at]), get16(&packet[at + 2]),
          at + 4};
}

class Responder final : public proa::DatagramHandler {
 public:
  Responder(proa::Proactor& proactor, const dns::Zone& zone)
      : DatagramHandler(proactor), zone_(zone) {}

 private:
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo&) override {
    // Without a header there is no number to answer to.
    if (data.size() < header_size) return;
    const unsigned asked = get16(data.data() + 2);
    if ((asked & response) != 0) return;  // answering answers could go on for ever
    const bool is_query = (asked & 0x7800) == 0;
    Question question;
    if (is_query && get16(data.data() + 4) == 1) question = read_question(data.text());
    data.truncate(std::max(question.end, header_size));

    Answer answer{data};
    if (!is_query) {
      answer.code = not_implemented;
    } else if (question.end == 0) {
      answer.code = format_error;
    } else if (question.in_class != class_in) {
      answer.code = refused;
    } else {
      fill(answer, question);
    }
    char* const header = data.data();
    // The kind of query and whether recursion was asked for stay as they came.
    put16(header + 2, (asked & 0x7900) | response | answer.flags | answer.code);
    put16(header + 4, question.end > 0 ? 1 : 0);
    put16(header + 6, answer.count);
    put16(header + 8, 0);
    put16(header + 10, 0);
    send(std::move(data), source);
  }

  struct Answer {
    proa::Buffer& data;
    unsigned code = no_error;
    unsigned flags = 0;
    unsigned count = 0;
  };

  void fill(Answer& answer, const Question& question) const {
    answer.flags = authoritative;
    const std::vector<dns::Record>* const records = zone_.find(question.name);
    if (!records) answer.code = no_such_name;
    if (!records) return;
    for (const dns::Record& each : *records) {
      if (question.type != each.type && question.type != dns::type_any) continue;
      const std::string record =
          as16(0xc000 | header_size) +  // the name is where the question has it
          as16(each.type) + as16(class_in) + as16(ttl >> 16) + as16(ttl & 0xffff) +
          as16(static_cast<unsigned>(each.data.size())) + each.data;
      if (answer.data.size() + record.size() > longest_answer) {
        answer.flags |= truncated;
        return;
      }
      answer.data.append(proa::Bytes(record));
      ++answer.count;
    }
  }

  const dns::Zone& zone_;
};

class Interrupt final : public proa::SignalHandler {
 public:
  using SignalHandler::SignalHandler;

 private:
  void on_signal(int, std::uint64_t) override { proactor().stop(); }
};

int serve(const std::vector<proa::Address>& addresses, const proa::Options& options,
          const dns::Zone& zone) {
  const auto proactor = tool::make_proactor(options);
  std::list<Responder> responders;
  Interrupt interrupt(*proactor);
  std::string detail;
  bool failed = interrupt.start(SIGINT, &detail) || interrupt.start(SIGTERM, &detail);
  for (const proa::Address& each : addresses) {
    if (failed) break;
    Responder& responder = responders.emplace_back(*proactor, zone);
    failed = static_cast<bool>(responder.bind(each, {}, &detail));
    if (failed) break;
    std::printf("listening on %s (%s)\n", responder.address().to_string().c_str(),
                proactor->backend().name.c_str());
  }
  std::fflush(stdout);
  if (failed) tool::complain(detail);
  if (!failed) proactor->run();
  proactor->shutdown(std::chrono::seconds(1));
  return failed ? tool::failure : 0;
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
  const option long_options[] = {{"listen", required_argument, nullptr, 'l'},
                                 {"record", required_argument, nullptr, 'r'},
                                 {"file", required_argument, nullptr, 'f'},
                                 {"help", no_argument, nullptr, 'h'},
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  proa::Options options;
  std::vector<proa::Address> addresses;
  dns::Zone zone;
  for (int c; (c = ::getopt_long(argc, argv, "l:r:f:h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case 'l':
        addresses.push_back(tool::to_address(optarg));
        break;
      case 'r':
        zone.add(optarg);
        break;
      case 'f':
        add_file(zone, optarg);
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
  if (zone.empty()) tool::bad_usage("no records");
  return serve(addresses, options, zone);
}
