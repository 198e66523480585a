#pragma once

#include <cstdint>
#include <proa/file_handler.hpp>

#include "handler/mark_queue.hpp"

namespace proa {

/// What a file's handler does between writes; made when first asked for. `behind` counts calls of
/// write(): the mark is reached when so many were told.
struct FileHandler::Marks {
  explicit Marks(FileHandler& handler) : request(handler) {}

  struct SyncMark {
    std::uint64_t behind;
    std::uint64_t calls;  // of sync(), with no write between
  };
  struct Move {
    std::uint64_t behind;
    std::uint64_t position;
  };

  /// Takes off the syncs that are behind no more than so many writes.
  void reach(std::uint64_t writes) noexcept {
    while (!syncs.empty() && syncs.front().behind <= writes) {
      reached += syncs.front().calls;
      syncs.pop();
    }
  }

  On<Sync, &FileHandler::sync_ended> request;
  MarkQueue<SyncMark> syncs;
  MarkQueue<Move> moves;
  std::uint64_t reached = 0;  // calls that the next request is for
  std::uint64_t covered = 0;  // calls that the request in flight is for
  std::uint64_t untold = 0;   // calls that are done
  bool failed = false;        // the request: none begins until that is told
};

}  // namespace proa
