// Queries and answers of DNS as they are in packets: RFC 1035, and EDNS(0) (RFC 6891). What comes
// in is not trusted: every length is checked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dns_zone.hpp"

namespace dns {

constexpr unsigned class_in = 1;
constexpr unsigned type_opt = 41;
constexpr unsigned ttl = 60;  // seconds
constexpr std::size_t header_size = 12;
constexpr std::size_t record_size = 12;  // of a record whose name is a pointer, without its data
constexpr std::size_t opt_size = 11;     // of the record of EDNS, without options
/// What a packet has at most: over UDP without EDNS, over UDP with it if the client takes so much
/// (no path cuts such a packet into fragments), and over TCP.
constexpr std::size_t plain_size = 512;
constexpr std::size_t edns_size = 1232;
constexpr std::size_t stream_size = 65535;

enum Code : unsigned {
  no_error,
  format_error,
  no_such_name = 3,
  not_implemented,
  refused,
  bad_version = 16,
};
enum Flag : unsigned {
  response = 0x8000,
  authoritative = 0x0400,
  truncated = 0x0200,
  kept = 0x7900,  // the kind of query, and whether recursion was asked for
  kind = 0x7800,
};
constexpr unsigned dnssec_ok = 0x8000;  // among the flags of EDNS (RFC 3225)

inline unsigned get16(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[i]));
  };
  return byte(at) << 8 | byte(at + 1);
}

inline void append16(std::string& to, unsigned value) {
  to += static_cast<char>(value >> 8);
  to += static_cast<char>(value);
}

inline void put16(std::string& to, std::size_t at, unsigned value) {
  to[at] = static_cast<char>(value >> 8);
  to[at + 1] = static_cast<char>(value);
}

struct Edns {
  bool present = false;
  std::size_t payload_size = 0;  // what the client takes over UDP
  unsigned version = 0;
  unsigned flags = 0;
};

/// What was asked, of a packet with a whole header.
class Query {
 public:
  explicit Query(std::string_view packet) : packet_(packet), flags_(get16(packet, 2)) {
    if (get16(packet, 4) != 1 || !read_question() || !read_records()) {
      code_ = format_error;
      end_ = header_size;
      edns_ = {};
    }
    if ((flags_ & kind) != 0) code_ = not_implemented;
    if (code_ == no_error && edns_.version > 0) code_ = bad_version;
    if (code_ == no_error && class_ != class_in) code_ = refused;
  }

  bool is_response() const { return (flags_ & response) != 0; }
  unsigned flags() const { return flags_; }
  /// Why the query is not answered from the zone; no_error if it is.
  Code code() const { return code_; }
  /// The header, and the question if there is one.
  std::string_view front() const { return packet_.substr(0, end_); }
  bool has_question() const { return end_ > header_size; }
  std::string_view name() const { return name_; }
  unsigned type() const { return type_; }
  const Edns& edns() const { return edns_; }

 private:
  bool has(std::size_t more) const { return packet_.size() - end_ >= more; }

  bool read_question() {
    // A pointer has its two highest bits set: a first name has nothing to point to.
    if (!pass_name(false) || !has(4)) return false;
    name_ = packet_.substr(header_size, end_ - header_size);
    type_ = get16(packet_, end_);
    class_ = get16(packet_, end_ + 2);
    end_ += 4;
    return true;
  }

  /// Moves end_ behind a name.
  bool pass_name(bool may_point) {
    for (const std::size_t begin = end_; end_ - begin <= longest_name;) {
      if (!has(1)) return false;
      const auto size = static_cast<std::size_t>(static_cast<unsigned char>(packet_[end_]));
      const bool points = may_point && size >= 0xc0;
      if (size > longest_label && !points) return false;
      if (!has(points ? 2 : size + 1)) return false;
      end_ += points ? 2 : size + 1;
      if (points || size == 0) return end_ - begin <= longest_name;
    }
    return false;
  }

  /// Looks for EDNS in the records behind the question, and leaves end_ behind the question.
  bool read_records() {
    const std::size_t question_end = end_;
    const std::size_t others = std::size_t{get16(packet_, 6)} + get16(packet_, 8);
    const std::size_t all = others + get16(packet_, 10);
    for (std::size_t i = 0; i < all; ++i) {  // ends with the packet: each takes 11 bytes at least
      const bool at_root = has(1) && packet_[end_] == 0;
      if (!pass_name(true) || !has(10)) return false;
      const std::size_t at = end_;
      const std::size_t size = get16(packet_, at + 8);
      end_ += 10;
      if (!has(size)) return false;
      end_ += size;
      if (get16(packet_, at) != type_opt) continue;
      if (edns_.present || i < others || !at_root || !options_are_whole(at + 10)) return false;
      edns_ = {true, get16(packet_, at + 2), get16(packet_, at + 4) & 0xff, get16(packet_, at + 6)};
    }
    end_ = question_end;
    return true;
  }

  /// Of the options from there to end_; no option is known here, so all are passed over.
  bool options_are_whole(std::size_t at) const {
    while (at < end_) {
      if (end_ - at < 4 || end_ - at - 4 < get16(packet_, at + 2)) return false;
      at += 4 + get16(packet_, at + 2);
    }
    return true;
  }

  const std::string_view packet_;
  const unsigned flags_;
  std::string_view name_;
  unsigned type_ = 0;
  unsigned class_ = 0;
  std::size_t end_ = header_size;
  Edns edns_;
  Code code_ = no_error;
};

/// Appends the answer to a query to `out`, and says whether there is one. An answer that is too
/// long for its transport has as many records as there is room for, and is marked as truncated;
/// over UDP the query says how long it may be.
inline bool append_answer(const Zone& zone, std::string_view packet, bool over_udp,
                          std::string& out) {
  if (packet.size() < header_size)
    return false;  // without a header there is no number to answer to
  const Query query(packet);
  if (query.is_response()) return false;  // answering answers could go on for ever
  const Edns& edns = query.edns();
  std::size_t limit = over_udp ? plain_size : stream_size;
  if (over_udp && edns.present) limit = std::clamp(edns.payload_size, plain_size, edns_size);
  if (edns.present) limit -= opt_size;

  const std::size_t begin = out.size();
  out += query.front();
  unsigned flags = (query.flags() & kept) | response;
  unsigned code = query.code();
  unsigned count = 0;
  const std::vector<Record>* records = nullptr;
  if (code == no_error) {
    flags |= authoritative;
    records = zone.find(query.name());
    if (!records) code = no_such_name;
  }
  for (std::size_t i = 0; records && i < records->size(); ++i) {
    const Record& each = (*records)[i];
    if (query.type() != each.type && query.type() != type_any) continue;
    if (out.size() - begin + record_size + each.data.size() > limit) {
      flags |= truncated;
      break;
    }
    append16(out, 0xc000 | header_size);  // the name is where the question has it
    append16(out, each.type);
    append16(out, class_in);
    append16(out, ttl >> 16);
    append16(out, ttl & 0xffff);
    append16(out, static_cast<unsigned>(each.data.size()));
    out += each.data;
    ++count;
  }
  if (edns.present) {
    out += '\0';
    append16(out, type_opt);
    append16(out, edns_size);
    append16(out, code >> 4 << 8);  // the upper bits of the code, and the version
    append16(out, edns.flags & dnssec_ok);
    append16(out, 0);
  }
  put16(out, begin + 2, flags | (code & 0xf));
  put16(out, begin + 4, query.has_question() ? 1 : 0);
  put16(out, begin + 6, count);
  put16(out, begin + 8, 0);
  put16(out, begin + 10, edns.present ? 1 : 0);
  return true;
}

}  // namespace dns
