#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/datagram.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/datagram_queue.hpp>
#include <proa/handler.hpp>
#include <proa/on.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

namespace detail {
enum class Receiving : std::uint8_t;
}

/// How a datagram socket is made, and what it tells of each datagram besides its source.
struct DatagramOptions {
  bool reuse_address = false;  ///< SO_REUSEADDR: several sockets of one port, for multicast
  bool reuse_port = false;  ///< SO_REUSEPORT: several sockets share the port's datagrams by source
  bool v6_only = false;     ///< true: [::] takes no IPv4 (IPV6_V6ONLY, ipv6(7))
  bool broadcast = false;   ///< may send to broadcast addresses (SO_BROADCAST)
  /// DatagramInfo::destination, to_group and interface, and with them answer_from()
  bool destination = false;
  bool traffic_class = false;  ///< DatagramInfo::traffic_class
  bool arrival = false;        ///< DatagramInfo::arrived
  /// Several datagrams of one source may come in one buffer (DatagramInfo::segment), which costs
  /// far less per datagram. UDP, Linux 5.0 (UDP_GRO); elsewhere datagrams come one by one. Needs an
  /// Options::buffer_size of 65,920 or more; bind() reports a smaller one.
  bool coalesce = false;
  /// Datagrams of so many bytes and more are sent without a copy (MSG_ZEROCOPY, Linux 5.0); 0: all
  /// are copied. Each send costs two notices, which pays off for large datagrams over a device that
  /// can do it; over loopback the system copies all the same.
  std::size_t zero_copy_from = 0;
  /// never cuts into fragments: more than path_mtu() is EMSGSIZE (DF bit)
  bool keep_whole = false;
  int send_traffic_class = 0;  ///< TOS or traffic class of sent datagrams
  int receive_buffer = 0;      ///< bytes (SO_RCVBUF, socket(7)), cut to what the system gives at
                               ///< most; 0: as the system has it
  int send_buffer = 0;         ///< bytes (SO_SNDBUF)
};

/// Sends and receives datagrams: UDP over IPv4 and IPv6, UNIX datagram sockets. Subclass it.
/// Everything belongs to the proactor's thread; no method calls back (R1).
///
/// What the callbacks of a round send leaves together when the round has nothing more to deliver.
/// If a datagram cannot be sent, the others still are. Errors do not close the handler.
class PROA_API DatagramHandler : public Handler {
 public:
  explicit DatagramHandler(Proactor& proactor) noexcept;

  /// Makes a socket, binds it and begins to receive; the handler is open then. On failure the
  /// handler stays as it was, and `*detail`, if given, receives a sentence that names the address.
  /// Errors: those of socket(2) and bind(2), Error::bad_address, errc::device_or_resource_busy if
  /// the handler is open already, Error::closing if it closes, or the proactor was shut down.
  [[nodiscard]] std::error_code bind(const Address& address, const DatagramOptions& options = {},
                                     std::string* detail = nullptr);
  /// The same with a socket that is bound already (Socket::adopt()), or connected; on failure the
  /// socket is closed, unless it is borrowed. The options that must be set before bind(2) are
  /// ignored: reuse_address, reuse_port, v6_only. Further errors: errc::bad_file_descriptor if the
  /// socket is invalid, errc::not_a_socket if the descriptor is that of something else (a pipe, a
  /// file), errc::wrong_protocol_type if the socket is a stream's.
  [[nodiscard]] std::error_code bind(Socket bound, const DatagramOptions& options = {});
  /// Makes a socket that sends to this peer and receives from it alone, bound to an address of the
  /// system's choice; or, after bind(), connects the handler's socket, which keeps the options that
  /// bind() was given: `options` has no effect then. What others than the peer had sent before, and
  /// on_receive() has not told yet, is dropped. connect(2), which does not wait for datagram
  /// sockets. On failure the handler stays as it was; the errors are those of bind(), and of
  /// connect(2).
  ///
  /// A UNIX peer is a socket, not a path. From the time when that socket is closed each send fails
  /// with ECONNREFUSED, also when another socket is bound to the path meanwhile; nothing tells a
  /// handler that does not send. So a client whose server may start anew closes the handler at such
  /// an error, and calls connect() again, in on_closed() or after it, until that finds the new
  /// server; or else it calls bind() with a name of its own instead, and gives the server's path to
  /// each send(), which looks it up anew (unix(7)).
  [[nodiscard]] std::error_code connect(const Address& peer, const DatagramOptions& options = {},
                                        std::string* detail = nullptr);
  /// The address to which the handler is bound, with the port that the system chose.
  Address address() const noexcept { return socket().local_address(); }

  /// From here on no on_receive() comes. Datagrams that were received already are kept, in order,
  /// for start_receiving(). The system drops datagrams for which its buffer has no room.
  void stop_receiving() noexcept;
  void start_receiving() noexcept;

