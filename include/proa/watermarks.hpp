#pragma once

#include <cstddef>

namespace proa {

/// When a stream holds back. Counted in bytes of the blocks that its queued writes pin, not of
/// payload.
///
/// Above `high` a stream that was given its connection (an accepted one) reads no more until its
/// queue has fallen to `low`, so that a peer that sends and does not read cannot fill the memory;
/// but it is given one on_read() between two falls at least. A stream that opened its connection
/// (connect()) reads on: what it writes is of its own making, or is held back where it came from.
/// Because each connection has one end that opened it, and that end reads, two of them never wait
/// for one another, nor does a chain of relays.
///
/// A relay reads from one stream and writes to another. It sets `pause_reading` to false on both,
/// and holds back the stream that it reads from: stop_reading() on it when queued() of the other
/// one is above `high`, start_reading() in the other one's on_drained().
struct Watermarks {
  std::size_t high = std::size_t{256}
                     << 10;  ///< above it an accepted stream stops reading by itself
  std::size_t low = std::size_t{64}
                    << 10;  ///< at or below it reading goes on and on_drained() is called
  std::size_t limit = std::size_t{64}
                      << 20;  ///< a write above it fails: on_error(Error::write_limit)
  /// False: reading goes on above `high` on an accepted stream too; on_drained() comes all the
  /// same. To set it where both ends of a connection were given theirs (a socketpair(2)) keeps them
  /// from waiting for one another.
  bool pause_reading = true;
};

}  // namespace proa
