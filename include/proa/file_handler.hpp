#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/detail/write_queue.hpp>
#include <proa/file_requests.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/watermarks.hpp>
#include <string>
#include <system_error>

namespace proa {

namespace detail {
enum class FileReading : std::uint8_t;
enum class FileOutput : std::uint8_t;
}  // namespace detail

/// One open file, and everything in flight on it. Subclass it.
///
/// Two ways to use it, also both at once. Requests of your own (ReadAt, WriteAt, Sync, ...) on
/// descriptor(): as many as you like, in no order; close() delivers them before on_closed() (R6).
/// And the file as a stream: reading from one position on, writing from another one, both in order;
/// a read and a write of the same bytes are not ordered among each other.
///
/// All verbs return at once, never call back (R1) and never refuse; what goes wrong arrives as
/// on_error(). They are for the proactor's thread. Positions and sizes are in bytes. After
/// on_closed() the handler is as new: it may open() again, in on_closed() too. The descriptor is
/// closed by close(2) in the loop; where that may take long (NFS), give CloseFile the file instead.
class FileHandler : public Handler {
 public:
  /// No file yet: open() comes next.
  explicit FileHandler(Proactor& proactor) noexcept;
  /// Takes a file that is open; on_open() follows from the loop. One that is not valid leads to
  /// on_error(errc::bad_file_descriptor) instead; the handler may open() then.
  FileHandler(Proactor& proactor, File file) noexcept;

  using Handler::open;
  /// Opens a file as the request Open does; on_open() or on_error() follows. The path is copied.
  /// What is asked of the handler before on_open() waits for it. A second file is EBUSY. While the
  /// handler closes, it is remembered: the last open() begins when on_closed() has returned, unless
  /// that opens another file or destroys the handler, or close() is called behind it.
  void open(const std::string& path, OpenFlags flags, unsigned mode = 0644,
            Descriptor at = {}) noexcept;

  /// on_read() for everything from read_position() to the end of the file, then on_end(): once, and
  /// reading is off. Start again to read what was added since. Reads ahead by a block, so what is
  /// read is as old as that. An error (on_error) turns reading off too; starting again tries again.
  /// May be called before open().
  void start_reading() noexcept;
  /// The same from here on; also while reading is on.
  void start_reading(std::uint64_t offset) noexcept;
  /// No on_read() and no on_end() from here on. What was read ahead is dropped.
  void stop_reading() noexcept;
  /// Behind the last byte that on_read() brought.
  std::uint64_t read_position() const noexcept { return read_position_; }

  /// Queues a buffer, to be written behind what was written before. It goes back to the pool then.
  /// What is queued in one callback is gathered. On a handler that has no file and opens none,
  /// on_error(errc::bad_file_descriptor) comes; the same goes for sync().
  void write(Buffer buffer) noexcept;
  /// Copies into blocks of the pool.
  void write(Bytes bytes) noexcept;
  /// The same, gathered: one write, one on_write().
  void writev(const Bytes* pieces, std::size_t count) noexcept;
  /// Where what is written from here on goes; 0 at first. Files opened with OpenFlags::append are
  /// written at their end all the same. After an error of a write or a sync nothing is written, and
  /// write() and sync() do nothing, until this is called: behind a gap nothing can be in its place.
  /// May be called before open().
  void set_write_position(std::uint64_t offset) noexcept;
  /// Behind the last byte that the system has taken; with OpenFlags::append only a count of them.
  std::uint64_t write_position() const noexcept { return write_position_; }

  /// on_synced() when all that was written by this handler before is on the disk: a Sync is
  /// submitted when those writes have completed. Calls that come together share a Sync. If one of
  /// the writes or the Sync fails there is on_error(), once, and no on_synced(). The on_error() of
  /// a write waits for the syncs whose writes are all in the file: a sync() that is not told by
  /// then is dropped, none is told later. If a Sync fails meanwhile, its error is the one that is
  /// told.
  void sync() noexcept;

  /// The gentle end: no on_read() any more, writes what is queued, syncs what sync() was called
  /// for, then closes. Writing after it fails with Error::closing. A handler that opens waits for
  /// its file first.
  void finish() noexcept;

  /// As for streams: above `high` reading pauses if `pause_reading` says so.
  void set_watermarks(const Watermarks& watermarks) noexcept;
  /// Bytes of the blocks that queued writes pin; what the watermarks are compared with.
  std::size_t queued() const noexcept { return queue_.capacity(); }
  /// Payload bytes that were given to write() and not yet taken by the system.
  std::size_t unsent() const noexcept { return queue_.size() - taken_; }
  /// What OpenFlags::direct asks of requests on this file. As a stream such a file can be read from
  /// any position; writes are as the caller aligns them (write(Buffer) of whole
  /// Proactor::take_direct_buffer()s), else Error::misaligned.
  FileAlignment alignment() const noexcept;

