#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/detail/api.hpp>
#include <proa/detail/input_queue.hpp>
#include <proa/detail/write_queue.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <proa/watermarks.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

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
/// All verbs return at once, never call back (R1) and never refuse; failures come through
/// on_error(). They are for the proactor's thread.
///
/// If on_error() does not close, the stream goes on after these errors: Error::deadline of its own
/// timeouts, errc::invalid_argument of a setting, Error::closing, errc::not_connected (until
/// connect()), already_connected, connection_already_in_progress, and what a receive_file() tells.
/// After a write that was refused it sends what was queued before, and reads on. After all others,
/// the errors of the connection, the stream neither reads nor sends. If a send failed, on_read()
/// first gets what had come by then, and on_error() follows. While reading is off, these bytes wait
/// for start_reading(), and the error for them, but no longer than Options::linger. If
/// start_reading() is called in on_error() or later, on_read() still gets them, and on_error()
/// comes once more after the last byte.
///
/// After on_closed() the handler is like a new one, except that its timeouts and watermarks stay:
/// it may connect() again, in on_closed() too.
class PROA_API StreamHandler : public Handler {
 public:
  /// A handler without a connection: call connect() next.
  explicit StreamHandler(Proactor& proactor) noexcept;
  /// Takes a connected socket; on_open() follows from the loop. A socket that is not valid leads to
  /// on_error(errc::bad_file_descriptor) instead; the handler may connect() then.
  StreamHandler(Proactor& proactor, Socket connected) noexcept;

  /// Opens a socket, with TCP_NODELAY, and connects it; on_open() or on_error() follows: errors of
  /// socket(2) and connect(2), Error::deadline. The address is copied. While the handler closes, it
  /// remembers the call: the last connect() begins when on_closed() has returned, unless
  /// on_closed() connects elsewhere or destroys the handler, or close() is called after it.
  void connect(const Address& address, TimePoint deadline = never) noexcept;

  /// Calls on_read() for everything that arrives, until stop_reading(), the end, or an error. May
  /// be called before on_open(), and before connect().
  void start_reading() noexcept;
  /// From here on no on_read() comes. Bytes that were received already are kept, in order, for the
  /// next start_reading().
  void stop_reading() noexcept;

  /// Queues a buffer, which goes back to the pool when it was sent. What is queued in one callback
  /// leaves in one system call.
  ///
  /// A write that is refused leaves a gap, after which nothing makes sense. What was queued before
  /// it is sent, what is written after it is not, and on_error() tells why, once, when all of that
  /// was sent, unless the connection fails before:
  /// Error::write_limit, errc::no_buffer_space for bytes that found no block, and for a Buffer()
  /// that has none (what take_buffer() returns when memory is short), Error::bad_length, or as
  /// send_file() says. Reading goes on, if on_error() does not close. When on_error() has told it,
  /// and the stream neither has nor opens a connection, what is written from then on is sent by the
  /// next connect(), after what was queued before. A buffer that is empty of bytes is a write like
  /// others.
  void write(Buffer buffer) noexcept;
  /// The same, but copies the bytes into blocks of the pool.
  void write(Bytes bytes) noexcept;
  /// The same, gathered from several pieces: one write, one on_write().
  void writev(const Bytes* pieces, std::size_t count) noexcept;

  /// Sends `length` bytes of a file from `offset` on, without taking them through the program. This
  /// is a write like the others: it keeps its place between those before and after it, and one
  /// on_write() comes when the kernel has taken the last byte. The file still belongs to the
  /// program, and must stay open until then, or, after an error, until on_closed(). If the file
  /// ends before, on_error(Error::end_of_file) comes when everything before that was sent, and
  /// nothing that was written later is sent. Other errors of the file are those of sendfile(2):
  /// EINVAL for files without pages to map (directories, some files of /proc). A worker waits for
  /// the disk. The file pins no memory, whatever its length: queued() does not count it, unsent()
  /// does. To close it too early is misuse: proa::File aborts if a part of the file is under
  /// way. Refused through on_error(): an invalid descriptor, a borrowed socket or pipe in blocking
  /// mode (errc::operation_not_supported), Error::bad_offset.
  void send_file(Descriptor file, std::uint64_t offset, std::uint64_t length) noexcept;

