#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/detail/api.hpp>
#include <proa/detail/write_queue.hpp>
#include <proa/file_requests.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/watermarks.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

namespace detail {
enum class FileReading : std::uint8_t;
enum class FileOutput : std::uint8_t;
}  // namespace detail

/// One open file, and everything in flight on it. Subclass it.
///
/// Use it in two ways, or in both at once. Submit your own requests (ReadAt, WriteAt, Sync, ...) on
/// descriptor(): as many as you like, in no order; close() delivers them before on_closed() (R6).
/// Or use the file as a stream: the handler reads in order from one position on, and writes in
/// order from another one. A read and a write of the same bytes are not ordered among each other.
///
/// All verbs return at once, never call back (R1) and never refuse; failures come through
/// on_error(). They are for the proactor's thread. Positions and sizes are in bytes. After
/// on_closed() the handler is like a new one, except that its watermarks stay: it may open() again,
/// in on_closed() too. The loop closes the descriptor with close(2); where that may take long
/// (NFS), give the file to CloseFile instead.
class PROA_API FileHandler : public Handler {
 public:
  /// A handler without a file: call open() next.
  explicit FileHandler(Proactor& proactor) noexcept;
  /// Takes an open file; on_open() follows from the loop. A file that is not valid leads to
  /// on_error(errc::bad_file_descriptor) instead; the handler may open() then.
  FileHandler(Proactor& proactor, File file) noexcept;

  /// Opens a file as the request Open does; on_open() or on_error() follows. The path is copied.
  /// Verbs that are called before on_open() wait for it. A second file is EBUSY. While the handler
  /// closes, it remembers the call: the last open() begins when on_closed() has returned, unless
  /// on_closed() opens another file or destroys the handler, or close() is called after it.
  void open(const std::string& path, OpenFlags flags, unsigned mode = 0644,
            Descriptor at = {}) noexcept;

  /// Calls on_read() for everything from read_position() to the end of the file, then on_end(),
  /// once, and stops reading. Start again to read what was added since. The handler reads a block
  /// ahead, so the bytes may be older by that. An error (on_error) stops reading too; starting
  /// again tries again. May be called before open().
  void start_reading() noexcept;
  /// The same from this offset on; also while reading is on.
  void start_reading(std::uint64_t offset) noexcept;
  /// From here on neither on_read() nor on_end() comes. The handler drops what it has read ahead.
  void stop_reading() noexcept;
  /// The position after the last byte that on_read() got.
  std::uint64_t read_position() const noexcept { return read_position_; }

  /// Queues a buffer, which is written after the writes before it and then goes back to the pool.
  /// The handler gathers what is queued in one callback. If the handler has no file and opens none,
  /// on_error(errc::bad_file_descriptor) comes; the same goes for sync().
  ///
  /// A write that is refused leaves a gap, after which nothing can be in its place. What was
  /// queued before it is written, and nothing after it until set_write_position() is called;
  /// on_error() tells why, once, when all of that was written, unless a write fails before:
  /// Error::write_limit, errc::no_buffer_space for bytes that found no block, and for a Buffer()
  /// that has none (what take_buffer() returns when memory is short), or Error::bad_length. Further
  /// writes that are refused before that is told are told with it. A buffer that is empty of bytes
  /// is a write like others.
  void write(Buffer buffer) noexcept;
  /// The same, but copies the bytes into blocks of the pool.
  void write(Bytes bytes) noexcept;
  /// The same, gathered from several pieces: one write, one on_write().
  void writev(const Bytes* pieces, std::size_t count) noexcept;
  /// Sets where the next write() goes; 0 at first. Files opened with OpenFlags::append are written
  /// at their end all the same. After an error of a write or a sync, and after a write that was
  /// refused, write() and sync() do nothing until this is called. May be called before open().
  void set_write_position(std::uint64_t offset) noexcept;
  /// The position after the last byte that the system has taken; with OpenFlags::append only a
  /// count of them.
  std::uint64_t write_position() const noexcept { return write_position_; }

  /// Calls on_synced() when everything that this handler wrote before is on the disk: the handler
  /// submits a Sync when those writes have completed. Calls that come together share a Sync. If one
  /// of the writes or the Sync fails, on_error() comes once, and no on_synced(). The on_error() of
  /// a write waits for the syncs whose writes are all in the file; a sync() that on_synced() has
  /// not told by then is dropped. If a Sync fails meanwhile, its error is told first, and then that
  /// of the write.
  void sync() noexcept;

  /// The gentle end: calls no on_read() any more, writes what is queued, syncs what sync() was
  /// called for, then closes. Writing after it fails with Error::closing. A handler that opens
  /// waits for its file first.
  void finish() noexcept;
  /// From finish() to on_closed().
  bool finishing() const noexcept { return finishing_; }

  /// As for streams: above `high` the handler stops reading if `pause_reading` says so.
  void set_watermarks(const Watermarks& watermarks) noexcept;
  const Watermarks& watermarks() const noexcept;
  /// Bytes of the blocks that queued writes pin; what the watermarks are compared with.
  std::size_t queued() const noexcept { return queue_.capacity(); }
  /// Payload bytes that write() got and that the system has not taken yet.
  std::size_t unsent() const noexcept { return queue_.size() - taken_; }
  /// What OpenFlags::direct asks of requests on this file. As a stream such a file can be read from
  /// any position. The caller aligns the writes (write(Buffer) of whole
  /// Proactor::take_direct_buffer()s), else they fail with Error::misaligned.
  FileAlignment alignment() const noexcept;

 protected:
  ~FileHandler() override;

