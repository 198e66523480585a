// A PollHandler is two Polls, one for each direction, on a duplicate of the program's descriptor.
// A Poll ends when the descriptor is ready, and is submitted again behind on_ready(), so that it
// finds what the callback has left. Upholds R6 (the duplicate is closed behind the last
// completion) and R8 (a descriptor that stays ready waits for its next turn like all others).
#include <proa/poll_handler.hpp>

#include "base/error_code.hpp"
#include "handler/handler_loop.hpp"
#include "sys/sys.hpp"

namespace proa {

PollHandler::~PollHandler() {
  if (is_open()) destroyed_();
}

std::error_code PollHandler::open(int descriptor) noexcept {
  check_("open");
  if (closing() || proactor().shutting_down()) return Error::closing;
  if (is_open()) return std::make_error_code(std::errc::device_or_resource_busy);
  const long copy = sys::duplicate(descriptor);
  if (copy < 0) return to_error_code(static_cast<int>(copy));
  // For a Poll the mode of the descriptor makes no difference.
  socket_ = Socket(proactor().system(), {static_cast<int>(copy), DescriptorKind::pipe});
  in_.prepare(this->descriptor());
  out_.prepare(this->descriptor());
  wants_input_ = wants_output_ = false;
  start_("open");
  return {};
}

void PollHandler::watch_input(bool on) noexcept {
  check_("watch_input");
  watch_(in_, on);
}

void PollHandler::watch_output(bool on) noexcept {
  check_("watch_output");
  watch_(out_, on);
}

// A Poll that is being cancelled is submitted again when it has ended, if it is wanted by then.
void PollHandler::watch_(Poll& request, bool on) noexcept {
  if (!is_open() || closing()) return;
  wants_(request) = on;
  if (on) {
    ask_(request);
  } else {
    proactor().cancel(request);
  }
}

void PollHandler::ask_(Poll& request) noexcept {
  if (request.pending() || !wants_(request) || !is_open() || closing()) return;
  request.prepare(descriptor());
  const std::error_code error = proactor().submit(request);
  if (!error) return;
  wants_(request) = false;
  fail_(to_negative(error));
}

/// Also if on_ready() throws.
struct PollHandler::PollAgain {
  PollHandler& handler;
  Poll& request;
  ~PollAgain() {
    if (handler.goes_on_()) handler.ask_(request);
  }
};

void PollHandler::answered_(Poll& request, const Result& result) {
  if (closing()) return;
  const PollAgain again{*this, request};
  if (!wants_(request) || result.error == std::errc::operation_canceled) return;
  if (!result.error) return on_ready(request);
  wants_(request) = false;
  fail_(to_negative(result.error));
}

void PollHandler::loop_tell_error(std::int32_t error) {
  on_error(to_error_code(error));
  if (!wants_input_ && !wants_output_) unanswered_();
}

}  // namespace proa
