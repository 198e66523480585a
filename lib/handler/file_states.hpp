#pragma once

#include <proa/file_handler.hpp>

// The states of a file's handler besides the three of every handler, and how they change.

namespace proa {
inline namespace v0 {
namespace detail {

/// The file as a stream to read.
enum class FileReading : std::uint8_t {
  off,     // the handler wants no input
  on,      // start_reading() was called, and no read has met the end or an error
  ended,   // a read has met the end: on_end() is due behind the bytes before it
  failed,  // a read failed: on_error() is due behind the bytes before it
};

/// The file as a stream to write.
enum class FileOutput : std::uint8_t {
  open,    // what is written goes into the file
  failed,  // on_error() has told of a failed write: set_write_position() begins anew
  // a write was refused: the handler writes what was queued before it, and nothing behind it until
  // set_write_position() is called
  cut,
};

enum class FileOutputEvent : std::uint8_t { fail, cut, reposition };

constexpr FileOutput after(FileOutput state, FileOutputEvent event) noexcept {
  using S = FileOutput;
  constexpr S next[][3] = {
      //          fail       cut     reposition
      /* open   */ {S::failed, S::cut, S::open},
      /* failed */ {S::failed, S::cut, S::open},
      /* cut    */ {S::failed, S::cut, S::open},
  };
  return next[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

}  // namespace detail
}  // namespace v0
}  // namespace proa

namespace proa {
inline namespace v0 {

using detail::FileOutputEvent;

// Whether the handler's own output holds its reading back.
inline bool FileHandler::held_back_() const noexcept {
  return filled_ && watermarks().pause_reading;
}

// Whether on_read() may be called now.
inline bool FileHandler::reads_() const noexcept {
  return reading_ != FileReading::off && !held_back_();
}

}  // namespace v0
}  // namespace proa
