#pragma once

#include <cstdint>
#include <memory>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>

#include "handler/mark_queue.hpp"

namespace proa {
inline namespace v0 {

/// What most streams do not need; the first verb that needs a part of it makes it.
struct StreamHandler::StreamExtras {
  /// Stands for a write that was queued before there was a filter: on_write() tells the bytes that
  /// were sent.
  static constexpr std::size_t as_sent = SIZE_MAX;

  enum class LastWords : std::uint8_t {
    none,
    asked,  // the stream has called the filter's on_finished()
    said,   // the filter has called send_end()
  };

  /// Before the error of a filter that has failed there is one try to send what it has sent.
  enum class LastTry : std::uint8_t {
    none,
    due,
    waits,  // once, for a send that is under way
  };

  /// While this much of what a filter gave waits for the handler, the filter gets no more input.
  static constexpr std::size_t filter_backlog = std::size_t{64} << 10;

  /// The watermarks hold for the next connection too; a filter goes with its own.
  void forget_connection() noexcept {
    filter.reset();
    payloads.clear();
    came.clear();
    last_words = LastWords::none;
    last_try = LastTry::none;
    receiving = asked_for_end = failed = false;
  }

  Watermarks watermarks;
  std::unique_ptr<StreamFilter> filter;
  MarkQueue<std::size_t> payloads;  // with a filter: the sizes of the queued writes
  WriteQueue came;                  // input that waits until the filter may get it
  LastWords last_words = LastWords::none;
  LastTry last_try = LastTry::none;
  // the filter is in on_received(); the handler gets what it gives after that
  bool receiving = false;
  bool asked_for_end = false;  // the filter's on_ended() was called
  bool failed = false;  // the filter has called fail(), and the stream waits for nothing of it
};

}  // namespace v0
}  // namespace proa
