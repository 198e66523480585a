// HTTP/1.1 requests, parsed by llhttp. What llhttp lets through and RFC 9112 does not is refused
// here.
#pragma once

#include <llhttp.h>

#include <string>
#include <string_view>

#include "request.hpp"

namespace http {

/// Reads one request after the other off a connection: first a head, then, if the body is chunked,
/// the body. A body with a length is for the caller to take off the connection.
class Parser {
 public:
  /// A request, its method and fields, with empty lines before it.
  static constexpr std::size_t head_limit = 16384;
  static constexpr std::size_t target_limit = 8192;  // RFC 9110, 4.1 recommends 8000
  static constexpr std::size_t field_limit = 100;
  /// What a chunked body may have beside the data: extensions, trailer fields.
  static constexpr std::size_t extra_limit = 16384;

  enum class State : std::uint8_t {
    head,     // more of the head is to come
    request,  // the head is complete: request()
    body,     // more of a chunked body is to come
    done,     // the chunked body is complete
    refused,  // status() says why; nothing can be read from this connection any more
  };

  Parser();
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  /// Takes bytes of a head, in state head; returns how many of them belong to it.
  std::size_t take_head(std::string_view bytes);
  /// Begins with the chunked body, in state request.
  void begin_body() { state_ = State::body; }
  /// Takes bytes of a chunked body, in state body, and appends the data to `data`; returns how many
  /// belong to the body.
  std::size_t take_body(std::string_view bytes, std::string& data);
  /// Begins with the next request.
  void begin_head();

  State state() const { return state_; }
  /// Whether anything of the next request has come.
  bool has_begun() const { return head_.find_first_not_of("\r\n") != head_.npos; }
  const Request& request() const { return request_; }
  int status() const { return status_; }

 private:
  static int on_target(llhttp_t* parser, const char* text, std::size_t size);
  static int on_name(llhttp_t* parser, const char* text, std::size_t size);
  static int on_value(llhttp_t* parser, const char* text, std::size_t size);
  static int on_field_complete(llhttp_t* parser);
  static int on_extension(llhttp_t* parser, const char* text, std::size_t size);
  static int on_head_complete(llhttp_t* parser);
  static int on_body(llhttp_t* parser, const char* text, std::size_t size);
  static int on_complete(llhttp_t* parser);
  static const llhttp_settings_t& settings();
  static Parser& of(llhttp_t* parser) { return *static_cast<Parser*>(parser->data); }

  void refuse(int status);
  void take_field();
  void take_connection(std::string_view list);
  int why_refused(llhttp_errno_t error, std::string_view next) const;
  int check_head();
  int check_lines() const;
  int check_framing();
  bool count_extra(std::size_t size);

  llhttp_t llhttp_;
  State state_ = State::head;
  int status_ = 0;
  std::string head_;  // all of it, to be looked at once more
  std::string name_;
  std::string value_;
  std::string coding_;  // Transfer-Encoding
  std::string* data_ = nullptr;
  std::size_t fields_ = 0;
  std::size_t extra_ = 0;
  unsigned hosts_ = 0;
  bool host_is_valid_ = true;
  bool has_coding_ = false;
  bool says_close_ = false;
  bool says_keep_alive_ = false;
  bool expects_other_ = false;
  Request request_;
};

}  // namespace http
