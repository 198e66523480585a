#pragma once

#include <cstddef>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/frame_input.hpp>
#include <proa/error.hpp>
#include <string_view>
#include <system_error>
#include <utility>

namespace proa {
inline namespace v0 {

/// Cuts a stream of bytes into lines: what on_read() gives goes in, and lines come out, however the
/// bytes were cut on their way. A handler may take as many lines as it likes and go on later, so it
/// can answer one request at a time.
///
///     struct Session : proa::StreamHandler {
///       void on_read(proa::Buffer& data) override {
///         lines_.add(std::move(data));
///         while (!finishing() && lines_.next()) answer(lines_.line());
///         if (lines_.error()) on_error(lines_.error());
///       }
///       void on_end() override {
///         if (lines_.end()) ...  // Error::cut_short: half a line is there
///         finish();
///       }
///       proa::LineReader lines_{4096};
///     };
///
/// A line that lies in one block is not copied. What straddles blocks is copied into memory of the
/// reader. That memory grows with the bytes that have come, up to the limit and the delimiter. Up
/// to 16 KiB of it are kept for later lines, so that shorter ones allocate nothing in steady state.
///
/// When next() has returned false, the reader holds no block of the pool: peers that send half a
/// line hold none either (R11). While lines wait that were not asked for, the reader keeps their
/// blocks, and more with each add(). So a handler that pauses calls stop_reading(), and next()
/// until that is false before it calls start_reading(): then the reader keeps one block at most.
///
/// Each byte is searched once for the delimiter's end, in pieces of whatever size it comes.
///
/// Nothing here throws or calls back. A reader belongs to no proactor; it is for one thread at a
/// time, and may be destroyed on any.
class PROA_API LineReader {
 public:
  /// `limit`: bytes of a line at most, without the delimiter. The default delimiter ends lines with
  /// LF and with CR LF: a CR before the LF does not belong to the line (as recipients may do by RFC
  /// 9112, section 2.2). Other delimiters have 1 to 8 bytes, are copied, and are taken as they are,
  /// so "\r\n" ends no line with a bare LF. A limit of 0, and an empty delimiter or a longer one,
  /// are misuse.
  explicit LineReader(std::size_t limit, Bytes delimiter = "\n") noexcept;

  /// Takes what came next. The last line() is not valid any more. An empty buffer has no effect,
  /// and after an error the buffer just goes back to its pool.
  void add(Buffer data) noexcept { input_.add(std::move(data)); }

  /// Goes on to the next line. False if none is complete, and, until clear(), after an error:
  /// error() tells.
  bool next() noexcept;
  /// The line without its delimiter, until the next next(), add(), end() or clear(). Empty if
  /// next() has returned false, but for the one that has found the end within a line (end()).
  std::string_view line() const noexcept { return line_; }

  /// The input has ended. Returns Error::cut_short if half a line is there; line() is what there is
  /// of it then, as it came. While bytes wait that next() has not looked at, it returns no error:
  /// next() goes on, and error() tells when that is false.
  std::error_code end() noexcept;

  /// Why next() returns false for ever: Error::too_long (all lines before that one were given
  /// out), Error::cut_short, errc::not_enough_memory. No error if the reader waits for more.
  std::error_code error() const noexcept { return input_.error(); }

  /// Forgets all that came, the error too, and frees the memory: for the next connection.
  void clear() noexcept;

 private:
  std::size_t end_of_line(std::string_view block) const noexcept;
  bool ends_with_delimiter(std::string_view front) const noexcept;
  bool give(std::string_view line) noexcept;

  detail::FrameInput input_;
  std::string_view line_;
  std::size_t limit_;
  std::size_t most_;  // bytes of a line with what ends it
  char delimiter_[8] = {};
  unsigned char delimiter_size_;
  bool drops_return_;  // a CR at the end of a line
};

}  // namespace v0
}  // namespace proa
