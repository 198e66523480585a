// One line for each answer, in the common log format.
#pragma once

#include <ctime>
#include <proa/proa.hpp>
#include <string>
#include <string_view>

#include "request.hpp"

namespace http {

class AccessLog final : public proa::FileHandler {
 public:
  AccessLog(proa::Proactor& proactor, proa::File file) : FileHandler(proactor, std::move(file)) {}

  /// Writes a line. While the file takes nothing more, lines are dropped.
  void add(const proa::Address& peer, const Request& request, int status, std::uint64_t bytes) {
    constexpr std::size_t most_queued = std::size_t{1} << 20;
    if (!is_open() || finishing() || queued() > most_queued) return;
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    char time[64] = "-";
    if (::gmtime_r(&now, &parts)) {
      std::strftime(time, sizeof time, "%d/%b/%Y:%H:%M:%S +0000", &parts);
    }
    const std::string request_line = request.method_name.empty()
                                         ? "-"
                                         : request.method_name + " " + quoted(request.target) +
                                               " HTTP/1." + std::to_string(request.minor_version);
    write(proa::Bytes(host_of(peer) + " - - [" + time + "] \"" + request_line + "\" " +
                      std::to_string(status) + " " + std::to_string(bytes) + " \"" +
                      quoted(request.referer) + "\" \"" + quoted(request.user_agent) + "\"\n"));
  }

 private:
  /// Without what would end the line or the quotes: a client must not write lines of its own.
  static std::string quoted(std::string_view text) {
    if (text.empty()) return "-";
    constexpr char digits[] = "0123456789abcdef";
    std::string result;
    for (const char c : text) {
      const auto value = static_cast<unsigned char>(c);
      if (value < 0x20 || value >= 0x7f || c == '"' || c == '\\') {
        result += {'\\', 'x', digits[value >> 4], digits[value & 15]};
      } else {
        result += c;
      }
    }
    return result;
  }

  static std::string host_of(const proa::Address& peer) {
    if (peer.family() != proa::Address::Family::ipv4 &&
        peer.family() != proa::Address::Family::ipv6) {
      return "-";
    }
    const std::string text = peer.to_string();
    std::string host = text.substr(0, text.rfind(':'));
    if (host[0] == '[') host = host.substr(1, host.size() - 2);
    return host;
  }

  void on_error(std::error_code error) override {
    std::fprintf(stderr, "access log: %s; it ends here\n", error.message().c_str());
    close();
  }
};

}  // namespace http
