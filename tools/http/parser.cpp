#include "parser.hpp"

#include <algorithm>

#include "text.hpp"

namespace http {

const llhttp_settings_t& Parser::settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t made;
    llhttp_settings_init(&made);
    made.on_url = on_target;
    made.on_header_field = on_name;
    made.on_header_value = on_value;
    made.on_header_value_complete = on_field_complete;
    made.on_chunk_extension_name = on_extension;
    made.on_chunk_extension_value = on_extension;
    made.on_headers_complete = on_head_complete;
    made.on_body = on_body;
    made.on_message_complete = on_complete;
    return made;
  }();
  return settings;
}

Parser::Parser() { begin_head(); }

void Parser::begin_head() {
  llhttp_init(&llhttp_, HTTP_REQUEST, &settings());
  llhttp_.data = this;
  state_ = State::head;
  head_.clear();
  name_.clear();
  value_.clear();
  coding_.clear();
  fields_ = extra_ = hosts_ = 0;
  host_is_valid_ = true;
  has_coding_ = says_close_ = says_keep_alive_ = expects_other_ = false;
  request_ = {};
}

std::size_t Parser::take_head(std::string_view bytes) {
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  const std::size_t taken =
      error == HPE_OK ? bytes.size()
                      : static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
  head_.append(bytes.substr(0, taken));
  if (state_ == State::refused) return taken;
  if (head_.size() > head_limit) {
    refuse(request_.target.size() > target_limit ? 414 : 431);
  } else if (error == HPE_PAUSED) {
    state_ = State::request;
    llhttp_resume(&llhttp_);
    if (const int status = check_head()) refuse(status);
  } else if (error != HPE_OK) {
    refuse(why_refused(error, bytes.substr(taken, 1)));
  }
  return taken;
}

std::size_t Parser::take_body(std::string_view bytes, std::string& data) {
  data_ = &data;
  const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
  data_ = nullptr;
  if (error == HPE_OK) return bytes.size();
  if (error != HPE_PAUSED || state_ != State::done) refuse(400);
  return static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data());
}

void Parser::refuse(int status) {
  state_ = State::refused;
  status_ = status;
}

/// A method that nobody knows is no mistake, nor is a later version (RFC 9110, 15.6.2, 15.6.6).
/// `next` is what comes behind the bytes that were taken.
int Parser::why_refused(llhttp_errno_t error, std::string_view next) const {
  if (error == HPE_INVALID_METHOD) {
    std::string begun = head_.substr(std::min(head_.find_first_not_of("\r\n"), head_.size()));
    begun += next;
    return is_token(begun.substr(0, begun.find(' '))) ? 501 : 400;
  }
  // llhttp knows 1.0 and 1.1 only: any other 1.x is told so, too.
  const unsigned major = llhttp_.http_major;
  const unsigned minor = llhttp_.http_minor;
  if (error == HPE_INVALID_VERSION && major >= 1 && (major > 1 || minor > 1)) return 505;
  return error == HPE_PAUSED_H2_UPGRADE ? 505 : 400;
}

int Parser::on_target(llhttp_t* parser, const char* text, std::size_t size) {
  Parser& self = of(parser);
  self.request_.target.append(text, size);
  if (self.request_.target.size() <= target_limit) return 0;
  self.refuse(414);
  return HPE_USER;
}

int Parser::on_name(llhttp_t* parser, const char* text, std::size_t size) {
  Parser& self = of(parser);
  self.name_.append(text, size);
  return self.count_extra(size) ? 0 : HPE_USER;
}

int Parser::on_value(llhttp_t* parser, const char* text, std::size_t size) {
  Parser& self = of(parser);
  self.value_.append(text, size);
  return self.count_extra(size) ? 0 : HPE_USER;
}

int Parser::on_extension(llhttp_t* parser, const char*, std::size_t size) {
  return of(parser).count_extra(size) ? 0 : HPE_USER;
}

/// What comes behind the head and is no data: an endless lot of it would never be idle.
bool Parser::count_extra(std::size_t size) {
  if (state_ != State::body) return true;
  extra_ += size + 1;
  if (extra_ <= extra_limit) return true;
  refuse(431);
  return false;
}

int Parser::on_field_complete(llhttp_t* parser) {
  Parser& self = of(parser);
  if (self.state_ == State::head) {
    if (++self.fields_ > field_limit) {
      self.refuse(431);
      return HPE_USER;
    }
    self.take_field();
  }
  self.name_.clear();
  self.value_.clear();
  return self.count_extra(0) ? 0 : HPE_USER;
}

int Parser::on_head_complete(llhttp_t*) { return HPE_PAUSED; }

int Parser::on_body(llhttp_t* parser, const char* text, std::size_t size) {
  of(parser).data_->append(text, size);
  return 0;
}

int Parser::on_complete(llhttp_t* parser) {
  of(parser).state_ = State::done;
  return HPE_PAUSED;
}

}  // namespace http
