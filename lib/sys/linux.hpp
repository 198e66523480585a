#pragma once

// For backends that only Linux has.

struct statx;

namespace proa::sys {

struct FileInfo;

/// What io_uring wrote.
FileInfo to_info(const struct statx& from) noexcept;

}  // namespace proa::sys
