// What a head says, once it is complete.
#include <algorithm>
#include <limits>

#include "parser.hpp"
#include "target.hpp"
#include "text.hpp"

namespace http {

namespace {

/// No file is longer.
constexpr std::uint64_t longest_body = std::numeric_limits<std::int64_t>::max();

void join(std::optional<std::string>& field, const std::string& value) {
  field = field ? *field + ", " + value : value;
}

Method to_method(std::string_view name) {
  if (name == "GET") return Method::get;
  if (name == "HEAD") return Method::head;
  if (name == "PUT") return Method::put;
  if (name == "OPTIONS") return Method::options;
  return Method::other;
}

}  // namespace

void Parser::take_connection(std::string_view list) {
  for (std::string_view each; next_element(list, each);) {
    says_close_ = says_close_ || same(each, "close");
    says_keep_alive_ = says_keep_alive_ || same(each, "keep-alive");
  }
}

void Parser::take_field() {
  const std::string value(trimmed(value_));
  const auto is = [this](std::string_view name) { return same(name_, name); };
  if (is("Host")) {
    ++hosts_;
    host_is_valid_ = is_authority(value);
  } else if (is("Connection")) {
    take_connection(value);
  } else if (is("Transfer-Encoding")) {
    has_coding_ = true;
    coding_ += (coding_.empty() ? "" : ", ") + value;
  } else if (is("Content-Range")) {
    request_.has_content_range = true;
  } else if (is("Expect")) {
    const bool known = same(value, "100-continue");
    (known ? request_.expects_continue : expects_other_) = true;
  } else if (is("If-Match")) {
    join(request_.if_match, value);
  } else if (is("If-None-Match")) {
    join(request_.if_none_match, value);
  } else if (is("If-Modified-Since")) {
    join(request_.if_modified_since, value);
  } else if (is("If-Unmodified-Since")) {
    join(request_.if_unmodified_since, value);
  } else if (is("If-Range")) {
    join(request_.if_range, value);
  } else if (is("Range")) {
    join(request_.range, value);
  } else if (is("Referer")) {
    request_.referer = value;
  } else if (is("User-Agent")) {
    request_.user_agent = value;
  }
}

/// What the head asks for; the status that refuses it, or 0.
int Parser::check_head() {
  if (const int status = check_lines()) return status;
  request_.method_name = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_.method));
  request_.method = to_method(request_.method_name);
  if (llhttp_.http_major != 1) return 505;
  request_.minor_version = llhttp_.http_minor;
  const bool is_current = request_.minor_version > 0;
  if (hosts_ > 1 || (is_current && hosts_ == 0) || !host_is_valid_) return 400;  // RFC 9112, 3.2
  request_.keep_alive = !says_close_ && (is_current || says_keep_alive_);        // RFC 9112, 9.3
  if (const int status = check_framing()) return status;
  if (request_.method == Method::other) return 0;  // whatever its target may be
  if (const int status = decode_target(request_.method, request_.target, request_.path)) {
    return status;
  }
  if (!is_current) request_.expects_continue = false;  // RFC 9110, 10.1.1
  return is_current && expects_other_ ? 417 : 0;
}

/// RFC 9112, 6. llhttp has refused what has two lengths, or a length and a coding.
int Parser::check_framing() {
  if (has_coding_) {
    const std::size_t comma = coding_.rfind(',');
    const std::string_view last = trimmed(std::string_view(coding_).substr(comma + 1));
    if (request_.minor_version == 0 || !same(last, "chunked")) return 400;
    if (comma != coding_.npos) return 501;
    request_.framing = Framing::chunked;
  } else if (llhttp_.flags & F_CONTENT_LENGTH) {
    request_.length = llhttp_.content_length;
    if (request_.length > longest_body) return 413;
    request_.framing = Framing::length;
  }
  return 0;
}

/// Line ends, spaces and names as RFC 9112 has them: what is read otherwise by others is how
/// requests are smuggled. llhttp 8 takes lines that are folded, nameless fields, several spaces in
/// the request line and other protocols' names.
int Parser::check_lines() const {
  std::string_view left = head_;
  while (left.substr(0, 2) == "\r\n") left.remove_prefix(2);  // RFC 9112, 2.2
  for (bool is_first = true; !left.empty(); is_first = false) {
    const std::size_t end = left.find("\r\n");
    const std::string_view line = left.substr(0, end);
    if (end == left.npos || line.find_first_of(std::string_view("\r\n\0", 3)) != line.npos)
      return 400;
    left.remove_prefix(end + 2);
    if (line.empty()) return left.empty() ? 0 : 400;
    if (is_first) {
      const std::size_t space = line.find(' ');
      const std::size_t second = line.find(' ', std::min(space, line.size() - 1) + 1);
      if (second == line.npos || second == space + 1) return 400;
      const std::string_view version = line.substr(second + 1);
      if (version.size() != 8 || version.substr(0, 5) != "HTTP/") return 400;
    } else if (!is_token(line.substr(0, std::min(line.find(':'), line.size())))) {
      return 400;
    }
  }
  return 400;
}

}  // namespace http
