// proa-serve: the files of a directory over HTTP/1.1. What is sent goes from the file to the
// connection, and what is uploaded from the connection to the file, past the program.
#include <chrono>
#include <string>
#include <vector>

#include "http_request.hpp"
#include "serving.hpp"

namespace {

constexpr char help[] =
    "usage: proa-serve --listen ADDRESS [--listen ADDRESS]... [options] DIRECTORY\n"
    "Serves the files below DIRECTORY over HTTP/1.1: GET and HEAD, and PUT if asked to. A path "
    "that\n"
    "ends with / means index.html there. ADDRESS is 127.0.0.1:80, [::1]:80, *:80, unix:/a/path or\n"
    "unix:@name; port 0 lets the system choose. Prints \"listening on ADDRESS (backend)\" for "
    "each.\n"
    "\n"
    "  -l, --listen ADDRESS   where to listen; repeatable\n"
    "  -w, --writable         PUT replaces or makes a file; one that breaks off leaves what came\n"
    "      --idle SECONDS     close a connection on which nothing moves for so long (30), or\n"
    "                         whose request's head trickles in for longer\n"
    "      --drain SECONDS    how long connections may take to end after SIGINT or SIGTERM "
    "(5)\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "A path cannot lead above DIRECTORY by \"..\". A file that is a symbolic link is not served;\n"
    "directories below DIRECTORY that are symbolic links are followed, wherever they lead.\n"
    "Exit status: 0 after SIGINT or SIGTERM, 1 after an error, 2 for bad usage.\n";

struct Site {
  proa::File root;
  bool writable;
  proa::Duration idle;
};

/// One request at a time: its head, then the file is opened and looked at, then the answer. What
/// arrives meanwhile waits.
class Session final : public proa::StreamHandler {
 public:
  Session(const Site& site, proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)), site_(site) {
    set_idle_timeout(site.idle);
  }

 private:
  static constexpr std::size_t head_limit = 8192;

