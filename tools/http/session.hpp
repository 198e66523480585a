// One connection: requests come in, and are answered one after the other.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <proa/proa.hpp>

#include "download.hpp"
#include "parser.hpp"
#include "site.hpp"
#include "upload.hpp"

namespace http {

class Session final : public proa::StreamHandler {
 public:
  Session(Site& site, proa::Proactor& proactor, proa::Socket socket, const proa::Address& peer);

  // What follows is for the Download or Upload that carries out the request.

  Site& site() { return site_; }
  const Request& request() const { return parser_.request(); }
  Parser& parser() { return parser_; }
  /// Answers, with parts of `file` if the answer has any, or with `content`, which is all of a file
  /// and all of the body. The request is over then.
  void answer(const Response& response, proa::File file = {}, std::string_view content = {});
  /// Says that the body may come.
  void invite_body();
  /// The next bytes that come, `length` of them, go into a file; Upload::received() follows.
  void store_body(proa::Descriptor file, std::uint64_t length);
  /// Bytes of the body go to Upload::take(), one buffer at a time: each call asks for one.
  void read_body();
  /// The body was read to its end; what is left in `data` belongs to the next request.
  void body_ended(proa::Buffer& data);

 private:
  enum class State : std::uint8_t {
    waiting,    // for a request, or for more of its head
    looking,    // at files; what arrives waits
    receiving,  // a body goes into a file
    answering,  // until the kernel has taken the answer; what arrives waits
    ending,     // the last answer was given, and finish() called
  };

  void on_open() override;
  void on_read(proa::Buffer& data) override;
  void on_write(std::size_t bytes) override;
  void on_received(std::uint64_t bytes) override;
  void on_end() override;
  void on_error(std::error_code error) override;
  void on_drain() override;
  void on_closed() override;

  void take_head(proa::Buffer& data);
  void begin();
  void next();
  void be_idle();
  void leave_idle();
  void end();
  void log();
  /// Whether the current request has a body that was not read to its end.
  bool body_is_left() const {
    const bool has_body = request().framing == Framing::chunked || request().length > 0;
    return has_body && !body_ended_;
  }

  Site& site_;
  proa::Address peer_;
  Parser parser_;
  State state_ = State::waiting;
  proa::TimePoint head_due_ =
      proa::never;     // since the first byte came, or the first that is no empty line
  proa::Buffer rest_;  // what came behind the part that was used
  proa::File file_;    // that is being sent
  WorkPointer<Download> download_{new Download(*this)};
  WorkPointer<Upload> upload_;
  std::optional<std::list<Session*>::iterator> idle_;  // its place in Site::idle_sessions
  unsigned unwritten_ = 0;                             // writes that the kernel has not taken
  // Of the answer under way, for the log: 0, or its status; what was written, and what of that is
  // no content.
  int status_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t no_content_ = 0;
  bool body_ended_ = false;  // of the current request
  bool is_last_ = false;     // no request is read after the current one
};

}  // namespace http
