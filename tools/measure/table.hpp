// Text in columns that begin below each other.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace measure {

class Table {
 public:
  using Line = std::vector<std::string>;

  explicit Table(Line heads) : lines_{std::move(heads)} {}

  /// A line may be shorter than the heads: its last cell has the rest of the line then.
  void add(Line line) { lines_.push_back(std::move(line)); }
  void print() const {
    std::vector<std::size_t> widths(lines_[0].size());
    for (const Line& line : lines_) {
      const bool is_whole = line.size() == widths.size();
      for (std::size_t i = 0; i + (is_whole ? 0 : 1) < line.size(); ++i) {
        widths[i] = std::max(widths[i], line[i].size());
      }
    }
    for (const Line& line : lines_) {
      for (std::size_t i = 0; i + 1 < line.size(); ++i) {
        std::printf("%-*s  ", static_cast<int>(widths[i]), line[i].c_str());
      }
      std::printf("%s\n", line.back().c_str());
    }
  }

 private:
  std::vector<Line> lines_;
};

}  // namespace measure
