#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <proa/address.hpp>
#include <proa/bytes.hpp>
#include <proa/descriptor.hpp>
#include <proa/detail/api.hpp>
#include <proa/socket_option.hpp>
#include <proa/time.hpp>

namespace proa {
inline namespace v0 {

struct FileAlignment;
enum class OpenFlags : unsigned;

/// Hears of descriptors that their owners are about to close or give up. The proactor's own.
class PROA_API DescriptorWatch {
 public:
  virtual void leaving(Descriptor descriptor, const char* verb) noexcept = 0;

 protected:
  ~DescriptorWatch() = default;
};

/// What is synchronous about an operating system: names, options, the clock, and socket calls that
/// never block. Every backend supplies one: the real one makes system calls, a simulator's is a
/// world in memory. All calls return a count or 0, or -errno; none retries EAGAIN, none is ever
/// interrupted (EINTR is retried), none raises SIGPIPE. Descriptors it makes are non-blocking and
/// close-on-exec. Any thread, unless a derived class says otherwise.
class PROA_API System {
 public:
  virtual ~System() = default;

  /// The monotonic clock.
  virtual TimePoint now() noexcept = 0;
  /// Fills memory with unpredictable bytes.
  virtual long entropy(MutableBytes bytes) noexcept = 0;

  /// socket(2); on success `opened` is the new descriptor.
  virtual long open_socket(Address::Family family, Transport transport,
                           Descriptor& opened) noexcept = 0;
  virtual long bind(Descriptor socket, const Address& address) noexcept = 0;
  virtual long listen(Descriptor socket, int backlog) noexcept = 0;
  /// connect(2): 0, or -EINPROGRESS when it goes on in the background.
  virtual long connect(Descriptor socket, const Address& address) noexcept = 0;
  /// Ends a connect that goes on in the background, or that has failed and has not told so: 0 if
  /// none goes on, and the socket may connect() anew unless it is connected. The default is
  /// -EOPNOTSUPP: only the end of the socket ends its connect.
  virtual long abandon_connect(Descriptor socket) noexcept;
  /// accept4(2); `peer` may be nullptr.
  virtual long accept(Descriptor listener, Descriptor& accepted, Address* peer) noexcept = 0;
  /// recv(2) or read(2), by the kind of descriptor: bytes, or 0 at the end of the stream.
  virtual long recv(Descriptor from, MutableBytes bytes) noexcept = 0;
  /// send(2) or write(2), of what fits.
  virtual long send(Descriptor to, Bytes bytes) noexcept = 0;
  /// poll(2) at this moment: whether recv(), accept() or send() would do something, be that to tell
  /// of the end or of an error. The default asks the operating system about the descriptor's number
  /// (no, if it knows none such): a world in memory overrides both.
  virtual bool readable(Descriptor from) noexcept;
  virtual bool writable(Descriptor to) noexcept;
  /// The bytes that recv() could take at this moment, or -errno if nobody knows. The default asks
  /// the operating system (FIONREAD).
  virtual long unread(Descriptor from) noexcept;
  /// send(2) with MSG_OOB: the last byte is urgent. TCP only.
  virtual long send_urgent(Descriptor to, Bytes bytes) noexcept = 0;
  virtual long shutdown(Descriptor socket, ShutdownSide side) noexcept = 0;

  /// setsockopt(2), getsockopt(2), getsockname(2), getpeername(2).
  virtual long set_option(Descriptor socket, SocketOption option, int value) noexcept = 0;
  virtual long get_option(Descriptor socket, SocketOption option, int& value) noexcept = 0;
  virtual long local_address(Descriptor socket, Address& address) noexcept = 0;
  virtual long peer_address(Descriptor socket, Address& address) noexcept = 0;

  /// Joins or leaves a multicast group on an interface (0: the system's choice); with a source that
  /// is set, for what that one sends. MCAST_JOIN_GROUP and its like, ip(7).
  virtual long multicast(Descriptor socket, bool join, const Address& group,
                         std::uint32_t interface, const Address& source) noexcept;
  /// Takes the oldest notice about what was sent (MSG_ERRQUEUE, recv(2)); -EAGAIN if there is none.
  virtual long take_notice(Descriptor socket, SendNotice& notice) noexcept;

  /// Finds out what a descriptor of the program's is. A tty is opened anew, so that only our copy
  /// is non-blocking: `reopened` says that `borrowed` is ours to close.
  virtual long borrow(int number, Descriptor& borrowed, bool& reopened) noexcept = 0;

  /// Takes a descriptor of the program's over: finds out what it is, and makes it non-blocking;
  /// `was_blocking` says that it was not. set_blocking() undoes that.
  virtual long adopt(int number, Descriptor& adopted, bool& was_blocking) noexcept;
  virtual long set_blocking(Descriptor descriptor) noexcept;

  /// openat(2) in the calling thread, from the working directory; may wait for a disk.
  virtual long open_file(const char* path, OpenFlags flags, unsigned mode,
                         Descriptor& opened) noexcept;
  /// Whether a descriptor is open, and of which type; any that is not a socket may be used as a
  /// file.
  virtual long adopt_file(int number, Descriptor& adopted) noexcept;
  virtual long file_alignment(Descriptor file, FileAlignment& alignment) noexcept;

  /// Forgets what the backend knew of the descriptor, then close(2). No operation may be in flight
  /// on it.
  virtual long close(Descriptor descriptor) noexcept = 0;
  /// The first half of close() alone, for a descriptor that lives on elsewhere.
  virtual void forget(Descriptor descriptor) noexcept = 0;

  /// Who owns a descriptor calls this before close() and forget(), and names its verb. It is misuse
  /// to do either while a receive, a send or the like is pending on it, or on a foreign thread,
  /// which the proactor notices here.
  void leaving(Descriptor descriptor, const char* verb) noexcept {
    if (watch_) watch_->leaving(descriptor, verb);
  }
  /// Each proactor has a System of its own, and watches it while it lives.
  void set_watch(DescriptorWatch* watch) noexcept { watch_ = watch; }
  bool is_watched_by(const DescriptorWatch* watch) const noexcept { return watch_ == watch; }

  /// Sockets and Files count here what they own, so that a proactor notices those that outlive it.
  void count_owned(int change) noexcept { owned_.fetch_add(change, std::memory_order_relaxed); }
  int owned() const noexcept { return owned_.load(std::memory_order_relaxed); }

 private:
  DescriptorWatch* watch_ = nullptr;
  std::atomic<int> owned_{0};
};

}  // namespace v0
}  // namespace proa
