// What a file holds, by the end of its name.
#pragma once

#include <string_view>

#include "text.hpp"

namespace http {

inline std::string_view content_type(std::string_view path) {
  struct Row {
    std::string_view extension;
    std::string_view type;
  };
  static constexpr Row rows[] = {
      {"avif", "image/avif"},
      {"bmp", "image/bmp"},
      {"css", "text/css"},
      {"csv", "text/csv"},
      {"gif", "image/gif"},
      {"gz", "application/gzip"},
      {"htm", "text/html"},
      {"html", "text/html"},
      {"ico", "image/vnd.microsoft.icon"},
      {"jpeg", "image/jpeg"},
      {"jpg", "image/jpeg"},
      {"js", "text/javascript"},
      {"json", "application/json"},
      {"md", "text/markdown; charset=utf-8"},
      {"mjs", "text/javascript"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
      {"oga", "audio/ogg"},
      {"ogg", "audio/ogg"},
      {"ogv", "video/ogg"},
      {"otf", "font/otf"},
      {"pdf", "application/pdf"},
      {"png", "image/png"},
      {"svg", "image/svg+xml"},
      {"tar", "application/x-tar"},
      {"ttf", "font/ttf"},
      {"txt", "text/plain; charset=utf-8"},
      {"wasm", "application/wasm"},
      {"wav", "audio/wav"},
      {"webm", "video/webm"},
      {"webmanifest", "application/manifest+json"},
      {"webp", "image/webp"},
      {"woff", "font/woff"},
      {"woff2", "font/woff2"},
      {"xhtml", "application/xhtml+xml"},
      {"xml", "application/xml"},
      {"zip", "application/zip"},
      {"zst", "application/zstd"},
  };
  const std::string_view name = path.substr(path.find_last_of('/') + 1);
  const std::size_t dot = name.find_last_of('.');
  for (const Row& row : rows) {
    if (dot != name.npos && same(name.substr(dot + 1), row.extension)) return row.type;
  }
  return "application/octet-stream";
}

}  // namespace http
