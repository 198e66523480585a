// proa-echo: sends back what it receives, on any number of addresses, and winds up cleanly when it
// is told to end.
#include <chrono>
#include <vector>

#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-echo --listen ADDRESS [--listen ADDRESS]... [options]\n"
    "Sends back what it receives. ADDRESS is 127.0.0.1:7, [::1]:7, *:7, unix:/a/path or "
    "unix:@name;\n"
    "port 0 lets the system choose. Prints \"listening on ADDRESS (backend)\" for each.\n"
    "\n"
    "  -l, --listen ADDRESS   where to listen; repeatable\n"
    "      --drain SECONDS    how long connections may take to end after SIGINT or SIGTERM "
    "(5)\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
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

}  // namespace

int main(int argc, char** argv) {
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
        tool::to_address(optarg);  // all are looked at before the first one is bound
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
  return tool::serve(*proactor, server, addresses, deadline);
}
