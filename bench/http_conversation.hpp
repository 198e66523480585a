#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "request_load.hpp"

namespace bench {

/// A file that the server has.
struct ServedFile {
  std::string name;
  std::string content;
};

/// HTTP/1.1: gets one file again and again, without closing the connection. Status and length of
/// each answer are checked, and the content of the first.
class HttpConversation final : public Conversation {
 public:
  explicit HttpConversation(std::shared_ptr<const ServedFile> file)
      : file_(std::move(file)),
        request_("GET /" + file_->name + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") {}

  std::string_view request() override {
    head_.clear();
    in_body_ = false;
    received_ = 0;
    return request_;
  }

  Answer receive(std::string_view data) override {
    if (!in_body_) {
      const std::size_t before = head_.size();
      head_ += data.substr(0, kLongestHead);
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) {
        return head_.size() < kLongestHead ? Answer::incomplete : Answer::wrong;
      }
      head_.resize(end + 2);
      if (!is_head_right()) return Answer::wrong;
      in_body_ = true;
      data.remove_prefix(end + 4 - before);
    }
    const std::string& content = file_->content;
    if (data.size() > content.size() - received_) return Answer::wrong;
    if (!compared_ && content.compare(received_, data.size(), data) != 0) return Answer::wrong;
    received_ += data.size();
    if (received_ < content.size()) return Answer::incomplete;
    compared_ = true;
    return Answer::right;
  }

 private:
  static constexpr std::size_t kLongestHead = 8192;

  bool is_head_right() {
    std::transform(head_.begin(), head_.end(), head_.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return head_.rfind("http/1.1 200 ", 0) == 0 &&
           head_.find("\r\ncontent-length: " + std::to_string(file_->content.size()) + "\r\n") !=
               std::string::npos;
  }

  std::shared_ptr<const ServedFile> file_;
  std::string request_;
  std::string head_;
  bool in_body_ = false;
  std::size_t received_ = 0;  // of the body
  bool compared_ = false;
};

}  // namespace bench
