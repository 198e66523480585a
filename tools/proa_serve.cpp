// proa-serve: the files of a directory over HTTP/1.1. What is sent goes from the file to the
// connection, and what is uploaded from the connection to the file, past the program; small files
// are read, and sent with the head of the answer.
#include <cstdio>
#include <memory>
#include <string>

#include "http/session.hpp"
#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-serve --listen ADDRESS [--listen ADDRESS]... [options] DIRECTORY\n"
    "Serves the files below DIRECTORY over HTTP/1.1: GET and HEAD, and PUT if asked to. A path\n"
    "that ends with / means index.html there. ADDRESS is 127.0.0.1:80, [::1]:80, *:80,\n"
    "unix:/a/path or unix:@name; port 0 lets the system choose. Prints\n"
    "\"listening on ADDRESS (backend)\" for each.\n"
    "\n"
    "  -l, --listen ADDRESS   where to listen; repeatable\n"
    "                         Sockets that systemd passes (LISTEN_FDS) are served too, by the\n"
    "                         first thread\n"
    "  -w, --writable         PUT makes a file, or replaces one when all of it has come\n"
    "      --idle SECONDS     close a connection on which nothing moves for so long (30), or\n"
    "                         whose request's head takes longer\n"
    "      --access-log FILE  append a line for each answer, in the combined log "
    "format\n" TOOL_SERVING_HELP TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "A path cannot lead above DIRECTORY by \"..\". A file that is a symbolic link is not served;\n"
    "directories below DIRECTORY that are symbolic links are followed, wherever they lead. Each\n"
    "connection may need two descriptors, so by default half as many are served as there can be\n"
    "descriptors (ulimit -n) beside 32 for each thread. What an upload has not finished is in\n"
    "\".proa-upload-*\" beside the file; a program that was killed leaves it there. Nothing is\n"
    "synced to the disk.\n"
    "\n" TOOL_SIGNALS_HELP
    "Exit status: 0 after SIGINT or SIGTERM, 1 after an error, 2 for bad usage.\n";

/// Requests that no worker has begun, of one thread: those beyond are answered with 503.
constexpr std::size_t most_waiting = 4096;

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_access_log = 1, option_idle };
  const option long_options[] = {TOOL_SERVING_OPTIONS,
                                 TOOL_BACKEND_OPTIONS,
                                 {"writable", no_argument, nullptr, 'w'},
                                 {"access-log", required_argument, nullptr, option_access_log},
                                 {"idle", required_argument, nullptr, option_idle},
                                 {}};
  tool::Serving serving;
  bool writable = false;
  const char* log_path = nullptr;
  proa::Duration idle = std::chrono::seconds(30);
  for (int c; (c = ::getopt_long(argc, argv, "l:wh", long_options, nullptr)) != -1;) {
    if (tool::take_serving_option(c, serving)) continue;
    switch (c) {
      case 'l':
        tool::to_address(optarg);  // all are looked at before the first one is bound
        serving.addresses.push_back(optarg);
        break;
      case 'w':
        writable = true;
        break;
      case option_access_log:
        log_path = optarg;
        break;
      case option_idle:
        idle = tool::to_seconds("idle", optarg);
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (argc - optind != 1) tool::bad_usage("one directory is needed");
  serving.limit = tool::limit_by_descriptors(serving, 2);  // the connection, and its file
  const char* const directory = argv[optind];
  return tool::serve(std::move(serving), [&](proa::Proactor& proactor) -> tool::Service {
    const auto open = [&](const char* path, proa::OpenFlags how) {
      std::error_code error;
      proa::File file = proa::File::open(proactor, path, how, 0644, error);
      if (error) tool::die(path + (": " + error.message()));
      return file;
    };
    using proa::OpenFlags;
    const auto site = std::make_shared<http::Site>();
    site->root = open(directory, OpenFlags::read | OpenFlags::directory);
    site->writable = writable;
    site->files = std::make_unique<proa::WorkerPool>(
        proactor, proa::WorkerPool::Options{"serve-files", 4, most_waiting});
    if (writable) {
      site->names = std::make_unique<proa::WorkerPool>(
          proactor, proa::WorkerPool::Options{"serve-names", 1, most_waiting});
    }
    site->idle = idle;
    if (log_path) {
      site->log = std::make_unique<http::AccessLog>(
          proactor, open(log_path, OpenFlags::append | OpenFlags::create));
    }
    const auto make = [&proactor, site](proa::Socket socket, const proa::Address& peer) {
      return new http::Session(*site, proactor, std::move(socket), peer);
    };
    const auto server = std::make_shared<proa::Server<http::Session>>(proactor, make);
    site->server = server.get();
    return {server, {}, [site] {
              if (site->log) site->log->finish();
            }};
  });
}
