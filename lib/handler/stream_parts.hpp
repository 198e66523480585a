#pragma once

#include <memory>
#include <proa/stream_handler.hpp>

#include "handler/stream_connecting.hpp"
#include "handler/stream_extras.hpp"
#include "handler/stream_files.hpp"
#include "handler/stream_send.hpp"
#include "handler/stream_timing.hpp"

namespace proa {
inline namespace v0 {

/// What a stream that was accepted, and that only reads and writes, does not need. The first verb
/// that needs a part makes it.
struct StreamHandler::StreamParts {
  std::unique_ptr<StreamConnecting> connecting;
  std::unique_ptr<StreamTiming> timing;
  std::unique_ptr<StreamExtras> extras;  // changed watermarks, a filter
  std::unique_ptr<StreamFiles> files;
};

inline StreamHandler::StreamConnecting* StreamHandler::connecting_() const noexcept {
  return parts_ ? parts_->connecting.get() : nullptr;
}
inline StreamHandler::StreamTiming* StreamHandler::timing_() const noexcept {
  return parts_ ? parts_->timing.get() : nullptr;
}
inline StreamHandler::StreamExtras* StreamHandler::extras_() const noexcept {
  return parts_ ? parts_->extras.get() : nullptr;
}
inline StreamHandler::StreamFiles* StreamHandler::files_() const noexcept {
  return parts_ ? parts_->files.get() : nullptr;
}

inline StreamFilter* StreamHandler::filter_() const noexcept {
  const StreamExtras* const extras = extras_();
  return extras ? extras->filter.get() : nullptr;
}
inline bool StreamHandler::sending_() const noexcept {
  if (send_ && send_->pending()) return true;
  const StreamFiles* const files = files_();
  return files && files->send.pending();
}
inline bool StreamHandler::receiving_file_() const noexcept {
  const StreamFiles* const files = files_();
  return files && !files->wanted.empty();
}

}  // namespace v0
}  // namespace proa
