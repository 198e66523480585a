// The names that proa-dns knows, and what is known about them.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tool.hpp"

namespace dns {

enum Type : unsigned { type_a = 1, type_txt = 16, type_aaaa = 28, type_any = 255 };  // RFC 1035
constexpr std::size_t longest_label = 63;
constexpr std::size_t longest_name = 255;

struct Record {
  unsigned type;
  std::string data;  // as in packets
};

inline char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// What is known. Names are in the form of the packets: labels behind their lengths, then a zero.
class Zone {
 public:
  /// `NAME=VALUE`; ends the program if it is not that.
  void add(const std::string& text) {
    const std::size_t sign = text.find('=');
    if (sign == std::string::npos) tool::bad_usage("\"" + text + "\" is not NAME=VALUE");
    const std::string name = to_wire(text.substr(0, sign));
    if (name.empty()) tool::bad_usage("\"" + text + "\": the name cannot be one of a host");
    const Record record = to_record(text.substr(sign + 1));
    if (record.data.empty()) {
      tool::bad_usage("\"" + text + "\": an address or txt:TEXT is needed behind the \"=\"");
    }
    names_[name].push_back(record);
    // Names above it are there too, if without records (RFC 8020).
    for (std::size_t at = 0; name[at] != 0;) {
      at += static_cast<std::size_t>(name[at]) + 1;
      names_[name.substr(at)];
    }
  }

  /// nullptr if there is no such name.
  const std::vector<Record>* find(std::string_view name) const {
    char lower[longest_name];
    std::transform(name.begin(), name.end(), lower, to_lower);  // lengths are below 'A'
    const auto found = names_.find(std::string_view(lower, name.size()));
    return found == names_.end() ? nullptr : &found->second;
  }
  bool empty() const { return names_.empty(); }

 private:
  static std::string to_wire(std::string text) {
    if (text.empty() || text.back() != '.') text += '.';
    std::string wire;
    for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
      end = text.find('.', begin);
      const std::size_t size = end - begin;
      if (size == 0 || size > longest_label) return {};
      wire += static_cast<char>(size);
      std::transform(&text[begin], &text[end], std::back_inserter(wire), to_lower);
    }
    wire += '\0';
    return wire.size() <= longest_name ? wire : std::string();
  }

  static Record to_record(const std::string& value) {
    char bytes[sizeof(in6_addr)];
    if (::inet_pton(AF_INET, value.c_str(), bytes) == 1) return {type_a, {bytes, 4}};
    if (::inet_pton(AF_INET6, value.c_str(), bytes) == 1) return {type_aaaa, {bytes, 16}};
    constexpr std::string_view mark = "txt:";
    Record record{type_txt, {}};
    if (value.compare(0, mark.size(), mark) != 0 || value.size() > 4096) return record;
    std::size_t at = mark.size();
    do {  // in pieces behind their lengths
      const std::string piece = value.substr(at, 255);
      record.data += static_cast<char>(piece.size());
      record.data += piece;
      at += piece.size();
    } while (at < value.size());
    return record;
  }

  std::map<std::string, std::vector<Record>, std::less<>> names_;
};

}  // namespace dns