  /// Queues a datagram; on_sent() tells whether it was sent. `to` stays unset on a connected socket
  /// (else: EISCONN), and must be set on another one (EDESTADDRREQ). A buffer goes back to the pool
  /// when it was sent; it may have no bytes. A Buffer() without a block (what take_buffer() returns
  /// when memory is short) is not sent, and fails with errc::no_buffer_space. A handler that is not
  /// open could tell nobody: it drops the datagram and counts it in errors().
  void send(Buffer datagram, const Address& to = {}) noexcept;
  /// The same, but copies the bytes into blocks of the pool.
  void send(Bytes datagram, const Address& to = {}) noexcept;
  /// The same, from an address and by an interface of the program's choice: mostly
  /// DatagramInfo::answer_from(), for an answer from the address that was asked. `from` is copied.
  /// Its address is of the family of `to`, or of the socket if that is connected (else:
  /// errc::address_family_not_supported; an IPv6 socket has mapped addresses for IPv4 peers), and
  /// is one of this machine (else: EINVAL or ENETUNREACH). An interface without an address is
  /// Error::bad_address. Not for UNIX sockets. On FreeBSD an IPv4 socket that is bound to one
  /// address takes none (EINVAL).
  void send(Buffer datagram, const Address& to, const DatagramSource& from) noexcept;
  void send(Bytes datagram, const Address& to, const DatagramSource& from) noexcept;

  /// Sends several datagrams of `segment` bytes each, the last one perhaps shorter, from one
  /// buffer; one on_sent() for all. The system cuts them where it can (UDP_SEGMENT, udp(7): one
  /// pass for up to 64 datagrams and 65,507 bytes), else the library does. The bounds are the same
  /// in both cases: above them, and for a segment of 0 or of more than 65,507,
  /// errc::invalid_argument. Segments larger than the path takes fail with EMSGSIZE where the
  /// system cuts, and go out in fragments where the library does.
  void send_segments(Buffer datagrams, std::size_t segment, const Address& to = {}) noexcept;
  void send_segments(Bytes datagrams, std::size_t segment, const Address& to = {}) noexcept;
  void send_segments(Buffer datagrams, std::size_t segment, const Address& to,
                     const DatagramSource& from) noexcept;
  void send_segments(Bytes datagrams, std::size_t segment, const Address& to,
                     const DatagramSource& from) noexcept;

  /// The gentle end: calls no on_receive() any more, sends what is queued, tells it by on_sent(),
  /// then closes. Closes also when Options::linger passes and the system has taken no datagram,
  /// nor has room for one by then. What is sent after it fails with Error::closing; after the
  /// last datagram the handler is closing already, and send() is counted in errors() alone.
  void finish() noexcept;
  /// From finish() to on_closed().
  bool finishing() const noexcept { return finishing_; }
  /// The end of a server: on_receive() gets what had come by now, then on_drain() is called, whose
  /// default finishes, so that answers go out. What comes meanwhile is told too, but no more in all
  /// than the system's receive buffer holds. While receiving is stopped, on_drain() comes at once.
  /// No effect after finish().
  void drain() noexcept;

  /// Joins or leaves a multicast group, on an interface (if_nametoindex(3)); with 0 on that of the
  /// group's scope ([ff02::1%eth0]), or, if it has none, on one of the system's choice. With a
  /// source, for the datagrams of that source alone. Errors are those of setsockopt(2) (ip(7),
  /// MCAST_JOIN_GROUP), errc::invalid_argument if the scope is another interface than the one
  /// given, errc::address_family_not_supported for a group of IPv4 on an IPv6 socket where the
  /// system has none such (FreeBSD, macOS), and Error::closing while the handler closes.
  [[nodiscard]] std::error_code join(const Address& group, std::uint32_t interface = 0,
                                     const Address& source = {}) noexcept;
  [[nodiscard]] std::error_code leave(const Address& group, std::uint32_t interface = 0,
                                      const Address& source = {}) noexcept;
  /// For datagrams that are sent to groups: the interface, how many routers they may pass, and
  /// whether this machine gets them too. Error::closing while the handler closes.
  [[nodiscard]] std::error_code set_multicast(std::uint32_t interface, int hops,
                                              bool loop) noexcept;
  /// The size of the largest datagram, IP header included, that reaches the peer whole, as far as
  /// the system knows; 0 on an unconnected socket.
  int path_mtu() const noexcept;
  /// How many datagrams the system has dropped since the socket was made, because its receive
  /// buffer (DatagramOptions::receive_buffer) had no room or they were damaged; modulo 2^32. The
  /// number that SO_RXQ_OVFL tells (socket(7)), asked for when it is wanted: it costs received
  /// datagrams nothing. 0 where the system does not tell: other systems than Linux count for the
  /// whole machine alone (`netstat -s -p udp`); UNIX sockets, which drop nothing; a handler that is
  /// not open.
  std::uint32_t dropped() const noexcept;

  /// Bytes of the blocks that queued datagrams pin, and of what the handler keeps for each.
  std::size_t queued() const noexcept { return queue_.capacity(); }
  /// A datagram that would bring queued() above so many bytes is not sent, and fails with
  /// Error::write_limit. 64 MiB unless it is set. Up to 4096 refused datagrams wait until on_sent()
  /// tells them; errors() alone counts those beyond.
  void set_limit(std::size_t bytes) noexcept;
  /// Datagrams that could not be sent, and errors that on_error() told.
  std::uint64_t errors() const noexcept { return errors_; }

