// Whether a request's conditions hold (RFC 9110, 13).
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <proa/file.hpp>
#include <string>
#include <string_view>

#include "date.hpp"
#include "request.hpp"
#include "text.hpp"

namespace http {

/// What tells one version of a file from another.
struct Validators {
  bool exists = false;
  std::string tag;           ///< an entity tag, strong, with its quotes
  std::time_t modified = 0;  ///< in seconds
};

/// Another file under the same name has another inode, and a write into a file another time.
inline Validators validators_of(std::uint64_t inode, std::uint64_t size,
                                std::chrono::nanoseconds modified) {
  char tag[64];
  std::snprintf(tag, sizeof tag, "\"%llx-%llx-%llx\"", static_cast<unsigned long long>(inode),
                static_cast<unsigned long long>(size),
                static_cast<unsigned long long>(modified.count()));
  return {true, tag,
          static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(modified).count())};
}
inline Validators validators_of(const proa::FileStatus& status) {
  return validators_of(status.inode, status.size, status.modified);
}
inline Validators validators_of(const struct stat& status) {
#ifdef __APPLE__
  const timespec& time = status.st_mtimespec;
#else
  const timespec& time = status.st_mtim;
#endif
  return validators_of(status.st_ino, static_cast<std::uint64_t>(status.st_size),
                       std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

/// The opaque part may have commas: a tag ends with its second quote (RFC 9110, 8.8.3).
inline bool take_tag(std::string_view& list, std::string_view& tag, bool& weak) {
  const std::size_t begin = list.find_first_not_of(" \t,");
  if (begin == list.npos) return false;
  list.remove_prefix(begin);
  weak = list.substr(0, 2) == "W/";
  if (weak) list.remove_prefix(2);
  const std::size_t end = list.empty() || list[0] != '"' ? list.npos : list.find('"', 1);
  if (end == list.npos) return false;
  tag = list.substr(0, end + 1);
  list.remove_prefix(end + 1);
  return true;
}

/// If-Match compares strongly, If-None-Match weakly (RFC 9110, 13.1.1, 13.1.2).
inline bool matches(std::string_view list, const Validators& current, bool strongly) {
  if (trimmed(list) == "*") return current.exists;
  std::string_view tag;
  for (bool weak = false; take_tag(list, tag, weak);) {
    if (current.exists && tag == current.tag && !(weak && strongly)) return true;
  }
  return false;
}

/// 0: the request is to be carried out; 304 or 412. In the order of RFC 9110, 13.2.2.
inline int check_conditions(const Request& request, const Validators& current) {
  const bool reads = request.method == Method::get || request.method == Method::head;
  const auto modified_since = [&](const std::optional<std::string>& field, bool otherwise) {
    const auto date = field && current.exists ? from_date(*field) : std::nullopt;
    return date ? current.modified > *date : otherwise;
  };
  if (request.if_match) {
    if (!matches(*request.if_match, current, true)) return 412;
  } else if (modified_since(request.if_unmodified_since, false)) {
    return 412;
  }
  if (request.if_none_match) {
    if (matches(*request.if_none_match, current, false)) return reads ? 304 : 412;
  } else if (reads && !modified_since(request.if_modified_since, true)) {
    return 304;
  }
  return 0;
}

/// Whether Range counts: without If-Range, or if the client's part is of this very version (RFC
/// 9110, 13.1.5). A date that is hardly past is no strong validator (8.8.2.2).
inline bool range_counts(const Request& request, const Validators& current, std::time_t now) {
  if (!request.if_range) return true;
  std::string_view text = *request.if_range;
  if (text.find('"') != text.npos) {
    std::string_view tag;
    bool weak = false;
    return take_tag(text, tag, weak) && !weak && tag == current.tag;
  }
  const auto date = from_date(*request.if_range);
  return date && *date == current.modified && current.modified < now - 1;
}

}  // namespace http
