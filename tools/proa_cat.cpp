// proa-cat: a netcat. Standard input, standard output and the connection are three streams of the
// library; what one reads, another writes, in the buffers that it came in.
#include <sys/socket.h>

#include <chrono>
#include <csignal>
#include <optional>

#include "cat_datagrams.hpp"
#include "tool.hpp"

namespace {

constexpr char help[] =
    "usage: proa-cat [options] ADDRESS            connects\n"
    "       proa-cat [options] --listen ADDRESS   accepts one connection\n"
    "       proa-cat [options] --udp ADDRESS      sends and receives datagrams\n"
    "Copies standard input to the connection and the connection to standard output, until both\n"
    "have ended. The end of standard input is passed on, and reading goes on.\n"
    "\n"
    "ADDRESS is 127.0.0.1:80, [::1]:80, unix:/a/path or unix:@name.\n"
    "\n"
    "  -l, --listen           wait for a connection instead of making one\n"
    "  -t, --timeout SECONDS  give up connecting after that\n"
    "  -u, --udp              datagrams, over UDP or a UNIX socket: each read of standard input\n"
    "                         is one, of 65507 bytes at most\n"
    "  -w, --wait SECONDS     with --udp, which has no end: after standard input's, end when\n"
    "                         nothing was sent or received for so long (1)\n" TOOL_BACKEND_HELP
    "  -h, --help\n"
    "\n"
    "With --udp errors of the peer, as \"connection refused\", are told once, and it goes on.\n"
    "Exit status: 0 when all was copied, 1 after an error, 2 for bad usage.\n";

class Cat;

/// One of the three. It reads for `sink` and writes what `source` reads; standard input has no
/// source and standard output no sink.
class End final : public proa::StreamHandler {
 public:
  End(Cat& cat, const char* name, proa::Proactor& proactor)
      : StreamHandler(proactor), cat_(cat), name_(name) {
    relay();
  }
  End(Cat& cat, const char* name, proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)), cat_(cat), name_(name) {
    relay();
  }

  void copy_to(End& sink) {
    sink_ = &sink;
    sink.source_ = this;
  }

 private:
  void on_open() override;
  void on_read(proa::Buffer& data) override {
    sink_->write(std::move(data));
    if (sink_->queued() > marks.high) stop_reading();
  }
  void on_drained() override {
    if (!source_->input_ended_) source_->start_reading();
  }
  void on_write(std::size_t) override { close_if_done(); }
  void on_end() override {
    input_ended_ = true;
    sink_->half_close();
    sink_->close_if_done();
    close_if_done();
  }
  void on_error(std::error_code error) override;
  // Borrowed, hence still open; whoever reads our output waits for its end. A socket may be
  // standard input as well.
  void on_closed() override {
    if (sink_ || !source_) return;
    ::shutdown(STDOUT_FILENO, SHUT_WR);
    tool::replace_by_null(STDOUT_FILENO);
  }

  // What one of us reads pauses its source alone: were its own reading paused as well, two of us,
  // face to face, could wait for each other for ever.
  void relay() {
    proa::Watermarks relaying = marks;
    relaying.pause_reading = false;
    set_watermarks(relaying);
  }
  void close_if_done() {
    const bool sent = !source_ || (source_->input_ended_ && unsent() == 0);
    if (sent && (!sink_ || input_ended_)) close();
  }

  static constexpr proa::Watermarks marks{};

  Cat& cat_;
  const char* name_;
  End* sink_ = nullptr;
  End* source_ = nullptr;
  bool input_ended_ = false;
};

/// Waits for the one connection.
class Listener final : public proa::AcceptHandler {
 public:
  Listener(Cat& cat, proa::Proactor& proactor) : AcceptHandler(proactor), cat_(cat) {}

 private:
  void on_accept(proa::Socket socket, const proa::Address&) override;
  void on_error(std::error_code error) override;

  Cat& cat_;
};

class Interrupt final : public proa::SignalHandler {
 public:
  using SignalHandler::SignalHandler;

 private:
  void on_signal(int, std::uint64_t) override { proactor().stop(); }
};

class Cat {
 public:
  explicit Cat(proa::Proactor& proactor) : proactor_(proactor) {}

  void connect(const proa::Address& address, proa::Duration timeout) {
    link_.emplace(*this, "connection", proactor_);
    where_ = address.to_string();
    link_->connect(address, proa::after(proactor_.system().now(), timeout));
  }

  void listen(const proa::Address& address) {
    std::string detail;
    if (listener_.listen(address, {}, &detail)) tool::die(detail);
    path_.emplace(listener_.address());
    for (const int signal : {SIGINT, SIGTERM}) {
      if (interrupt_.start(signal, &detail)) tool::die(detail);
    }
    std::fprintf(stderr, "listening on %s (%s)\n", listener_.address().to_string().c_str(),
                 proactor_.backend().name.c_str());
  }

