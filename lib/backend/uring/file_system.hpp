#pragma once

// The system under the ring, and what it remembers of open files until they are closed.

#include "backend/real_system.hpp"
#include "base/descriptor_table.hpp"
#include "file/file_calls.hpp"

namespace proa::uring {

class FileSystem final : public RealSystem {
 public:
  /// Whether it has offsets, as files and block devices do; asked of the system once per file.
  bool seekable(int number) noexcept;
  /// Past the page cache; after seekable() said so, as the next.
  bool direct(int number) noexcept { return traits_.find(number)->kind == FileKind::direct; }
  /// It would make the loop wait.
  bool waits(int number) noexcept { return traits_.find(number)->waits; }
  void forget(Descriptor descriptor) noexcept override;

 private:
  struct Traits {
    FileKind kind = FileKind::unknown;
    bool waits = false;
  };

  DescriptorTable<Traits> traits_;
};

}  // namespace proa::uring
