// Dates as HTTP writes them (RFC 9110, 5.6.7).
#pragma once

#include <ctime>
#include <optional>
#include <string>

namespace http {

/// "Sun, 06 Nov 1994 08:49:37 GMT". The program is in the locale "C".
inline std::string to_date(std::time_t time) {
  std::tm parts{};
  char text[64] = "";
  if (!::gmtime_r(&time, &parts)) return {};
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

/// Of any of the three formats; nothing for what is no date.
inline std::optional<std::time_t> from_date(const std::string& text) {
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    std::tm parts{};
    const char* const end = ::strptime(text.c_str(), format, &parts);
    if (end && *end == '\0') return ::timegm(&parts);
  }
  return {};
}

}  // namespace http
