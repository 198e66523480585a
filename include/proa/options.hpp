#pragma once

#include <cstddef>
#include <proa/backend_info.hpp>
#include <proa/time.hpp>
#include <string>
#include <vector>

namespace proa {
inline namespace v0 {

/// How a Proactor is made. The defaults are meant to be right.
struct Options {
  /// The name of a backend, or "auto": uring if it works well here, else epoll. The environment
  /// variable PROA_BACKEND replaces only "auto"; set-user-id programs ignore it (secure_getenv(3)).
  std::string backend = "auto";
  /// False: a named backend (here or in PROA_BACKEND) that does not work is an error; true: the
  /// next one is taken. A name that nobody knows is an error in any case.
  bool fallback = true;
  /// Backends that are never used, whatever `backend`, PROA_BACKEND or a fallback say. They are not
  /// even probed: name "uring" where seccomp kills a process for io_uring_setup(2).
  std::vector<std::string> exclude;
  /// The program's own backends. A name is looked up here before the built-in ones; "auto" never
  /// takes them.
  std::vector<BackendInfo> extra_backends;

  /// uring: uses nothing that is younger than this kernel release: "5.19", or another from "5.11"
  /// on, or empty for everything that the kernel has. The kernel itself enforces this
  /// (io_uring_register(2), IORING_REGISTER_RESTRICTIONS).
  std::string uring_release;
  /// uring: entries of the submission queue at most; the completion queue has four times as many.
  /// Where the kernel can make them longer (Linux 6.13), the queues begin with 64 and 256 entries.
  unsigned uring_entries = 2048;

  /// Bytes of a receive buffer, its header (128) included; at least 1024. A message of 16 KiB with
  /// a head of its own, or a record of TLS, fits into the default.
  std::size_t buffer_size = 17408;
  std::size_t buffers = 4096;  ///< receive buffers at most, 2 or more, that are not queued for
                               ///< writing, to a socket or a file; beyond, receiving waits (R11)
  /// How many completions, timers, posts and calls of handlers one round delivers at most, of each
  /// kind (R8). A completion counts one more for every 4 KiB that it moved, for every datagram that
  /// it sent, for every sixteen pieces of memory, and for every write that is told with the first;
  /// a connection that was accepted, or connected, and a request on files that neither reads nor
  /// writes (Open, Sync, Status, ...), counts as twelve, a write of a file as three.
  std::size_t round_budget = 32;
  /// When the loop has nothing left to do, it looks for more over and over for so long, 1 s at
  /// most, before it sleeps: what comes meanwhile is told without the time that waking a thread
  /// takes. It costs a processor while it looks. 0: it sleeps at once. poll() and run_once(0), and
  /// so a foreign event loop, never sleep, and do not change by this.
  Duration spin = Duration::zero();
  unsigned workers = 4;  ///< threads for file operations that would block, at most 1024; none are
                         ///< begun before they are needed. 0: such operations end with
                         ///< errc::operation_not_supported
  /// False: the workers perform all operations on files, even where the backend could do so itself:
  /// for file systems that get it wrong.
  bool native_files = true;
  /// How long finish() waits while the peer takes nothing of what is queued; it may take longer in
  /// all. So long an error of a failed send waits for start_reading() too, and ~Proactor for what
  /// does not end.
  Duration linger = std::chrono::seconds(5);
  /// True: a foreign event loop can poll native_handle(). With io_uring this costs a notification
  /// per completion.
  bool embedded = false;
};

}  // namespace v0
}  // namespace proa
