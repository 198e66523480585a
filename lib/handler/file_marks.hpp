#pragma once

#include <cstdint>
#include <proa/file_handler.hpp>

#include "handler/mark_queue.hpp"

namespace proa {
inline namespace v0 {

/// What a file's handler does between writes; the first such verb makes this. `behind` counts calls
/// of write(): a mark is reached when on_write() has told so many.
struct FileHandler::FileMarks {
  explicit FileMarks(FileHandler& handler) : request(handler) {}

  struct SyncMark {
    std::uint64_t behind;
    std::uint64_t calls;  // calls of sync() with no write between them
  };
  struct Move {
    std::uint64_t behind;
    std::uint64_t position;
  };

  /// Takes off the syncs that are behind so many writes or fewer.
  void reach(std::uint64_t writes) noexcept {
    while (!syncs.empty() && syncs.front().behind <= writes) {
      reached += syncs.front().calls;
      syncs.pop();
    }
  }

  On<Sync, &FileHandler::sync_ended_> request;
  MarkQueue<SyncMark> syncs;
  MarkQueue<Move> moves;
  std::uint64_t reached = 0;  // calls of sync() that the next request is for
  std::uint64_t covered = 0;  // calls of sync() that the request in flight is for
  std::uint64_t untold = 0;   // calls of sync() that are done, and not told yet
  bool failed = false;        // the request failed: no other begins until the error is told
  std::int32_t error = 0;     // why; it is told before the error of a write, which came later
};

}  // namespace v0
}  // namespace proa
