#pragma once

// The System of the io_uring backend. It also remembers the kind of each open file until the file
// is closed.

#include "backend/real_system.hpp"
#include "base/descriptor_table.hpp"
#include "file/file_calls.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

class FileSystem final : public RealSystem {
 public:
  /// Whether the file has offsets, as regular files and block devices have. Asks the system once
  /// per file.
  bool seekable(int number) noexcept;
  /// Whether transfers bypass the page cache (O_DIRECT). The caller has called seekable() before.
  bool direct(int number) noexcept { return traits_.find(number)->kind == FileKind::direct; }
  /// Whether a transfer could make the loop's thread wait. The caller has called seekable() before.
  bool waits(int number) noexcept { return traits_.find(number)->waits; }
  void forget(Descriptor descriptor) noexcept override;

 private:
  struct Traits {
    FileKind kind = FileKind::unknown;
    bool waits = false;
  };

  DescriptorTable<Traits> traits_;
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
