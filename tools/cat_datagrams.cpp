// The part of proa-cat for datagrams. They have no end, and nobody says whether they arrived: after
// the end of standard input it is a quiet time that ends the program.
#include "cat_datagrams.hpp"

#include <algorithm>
#include <optional>

#include "tool.hpp"

namespace {

constexpr std::size_t longest = 65507;  // UDP over IPv4
constexpr proa::Watermarks marks{};

class Cat;

class Input final : public proa::StreamHandler {
 public:
  Input(Cat& cat, proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)), cat_(cat) {}

 private:
  void on_read(proa::Buffer& data) override;
  void on_end() override;
  void on_error(std::error_code error) override;

  Cat& cat_;
};

class Output final : public proa::StreamHandler {
 public:
  Output(Cat& cat, proa::Proactor& proactor, proa::Socket socket)
      : StreamHandler(proactor, std::move(socket)), cat_(cat) {}

  /// Closes when all is written.
  void end() {
    ending_ = true;
    if (unsent() == 0) close();
  }

 private:
  void on_open() override {}
  void on_read(proa::Buffer&) override {}
  void on_write(std::size_t) override {
    if (ending_ && unsent() == 0) close();
  }
  void on_drained() override;
  void on_error(std::error_code error) override;

  Cat& cat_;
  bool ending_ = false;
};

class Link final : public proa::DatagramHandler {
 public:
  Link(Cat& cat, proa::Proactor& proactor) : DatagramHandler(proactor), cat_(cat) {}

 private:
  void on_receive(proa::Buffer& data, const proa::Address& source,
                  const proa::DatagramInfo& info) override;
  void on_sent(const proa::Address& to, const proa::Result& result) override;
  void on_error(std::error_code error) override;
  void on_drained() override;

  Cat& cat_;
};

class Quiet final : public proa::TimerHandler {
 public:
  Quiet(Cat& cat, proa::Proactor& proactor) : TimerHandler(proactor), cat_(cat) {}

 private:
  void on_timer(std::uint64_t expirations) override;

  Cat& cat_;
};

class Cat {
 public:
  Cat(proa::Proactor& proactor, proa::Duration quiet) : proactor_(proactor), quiet_(quiet) {}

  int run(const proa::Address& address) {
    std::string detail;
    // A UNIX socket without a name could not be answered.
    const auto name = "proa-cat-" + std::to_string(::getpid());
    const bool local = address.family() == proa::Address::Family::local;
    if ((local && link_.bind(proa::Address::abstract(name), {}, &detail)) ||
        link_.connect(address, {}, &detail)) {
      fail(detail);
    } else {
      proa::Socket in = borrow(STDIN_FILENO, "standard input");
      proa::Socket out = borrow(STDOUT_FILENO, "standard output");
      if (status_ == 0) {
        input_.emplace(*this, proactor_, std::move(in));
        output_.emplace(*this, proactor_, std::move(out));
        proactor_.run();
      }
    }
    proactor_.shutdown(std::chrono::seconds(1));
    return status_;
  }

  void read(proa::Buffer& data) {
    if (data.size() <= longest) {
      link_.send(std::move(data));
    } else {
      for (std::size_t at = 0; at < data.size(); at += longest) {
        link_.send(proa::Bytes(data.data() + at, std::min(data.size() - at, longest)));
      }
    }
    if (link_.queued() > marks.high) input_->stop_reading();
  }
  void sent(const proa::Result& result) {
    if (result.error) complain_once("sending", result.error);
    listen_on();
  }
  void sent_all() {
    if (!input_ended_) input_->start_reading();
  }
  void input_ended() {
    input_ended_ = true;
    input_->close();
    listen_on();
  }

  void received(proa::Buffer& data) {
    if (!data.empty()) output_->write(std::move(data));
    if (output_->queued() > marks.high) link_.stop_receiving();
    listen_on();
  }
  void written_all() { link_.start_receiving(); }

  void fell_quiet() {
    if (link_.queued() > 0 || output_->unsent() > 0) return listen_on();
    link_.close();
    output_->end();
  }

  /// Of the peer, which may be there for the next datagram.
  void complain_once(const char* what, std::error_code error) {
    status_ = tool::failure;
    if (error == complained_) return;
    complained_ = error;
    tool::complain(what + (": " + error.message()));
  }
  /// Of this side: there is no going on.
  void fail(const std::string& message) {
    tool::complain(message);
    status_ = tool::failure;
    proactor_.stop();
  }

 private:
  /// For a quiet time from now.
  void listen_on() {
    if (input_ended_ && link_.is_open() && !link_.closing()) timer_.start(quiet_);
  }

  proa::Socket borrow(int number, const char* name) {
    std::error_code error;
    proa::Socket socket = proa::Socket::borrow(proactor_, number, error);
    if (error) fail(std::string(name) + ": " + error.message());
    return socket;
  }

  proa::Proactor& proactor_;
  proa::Duration quiet_;
  Link link_{*this, proactor_};
  Quiet timer_{*this, proactor_};
  std::optional<Input> input_;
  std::optional<Output> output_;
  std::error_code complained_;
  bool input_ended_ = false;
  int status_ = 0;
};

void Input::on_read(proa::Buffer& data) { cat_.read(data); }
void Input::on_end() { cat_.input_ended(); }
void Input::on_error(std::error_code error) { cat_.fail("standard input: " + error.message()); }

void Output::on_drained() { cat_.written_all(); }
void Output::on_error(std::error_code error) { cat_.fail("standard output: " + error.message()); }

void Link::on_receive(proa::Buffer& data, const proa::Address&, const proa::DatagramInfo&) {
  cat_.received(data);
}
void Link::on_sent(const proa::Address&, const proa::Result& result) { cat_.sent(result); }
void Link::on_error(std::error_code error) { cat_.complain_once("peer", error); }
void Link::on_drained() { cat_.sent_all(); }

void Quiet::on_timer(std::uint64_t) { cat_.fell_quiet(); }

}  // namespace

int cat_datagrams(proa::Proactor& proactor, const proa::Address& address, proa::Duration quiet) {
  return Cat(proactor, quiet).run(address);
}