  /// Writes the next `length` bytes of input into a file, from `offset` on, and does not give them
  /// to on_read(). When the last one was written, on_received() comes, and on_read() goes on with
  /// the byte after it. This turns reading on; while reading is off again, no write begins. Several
  /// receive_file()s are served in their order. At most `file_backlog` bytes, and what one entry
  /// into the kernel brings, wait in memory for the file; while the file is slower than the peer,
  /// the stream does not read. The file still belongs to the program, and must stay open until
  /// on_received(), on_end() or on_closed().
  ///
  /// `received` is a buffer that on_read() got and did not use (remove_prefix() what it did use):
  /// the input begins with these bytes, and on_read() gets what follows `length` bytes again. It is
  /// only for on_read() and on_received(), and only if no other receive_file() waits; else
  /// EALREADY.
  ///
  /// If the input ends before, everything that came is written, then on_end() or on_error() comes.
  /// on_error() also tells an error of the file (ENOSPC, EBADF, ...), which is none of the
  /// connection, and ends the receive_file()s after this one too: a handler that does not close()
  /// then may go on, and on_read() gets what was not written. file_received() says how many bytes
  /// the file has. finish() ends the transfer where it stands. Refused through on_error(): an
  /// invalid descriptor, Error::bad_offset, and, after on_end(), Error::end_of_file.
  void receive_file(Descriptor file, std::uint64_t offset, std::uint64_t length,
                    Buffer received = {}) noexcept;
  static constexpr std::size_t file_backlog = std::size_t{256} << 10;
  /// How many bytes the file of the current receive_file(), or else of the last one, has taken;
  /// until on_closed().
  std::uint64_t file_received() const noexcept;

  /// Ends the output only: sends what is queued, then shuts the sending side down (pipes, ttys and
  /// files have none); so it does after a write that was refused too. Reading goes on. Writing
  /// after it fails with Error::closing. No effect the second time or after finish(); finish() may
  /// follow.
  void half_close() noexcept;

  /// The gentle end: calls no on_read() any more, sends what is queued, shuts the sending side
  /// down, waits for the peer's end, then closes. Input that has not been read, and what still
  /// comes, is dropped; a handler that waits for on_drain() gets its input before that. Closes also
  /// when Options::linger passes and the kernel has taken no byte, nor has room for one by then.
  /// Writing after it fails with Error::closing.
  void finish() noexcept;
  /// From finish() to on_closed().
  bool finishing() const noexcept { return finishing_; }

  /// Calls on_error(Error::deadline) when reading is on, nothing arrives for this long, and the
  /// kernel has nothing that the stream has not taken; Duration::max() turns the timeout off. A
  /// stream has one timer at most, which looks once per period: a byte costs nothing. The stream
  /// stays usable; if nobody closes it, on_error() comes again after each period that is as silent.
  /// A limit that is not positive leads to on_error(errc::invalid_argument), once, and changes
  /// nothing. May be called before connect(); stays after on_closed().
  void set_read_timeout(Duration limit) noexcept;
  /// The same when nothing moves in either direction; a send for which the kernel has room counts
  /// as moving, and so does a write into a file (receive_file()) that is under way.
  /// This timeout ends with finish(), whose wait Options::linger bounds.
  void set_idle_timeout(Duration limit) noexcept;
  /// May be called at any time, also before connect(). If the queue was above the old high mark and
  /// is at or below the new low mark, reading goes on, and on_drained() follows from the loop.
  /// A low mark above the high one leads to on_error(errc::invalid_argument), once, and changes
  /// nothing. The watermarks stay after on_closed().
  void set_watermarks(const Watermarks& watermarks) noexcept;
  const Watermarks& watermarks() const noexcept;

  /// Puts a filter between this stream and its connection from here on; mostly called before
  /// on_open(). The filter belongs to the stream, which destroys it before on_closed(). With a
  /// filter, send_file() fails with errc::operation_not_supported, and queued() and unsent() count
  /// what the filter has made of the writes.
  ///
  /// If there is a filter already, the new one takes its place, and the old one is destroyed at
  /// once: what it has sent goes out, what it has given is read, and what it still kept is lost.
  /// on_write() tells writes of before as it would have. A filter cannot be taken away: a null
  /// pointer has no effect.
  void set_filter(std::unique_ptr<StreamFilter> filter) noexcept;

