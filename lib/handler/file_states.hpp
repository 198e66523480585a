#pragma once

#include <proa/file_handler.hpp>

// What a file's handler knows besides the three states of every handler, and how it changes.

namespace proa::detail {

/// The file as a stream to read.
enum class FileReading : std::uint8_t {
  off,     // nothing is wanted
  on,      // start_reading() was called, and neither the end nor an error was seen
  ended,   // the end was read, and on_end() is due behind what was read before it
  failed,  // a read failed, and on_error() is due behind what was read before it
};

/// The file as a stream to write.
enum class FileOutput : std::uint8_t {
  open,    // what is written goes into the file
  failed,  // on_error() told of a write that failed: set_write_position() begins anew
  cut,     // a write was queued in part: nothing is written any more, what follows makes no sense
};

enum class FileOutputEvent : std::uint8_t { fail, cut, reposition };

constexpr FileOutput after(FileOutput state, FileOutputEvent event) noexcept {
  using S = FileOutput;
  constexpr S next[][3] = {
      //          fail       cut     reposition
      /* open   */ {S::failed, S::cut, S::open},
      /* failed */ {S::failed, S::cut, S::open},
      /* cut    */ {S::cut, S::cut, S::cut},
  };
  return next[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

}  // namespace proa::detail

namespace proa {

using detail::FileOutputEvent;

// Whether the handler's own output holds its reading back.
inline bool FileHandler::held_back() const noexcept {
  return filled_ && watermarks().pause_reading;
}

// Whether on_read() may be called now.
inline bool FileHandler::reads() const noexcept {
  return reading_ != FileReading::off && !held_back();
}

}  // namespace proa
