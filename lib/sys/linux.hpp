#pragma once

// Definitions for backends that only Linux has.

struct statx;

namespace proa::sys {

struct FileInfo;

/// IORING_FEAT_NO_IOWAIT and IORING_ENTER_NO_IOWAIT (io_uring_enter(2), Linux 6.15), which the
/// headers of Debian 12 do not have. A ring whose `features` lack the first sleeps without the
/// flag.
constexpr unsigned uring_feature_no_iowait = 1u << 17;
constexpr unsigned uring_enter_no_iowait = 1u << 7;

/// Converts the status that io_uring has written.
FileInfo to_info(const struct statx& from) noexcept;

}  // namespace proa::sys