  /// `link` has been connected: begin to copy.
  void opened() {
    if (input_) return;
    proa::Socket in = borrow(STDIN_FILENO, "standard input");
    proa::Socket out = borrow(STDOUT_FILENO, "standard output");
    if (status_ != 0) return close_all();
    input_.emplace(*this, "standard input", proactor_, std::move(in));
    output_.emplace(*this, "standard output", proactor_, std::move(out));
    input_->copy_to(*link_);
    link_->copy_to(*output_);
    link_->start_reading();
  }

  void accepted(proa::Socket socket) {
    stop_listening();
    link_.emplace(*this, "connection", proactor_, std::move(socket));
  }

  void failed(const char* name, std::error_code error) {
    // The library's and the system's messages say what, not where.
    const bool connecting = !input_ && !where_.empty();
    tool::complain((connecting ? "cannot connect to " + where_ : name) + ": " + error.message());
    status_ = tool::failure;
    close_all();
  }

  int run() {
    proactor_.run();
    if (listener_.is_open()) status_ = tool::failure;  // interrupted
    stop_listening();
    proactor_.shutdown(std::chrono::seconds(1));
    return status_;
  }

 private:
  proa::Socket borrow(int number, const char* name) {
    std::error_code error;
    proa::Socket socket = proa::Socket::borrow(proactor_, number, error);
    if (error) {
      tool::complain(std::string(name) + ": " + error.message());
      status_ = tool::failure;
    }
    return socket;
  }

  void stop_listening() {
    if (listener_.is_open()) listener_.close();
    interrupt_.stop();
    path_.reset();
  }

  void close_all() {
    stop_listening();
    for (std::optional<End>* const end : {&link_, &input_, &output_}) {
      if (*end && (*end)->is_open()) (*end)->close();
    }
  }

  proa::Proactor& proactor_;
  Listener listener_{*this, proactor_};
  Interrupt interrupt_{proactor_};
  std::optional<tool::BoundPath> path_;
  std::optional<End> link_;
  std::optional<End> input_;
  std::optional<End> output_;
  std::string where_;
  int status_ = 0;
};

void End::on_open() {
  if (!sink_ && !source_) {
    cat_.opened();  // the connection
  } else if (sink_) {
    start_reading();
  }
}

void End::on_error(std::error_code error) { cat_.failed(name_, error); }

void Listener::on_accept(proa::Socket socket, const proa::Address&) {
  cat_.accepted(std::move(socket));
}

void Listener::on_error(std::error_code error) { cat_.failed("listening", error); }

}  // namespace

int main(int argc, char** argv) {
  tool::begin(argv);
  const option long_options[] = {{"listen", no_argument, nullptr, 'l'},
                                 {"timeout", required_argument, nullptr, 't'},
                                 {"udp", no_argument, nullptr, 'u'},
                                 {"wait", required_argument, nullptr, 'w'},
                                 {"help", no_argument, nullptr, 'h'},
                                 TOOL_BACKEND_OPTIONS,
                                 {}};
  proa::Options options;
  bool listens = false;
  bool datagrams = false;
  proa::Duration timeout = proa::Duration::max();
  std::optional<proa::Duration> quiet;
  for (int c; (c = ::getopt_long(argc, argv, "lt:uw:h", long_options, nullptr)) != -1;) {
    if (tool::take_backend_option(c, options)) continue;
    switch (c) {
      case 'l':
        listens = true;
        break;
      case 't':
        timeout = tool::to_seconds("timeout", optarg);
        break;
      case 'u':
        datagrams = true;
        break;
      case 'w':
        quiet = tool::to_seconds("wait", optarg);
        break;
      case 'h':
        std::fputs(help, stdout);
        return 0;
      default:
        tool::die("try --help", tool::usage_error);
    }
  }
  if (argc - optind != 1) tool::bad_usage("one address is needed");
  if (datagrams && (listens || timeout != proa::Duration::max())) {
    tool::bad_usage("--udp makes no connection: it goes with neither --listen nor --timeout");
  }
  if (quiet && !datagrams) tool::bad_usage("--wait goes with --udp alone");

  const proa::Address address = tool::to_address(argv[optind]);

  if (datagrams) options.buffer_size = tool::datagram_buffer_size;
  const auto proactor = tool::make_proactor(options);
  if (datagrams) return cat_datagrams(*proactor, address, quiet.value_or(std::chrono::seconds(1)));
  Cat cat(*proactor);
  if (listens) {
    cat.listen(address);
  } else {
    cat.connect(address, timeout);
  }
  return cat.run();
}
