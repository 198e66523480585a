// What a request asks for (RFC 9110, RFC 9112): the fields that a server of files understands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace http {

enum class Method : std::uint8_t { get, head, put, options, other };

/// How the body is told from what follows it.
enum class Framing : std::uint8_t { none, length, chunked };

struct Request {
  Method method = Method::other;
  std::string method_name;
  std::string target;  ///< as it came
  /// Decoded and relative, without dot segments: it cannot leave the directory that it is opened
  /// from. Empty for `OPTIONS *`.
  std::string path;
  unsigned minor_version = 1;  ///< of HTTP/1
  Framing framing = Framing::none;
  std::uint64_t length = 0;  ///< of the body, with Framing::length
  bool keep_alive = true;
  bool expects_continue = false;
  bool has_content_range = false;

  // Fields that may be there; several of one name are joined by ", " (RFC 9110, 5.3).
  std::optional<std::string> if_match;
  std::optional<std::string> if_none_match;
  std::optional<std::string> if_modified_since;
  std::optional<std::string> if_unmodified_since;
  std::optional<std::string> if_range;
  std::optional<std::string> range;
  std::string referer;
  std::string user_agent;
};

}  // namespace http