 protected:
  ~FileHandler() override;

  /// There is a file now.
  virtual void on_open() {}
  /// The next stretch of the file. Move from `data` to keep it, else it goes back to the pool.
  virtual void on_read(Buffer& data);
  /// The end of the file was read; it may grow later. The default finishes.
  virtual void on_end() { finish(); }
  /// One write() was taken by the system whole; once per write, in order. It is on the disk after
  /// an on_synced() whose sync() came later.
  virtual void on_write(std::size_t bytes);
  /// The queue has fallen to the low mark after it was above the high one.
  virtual void on_drained() {}
  /// One sync() is done; once per sync(), in order.
  virtual void on_synced() {}

 private:
  friend struct StarvedHook;
  friend class HandlerLoop;
  struct Marks;
  using FileReading = detail::FileReading;
  using FileOutput = detail::FileOutput;
  struct Opening;

  void open_ended(const Result& result);
  void read_ended(ReadAt& request, const Result& result);
  void write_ended(const Result& result);
  void sync_ended(const Result& result);

  // One read that is in flight, or waits for its turn to be told.
  struct Ahead {
    enum class State : std::uint8_t {
      idle,
      reading,
      stale,  // in flight, to be dropped when it comes
      done,   // waits for its turn
    };
    explicit Ahead(FileHandler& handler) noexcept : request(handler) {}
    bool busy() const noexcept { return state != State::idle; }

    On<ReadAt, &FileHandler::read_ended> request;
    Buffer buffer;
    std::uint64_t from = 0;
    std::size_t skip = 0;  // bytes before `from` that alignment made it read
    std::size_t length = 0;
    std::size_t bytes = 0;
    std::int32_t error = 0;
    State state = State::idle;
  };

  void begin_opening() noexcept;
  bool lacks_file() const noexcept;
  void take(File file) noexcept;
  void read_ahead() noexcept;
  /// A block that it has waited for.
  void lent(Buffer block) noexcept;
  /// Into this block, or one of the pool's; false if there is none, or if that failed.
  bool submit_read(Ahead& ahead, Buffer block = {}) noexcept;
  void deliver_next();
  Ahead* next_in_order() noexcept;
  void drop_ahead() noexcept;
  void restart_reading() noexcept;

  bool accepts_output(const char* verb) noexcept;
  void copy(const Bytes* pieces, std::size_t count) noexcept;
  void write_grew() noexcept;
  void set_filled(bool filled) noexcept;
  const Watermarks& watermarks() const noexcept;
  Marks* marks() noexcept;
  void begin_write() noexcept;
  void begin_sync() noexcept;
  void refuse_output(const std::error_code& error) noexcept;
  void tell_written();
  void tell_writes();
  void tell_syncs();
  bool takes_nothing() const noexcept;
  void output_failed();
  void drop_output() noexcept;
  bool sync_is_due() noexcept;
  bool syncs_wait() const noexcept;
  void close_if_finished() noexcept;

  bool held_back() const noexcept;
  bool reads() const noexcept;
  bool live() const noexcept { return state_ == State::open; }
  /// There is a file, and on_open() is due no more.
  bool ready() const noexcept {
    return live() && descriptor().valid() && (notices_ & notice_open) == 0;
  }

  void dispatch(Notice notice) override;
  void flush() noexcept override;
  void closing_down() noexcept override;
  void release_resources() noexcept override;

  ListHook starved_hook_;
  std::array<Ahead, 2> ahead_{Ahead(*this), Ahead(*this)};
  On<WriteAt, &FileHandler::write_ended> write_{*this};
  WriteQueue queue_;
  std::unique_ptr<Opening> opening_;
  std::unique_ptr<Marks> marks_;
  std::unique_ptr<Watermarks> watermarks_;  // nullptr: the defaults
  std::uint64_t read_position_ = 0;
  std::uint64_t next_read_ = 0;  // of what is not asked for yet
  std::uint64_t write_position_ = 0;
  std::uint64_t writes_queued_ = 0;  // calls of write(), since the handler was new
  std::uint64_t writes_told_ = 0;
  std::size_t taken_ = 0;           // by the system, not yet off the queue
  std::size_t write_progress_ = 0;  // of the write at the front
  std::size_t offset_alignment_ = 1;
  std::int32_t input_error_ = 0;   // to be told next
  std::int32_t output_error_ = 0;  // to be told behind what was done before it
  FileReading reading_{};
  FileOutput output_{};
  bool direct_ = false;
  bool filled_ = false;     // above the high mark, and not down to the low one since
  bool finishing_ = false;  // finish() was called
};

}  // namespace proa
