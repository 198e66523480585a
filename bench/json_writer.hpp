// Writes JSON: puts quotes, commas, colons and indentation where they belong.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

namespace bench {

class JsonWriter {
 public:
  void begin(char bracket) {  // '{' or '['
    separate();
    text_ += bracket;
    closing_ += bracket == '{' ? '}' : ']';
    first_ = true;
  }

  void end() {
    const char bracket = closing_.back();
    closing_.pop_back();
    if (!first_) new_line();
    text_ += bracket;
    first_ = false;
  }

  void key(const std::string& name) {
    separate();
    quote(name);
    text_ += ": ";
    after_key_ = true;
  }

  void value(const std::string& text) {
    separate();
    quote(text);
  }
  void value(const char* text) { value(std::string(text)); }
  void value(bool truth) { bare(truth ? "true" : "false"); }
  void value(std::uint64_t number) { bare(std::to_string(number)); }
  /// What is no finite number becomes null.
  void value(double number) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", number);
    bare(std::isfinite(number) ? text : "null");
  }

  template <class Value>
  void member(const std::string& name, const Value& content) {
    key(name);
    value(content);
  }

  /// All of it, when every bracket is closed.
  const std::string& text() const { return text_; }

 private:
  void new_line() {
    text_ += '\n';
    text_.append(closing_.size(), ' ');
  }

  void separate() {
    if (!after_key_ && !first_) text_ += ',';
    if (!after_key_ && !closing_.empty()) new_line();
    after_key_ = false;
    first_ = false;
  }

  void bare(const std::string& text) {
    separate();
    text_ += text;
  }

  void quote(const std::string& text) {
    text_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') text_ += '\\';
      if (static_cast<unsigned char>(c) < ' ') {
        char escape[8];
        std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
        text_ += escape;
      } else {
        text_ += c;
      }
    }
    text_ += '"';
  }

  std::string text_;
  std::string closing_;  // brackets that are due
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace bench
