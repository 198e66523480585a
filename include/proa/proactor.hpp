#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <proa/buffer.hpp>
#include <proa/counters.hpp>
#include <proa/detail/api.hpp>
#include <proa/operation.hpp>
#include <proa/options.hpp>
#include <proa/post.hpp>
#include <proa/system.hpp>
#include <proa/time.hpp>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace proa {
inline namespace v0 {

class HandlerLoop;

/// The loop: takes operations on, waits for their completions and calls their owners back.
/// Everything belongs to one thread, which the first run(), run_once() or poll() binds; only post()
/// and stop() are for every thread (R9). Use from another thread is misuse and aborts.
class PROA_API Proactor {
 public:
  /// Throws std::system_error, whose text names the backends tried and why each was refused.
  explicit Proactor(const Options& options = {});
  /// The same without exceptions: returns nullptr and sets `error`; `detail`, if given, receives
  /// the text.
  static std::unique_ptr<Proactor> create(const Options& options, std::error_code& error,
                                          std::string* detail = nullptr);
  /// Calls shutdown() if the program has not. Must be on the bound thread unless the program has
  /// called shutdown() there: only the thread that enabled a ring sees its completions. An
  /// exception that a callback throws here is std::terminate(): a program whose callbacks may throw
  /// calls shutdown() itself, as often as it throws. Misuse inside a callback.
  ~Proactor();
  Proactor(const Proactor&) = delete;
  Proactor& operator=(const Proactor&) = delete;

  /// Takes an operation on, with a deadline if one is given. Never calls back (R1). From here to
  /// the callback the operation and its memory belong to the proactor. It may refuse, and then no
  /// callback comes: with Error::closing (its handler is closing, or the proactor was shut down),
  /// Error::reading_is_on, Error::bad_length, errc::bad_file_descriptor, errc::not_enough_memory,
  /// and with what the header of the request names besides. A pending operation submitted again is
  /// misuse.
  [[nodiscard]] std::error_code submit(Operation& operation, TimePoint deadline = never) noexcept;
  /// Asks for the end of an operation; no effect on an idle one. The operation still completes
  /// once: with its success if that came first, else with errc::operation_canceled and the bytes
  /// that moved (R4). Never calls back. One that another proactor has is misuse.
  void cancel(Operation& operation) noexcept;

  /// Delivers until stop(), or until no handler is open (signal handlers and notifiers do not
  /// count), no request, timer or post is pending and no KeepAlive lives. Returns how many
  /// callbacks ran; a turn of a handler counts as one, though it may make several on_*() or,
  /// seldom, none. An exception of a handler leaves run(); the next run() goes on where it stopped.
  /// Misuse inside a callback, as are run_once(), poll() and shutdown().
  std::size_t run();
  /// The same, but returns after the first round that has made a callback, or after `timeout`; at
  /// once if there is nothing to wait for.
  std::size_t run_once(Duration timeout = Duration::max());
  /// Delivers what has completed, without waiting. For foreign loops: flushes what was submitted
  /// before it returns.
  std::size_t poll();
  /// Ends the current run(), run_once() or poll(); if none of them runs, the next one returns at
  /// once and delivers nothing. Handlers stay open: a program that ends then calls shutdown()
  /// before it destroys them. Any thread, also from a signal handler; like post(), it must have
  /// returned before the proactor is destroyed.
  void stop() noexcept;
  /// Closes every handler, cancels every request and delivers until all have ended or `limit` has
  /// passed. Returns how many handlers and requests were left. Afterwards submit() and post()
  /// refuse. For the bound thread. A callback calls stop() instead, and whoever called run() calls
  /// shutdown() then.
  std::size_t shutdown(Duration limit);

  /// True once shutdown() has begun: no handler opens any more, and submit() refuses.
  bool shutting_down() const noexcept;

  /// Runs `post` on the proactor's thread; false if the proactor was shut down. First in, first out
  /// per thread.
  [[nodiscard]] bool post(Post& post) noexcept;
  /// The same for any callable without arguments, also one that can only be moved. The callable is
  /// called once and destroyed, or destroyed uncalled if the proactor shuts down first. Allocates;
  /// if that fails, or the proactor was shut down, the callable is destroyed and this returns
  /// false.
  template <class Work, class = detail::IfWork<Work>>
  [[nodiscard]] bool post(Work&& work) noexcept {
    static_assert(std::is_invocable_v<std::decay_t<Work>&>,
                  "Proactor::post() takes a callable without arguments, or a Post");
    auto* const posted =
        new (std::nothrow) detail::PostedWork<std::decay_t<Work>>(std::forward<Work>(work));
    if (!posted) return false;
    if (post(static_cast<Post&>(*posted))) return true;
    delete posted;
    return false;
  }

  /// A buffer without bytes, to write into with append(). If memory is short, one that is `false`.
  Buffer take_buffer() noexcept;
  /// The same for direct I/O (OpenFlags::direct): data() and room() are multiples of 4096. A
  /// transfer of such a buffer may cost less than one of other memory (docs/BACKENDS.md, "Files").
  Buffer take_direct_buffer() noexcept;

  /// To live inside another loop: for a proactor that was made with Options::embedded; without that
  /// it is misuse to ask. It stays the same, but for a child of fork(2) that takes the proactor
  /// over (R14). The other loop waits until this descriptor is readable (level- or
  /// edge-triggered), or until next_deadline(), which it asks again before each wait, and calls
  /// poll() then, which takes rounds until there is nothing more to deliver, or until
  /// Options::round_budget callbacks have come; then next_deadline() is now:
  ///
  ///     options.embedded = true;  // before the proactor is made
  ///     ...
  ///     const proa::TimePoint due = proactor.next_deadline();
  ///     int timeout = -1;  // milliseconds, for poll(2)
  ///     if (due != proa::never) {
  ///       const auto left = due - proactor.system().now();
  ///       timeout = static_cast<int>(std::clamp<long long>(
  ///           std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, 60'000));
  ///     }
  ///     pollfd waiting[] = {{proactor.native_handle(), POLLIN, 0}, ...};
  ///     if (::poll(waiting, ..., timeout) >= 0) proactor.poll();
  ///
  /// What the program begins while the other loop waits (between poll() and the next one) makes the
  /// descriptor readable if it is due before that. So a loop that cannot ask before each wait, as
  /// Asio, may ask after each poll() instead.
  ///
  /// With uring, epoll_wait(2) may fail with EINTR without a signal, because the kernel completes
  /// an operation on the thread that sleeps. The descriptor is readable then: wait again. poll(2)
  /// and select(2) do not fail so.
  int native_handle() const noexcept;
  /// When poll() has something to do even if the descriptor is not readable: now or earlier if work
  /// waits already, `never` if none. By the clock of system().now().
  TimePoint next_deadline() const noexcept;

  /// Inside a callback the time at which the round began, elsewhere the time of the clock:
  /// deadlines are counted from it, as in after(proactor.now(), 5s).
  TimePoint now() const noexcept;
  System& system() noexcept;
  const Options& options() const noexcept;
  const BackendReport& backend() const noexcept;
  const Counters& counters() const noexcept;

  /// Reports misuse unless the caller is on the proactor's thread; the message says that the caller
  /// called `verb`, which is given without parentheses. Every verb of the library begins with this
  /// check, and yours may.
  void check_thread(const char* verb) const noexcept;

  /// For the library's own parts.
  HandlerLoop& core() noexcept { return *core_; }

 private:
  explicit Proactor(std::unique_ptr<HandlerLoop> core) noexcept;
  std::unique_ptr<HandlerLoop> core_;
};

/// Keeps run() from returning while this object lives. It must not outlive the proactor. For the
/// proactor's thread.
class PROA_API KeepAlive {
 public:
  explicit KeepAlive(Proactor& proactor) noexcept;
  ~KeepAlive();
  KeepAlive(const KeepAlive&) = delete;
  KeepAlive& operator=(const KeepAlive&) = delete;

 private:
  Proactor& proactor_;
};

}  // namespace v0
}  // namespace proa
