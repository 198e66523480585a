#pragma once

#if defined(PROA_BOOST_ASIO)
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#else
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#endif

#include <memory>
#include <proa/embed/poll.hpp>
#include <utility>

namespace proa {
inline namespace v0 {
namespace embed {

#if defined(PROA_BOOST_ASIO)
namespace asio_library = boost::asio;
using AsioError = boost::system::error_code;
#else
namespace asio_library = ::asio;
/// The type in which Asio tells an error: Boost's with PROA_BOOST_ASIO.
using AsioError = std::error_code;
#endif

/// Lets a proactor live inside an io_context of Asio: of the Asio that stands alone, or of
/// Boost.Asio where the program defines PROA_BOOST_ASIO.
///
///     proa::embed::AsioAdapter adapter(proactor, context);
///     if (adapter.error()) ...
///     context.run();
///
/// What all adapters have in common is in embed/poll.hpp. Asio itself wants exceptions. One thread
/// runs the context, or the proactor's callbacks come from several, which is misuse. The adapter
/// waits as long as it lives, so run() does not return before it is destroyed, or before stop().
class AsioAdapter {
 public:
  AsioAdapter(Proactor& proactor, asio_library::io_context& context)
      : state_(std::make_shared<State>(proactor, context)) {
    state_->readable.assign(state_->loop.entry().fd, error_);
    if (error_) return;
    Detach if_it_throws{state_.get()};
    await_readable(state_);
    await_due(state_);
    if_it_throws.state = nullptr;
  }
  ~AsioAdapter() { const Detach now{state_.get()}; }
  AsioAdapter(const AsioAdapter&) = delete;
  AsioAdapter& operator=(const AsioAdapter&) = delete;

  /// Why Asio could not take the descriptor on.
  const AsioError& error() const noexcept { return error_; }

 private:
  // Asio calls what it was given even when the adapter is gone.
  struct State {
    State(Proactor& proactor, asio_library::io_context& context)
        : loop(proactor), readable(context), due(context) {}
    PollAdapter loop;
    asio_library::posix::stream_descriptor readable;
    asio_library::steady_timer due;
    bool attached = true;
    bool readable_later = false;  // in a loop that a callback runs: for the turn that goes on
  };

  struct Detach {
    State* state;
    ~Detach() {
      if (!state) return;
      state->attached = false;
      state->due.cancel();
      // The descriptor is the proactor's, and not to be closed.
      if (state->readable.is_open()) state->readable.release();
    }
  };

  // Also if a callback of the proactor throws: the exception leaves the context's run(), which may
  // be called again.
  struct WaitAgain {
    const std::shared_ptr<State>& state;
    const bool readable;
    ~WaitAgain() {
      if (std::exchange(state->readable_later, false) || readable) await_readable(state);
      await_due(state);
    }
  };

  static void await_readable(const std::shared_ptr<State>& state) {
    state->readable.async_wait(asio_library::posix::stream_descriptor::wait_read,
                               [state](const AsioError& error) {
                                 if (error || !state->attached) return;
                                 if (state->loop.turning()) {
                                   state->readable_later = true;
                                   return;
                                 }
                                 const WaitAgain again{state, true};
                                 state->loop.turn(true);
                               });
  }
  // What is begun after this, and is due earlier, makes the descriptor readable.
  static void await_due(const std::shared_ptr<State>& state) {
    const TimePoint due = state->loop.due();
    state->due.expires_at(due);
    if (due == never) return;
    state->due.async_wait([state](const AsioError& error) {
      if (error || !state->attached || state->loop.turning()) return;
      const WaitAgain again{state, false};
      state->loop.turn(true);
    });
  }

  std::shared_ptr<State> state_;
  AsioError error_;
};

}  // namespace embed
}  // namespace v0
}  // namespace proa