  /// Bytes of the blocks that queued writes pin; what the watermarks are compared with. A
  /// send_file() pins none.
  std::size_t queued() const noexcept { return queue_.capacity(); }
  /// Payload bytes that were written and that the kernel has not taken yet. A long send_file() goes
  /// out in parts, and its bytes count until the whole part that they are in was taken.
  std::size_t unsent() const noexcept { return queue_.size() - taken_; }
  /// A connection was made, and on_closed() has not begun. It may be broken by now.
  bool connected() const noexcept { return connection_ >= StreamConnection::opened; }

 protected:
  ~StreamHandler() override;

  /// The stream is connected. The default starts reading.
  virtual void on_open() { start_reading(); }
  /// Bytes arrived. Move from `data` to keep it, else it goes back to the pool.
  virtual void on_read(Buffer& data) = 0;
  /// The kernel has taken all of one write(); once per write, in order.
  virtual void on_write(std::size_t bytes);
  /// The file has taken all bytes of one receive_file(); once for each, in order.
  virtual void on_received(std::uint64_t bytes);
  /// The queue has fallen to the low mark after it was above the high one.
  virtual void on_drained() {}
  /// The peer will send no more. The default sends what is queued and closes. A handler that
  /// overrides this may go on writing.
  virtual void on_end() { finish(); }
  /// The server drains. Before this, on_read() got what had come by then, and on_end() its end,
  /// unless reading was off. The default finishes.
  void on_drain() override { finish(); }

 private:
  struct StreamConnecting;
  friend class StreamFilter;
  friend class StreamSend;
  struct StreamTiming;
  struct StreamFiles;
  struct StreamExtras;
  struct StreamParts;
  enum class StreamConnection : std::uint8_t {
    none,
    missed,      // a verb needed a connection and found none; told unless connect() comes before
    refused,     // connect() failed at once, or the Socket was invalid, which is to be told
    connecting,  // this side's connect() is under way
    opened,      // this side's connect() made the connection
    given,       // the program passed a connected Socket
  };

  StreamHandler(Proactor& proactor, Socket socket, StreamConnection connection) noexcept;
  void received_(RecvBuffers& request, const Result& result);
  void sent_(const Result& result);
  void send_ended_(const Result& result);
  void sent_at_once_(std::size_t bytes);
  bool tells_only_(std::size_t bytes);
  void file_sent_(SendFile& request, const Result& result);
  void file_written_(const Result& result);
  void connect_ended_(const Result& result);
  void connect_later_(const Address& address, TimePoint deadline) noexcept;
  void connect_behind_(const Address& address, TimePoint deadline) noexcept;
  void reconnect_() noexcept;
  void refuse_connection_(std::int32_t error) noexcept;
  void not_connected_(std::error_code error);
  void timer_expired_(const Result& result);

  bool sending_() const noexcept;
  bool output_goes_on_() noexcept;
  bool receiving_file_() const noexcept;
  StreamFiles* need_files_() noexcept;
  void send_file_part_() noexcept;
  void note_file_progress_() noexcept;
  void receive_file_part_();
  void drop_received_files_() noexcept;
  void end_receiving_files_() noexcept;

