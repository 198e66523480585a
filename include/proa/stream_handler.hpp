#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/detail/write_queue.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/watermarks.hpp>
#include <system_error>

namespace proa {

class SendFile;
class StreamFilter;

namespace detail {
enum class Input : std::uint8_t;
enum class Output : std::uint8_t;
enum class Hold : std::uint8_t;
enum class Verdict : std::uint8_t;
}  // namespace detail

/// A connection of bytes: TCP, UNIX stream sockets, and pipes, ttys or files through
/// Socket::borrow(). Subclass it.
///
/// All verbs return at once, never call back (R1) and never refuse; what goes wrong arrives as
/// on_error(). They are for the proactor's thread. After the first error of the connection nothing
/// is read or sent any more. When it was a send that failed, what had come by then is given to
/// on_read() first, and the error follows; while reading is off it is kept for start_reading(), and
/// the error follows when that has given it out, or after Options::linger: then start_reading(), in
/// on_error() or later, gives it out all the same, and on_error() comes once more behind the last
/// byte. After on_closed() the handler is as new: it may connect() again, in on_closed() too.
class StreamHandler : public Handler {
 public:
  /// Not connected yet: connect() comes next.
  explicit StreamHandler(Proactor& proactor) noexcept;
  /// Takes a connected socket; on_open() follows from the loop. One that is not valid leads to
  /// on_error(errc::bad_file_descriptor) instead; the handler may connect() then.
  StreamHandler(Proactor& proactor, Socket connected) noexcept;

  /// Opens a socket and connects it; on_open() or on_error() follows: connect(2)'s errors,
  /// Error::deadline, what socket(2) says. TCP_NODELAY is set. The address is copied. While the
  /// handler closes, it is remembered: the last connect() begins when on_closed() has returned,
  /// unless that connects elsewhere or destroys the handler, or close() is called behind it.
  void connect(const Address& address, TimePoint deadline = never) noexcept;

  /// on_read() for everything that arrives, until stop_reading(), the end, or an error. May be
  /// called before on_open(), and before connect().
  void start_reading() noexcept;
  /// No on_read() from here on; bytes that were received already are kept, in order, for the next
  /// start_reading().
  void stop_reading() noexcept;

  /// Queues a buffer, which goes back to the pool when it was sent. What is queued in one callback
  /// leaves in one system call.
  void write(Buffer buffer) noexcept;
  /// Copies into blocks of the pool.
  void write(Bytes bytes) noexcept;
  /// The same, gathered: one write, one on_write().
  void writev(const Bytes* pieces, std::size_t count) noexcept;