 protected:
  ~DatagramHandler() override;

  /// A datagram has arrived; it may be empty. Move from `data` to keep it, or to send it on; else
  /// it goes back to the pool. `source` and `info` are copies, which are valid until the callback
  /// returns.
  virtual void on_receive(Buffer& data, const Address& source, const DatagramInfo& info) = 0;
  /// The system has taken the datagram of a send(), or it failed: once per send(), in order. `to`
  /// is the address that send() got. Errors: those of sendmsg(2) (EMSGSIZE, ENETUNREACH, ...), and
  /// those that send() and connect() name.
  virtual void on_sent(const Address& to, const Result& result);
  /// The network has returned an error for an earlier datagram of a connected socket (ECONNREFUSED,
  /// EHOSTUNREACH, EMSGSIZE with a new path_mtu(), ...; ICMP, ip(7), IP_RECVERR): once for each, or
  /// another error of the socket has come. The default does nothing: the socket is well. After 16
  /// other errors in a row, or one that would come each time (EBADF, ENOTSOCK, EINVAL), receiving
  /// stops until start_receiving(); if on_error() does not call that nor close, the error is
  /// counted (Counters::errors_unanswered).
  void on_error(std::error_code error) override;
  /// queued() has fallen to nothing after it was above 256 KiB.
  virtual void on_drained() {}
  /// drain() was called, or the server that made this handler drains. Before this, on_receive() got
  /// what had come by then, unless receiving was stopped. The default finishes.
  void on_drain() override { finish(); }

 private:
  struct DatagramExtras;

  std::error_code make_(const Address& address, const DatagramOptions& options, Socket& socket);
  std::error_code configure_(Socket& socket, bool ip, const DatagramOptions& options);
  std::error_code cannot_open_(const DatagramOptions& options) const noexcept;
  void begin_(Socket socket, bool connected, bool ip, const DatagramOptions& options);
  std::error_code open_with_(const Address& address, const DatagramOptions& options, bool binds);
  bool takes_output_() noexcept;
  std::int32_t refusal_(const DatagramQueue::Route& route, std::size_t capacity) const noexcept;
  std::int32_t refusal_(const DatagramSource& from, const Address& to) const noexcept;
  void put_(Buffer buffer, const DatagramQueue::Route& route, std::int32_t wrong = 0) noexcept;
  void put_(Bytes bytes, const DatagramQueue::Route& route, std::int32_t wrong = 0) noexcept;
  void enqueue_(Bytes bytes, const DatagramQueue::Route& route, std::int32_t refused) noexcept;
  DatagramExtras* make_extras_() noexcept;
  std::error_code change_group_(bool join, const Address& group, std::uint32_t interface,
                                const Address& source) noexcept;
  bool tell_errors_();
  void begin_zero_copy_(std::size_t from) noexcept;
  std::size_t lends_from_() const noexcept;
  void lend_(std::size_t count);
  void returned_(const SendNotice& notice) noexcept;
  void settle_zero_copy_() noexcept;
  void look_for_returned_(const Result& result);
  void grew_(bool queued) noexcept;
  void listen_for_errors_() noexcept;
  void arm_() noexcept;
  void received_(RecvDatagrams& request, const Result& result);
  void sent_(const Result& result);
  void tell_sent_();
  void tell_(const Result& result);
  void begin_linger_() noexcept;
  void look_at_linger_(const Result& result);
  void drain_on_();
  void receiving_failed_() noexcept;
  void look_at_linger_at_(TimePoint when) noexcept;
  bool lingered_in_vain_(const Result& result) noexcept;
  void close_if_finished_() noexcept;
  void tell_error_(const std::error_code& error);
  void loop_tell_error(std::int32_t error) override;
  void loop_dispatch(HandlerNotice notice) override;
  void loop_drain() override;
  void loop_flush() override;
  void loop_closing_down() noexcept override;
  void loop_release_resources() noexcept override;

  // These come first, because they fit into padding after the base class: a handler is to be
  // small.
  bool connected_ = false;
  bool cuts_ = false;          // the library cuts segments, because the system does not
  bool tells_errors_ = false;  // take_notice() has the errors of sent datagrams
  bool with_control_ = false;
  detail::Receiving receiving_{};

  On<RecvDatagrams, &DatagramHandler::received_> recv_{*this};
  On<SendDatagrams, &DatagramHandler::sent_> send_{*this};
  DatagramQueue queue_;
  std::unique_ptr<DatagramExtras> extras_;
  std::size_t limit_ = std::size_t{64} << 20;
  std::uint64_t errors_ = 0;
  std::int32_t pending_error_ = 0;  // error of the last send, which is tried once more
  std::uint8_t taken_ = 0;  // datagrams that the system has taken and on_sent() has not told
  bool filled_ = false;
  bool finishing_ = false;     // finish() was called
  std::uint8_t failures_ = 0;  // receives in a row that failed
};

}  // namespace v0
}  // namespace proa
