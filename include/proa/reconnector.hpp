#pragma once

#include <chrono>
#include <cstdint>
#include <proa/time.hpp>
#include <proa/timer_handler.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

/// How long a Reconnector waits, and how often it tries.
struct Backoff {
  Duration first = std::chrono::milliseconds(100);  ///< the longest wait after the first failure
  Duration most = std::chrono::seconds(30);         ///< the longest wait before any attempt
  std::uint64_t tries = 0;                          ///< attempts in a row at most, without the
                                                    ///< program's own first one; 0: for ever
};

/// Connects again, after a wait that grows with each failure in a row and is drawn at random, so
/// that the clients of a server that comes back do not all come at once: before attempt n any
/// length from 0 to min(most, first * 2^(n - 1)) is as likely ("full jitter", as in "Exponential
/// Backoff And Jitter" in the AWS Architecture Blog). The random numbers are System::entropy() of
/// the proactor: a simulated system can replay them.
///
///     struct Client : proa::StreamHandler {
///       using StreamHandler::StreamHandler;
///       void begin() { connect(server, proa::after(proactor().now(), 3s)); }
///       void on_read(proa::Buffer& data) override {
///         again.succeeded();  // an answer
///         ...
///       }
///       void on_error(std::error_code error) override {
///         why = error;
///         StreamHandler::on_error(error);
///       }
///       void on_closed() override {
///         if (wanted) again.failed(std::exchange(why, {}));
///       }
///       struct Again : proa::Reconnector {
///         explicit Again(Client& c) : Reconnector(c.proactor()), client(c) {}
///         void on_attempt() override { client.begin(); }
///         Client& client;
///       } again{*this};
///       proa::Address server;
///       std::error_code why;
///       bool wanted = true;
///     };
///
/// A reconnector is a timer: open while it waits, which keeps run() going, otherwise idle. stop()
/// ends the wait without a call, and then the object may be destroyed; to destroy it while it waits
/// is misuse. An error (errc::not_enough_memory) comes as on_error(). Everything belongs to the
/// proactor's thread; nothing allocates in steady state, and no verb calls back.
class PROA_API Reconnector : public TimerHandler {
 public:
  /// Waits that are not positive are misuse. The reconnector is idle.
  explicit Reconnector(Proactor& proactor, const Backoff& backoff = {}) noexcept;

  /// The connection could not be made, or has ended: waits, then calls on_attempt(). When all tries
  /// were used up, calls on_given_up() instead, in the next round of the loop. The place to say so
  /// is on_closed(), where the stream may connect again. No effect while the reconnector waits
  /// already or closes, so one failure that is told twice counts once.
  void failed(std::error_code why = {}) noexcept;
  /// The peer has answered: the next failure is the first one again. Not for on_open(): a server
  /// that accepts and then crashes, or that is overloaded, would be asked again and again without a
  /// wait that grows.
  void succeeded() noexcept;

  /// The number of the attempt that comes next or is under way, from 1. 0 before the first failure,
  /// after succeeded() and in on_given_up().
  std::uint64_t attempt() const noexcept { return attempt_; }
  /// The wait that the last failed() has drawn.
  Duration delay() const noexcept { return delay_; }

 protected:
  ~Reconnector() override = default;

  /// Connect now; then call failed() or succeeded(). It may also be stopped, closed, or destroyed.
  virtual void on_attempt() = 0;
  /// No attempt is left; `last` is what failed() was told last. Everything is as in a new
  /// reconnector: failed() would begin anew. The object may be destroyed.
  virtual void on_given_up([[maybe_unused]] std::error_code last) {}

 private:
  using TimerHandler::start;
  using TimerHandler::start_at;
  using TimerHandler::start_every;
  void on_timer(std::uint64_t expirations) final;
  Duration draw_() noexcept;

  Backoff backoff_;
  std::uint64_t attempt_ = 0;
  Duration delay_{};
  std::error_code last_;
  bool gives_up_ = false;  // the timer that is armed ends in on_given_up()
};

}  // namespace v0
}  // namespace proa
