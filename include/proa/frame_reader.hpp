#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/frame_input.hpp>
#include <proa/error.hpp>
#include <system_error>
#include <utility>

namespace proa {
inline namespace v0 {

/// Of a number in front of a frame.
enum class ByteOrder : std::uint8_t {
  big,     ///< the most significant byte first, the order of networks
  little,  ///< the least significant byte first
};

/// How frames say their length: in front of the payload, as an unsigned number.
struct PROA_API FrameLength {
  std::uint8_t bytes = 4;  ///< of the number, 1 to 8
  ByteOrder order = ByteOrder::big;
  bool counts_itself = false;  ///< the number counts its own bytes too, as in 9P and SMPP

  /// Writes the `bytes` bytes that stand in front of a payload of this size (in bytes).
  ///
  ///     char length[4];
  ///     if (proa::FrameLength().put(length, payload.size())) ...  // Error::too_long
  ///     const proa::Bytes frame[] = {{length, 4}, payload};
  ///     writev(frame, 2);  // copies both
  ///
  /// Error::too_long, and nothing is written, if the number does not fit. A length of 0 bytes or
  /// more than 8 is misuse. Any thread.
  [[nodiscard]] std::error_code put(char* to, std::uint64_t payload) const noexcept;
};

/// Cuts a stream of bytes into frames with a length in front: what on_read() gives goes in, and
/// payloads come out, however the bytes were cut on their way.
///
///     void on_read(proa::Buffer& data) override {
///       frames_.add(std::move(data));
///       while (!finishing() && frames_.next()) answer(frames_.frame());
///       if (frames_.error()) on_error(frames_.error());
///     }
///     proa::FrameReader frames_{std::size_t{1} << 20, {4, proa::ByteOrder::little}};
///
/// A payload that lies in one block is not copied, wherever its length stood. What straddles blocks
/// is copied into memory of the reader, which grows with the bytes that have come, not by the
/// length that was announced. Up to 16 KiB of it are kept for later frames.
///
/// All else is as in LineReader (line_reader.hpp): what the reader holds and when, pausing with
/// stop_reading(), threads. Nothing here throws or calls back.
class PROA_API FrameReader {
 public:
  /// `limit`: bytes of a payload at most. A limit of 0, and a length of 0 bytes or more than 8, are
  /// misuse.
  explicit FrameReader(std::size_t limit, FrameLength length = {}) noexcept;

  /// Takes what came next. The last frame() is not valid any more. An empty buffer has no effect,
  /// and after an error the buffer just goes back to its pool.
  void add(Buffer data) noexcept { input_.add(std::move(data)); }

  /// Goes on to the next frame. False if none is complete, and, until clear(), after an error:
  /// error() tells.
  bool next() noexcept;
  /// The payload, until the next next(), add(), end() or clear(). It may have no bytes. Empty if
  /// next() has returned false.
  Bytes frame() const noexcept { return frame_; }

  /// The input has ended. Returns Error::cut_short if half a frame, or half a length, is there.
  /// While bytes wait that next() has not looked at, it returns no error: next() goes on, and
  /// error() tells when that is false.
  std::error_code end() noexcept;

  /// Why next() returns false for ever, when all frames before were given out: Error::too_long,
  /// told as soon as the length is there; Error::bad_length (a number that counts itself and is
  /// smaller than that); Error::cut_short; errc::not_enough_memory. No error if the reader waits
  /// for more.
  std::error_code error() const noexcept { return input_.error(); }

  /// Forgets all that came, the error too, and frees the memory: for the next connection.
  void clear() noexcept;

 private:
  bool read_length() noexcept;
  bool understand(std::uint64_t number) noexcept;

  detail::FrameInput input_;
  Bytes frame_;
  std::size_t limit_;
  std::size_t payload_ = 0;   // bytes of the frame that is being read, once its length is there
  std::uint64_t number_ = 0;  // what is there of its length
  FrameLength length_;
  std::uint8_t length_read_ = 0;  // how many bytes that is
};

}  // namespace v0
}  // namespace proa
