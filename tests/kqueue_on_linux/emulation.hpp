#pragma once

namespace proa_test {

/// From now on kqueue answers as macOS does: there is no EVFILT_AIO (ENOTSUP), nor an EVFILT_SIGNAL
/// that could be used (ENOTSUP too, although there is one), the aio calls are missing (ENOSYS), and
/// so are the vfs.aio names of sysctlbyname() (ENOENT).
void emulate_macos(bool on) noexcept;

}  // namespace proa_test
