// What is answered: a status, fields, and a short text or parts of a file.
#pragma once

#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "conditions.hpp"
#include "content_type.hpp"
#include "ranges.hpp"
#include "request.hpp"

namespace http {

/// A stretch of the file, and what stands in front of it in the body.
struct Piece {
  std::string before;
  Range range;
};

struct Response {
  int status = 200;
  std::string fields;  ///< whole lines, of what belongs to this answer
  std::string text;    ///< the body, or the end of one that has pieces
  std::vector<Piece> pieces;
  bool closes = false;  ///< the connection ends with this answer, whatever the request says

  std::uint64_t length() const {
    std::uint64_t sum = text.size();
    for (const Piece& piece : pieces) sum += piece.before.size() + piece.range.length;
    return sum;
  }
};

inline std::string_view reason(int status) {
  struct Row {
    int status;
    std::string_view reason;
  };
  static constexpr Row rows[] = {
      {200, "OK"},
      {201, "Created"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {431, "Request Header Fields Too Large"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (const Row& row : rows) {
    if (row.status == status) return row.reason;
  }
  return "Internal Server Error";  // 500
}

/// "Name: value" as a line.
inline std::string field(std::string_view name, std::string_view value) {
  return std::string(name).append(": ").append(value).append("\r\n");
}

/// The answer that says no more than its status.
inline Response short_response(int status, std::string fields = "") {
  Response response;
  response.status = status;
  response.fields = field("Content-Type", "text/plain; charset=utf-8") + fields;
  response.text = std::to_string(status) + " " + std::string(reason(status)) + "\n";
  return response;
}

/// ETag and Last-Modified, which is never in the future (RFC 9110, 8.8.2.1).
inline std::string validator_fields(const Validators& validators, std::time_t now) {
  return field("ETag", validators.tag) +
         field("Last-Modified", to_date(std::min(validators.modified, now)));
}

/// Several parts in one body (RFC 9110, 14.6).
inline void add_parts(Response& response, const Ranges& ranges, std::uint64_t size,
                      std::string_view type, std::string_view boundary) {
  const std::string line = "--" + std::string(boundary);
  for (const Range& range : ranges.parts) {
    response.pieces.push_back({(response.pieces.empty() ? "" : "\r\n") + line + "\r\n" +
                                   field("Content-Type", type) +
                                   field("Content-Range", range.text(size)) + "\r\n",
                               range});
  }
  response.text = "\r\n" + line + "--\r\n";
  response.fields +=
      field("Content-Type", "multipart/byteranges; boundary=" + std::string(boundary));
}

/// The answer to GET or HEAD for a file that can be read.
inline Response file_response(const Request& request, const Validators& current, std::uint64_t size,
                              std::time_t now) {
  Response response;
  if (const int status = check_conditions(request, current)) {
    if (status != 304) return short_response(status);
    response.status = status;
    response.fields = validator_fields(current, now);
    return response;
  }
  Ranges ranges;
  if (request.method == Method::get && request.range && range_counts(request, current, now)) {
    ranges = parse_ranges(*request.range, size);
  }
  if (ranges.kind == Ranges::Kind::unsatisfiable) {
    return short_response(416, field("Content-Range", "bytes */" + std::to_string(size)));
  }
  response.fields = field("Accept-Ranges", "bytes") + validator_fields(current, now);
  const std::string_view type = content_type(request.path);
  if (ranges.parts.size() > 1) {
    response.status = 206;
    // Nobody who made the file knew its inode and time: the boundary is not in it.
    add_parts(response, ranges, size, type, "proa" + current.tag.substr(1, current.tag.size() - 2));
    return response;
  }
  response.fields += field("Content-Type", type);
  if (ranges.kind == Ranges::Kind::parts) {
    response.status = 206;
    response.fields += field("Content-Range", ranges.parts[0].text(size));
    response.pieces.push_back({"", ranges.parts[0]});
  } else {
    response.pieces.push_back({"", {0, size}});
  }
  return response;
}

/// The status line and all fields, with the empty line behind them.
inline std::string head_of(const Response& response, const Request& request, bool closes,
                           std::time_t now) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     std::string(reason(response.status)) + "\r\n" + field("Date", to_date(now)) +
                     response.fields;
  // A length in these would be that of another body (RFC 9110, 8.6).
  if (response.status != 204 && response.status != 304) {
    head += field("Content-Length", std::to_string(response.length()));
  }
  if (closes) {
    head += field("Connection", "close");
  } else if (request.minor_version == 0) {
    head += field("Connection", "keep-alive");
  }
  return head + "\r\n";
}

}  // namespace http
