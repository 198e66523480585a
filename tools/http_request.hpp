// The head of an HTTP/1.1 request (RFC 9112), as much of it as a server of plain files needs.
#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace http {

/// No file is longer.
constexpr std::uint64_t longest_body = std::numeric_limits<std::int64_t>::max();

/// What a request asks for, or why it is none.
struct Request {
  std::string method;
  std::string
      path;  // decoded, relative, without "..": cannot leave the directory it is opened from
  std::uint64_t length = 0;
  bool has_length = false;
  bool keep_alive = false;
  bool expects_continue = false;
};

inline bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

inline std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// No control character but tabs: no CR or LF either, which others may take for the end of a line.
inline bool is_text(std::string_view line) {
  return std::none_of(line.begin(), line.end(),
                      [](unsigned char c) { return (c < ' ' && c != '\t') || c == 0x7f; });
}

/// A name, by RFC 9110. Others may read one in what is none, and know where a body ends by it.
inline bool is_token(std::string_view name) {
  constexpr std::string_view characters =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return !name.empty() && name.find_first_not_of(characters) == name.npos;
}

/// Takes the text up to `separator` off the front; false if there is none.
inline bool take(std::string_view& from, std::string_view separator, std::string_view& part) {
  const std::size_t end = from.find(separator);
  if (end == from.npos) return false;
  part = from.substr(0, end);
  from.remove_prefix(end + separator.size());
  return true;
}

/// A path below the root; false for what is none: no leading slash, bad escapes, NUL, "..".
inline bool decode_path(std::string_view target, std::string& path) {
  target = target.substr(0, target.find_first_of("?#"));
  if (target.empty() || target[0] != '/') return false;
  path.clear();
  for (std::size_t i = 0; i < target.size(); ++i) {
    unsigned value = static_cast<unsigned char>(target[i]);
    if (target[i] == '%') {
      if (target.size() - i < 3) return false;
      const char* const end = target.data() + i + 3;
      const auto parsed = std::from_chars(target.data() + i + 1, end, value, 16);
      if (parsed.ptr != end) return false;
      i += 2;
    }
    if (value == 0) return false;
    path.push_back(static_cast<char>(value));
  }
  if (path.back() == '/') path += "index.html";
  path.erase(0, path.find_first_not_of('/'));
  for (std::string_view left = path; !left.empty();) {
    const std::size_t end = std::min(left.find('/'), left.size());
    if (left.substr(0, end) == "..") return false;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return true;
}

/// One line of the head.
inline bool parse_field(std::string_view line, Request& request, unsigned& hosts) {
  std::string_view name;
  if (!is_text(line) || !take(line, ":", name) || !is_token(name)) return false;
  const std::string_view value = trimmed(line);
  if (same(name, "Host")) ++hosts;
  if (same(name, "Transfer-Encoding")) return false;  // where the body ends could not be told
  if (same(name, "Expect")) request.expects_continue = same(value, "100-continue");
  if (same(name, "Connection")) {
    if (same(value, "close")) request.keep_alive = false;
    if (same(value, "keep-alive")) request.keep_alive = true;
  }
  if (same(name, "Content-Length")) {
    const char* const end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, request.length);
    if (request.has_length || parsed.ec != std::errc() || parsed.ptr != end) return false;
    if (request.length > longest_body) return false;
    request.has_length = true;
  }
  return true;
}

/// `head` ends with the empty line. False: it is no request.
inline bool parse(std::string_view head, Request& request) {
  request = {};
  std::string_view line;
  std::string_view method;
  std::string_view target;
  if (!take(head, "\r\n", line) || !is_text(line) || line.find('\t') != line.npos) return false;
  if (!take(line, " ", method) || !is_token(method) || !take(line, " ", target)) return false;
  if (line != "HTTP/1.1" && line != "HTTP/1.0") return false;
  request.method = method;
  request.keep_alive = line == "HTTP/1.1";
  const bool needs_host = line == "HTTP/1.1";
  unsigned hosts = 0;
  if (!decode_path(target, request.path)) return false;
  while (take(head, "\r\n", line) && !line.empty()) {
    if (!parse_field(line, request, hosts)) return false;
  }
  return hosts <= 1 && (hosts == 1 || !needs_host);  // RFC 9112, 3.2
}

}  // namespace http
