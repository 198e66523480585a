#pragma once

#include <cstddef>

namespace proa {
inline namespace v0 {

/// When a stream stops reading because of its own output. The marks count bytes of the blocks that
/// its queued writes pin, not of payload.
///
/// Above `high` an accepted stream, or another one that was given its connection, reads no more
/// until its queue has fallen to `low`, so that a peer that sends and does not read cannot fill the
/// memory. Between two falls of the queue it gets at least one on_read(). A stream that opened its
/// connection (connect()) reads on: what it writes is its own data, or comes from a stream that is
/// held back itself. Each connection has one end that opened it, and that end reads; so two streams
/// never wait for one another, nor does a chain of relays.
///
/// A relay reads from one stream and writes to another. It sets `pause_reading` to false on both,
/// and holds back the stream that it reads from: it calls stop_reading() there when queued() of the
/// other stream is above `high`, and start_reading() in on_drained() of the other stream.
struct Watermarks {
  std::size_t high = std::size_t{256}
                     << 10;  ///< above it an accepted stream stops reading by itself
  std::size_t low = std::size_t{64}
                    << 10;  ///< at or below it reading goes on and on_drained() is called
  std::size_t limit = std::size_t{64}
                      << 20;  ///< a write above it is refused: on_error(Error::write_limit), after
                              ///< what was written before
  /// False: an accepted stream too goes on reading above `high`; on_drained() still comes. Set it
  /// where both ends of a connection were given theirs (a socketpair(2)), so that they do not wait
  /// for one another.
  bool pause_reading = true;
};

}  // namespace v0
}  // namespace proa
