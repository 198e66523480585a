// What is under way, on a terminal only: one line, which is gone at the end.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

namespace measure {

class Progress {
 public:
  ~Progress() { show({}); }

  void show(const std::string& text) const {
    if (is_terminal_) std::fprintf(stderr, "\r\033[K%s", text.c_str());
  }

 private:
  bool is_terminal_ = ::isatty(STDERR_FILENO) == 1;
};

}  // namespace measure
