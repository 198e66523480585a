#pragma once

// The system under the ring, and what it remembers of open files until they are closed.

#include "descriptor_table.hpp"
#include "sys/real_system.hpp"

namespace proa::uring {

class FileSystem final : public RealSystem {
 public:
  /// Whether it has offsets, as files and block devices do; asked of the kernel once per file.
  bool seekable(int number) noexcept;
  /// Past the page cache; after seekable() said so.
  bool direct(int number) noexcept { return *kinds_.find(number) == Kind::direct; }
  void forget(Descriptor descriptor) noexcept override;

 private:
  enum class Kind : std::uint8_t { unknown, buffered, direct, other };

  DescriptorTable<Kind> kinds_;
};

}  // namespace proa::uring
