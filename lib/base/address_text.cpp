// Writes addresses as text and reads them. address.hpp describes the grammar; parse() reads what
// to_string() writes. Every refusal quotes the text and says what is wrong with it, because mostly
// a person has typed the text. Bytes that could mislead a reader of a log are escaped. Uses the C
// library for numeric addresses and the names of interfaces; makes no system call of sys, and never
// reads errno.

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <proa/address.hpp>
#include <proa/error.hpp>

#include "base/memory.hpp"
#include "base/refuse.hpp"

namespace proa {
namespace {

constexpr std::size_t longest_path = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view too_long =
    longest_path == 107 ? "has a path above 107 bytes" : "has a path above 103 bytes";
static_assert(longest_path == 107 || longest_path == 103, "Linux, or BSD and macOS");

constexpr bool printable(char c) noexcept { return c >= ' ' && c <= '~'; }

constexpr bool digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), digit);
}

void append_escape(std::string& out, char c) {
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

/// Writes printable bytes as they are. Writes other bytes, and `also`, as \xHH.
void append_visible(std::string& out, std::string_view bytes, char also) {
  for (const char c : bytes) {
    if (printable(c) && c != also) {
      out += c;
    } else {
      append_escape(out, c);
    }
  }
}

/// The name of interface `scope` as parse() reads it back, or its number: a name may hold bytes
/// that mean something else in the text form, or look like a number.
void append_scope(std::string& out, std::uint32_t scope) {
  char buffer[IF_NAMESIZE] = {};
  const std::string_view name = ::if_indextoname(scope, buffer) ? buffer : "";
  const bool readable =
      !name.empty() && !all_digits(name) &&
      std::all_of(name.begin(), name.end(), [](char c) { return printable(c) && c != ']'; });
  out += '%';
  out += readable ? std::string(name) : std::to_string(scope);
}

/// Reads one text. Each step returns success, or a code after it has described the failure.
class Parser {
 public:
  Parser(std::string_view text, std::string* detail) noexcept : text_(text), detail_(detail) {}

  std::error_code parse(Address& out) noexcept {
    constexpr std::string_view prefix = "unix:";
    if (text_.substr(0, prefix.size()) == prefix) return local(text_.substr(prefix.size()), out);
    if (text_.find('\0') != text_.npos) return fail(Error::bad_address, "contains a NUL byte");
    if (text_.substr(0, 1) == "[") return bracketed(out);
    return dotted(out);
  }

 private:
  std::error_code dotted(Address& out) noexcept {
    const std::size_t colon = text_.rfind(':');
    if (colon == text_.npos) return fail(Error::bad_address, "has no port");
    const std::string_view host = text_.substr(0, colon);
    if (host.find(':') != host.npos) {
      return fail(Error::bad_address,
                  "has colons outside brackets; IPv6 is written [address]:port");
    }
    in_addr address{};
    if (host != "*" && !numeric(AF_INET, host, &address)) {
      return fail(Error::bad_address,
                  "is not a numeric address; names are not looked up, give 1.2.3.4:port, "
                  "[::1]:port, *:port, unix:/path or unix:@name",
                  "host ", host);
    }
    std::uint16_t number = 0;
    if (const std::error_code error = port(text_.substr(colon + 1), number)) return error;
    out = Address::ipv4(ntohl(address.s_addr), number);
    return {};
  }

  std::error_code bracketed(Address& out) noexcept {
    const std::size_t end = text_.find(']');
    if (end == text_.npos) return fail(Error::bad_address, "has no closing bracket");
    if (end + 1 == text_.size()) return fail(Error::bad_address, "has no port");
    if (text_[end + 1] != ':') {
      return fail(Error::bad_address, "must have a colon and a port after the bracket");
    }
    const std::string_view inside = text_.substr(1, end - 1);
    const std::size_t percent = inside.find('%');
    const std::string_view host = inside.substr(0, percent);
    std::array<std::uint8_t, 16> bytes{};
    if (!numeric(AF_INET6, host, bytes.data())) {
      return fail(Error::bad_address, "is not a numeric IPv6 address", "host ", host);
    }
    std::uint32_t number = 0;
    if (percent != inside.npos) {
      if (const std::error_code error = scope(inside.substr(percent + 1), number)) return error;
    }
    std::uint16_t port_number = 0;
    if (const std::error_code error = port(text_.substr(end + 2), port_number)) return error;
    out = Address::ipv6(bytes, port_number, number);
    return {};
  }

  std::error_code local(std::string_view text, Address& out) noexcept {
    const bool is_abstract = text.substr(0, 1) == "@";
    if (is_abstract) text.remove_prefix(1);
    // A raw NUL byte comes from a program's mistake; abstract names write it as \x00.
    if (text.find('\0') != text.npos) return fail(Error::path_has_nul, "contains a NUL byte");

    char bytes[longest_path + 1];  // one byte more shows that the name is too long
    std::size_t size = 0;
    for (std::size_t i = 0; i < text.size() && size < sizeof bytes; ++i) {
      auto value = static_cast<std::uint8_t>(text[i]);
      if (text[i] == '\\') {
        if (!escape(text.substr(i), value)) {
          return fail(Error::bad_address, "has a backslash that is not part of \\xHH");
        }
        i += 3;
      }
      bytes[size++] = static_cast<char>(value);
    }

    const std::string_view path(bytes, size);
    std::error_code error;
    out = is_abstract ? Address::abstract(path, error) : Address::unix_path(path, error);
    if (error == Error::path_too_long) return fail(Error::path_too_long, too_long);
    if (error == Error::path_has_nul) return fail(Error::path_has_nul, "contains a NUL byte");
    if (error) return fail(Error::bad_address, "has an empty path");
    return {};
  }

  static bool escape(std::string_view text, std::uint8_t& value) noexcept {
    if (text.size() < 4 || text[1] != 'x') return false;
    const char* end = text.data() + 4;
    return std::from_chars(text.data() + 2, end, value, 16).ptr == end;
  }

  std::error_code port(std::string_view text, std::uint16_t& out) noexcept {
    if (text.empty()) return fail(Error::bad_address, "has no port");
    if (!all_digits(text)) {
      return fail(Error::bad_address, "is not a decimal number", "port ", text);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc()) {
      return fail(Error::port_out_of_range, "is above 65535", "port ", text);
    }
    return {};
  }

  std::error_code scope(std::string_view text, std::uint32_t& out) noexcept {
    if (all_digits(text)) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      if (error == std::errc() && out != 0) return {};
      return fail(Error::bad_address, "is not between 1 and 4294967295", "scope ", text);
    }
    char name[IF_NAMESIZE] = {};
    if (text.size() < sizeof name) {
      std::copy(text.begin(), text.end(), name);
      out = ::if_nametoindex(name);
    }
    if (out != 0) return {};
    return fail(Error::bad_address, "is not known to the system", "interface ", text);
  }

  /// Calls inet_pton(3) with a copy that ends in NUL. The longest valid text is shorter than the
  /// buffer.
  static bool numeric(int family, std::string_view text, void* out) noexcept {
    char buffer[INET6_ADDRSTRLEN] = {};
    if (text.size() >= sizeof buffer) return false;
    std::copy(text.begin(), text.end(), buffer);
    return ::inet_pton(family, buffer, out) == 1;
  }

  /// Describes the failure as: [what value in] "text" problem.
  std::error_code fail(Error error, std::string_view problem, std::string_view what = {},
                       std::string_view value = {}) noexcept {
    // Without memory the caller gets the code alone.
    if (detail_ && !with_memory([&] { describe(problem, what, value); })) detail_->clear();
    return error;
  }

  void describe(std::string_view problem, std::string_view what, std::string_view value) {
    if (!what.empty()) {
      detail_->append(what);
      append_visible(*detail_, value.empty() ? "(empty)" : value, '\0');
      detail_->append(" in ");
    }
    detail_->push_back('"');
    append_visible(*detail_, text_, '\0');
    detail_->append("\" ").append(problem);
  }

  std::string_view text_;
  std::string* detail_;
};

