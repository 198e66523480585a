// The file that is read: it has no name any more when this is made, so it is gone however the
// program ends.
#pragma once

#include <cstdint>
#include <string>

#include "descriptor.hpp"
#include "trouble.hpp"

namespace measure {

class TestFile {
 public:
  static constexpr std::uint64_t size = 64 << 20;

  /// Makes an empty file; this fails where the directory is not writable.
  Trouble make(const std::string& directory);
  /// Writes it. Reads pass the memory of the system by from then on, where the file system can.
  Trouble fill();

  int descriptor() const { return file_.get(); }
  /// Whether reads come from the disk. If not, whyever, from the system's memory.
  bool is_direct() const { return why_not_direct_.empty(); }
  const Trouble& why_not_direct() const { return why_not_direct_; }

 private:
  Trouble read_directly();

  Descriptor file_;
  Trouble why_not_direct_;
};

}  // namespace measure
