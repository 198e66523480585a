#pragma once

// What a stream keeps of its connect().

#include <memory>
#include <proa/stream_handler.hpp>

namespace proa {
inline namespace v0 {

struct StreamHandler::StreamConnecting {
  explicit StreamConnecting(StreamHandler& handler) noexcept : request(handler) {}

  On<Connect, &StreamHandler::connect_ended_> request;
  TimePoint deadline = never;
  std::unique_ptr<StreamConnecting> next;  // a connect() that was called while the handler closes
};

}  // namespace v0
}  // namespace proa