  /// Sends `length` bytes of a file from `offset` on, without taking them through the program: a
  /// write like the others, in order between those before and behind it, with one on_write() when
  /// the last byte was taken by the kernel. The file stays yours, and open until then, or, after an
  /// error, until on_closed(). A file that ends before is Error::end_of_file, through
  /// on_error(), when all before it was sent: nothing that was written behind it is. Other errors
  /// of the file are those of sendfile(2): EINVAL for what has no pages to map (directories, some
  /// files of /proc). Disks are waited for by a worker. It pins no memory, whatever its length:
  /// queued() does not count it, unsent() does. Refused through on_error(): an invalid descriptor,
  /// a borrowed socket or pipe in blocking mode (errc::operation_not_supported), Error::bad_offset.
  void send_file(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept;

  /// The next `length` bytes of input go into a file, at `offset` and behind, instead of to
  /// on_read(); when the last one was written, on_received() is called, and on_read() goes on with
  /// the byte behind it. Turns reading on; while it is turned off again, nothing is begun. Several
  /// are served in their order. At most `file_backlog` bytes, and what one pass of the kernel
  /// brings, wait in memory for the file; while it is slower than the peer, reading pauses. The
  /// file stays yours, and open until on_received(), on_end() or on_closed().
  ///
  /// `received` is what on_read() was given and did not use (remove_prefix() what it did): the
  /// input begins with it, and what is behind `length` bytes comes to on_read() again. It is only
  /// for on_read() and on_received(), and only if no other receive_file() waits; else EALREADY.
  ///
  /// When the peer ends before, all that came is written, then on_end() or on_error() tells. An
  /// error of the file (ENOSPC, EBADF, ...) is told by on_error() and is not one of the connection:
  /// a handler that does not close() then may go on, and gets what was not written by on_read().
  /// file_received() says how far it came. finish() ends it where it stands. Refused through
  /// on_error(): an invalid descriptor, Error::bad_offset.
  void receive_file(Descriptor file, std::uint64_t offset, std::uint64_t length,
                    Buffer received = {}) noexcept;
  static constexpr std::size_t file_backlog = std::size_t{256} << 10;
  /// Bytes that the file of the receive_file() under way, or else of the last one, has taken; until
  /// on_closed().
  std::uint64_t file_received() const noexcept;

  /// The end of our side only: sends what is queued, then shuts the sending side down (where there
  /// is one: not for pipes, ttys and files). Reading goes on. Writing after it fails with
  /// Error::closing; no effect the second time, nor behind finish(), which may follow.
  void half_close() noexcept;

  /// The gentle end: no on_read() any more (what had come and was not read is dropped, as is what
  /// comes; on_drain() hears it first), sends what is queued, shuts the sending side down,
  /// waits for the end of the peer (what still arrives is dropped), then closes. Closes also when
  /// Options::linger passes without a byte being taken. Writing after it fails with Error::closing.
  void finish() noexcept;

  /// on_error(Error::deadline) when reading is on and nothing arrives for this long, and the kernel
  /// has nothing either that was not taken yet;
  /// Duration::max() turns it off. Up to one timer per stream, looked at once per period: no cost
  /// per byte. A limit that is not positive is on_error(errc::invalid_argument), once, and changes
  /// nothing. May be called before connect().
  void set_read_timeout(Duration limit) noexcept;
  /// The same for nothing moving in either direction; a send for which the kernel has room moves.
  void set_idle_timeout(Duration limit) noexcept;
  /// At any time, before connect() too. When the queue is at or below the new low mark after it was
  /// above the old high one, reading goes on and on_drained() follows from the loop.
  void set_watermarks(const Watermarks& watermarks) noexcept;

  /// What stands between this stream and its connection from here on; mostly set before on_open().
  /// It belongs to the stream until on_closed(), and is destroyed before that. With one,
  /// send_file() fails with errc::operation_not_supported, and queued() and unsent() count what the
  /// filter has made of the writes.
  void set_filter(std::unique_ptr<StreamFilter> filter) noexcept;

  /// Bytes of the blocks that queued writes pin; what the watermarks are compared with. A
  /// send_file() pins none.
  std::size_t queued() const noexcept { return queue_.capacity(); }
  /// Payload bytes that were written and not yet taken by the kernel.
  std::size_t unsent() const noexcept { return queue_.size() - taken_; }
  bool connected() const noexcept { return connection_ >= Connection::opened; }

 protected:
  ~StreamHandler() override;

  /// Connected. The default starts reading.
  virtual void on_open() { start_reading(); }
  /// Bytes arrived. Move from `data` to keep it, else it goes back to the pool.
  virtual void on_read(Buffer& data) = 0;
  /// One write() was taken by the kernel whole; once per write, in order.
  virtual void on_write(std::size_t bytes);
  /// All bytes of one receive_file() were taken by its file; once for each, in order.
  virtual void on_received(std::uint64_t bytes);
  /// The queue has fallen to the low mark after it was above the high one.
  virtual void on_drained() {}
  /// The peer will send no more. The default sends what is queued and closes. If it is overridden,
  /// writing goes on as before.
  virtual void on_end() { finish(); }
  /// What had come when the server began to drain was given to on_read() before, and its end to
  /// on_end(), unless reading was off. The default finishes.
  void on_drain() override { finish(); }

 private:
  struct Connecting;
  friend class StreamFilter;
  struct Timing;
  struct Files;
  struct Extras;
  // `missed` by a verb that needs one, `opened` by this side's connect(), or `given` as a Socket
  // that was connected.
  enum class Connection : std::uint8_t { none, missed, connecting, opened, given };
  using Input = detail::Input;
  using Output = detail::Output;
  using Hold = detail::Hold;
  using Verdict = detail::Verdict;

  void received(RecvBuffers& request, const Result& result);
  void sent(const Result& result);
  void file_sent(SendFile& request, const Result& result);
  void file_written(const Result& result);
  void connect_ended(const Result& result);
  void connect_later(const Address& address, TimePoint deadline) noexcept;
  void reconnect() noexcept;
  void not_connected(std::error_code error);
  void timer_expired(const Result& result);

  bool sending() const noexcept;
  bool receiving_file() const noexcept;
  Files* files() noexcept;
  void send_file_part() noexcept;
  void note_file_progress() noexcept;
  void receive_file_part();
  void drop_received_files() noexcept;

  void tell_end();
  void tell_written();
  void give_held();
  void await_input() noexcept;
  void update_reading() noexcept;
  void need_connection() noexcept;
  bool accepts_output(const char* verb) noexcept;
  void copy(const Bytes* pieces, std::size_t count) noexcept;
  Extras* extras() noexcept;
  StreamFilter* filter() const noexcept;
  void tell_filter_connected();
  void received_by_filter(Buffer data);
  void given_by_filter(Buffer data) noexcept;
  void sent_by_filter(Buffer data) noexcept;
  void filter_ended() noexcept;
  void filter_failed(std::error_code error) noexcept;
  void write_filtered(Buffer data) noexcept;
  void write_filtered(const Bytes* pieces, std::size_t count, std::size_t size) noexcept;
  void end_filtered_write(std::size_t size) noexcept;
  std::size_t payload_written() noexcept;
  bool has_last_words() noexcept;
  void output_cut(std::int32_t error) noexcept;
  void input_ended(std::int32_t error) noexcept;
  bool exceeds_limit(std::size_t more) noexcept;
  void queue_grew() noexcept;
  bool drained() const noexcept;
  bool held_back() const noexcept;
  void set_hold(Hold hold) noexcept;
  void read_next(Buffer& data);
  void resume_held() noexcept;
  const Watermarks& watermarks() const noexcept;
  void output_failed(const std::error_code& error) noexcept;
  void judge(Verdict verdict) noexcept;
  void look();
  void look_later(TimePoint when) noexcept;
  void look_at_silence();
  void give_last_input();
  void keep_last_input();
  bool take_last_input(Buffer& buffer) noexcept;
  void pronounce();
  void broken(std::error_code error);
  void opened();
  void end_output_if_sent() noexcept;
  void end_output() noexcept;
  void release_resources() noexcept override;
  Timing* timing() noexcept;
  bool silent() const noexcept;
  bool timed_out(TimePoint now) noexcept;
  bool take_limit(const char* verb, Duration limit) noexcept;
  void start_timing() noexcept;
  void arm_timer() noexcept;
  TimePoint next_timeout() const noexcept;
  TimePoint system_now() const noexcept;
  bool reads() const noexcept;
  /// Open and not closing. A verb does not open it any more once the proactor was shut down.
  bool live() const noexcept { return state_ == State::open; }
  /// on_open() is due no more: nothing is received, sent or told before it.
  bool announced() const noexcept { return (notices_ & notice_open) == 0; }

  void dispatch(Notice notice) override;
  void drain() override;
  void flush() noexcept override;
  void closing_down() noexcept override;

  On<RecvBuffers, &StreamHandler::received> recv_{*this};
  On<SendBuffers, &StreamHandler::sent> send_{*this};
  WriteQueue queue_;
  WriteQueue held_;  // received while reading was stopped
  std::unique_ptr<Connecting> connecting_;
  std::unique_ptr<Timing> timing_;
  std::unique_ptr<Extras> extras_;  // watermarks that are not the defaults, a filter
  std::unique_ptr<Files> files_;
  std::size_t taken_ = 0;           // by the kernel, not yet off the queue
  std::size_t write_progress_ = 0;  // of the write at the front
  std::int32_t input_error_ = 0;
  std::int32_t output_error_ = 0;
  std::uint32_t last_reads_ = 0;  // for the verdict
  Connection connection_ = Connection::none;
  Input input_{};
  Output output_{};
  Hold hold_{};
  Verdict verdict_{};
  bool wants_input_ = false;  // what start_reading() and stop_reading() said
};

}  // namespace proa