/// For the factories; the message quotes what was refused.
[[noreturn]] void refuse_bytes(std::error_code error, std::string_view bytes) {
  std::string text = "\"";
  append_visible(text, bytes, '\0');
  refuse(error, text + '"');
}

}  // namespace

Address Address::unix_path(std::string_view path) {
  std::error_code error;
  const Address result = unix_path(path, error);
  if (error) refuse_bytes(error, path);
  return result;
}

Address Address::abstract(std::string_view name) {
  std::error_code error;
  const Address result = abstract(name, error);
  if (error) refuse_bytes(error, name);
  return result;
}

Address Address::parse(std::string_view text, std::error_code& error,
                       std::string* detail) noexcept {
  if (detail) detail->clear();
  Address result;
  error = Parser(text, detail).parse(result);
  return result;
}

Address Address::parse(std::string_view text) {
  std::error_code error;
  std::string detail;
  const Address result = parse(text, error, &detail);
  if (error) refuse(error, detail);
  return result;
}

std::string Address::to_string() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  std::string out;
  switch (family()) {
    case Family::none:
      return "unset";
    case Family::ipv4: {
      sockaddr_in sockaddr;
      std::memcpy(&sockaddr, raw_, sizeof sockaddr);
      out = ::inet_ntop(AF_INET, &sockaddr.sin_addr, buffer, sizeof buffer);
      break;
    }
    case Family::ipv6: {
      sockaddr_in6 sockaddr;
      std::memcpy(&sockaddr, raw_, sizeof sockaddr);
      out = '[';
      out += ::inet_ntop(AF_INET6, &sockaddr.sin6_addr, buffer, sizeof buffer);
      if (sockaddr.sin6_scope_id != 0) append_scope(out, sockaddr.sin6_scope_id);
      out += ']';
      break;
    }
    case Family::local: {
      std::string_view bytes = path();
      out = "unix:";
      if (bytes.empty()) return out;
      const char first = bytes.front();
      if (first == '\0') {
        out += '@';
      } else if (first == '@') {
        append_escape(out, first);
      }
      if (first == '\0' || first == '@') bytes.remove_prefix(1);
      append_visible(out, bytes, '\\');
      return out;
    }
  }
  return out += ':' + std::to_string(port());
}

}  // namespace proa
