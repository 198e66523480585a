#pragma once

namespace proa_test {

/// From now on kqueue answers as macOS does: there is no EVFILT_AIO (ENOTSUP), the aio calls are
/// missing (ENOSYS), and so are the vfs.aio names of sysctlbyname() (ENOENT).
void emulate_macos(bool on) noexcept;

}  // namespace proa_test