  /// The handler has a file now.
  virtual void on_open() {}
  /// The next bytes of the file. Move from `data` to keep it, else it goes back to the pool.
  virtual void on_read(Buffer& data);
  /// A read has met the end of the file, which may grow later. The default finishes.
  virtual void on_end() { finish(); }
  /// The system has taken all of one write(); once per write, in order. The bytes are on the disk
  /// after an on_synced() whose sync() came later.
  virtual void on_write(std::size_t bytes);
  /// The queue has fallen to the low mark after it was above the high one.
  virtual void on_drained() {}
  /// One sync() is done; once per sync(), in order.
  virtual void on_synced() {}

 private:
  friend struct StarvedHook;
  friend class HandlerLoop;
  struct FileMarks;
  using FileReading = detail::FileReading;
  using FileOutput = detail::FileOutput;
  struct FileOpening;

  void open_ended_(const Result& result);
  void read_ended_(ReadAt& request, const Result& result);
  void write_ended_(const Result& result);
  void sync_ended_(const Result& result);

  // One read that is in flight, or that waits until the reads before it are told.
  struct FileAhead {
    enum class State : std::uint8_t {
      idle,
      reading,
      stale,  // in flight; its bytes are dropped when it completes
      done,   // complete; waits until the reads before it are told
    };
    explicit FileAhead(FileHandler& handler) noexcept : request(handler) {}
    bool busy() const noexcept { return state != State::idle; }

    On<ReadAt, &FileHandler::read_ended_> request;
    Buffer buffer;
    std::uint64_t from = 0;
    std::size_t skip = 0;  // bytes before `from` that alignment made the request read
    std::size_t length = 0;
    std::size_t bytes = 0;
    std::int32_t error = 0;
    State state = State::idle;
  };

  void reopen_() noexcept;
  void begin_opening_() noexcept;
  bool lacks_file_() const noexcept;
  void take_(File file) noexcept;
  void read_ahead_() noexcept;
  /// Submits a read into this block, or into one of the pool; false if there is no block, or if
  /// that failed.
  bool submit_read_(FileAhead& ahead, Buffer block = {}) noexcept;
  void deliver_next_();
  void tell_(const std::error_code& error);
  FileAhead* next_in_order_() noexcept;
  void drop_ahead_() noexcept;
  void restart_reading_() noexcept;

  bool accepts_output_(const char* verb) noexcept;
  void need_file_() noexcept;
  void copy_(const Bytes* pieces, std::size_t count) noexcept;
  void write_grew_() noexcept;
  void set_filled_(bool filled) noexcept;
  FileMarks* need_marks_() noexcept;
  void begin_write_() noexcept;
  void begin_sync_() noexcept;
  void refuse_write_(std::int32_t error) noexcept;
  void tell_refusal_() noexcept;
  void refuse_output_(const std::error_code& error) noexcept;
  void sync_failed_(const std::error_code& error) noexcept;
  bool output_fails_() const noexcept;
  void tell_written_();
  void tell_writes_(std::size_t& left);
  void tell_syncs_(std::size_t& left);
  bool takes_nothing_() const noexcept;
  void output_failed_();
  void drop_output_() noexcept;
  bool sync_is_due_() noexcept;
  bool syncs_wait_() const noexcept;
  void close_if_finished_() noexcept;

  bool held_back_() const noexcept;
  bool reads_() const noexcept;
  bool live_() const noexcept { return state_ == HandlerState::open; }
  /// The handler has a file, and on_open() was called.
  bool ready_() const noexcept {
    return live_() && descriptor().valid() && (notices_ & notice_open) == 0;
  }

  void loop_tell_error(std::int32_t error) override;
  void loop_dispatch(HandlerNotice notice) override;
  void loop_flush() override;
  bool loop_has_begun() const noexcept override;
  void loop_closing_down() noexcept override;
  void loop_release_resources() noexcept override;
  void loop_leave_process() noexcept override;
  /// The core lends the block that the handler waited for. Virtual so that the core does not name
  /// it: a statically linked program has this class only if it uses it.
  virtual void loop_lent(Buffer block) noexcept;

  ListHook starved_hook_;
  std::array<FileAhead, 2> ahead_{FileAhead(*this), FileAhead(*this)};
  On<WriteAt, &FileHandler::write_ended_> write_{*this};
  WriteQueue queue_;
  std::unique_ptr<FileOpening> opening_;
  std::unique_ptr<FileMarks> marks_;
  std::unique_ptr<Watermarks> watermarks_;  // nullptr: the defaults
  std::uint64_t read_position_ = 0;
  std::uint64_t next_read_ = 0;  // offset of the next read to submit
  std::uint64_t write_position_ = 0;
  std::uint64_t writes_queued_ = 0;  // calls of write(), since the handler was new
  std::uint64_t writes_told_ = 0;
  std::uint64_t refused_behind_ = 0;  // `refused_` is told after so many writes
  std::size_t taken_ = 0;  // bytes that the system has taken, and that are still in the queue
  std::size_t write_progress_ = 0;  // bytes of the front write that were taken
  std::size_t offset_alignment_ = 1;
  std::int32_t input_error_ = 0;   // on_error() tells it next
  std::int32_t output_error_ = 0;  // on_error() tells it after what succeeded before it
  std::int32_t refused_ = 0;       // why a write was refused
  FileReading reading_{};
  FileOutput output_{};
  bool direct_ = false;
  // the queue was above the high mark, and has not fallen to the low one since
  bool filled_ = false;
  bool finishing_ = false;  // finish() was called
  bool missed_ = false;  // a verb needs a file: on_error() is due, unless open() is called before
};

}  // namespace v0
}  // namespace proa