  void on_read(proa::Buffer& data) override {
    const std::size_t before = head_.size();
    head_.append(data.text());
    std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == head_.npos && head_.size() <= head_limit) return head_goes_on(before == 0);
    busy_ = true;
    stop_reading();
    request_ = {};
    if (end == head_.npos || (end += 4) > head_limit) {
      return refuse("431 Request Header Fields Too Large");
    }
    data.remove_prefix(end - before);
    rest_ = std::move(data);
    head_.resize(end);
    if (http::parse(head_, request_)) return begin();
    request_ = {};
    refuse("400 Bad Request");
  }

  /// What trickles in is never idle; a head has that time in all, looked at when more of it comes.
  void head_goes_on(bool begins) {
    const proa::TimePoint now = proactor().system().now();
    if (begins) head_due_ = proa::after(now, site_.idle);
    if (now > head_due_) close();
  }

  void begin() {
    const bool puts = site_.writable && request_.method == "PUT";
    if (!puts && request_.method != "GET" && request_.method != "HEAD") {
      return refuse("405 Method Not Allowed",
                    site_.writable ? "Allow: GET, HEAD, PUT\r\n" : "Allow: GET, HEAD\r\n");
    }
    if (!puts && request_.length > 0) return refuse("400 Bad Request");
    if (puts && !request_.has_length) return refuse("411 Length Required");
    using proa::OpenFlags;
    open_.prepare(
        request_.path,
        OpenFlags::no_follow | (puts ? OpenFlags::write | OpenFlags::create : OpenFlags::read),
        0644, site_.root.descriptor());
    if (proactor().submit(open_)) close();
  }

  void opened(proa::Open& request, const proa::Result& result) {
    if (gone()) return;
    if (result.error == std::errc::permission_denied) return refuse("403 Forbidden");
    if (result.error == std::errc::too_many_files_open) return refuse("503 Service Unavailable");
    if (result.error) return refuse("404 Not Found");
    file_ = std::move(request.file());
    status_.prepare(file_.descriptor());
    if (proactor().submit(status_)) close();
  }

  void looked(proa::Status& request, const proa::Result& result) {
    if (gone()) return;
    if (result.error || request.status().type != proa::FileType::regular) {
      return refuse("404 Not Found");
    }
    if (request_.method != "PUT") {
      const std::uint64_t size = request.status().size;
      answer("200 OK", size, "Content-Type: application/octet-stream\r\n");
      if (request_.method == "HEAD" || size == 0) return;
      ++unwritten_;
      return send_file(file_.descriptor(), 0, size);
    }
    truncate_.prepare(file_.descriptor(), 0);
    if (proactor().submit(truncate_)) close();
  }

  void truncated(const proa::Result& result) {
    if (gone()) return;
    if (result.error) return refuse("500 Internal Server Error");
    if (request_.expects_continue) {
      ++unwritten_;
      write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    storing_ = true;
    receive_file(file_.descriptor(), 0, request_.length, std::move(rest_));
  }

  void on_received(std::uint64_t) override {
    storing_ = false;
    stop_reading();
    answer("204 No Content", 0);
  }

  /// The answer, but for the body.
  void answer(const char* status, std::uint64_t length, const std::string& fields = "") {
    if (!request_.keep_alive) ending_ = true;
    const bool bodiless = status[0] == '2' && status[2] == '4';
    write(proa::Bytes("HTTP/1.1 " + std::string(status) + "\r\n" + fields +
                      (bodiless ? "" : "Content-Length: " + std::to_string(length) + "\r\n") +
                      (ending_ ? "Connection: close\r\n\r\n" : "\r\n")));
    ++unwritten_;
    answered_ = true;
  }

  /// The connection ends with it if the next request would begin behind a body.
  void refuse(const char* status, const std::string& fields = "") {
    if (request_.length > 0) ending_ = true;
    const std::string text = request_.method == "HEAD" ? "" : std::string(status) + "\n";
    answer(status, std::string(status).size() + 1, fields);
    if (text.empty()) return;
    ++unwritten_;
    write(proa::Bytes(text));
  }

  void on_write(std::size_t) override {
    if (--unwritten_ > 0 || !answered_) return;
    file_.close();
    head_.clear();
    busy_ = answered_ = false;
    if (ending_) return finish();
    proa::Buffer next = std::move(rest_);
    if (!next.empty()) on_read(next);
    if (!busy_) start_reading();
  }

  void on_error(std::error_code error) override {
    if (!storing_ || error == proa::Error::deadline) return close();
    storing_ = false;
    refuse("507 Insufficient Storage");
    finish();
  }
  void on_drain() override {
    ending_ = true;
    if (!busy_) finish();
  }
  void on_closed() override {
    closed_ = true;
    proactor().cancel(open_);
    if (!open_.pending() && !status_.pending() && !truncate_.pending()) delete this;
  }
  /// A request on the file may come home after the connection's end.
  bool gone() {
    const bool gone = closed_ || closing();
    if (closed_) delete this;
    return gone;
  }

  const Site& site_;
  std::string head_;
  proa::TimePoint head_due_;
  http::Request request_;
  proa::Buffer rest_;  // behind the head
  proa::File file_;
  proa::On<proa::Open, &Session::opened> open_{*this};
  proa::On<proa::Status, &Session::looked> status_{*this};
  proa::On<proa::Truncate, &Session::truncated> truncate_{*this};
  unsigned unwritten_ = 0;
  bool busy_ = false;
  bool storing_ = false;
  bool answered_ = false;
  bool ending_ = false;
  bool closed_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  enum { option_drain = 1, option_idle };
  const option long_options[] = {{"listen", required_argument, nullptr, 'l'},
                                 {"writable", no_argument, nullptr, 'w'},
                                 {"idle", required_argument, nullptr, option_idle},
                                 {"drain", required_argument, nullptr, option_drain},
                                 {"help", no_argument, nullptr, 'h'},
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  proa::Options options;
  std::vector<std::string> addresses;
  proa::Duration deadline = std::chrono::seconds(5);
  bool writable = false;
  proa::Duration idle = std::chrono::seconds(30);
  for (int c; (c = ::getopt_long(argc, argv, "l:wh", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case 'l':
        tool::to_address(optarg);  // all are looked at before the first one is bound
        addresses.push_back(optarg);
        break;
      case 'w':
        writable = true;
        break;
      case option_idle:
        idle = tool::to_seconds("idle", optarg);
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
  if (argc - optind != 1) tool::bad_usage("one directory is needed");
  if (addresses.empty()) tool::bad_usage("no address to listen on");

  const auto proactor = tool::make_proactor(options);
  std::error_code error;
  constexpr auto flags = proa::OpenFlags::read | proa::OpenFlags::directory;
  const Site site{proa::File::open(*proactor, argv[optind], flags, 0, error), writable, idle};
  if (error) tool::die(argv[optind] + (": " + error.message()));
  proa::Server<Session> server(*proactor, [&](proa::Socket socket, const proa::Address&) {
    return new Session(site, *proactor, std::move(socket));
  });
  return tool::serve(*proactor, server, addresses, deadline);
}
