// Which file a request's target names (RFC 9112, 3.2; RFC 3986).
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "request.hpp"
#include "text.hpp"

namespace http {

/// What a target that ends with a slash means there.
constexpr std::string_view index_name = "index.html";
/// Files that are being uploaded begin with this; requests cannot name them.
constexpr std::string_view upload_prefix = ".proa-upload-";

/// Decodes one segment of a path. Statuses: 0, 400 for what is no segment, 404 for one that no file
/// can have as its name.
inline int decode_segment(std::string_view text, std::string& segment) {
  segment.clear();
  int status = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = static_cast<unsigned char>(text[i]);
    if (value == '%') {
      if (text.size() - i < 3) return 400;
      const char* const end = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, end, value, 16).ptr != end) return 400;
      i += 2;
      if (value == '/') status = 404;
    }
    if (value == 0) return 400;
    segment.push_back(static_cast<char>(value));
  }
  return status;
}

/// The path below the root, without dot segments (RFC 3986, 5.2.4), empty segments and a slash in
/// front. 400 if it would lead above the root.
inline int decode_path(std::string_view text, std::string& path) {
  std::vector<std::string> segments;
  bool is_directory = true;
  for (bool goes_on = true; goes_on;) {
    const std::size_t slash = text.find('/');
    goes_on = slash != text.npos;
    std::string segment;
    if (const int status = decode_segment(text.substr(0, slash), segment)) return status;
    if (goes_on) text.remove_prefix(slash + 1);
    is_directory = segment.empty() || segment == "." || segment == "..";
    if (segment == "..") {
      if (segments.empty()) return 400;
      segments.pop_back();
    } else if (!is_directory) {
      if (segment.compare(0, upload_prefix.size(), upload_prefix) == 0) return 404;
      segments.push_back(std::move(segment));
    }
  }
  if (is_directory) segments.emplace_back(index_name);
  path.clear();
  for (const std::string& segment : segments) path += (path.empty() ? "" : "/") + segment;
  return 0;
}

/// A name or an IPv4 address (RFC 3986, 3.2.2): characters, or "%" and two digits for one.
inline bool is_registered_name(std::string_view text) {
  constexpr std::string_view plain =
      "-._~!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (plain.find(text[i]) != plain.npos) continue;
    const std::string_view digits = text.substr(i + 1, 2);
    const bool hexadecimal =
        digits.size() == 2 && digits.find_first_not_of("0123456789abcdefABCDEF") == digits.npos;
    if (text[i] != '%' || !hexadecimal) return false;
    i += 2;
  }
  return true;
}

/// The host, and perhaps the port, of a Host field or a target (RFC 9110, 7.2): no user. The host
/// may be empty there.
inline bool is_authority(std::string_view text) {
  std::size_t end = text.find(':');
  bool is_host = false;
  if (text.substr(0, 1) == "[") {
    end = std::min(text.find(']'), text.size() - 1) + 1;
    const std::string address(text.substr(1, end - 1 > 0 ? end - 2 : 0));
    in6_addr parsed;
    is_host = text[end - 1] == ']' && ::inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
  } else {
    is_host = is_registered_name(text.substr(0, end));
  }
  if (!is_host || end >= text.size()) return is_host;
  return text[end] == ':' && text.find_first_not_of("0123456789", end + 1) == text.npos;
}

/// Sets `path` by the target; 0, or the status that refuses it.
inline int decode_target(Method method, std::string_view target, std::string& path) {
  path.clear();
  if (target == "*") return method == Method::options ? 0 : 400;
  if (target.find('#') != target.npos) return 400;
  if (target.empty()) return 400;
  if (target[0] != '/') {  // the absolute form, which a proxy is sent
    const std::size_t scheme = target.find("://");
    if (scheme == target.npos) return 400;
    const std::string_view name = target.substr(0, scheme);
    if (!same(name, "http") && !same(name, "https")) return 400;
    target.remove_prefix(scheme + 3);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (end == 0 || !is_authority(target.substr(0, end))) return 400;
    target.remove_prefix(end);
  }
  return decode_path(target.substr(0, target.find('?')), path);
}

/// A path as a target: what has to be is escaped.
inline std::string encode_path(std::string_view path) {
  constexpr std::string_view plain =
      "-._~!$&'()*+,;=:@/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  constexpr char digits[] = "0123456789ABCDEF";
  std::string text = "/";
  for (const char c : path) {
    const auto value = static_cast<unsigned char>(c);
    if (plain.find(c) != plain.npos) {
      text += c;
    } else {
      text += {'%', digits[value >> 4], digits[value & 15]};
    }
  }
  return text;
}

}  // namespace http
