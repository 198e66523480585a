// Lines. A line ends where the last byte of the delimiter is found with the other ones before it:
// so the search never goes back, wherever the blocks were cut.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <proa/line_reader.hpp>

#include "base/misuse.hpp"

namespace proa {

LineReader::LineReader(std::size_t limit, Bytes delimiter) noexcept
    : limit_(limit),
      delimiter_size_(static_cast<unsigned char>(delimiter.size)),
      drops_return_(delimiter.text() == "\n") {
  const auto* const self = static_cast<const void*>(this);
  if (limit == 0) misuse("LineReader %p made with a limit of 0 bytes", self);
  if (delimiter.size == 0 || delimiter.size > sizeof delimiter_) {
    misuse("LineReader %p made with a delimiter of %zu bytes, which is not from 1 to %zu", self,
           delimiter.size, sizeof delimiter_);
  }
  std::memcpy(delimiter_, delimiter.data, delimiter.size);
  const std::size_t ending = delimiter.size + (drops_return_ ? 1 : 0);
  most_ = limit > SIZE_MAX - ending ? SIZE_MAX : limit + ending;
}

bool LineReader::next() noexcept {
  line_ = {};
  if (!input_.begin()) return false;
  while (!input_.block().empty()) {
    const std::size_t left = most_ - input_.gathered().size();
    const std::string_view block = input_.block().substr(0, left);
    const std::size_t end = end_of_line(block);
    if (end > 0) {
      Bytes whole;
      if (!input_.take(end, most_, whole)) return false;
      return give(whole.text().substr(0, whole.size - delimiter_size_));
    }
    if (block.size() == left) return input_.fail(Error::too_long);
    if (!input_.gather(block.size(), most_)) return false;
  }
  if (!input_.ended() || input_.gathered().empty()) return false;
  if (input_.gathered().size() > limit_) return input_.fail(Error::too_long);
  line_ = input_.gathered();  // as it came: a CR without LF ends no line
  return input_.fail(Error::cut_short);
}

std::error_code LineReader::end() noexcept {
  input_.end();
  if (!input_.waits()) (void)next();
  return error();
}

void LineReader::clear() noexcept {
  line_ = {};
  input_.clear();
}

// How many bytes of the block belong to the line and its delimiter; 0 if the line goes on.
std::size_t LineReader::end_of_line(std::string_view block) const noexcept {
  const char last = delimiter_[delimiter_size_ - 1];
  for (std::size_t at = block.find(last); at != block.npos; at = block.find(last, at + 1)) {
    if (ends_with_delimiter(block.substr(0, at + 1))) return at + 1;
  }
  return 0;
}

// Whether what is gathered, and these first bytes of the block behind it, end with the delimiter.
bool LineReader::ends_with_delimiter(std::string_view front) const noexcept {
  const std::string_view before = input_.gathered();
  if (before.size() + front.size() < delimiter_size_) return false;
  for (std::size_t back = 1; back <= delimiter_size_; ++back) {
    const char byte = back <= front.size() ? front[front.size() - back]
                                           : before[before.size() + front.size() - back];
    if (byte != delimiter_[delimiter_size_ - back]) return false;
  }
  return true;
}

bool LineReader::give(std::string_view line) noexcept {
  if (drops_return_ && !line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > limit_) return input_.fail(Error::too_long);
  line_ = line;
  return true;
}

}  // namespace proa
