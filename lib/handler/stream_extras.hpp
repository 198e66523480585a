#pragma once

#include <cstdint>
#include <memory>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>

#include "handler/mark_queue.hpp"

namespace proa {

/// What most streams do without; made when the first of it is asked for.
struct StreamHandler::Extras {
  /// A write that was queued before there was a filter: as many bytes as are sent.
  static constexpr std::size_t as_sent = SIZE_MAX;

  enum class LastWords : std::uint8_t {
    none,
    asked,  // the filter was told that the protocol has finished
    said,   // and has called end()
  };

  Watermarks watermarks;
  std::unique_ptr<StreamFilter> filter;
  MarkQueue<std::size_t> payloads;  // of the writes that are queued, if there is a filter
  LastWords last_words = LastWords::none;
  bool receiving = false;  // the filter is in on_received(); what it gives is told behind that
};

inline StreamFilter* StreamHandler::filter() const noexcept {
  return extras_ ? extras_->filter.get() : nullptr;
}

}  // namespace proa