  void received_blocks_(Buffer buffer, RecvBuffers& request);
  void keep_further_(RecvBuffers& request) noexcept;
  bool takes_input_() const noexcept;
  void hold_back_(Buffer buffer);
  void tell_end_();
  void tell_written_();
  void give_held_();
  void await_input_() noexcept;
  void update_reading_() noexcept;
  void need_connection_() noexcept;
  void refusal_told_(std::int32_t error) noexcept;
  void reopen_output_() noexcept;
  bool accepts_output_(const char* verb) noexcept;
  void copy_(const Bytes* pieces, std::size_t count) noexcept;
  StreamParts* need_parts_() noexcept;
  bool need_connecting_() noexcept;
  StreamConnecting* connecting_() const noexcept;
  StreamTiming* timing_() const noexcept;
  StreamExtras* extras_() const noexcept;
  StreamFiles* files_() const noexcept;
  StreamExtras* need_extras_() noexcept;
  StreamFilter* filter_() const noexcept;
  void tell_filter_connected_();
  void received_by_filter_(Buffer data);
  void ask_filter_again_() noexcept;
  bool tries_last_words_() noexcept;
  void tell_filter_received_(Buffer data) noexcept;
  bool filter_is_ahead_() const noexcept;
  bool input_waits_for_filter_() const noexcept;
  void feed_filter_() noexcept;
  void given_by_filter_(Buffer data) noexcept;
  void sent_by_filter_(Buffer data) noexcept;
  void filter_gave_end_() noexcept;
  void ask_filter_for_end_() noexcept;
  bool filter_has_given_all_() noexcept;
  void filter_sent_end_() noexcept;
  void filter_failed_(std::error_code error) noexcept;
  void write_filtered_(Buffer data) noexcept;
  void write_filtered_(const Bytes* pieces, std::size_t count, std::size_t size) noexcept;
  void end_filtered_write_() noexcept;
  std::size_t payload_written_() noexcept;
  bool has_last_words_() noexcept;
  void refuse_write_(std::int32_t error) noexcept;
  void tell_refusal_() noexcept;
  void input_ended_(std::int32_t error) noexcept;
  bool exceeds_limit_(std::size_t more) noexcept;
  void queue_grew_() noexcept;
  bool drained_() const noexcept;
  bool held_back_() const noexcept;
  void set_hold_(detail::Hold hold) noexcept;
  void read_next_(Buffer& data);
  void resume_held_() noexcept;
  void output_failed_() noexcept;
  void judge_(detail::Verdict verdict) noexcept;
  void look_();
  void look_later_(TimePoint when) noexcept;
  void look_at_silence_();
  void give_last_input_();
  void wait_to_pronounce_(Duration look_again = Duration::max());
  void keep_last_input_();
  bool waited_for_block_() noexcept;
  bool take_last_input_(Buffer& buffer) noexcept;
  void pronounce_();
  void broken_(std::error_code error);
  void opened_();
  void end_output_if_sent_() noexcept;
  void end_output_() noexcept;
  void close_if_finished_() noexcept;
  void loop_release_resources() noexcept override;
  StreamTiming* need_timing_() noexcept;
  bool silent_() const noexcept;
  bool timed_out_(TimePoint now) noexcept;
  bool take_limit_(const char* verb, Duration limit) noexcept;
  void start_timing_() noexcept;
  Operation* connect_request_() noexcept;
  Operation* send_request_() noexcept;
  void ask_send_() noexcept;
  void idle_send_ended_() noexcept;
  void linger_ended_() noexcept;
  void linger_over_() noexcept;
  bool lingered_in_vain_(const Result& result, std::size_t moved) noexcept;
  void end_overdue_() noexcept;
  void arm_timer_() noexcept;
  TimePoint idle_until_() const noexcept;
  TimePoint linger_until_() const noexcept;
  TimePoint next_timeout_() const noexcept;
  TimePoint system_now_() const noexcept;
  bool reads_() const noexcept;
  /// Whether the handler is open and not closing. Once the proactor was shut down, no verb opens a
  /// handler.
  bool live_() const noexcept { return state_ == HandlerState::open; }
  /// Whether on_open() was called: the stream receives, sends and tells nothing before.
  bool announced_() const noexcept { return (notices_ & notice_open) == 0; }

  void loop_tell_error(std::int32_t error) override;
  void loop_dispatch(HandlerNotice notice) override;
  void loop_drain() override;
  void loop_overdue() override;
  void loop_flush() override;
  bool loop_has_begun() const noexcept override { return connection_ > StreamConnection::missed; }
  void loop_closing_down() noexcept override;

  On<RecvBuffers, &StreamHandler::received_> recv_{*this};
  std::unique_ptr<class StreamSend> send_;  // while it sends
  WriteQueue queue_;
  InputQueue held_;                     // input that waits until the handler reads
  std::unique_ptr<StreamParts> parts_;  // what most streams do not need
  std::size_t taken_ = 0;  // bytes that the kernel has taken, and that are still in the queue
  std::size_t write_progress_ = 0;  // bytes of the front write that were taken
  std::int16_t input_error_ = 0;
  std::int16_t output_error_ = 0;
  std::int16_t refused_ = 0;      // why a write was refused: to be told after the writes before it
  std::int16_t refusal_due_ = 0;  // the same, while on_error() is due with it
  std::uint32_t last_input_ = 0;  // bytes that had come at judge_() and were not read since
  detail::Input input_{};
  detail::Output output_{};
  detail::Verdict verdict_{};
  StreamConnection connection_ : 3;
  detail::Hold hold_ : 3;
  bool wants_input_ : 1;  // start_reading() was called, and no stop_reading() since
  bool finishing_ : 1;    // finish() was called
};

}  // namespace v0
}  // namespace proa
