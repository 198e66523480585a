// Receives and sends many datagrams with one system call. A receive offers about as many blocks as
// its last call has filled, so that a quiet socket keeps few blocks busy. Upholds R5 (order) and R8
// (one call copies a bounded number of bytes).
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "backend/perform.hpp"
#include "base/operation_table.hpp"
#include "buffer/datagram.hpp"
#include "sys/control.hpp"
#include "sys/names.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::size_t most = SendDatagrams::most;
constexpr std::size_t most_pieces = 2 * most;
/// A call takes no further datagram of the queue when it has so many for the wire: the kernel cuts
/// one into up to 64, and each takes its time (R8).
constexpr std::size_t enough_on_wire = 256;

// As how many datagrams the kernel, or the library, sends so many bytes.
std::size_t on_wire(std::size_t bytes, std::size_t segment) noexcept {
  return segment == 0 || bytes <= segment ? 1 : (bytes + segment - 1) / segment;
}

}  // namespace

// Offers blocks to the kernel, queues those that it filled and gives the rest back to the pool.
long Performer::receive_batch(RecvDatagrams& operation) noexcept {
  std::array<sys::Message, most> messages;
  std::array<iovec, most> pieces;
  std::array<Buffer, most> blocks;
  const bool with_control = operation.with_control();
  const std::size_t before = bytes_at(with_control);
  std::size_t offered = 0;
  for (; offered < operation.batch(); ++offered) {
    Buffer& block = blocks[offered];
    block = buffers_.take();
    if (!block) break;
    char* const start = block.data();
    pieces[offered] = {start + before, block.capacity() - before};
    msghdr& header = messages[offered].header;
    header = {};
    header.msg_name = start + sizeof(DatagramHeader);
    header.msg_namelen = name_room;
    header.msg_iov = &pieces[offered];
    header.msg_iovlen = 1;
    if (with_control) {
      header.msg_control = start + sizeof(DatagramHeader) + name_room;
      header.msg_controllen = control_room;
    }
  }
  if (offered == 0) return -ENOBUFS;
  const long received = sys::recvmmsg(operation.descriptor().number, messages.data(),
                                      static_cast<unsigned>(offered), MSG_DONTWAIT);
  if (received <= 0) return received == 0 ? -EAGAIN : received;
  const auto filled = static_cast<std::size_t>(received);
  for (std::size_t i = 0; i < filled; ++i) {
    const msghdr& header = messages[i].header;
    const DatagramHeader stands = {header.msg_namelen,
                                   static_cast<std::uint32_t>(header.msg_controllen),
                                   messages[i].bytes, static_cast<std::uint32_t>(header.msg_flags)};
    std::memcpy(blocks[i].data(), &stands, sizeof stands);
    buffers_.fill(blocks[i], before + messages[i].bytes);
    operation.queue(std::move(blocks[i]));
  }
  const std::size_t next = filled == offered ? 2 * offered : filled + 1;
  operation.set_batch(static_cast<std::uint16_t>(std::min(next, most)));
  return received;
}

Attempt Performer::recv_datagrams(RecvDatagrams& operation) noexcept {
  if (!operation.take_queued()) {
    const long received = receive_batch(operation);
    if (received < 0) return {received};
    operation.take_queued();
  }
  return {static_cast<long>(operation.buffer().size())};
}

namespace {

/// The first datagrams of a queue as the messages of one call.
class Batch {
 public:
  explicit Batch(const SendDatagrams& operation) noexcept
      : operation_(operation), queue_(operation.queue()), cuts_(operation.cuts()) {
    gather();
  }

  sys::Message* messages() noexcept { return messages_.data(); }
  std::size_t count() const noexcept { return count_; }
  /// The bytes of the first `sent` messages.
  std::size_t bytes(std::size_t sent) const noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < sent; ++i) sum += origins_[i].bytes;
    return sum;
  }
  /// How many datagrams the first `sent` messages are on the wire.
  std::size_t datagrams(std::size_t sent) const noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < sent; ++i) {
      sum += on_wire(origins_[i].bytes, queue_.target(origins_[i].target).segment);
    }
    return sum;
  }
  /// The kernel has sent so many messages. Returns how many whole datagrams of the queue they were,
  /// and notes in the queue how much of a further datagram they were.
  long settle(std::size_t sent) noexcept;

 private:
  struct Origin {
    std::uint32_t target;
    std::uint32_t bytes;
    bool last;  // the message is the last one of its target
  };

  void gather() noexcept;
  bool add(std::size_t index, const detail::Segment* from, std::size_t skip,
           std::size_t size) noexcept;

  const SendDatagrams& operation_;
  DatagramQueue& queue_;
  const bool cuts_;
  std::size_t count_ = 0;
  std::size_t used_ = 0;  // pieces
  std::array<sys::Message, most> messages_;
  std::array<Origin, most> origins_;
  std::array<iovec, most_pieces> pieces_;
  std::array<SendControl, most> controls_;
};

