#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "request_load.hpp"

namespace bench {

/// What the server knows: kNames names "hostN.example", each with one address.
struct ServedName {
  static constexpr std::uint32_t kNames = 1000;

  explicit ServedName(std::uint32_t number) : number_(number) {}

  std::string name() const { return "host" + std::to_string(number_) + ".example"; }
  std::string address() const {
    return "10.0." + std::to_string(number_ >> 8) + "." + std::to_string(number_ & 255);
  }

  /// The question for its address, as in packets (RFC 1035).
  std::string question() const {
    const std::string host = "host" + std::to_string(number_);
    using namespace std::string_literals;
    return static_cast<char>(host.size()) + host + "\7example\0"s + std::string(kAddressOfInternet);
  }
  /// The data of the record that answers it.
  std::string data() const {
    return {10, 0, static_cast<char>(number_ >> 8), static_cast<char>(number_ & 255)};
  }

  static constexpr std::string_view kAddressOfInternet{"\0\1\0\1", 4};  // type A, class IN

 private:
  std::uint32_t number_;
};

/// DNS over UDP: asks for one address after the other, and looks at every answer.
class DnsConversation final : public Conversation {
 public:
  explicit DnsConversation(std::uint32_t first) : next_(first) {}

  std::string_view request() override {
    const ServedName name(next_ % ServedName::kNames);
    question_ = name.question();
    data_ = name.data();
    query_ = {static_cast<char>(next_ >> 8), static_cast<char>(next_)};
    query_.append({0, 0, 0, 1, 0, 0, 0, 0, 0, 0});  // one question, no recursion
    query_ += question_;
    ++next_;
    return query_;
  }

  Answer receive(std::string_view data) override {
    return is_right(data) ? Answer::right : Answer::wrong;
  }

 private:
  static constexpr std::size_t kHeader = 12;

  /// That query's number and question, no error, and one answer, the address.
  bool is_right(std::string_view answer) const {
    if (answer.size() < query_.size() || answer.substr(0, 2) != query_.substr(0, 2)) return false;
    const auto flags = static_cast<unsigned char>(answer[2]);
    const bool whole_answer = (flags & 0x80) != 0 && (flags & 0x02) == 0;
    if (!whole_answer || (answer[3] & 0x0f) != 0) return false;
    using namespace std::string_view_literals;
    if (answer.substr(4, 4) != "\0\1\0\1"sv) return false;  // one question, one answer
    if (answer.substr(kHeader, question_.size()) != question_) return false;
    std::string_view record = answer.substr(query_.size());
    // Its name is written out again, or points at the question's.
    const std::string_view name(question_.data(), question_.size() - 4);
    const std::string_view pointer = "\xc0\x0c"sv;
    if (record.substr(0, name.size()) == name) {
      record.remove_prefix(name.size());
    } else if (record.substr(0, pointer.size()) == pointer) {
      record.remove_prefix(pointer.size());
    } else {
      return false;
    }
    constexpr std::size_t kFixed = 10;  // type, class, time to live, length
    return record.size() >= kFixed + data_.size() &&
           record.substr(0, 4) == ServedName::kAddressOfInternet &&
           record.substr(8, 2) == "\0\4"sv && record.substr(kFixed, data_.size()) == data_;
  }

  std::uint32_t next_;
  std::string query_;
  std::string question_;
  std::string data_;
};

}  // namespace bench