// Adds a datagram to the call; false if too few pieces are left for it.
bool Batch::add(std::size_t index, const detail::Segment* from, std::size_t skip,
                std::size_t size) noexcept {
  const DatagramQueue::Target& target = queue_.target(index);
  const std::size_t begin = used_;
  for (std::size_t left = size;; from = from->next) {
    const std::size_t held = from->size;
    if (skip >= held && held > 0) {
      skip -= held;
      continue;
    }
    if (used_ == most_pieces) {
      used_ = begin;
      return false;
    }
    const std::size_t part = std::min(left, held - skip);
    pieces_[used_++] = {from->data + skip, part};
    skip = 0;
    left -= part;
    if (left == 0) break;
  }
  msghdr& header = messages_[count_].header;
  header = {};
  if (target.to.is_set()) {
    header.msg_name = const_cast<void*>(target.to.data());
    header.msg_namelen = static_cast<socklen_t>(target.to.size());
  }
  header.msg_iov = &pieces_[begin];
  header.msg_iovlen = static_cast<decltype(header.msg_iovlen)>(used_ - begin);
  if (target.has_source) controls_[count_].add_source(header, queue_.source(index));
  if (target.segment > 0 && !cuts_ && size > target.segment) {
    controls_[count_].add_segment_size(header, static_cast<std::uint16_t>(target.segment));
  }
  return true;
}

void Batch::gather() noexcept {
  const detail::Segment* segment = queue_.first();
  std::size_t total = 0;
  std::size_t wire = 0;
  for (std::size_t i = 0; i < queue_.count() && total < fair_share && wire < enough_on_wire; ++i) {
    const DatagramQueue::Target& target = queue_.target(i);
    if (target.error != 0) return;
    // A flag of sendmmsg(2) holds for all messages of the call.
    if (i > 0 && operation_.lends(target) != operation_.lends(queue_.target(0))) return;
    const bool cut = cuts_ && target.segment > 0;
    std::size_t at = target.cut;
    do {
      const std::size_t left = target.bytes - at;
      const std::size_t size = cut ? std::min<std::size_t>(left, target.segment) : left;
      if (count_ == most || !add(i, segment, at, size)) return;
      at += size;
      origins_[count_++] = {static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(size),
                            at == target.bytes};
    } while (at < target.bytes);
    total += target.bytes;
    wire += on_wire(target.bytes, target.segment);
    while (!segment->ends_write) segment = segment->next;
    segment = segment->next;
  }
}

long Batch::settle(std::size_t sent) noexcept {
  long whole = 0;
  for (std::size_t i = 0; i < sent; ++i) {
    if (origins_[i].last) {
      ++whole;
    } else {
      queue_.note_cut(origins_[i].target, origins_[i].bytes);
    }
  }
  return whole;
}

}  // namespace

// The receiver is a UNIX socket without room. FreeBSD and macOS answer ENOBUFS in place of EAGAIN,
// and report no event when there is room again. Linux reports it to senders that are connected to
// the receiver.
Attempt Performer::no_room(SendDatagrams& operation, long error) noexcept {
  const Address& to = operation.queue().target(0).to;
  bool local = to.family() == Address::Family::local;
  if (error == -ENOBUFS && !to.is_set()) {
    Address own;
    system_.local_address(operation.descriptor(), own);
    local = own.family() == Address::Family::local;
  }
  if (!local) return {error};
  operation.set_room_is_untold();
  return {-EAGAIN};
}

Attempt Performer::send_datagrams(SendDatagrams& operation) noexcept {
  std::size_t bytes = 0;
  for (std::size_t wire = 0;;) {
    Batch batch(operation);
    if (batch.count() == 0) return {-EMSGSIZE};
    bool lends = operation.lends(operation.queue().target(0));
    const auto send = [&] {
      return sys::sendmmsg(operation.descriptor().number, batch.messages(),
                           static_cast<unsigned>(batch.count()),
                           sys::no_signal | MSG_DONTWAIT | (lends ? sys::zero_copy : 0));
    };
    long sent = send();
    if (sent == -ENOBUFS && lends) {
      lends = false;  // the kernel has no room for the notices (net.core.optmem_max)
      sent = send();
    }
    if (sent == -EAGAIN || sent == -ENOBUFS) return no_room(operation, sent);
    if (sent < 0) return {sent};
    if (static_cast<std::size_t>(sent) < batch.count()) operation.set_fell_short();
    if (lends) operation.add_lent(static_cast<std::size_t>(sent));
    bytes += batch.bytes(static_cast<std::size_t>(sent));
    wire += batch.datagrams(static_cast<std::size_t>(sent));
    // If the kernel took only some segments of the first datagram, this sends the rest before
    // anything is told.
    const long whole = batch.settle(static_cast<std::size_t>(sent));
    // Bytes that were sent count as those that are received do, and each segment is a datagram.
    BackendSide::set_extra_cost(operation,
                                (bytes >> traits_of(Opcode::recv_datagrams).moved_shift) + wire -
                                    static_cast<std::size_t>(whole));
    if (whole > 0) return {whole};
  }
}

}  // namespace proa
