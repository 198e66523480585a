// Datagrams many at a time, with one system call. How many blocks a receive offers follows how many
// it last filled: few go round on a quiet socket. Upholds R5 (in order) and R8 (what one call
// copies is bounded).
#include <netinet/udp.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "backend/perform.hpp"
#include "datagram.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

constexpr std::size_t most = SendDatagrams::most;
constexpr std::size_t most_pieces = 2 * most;

/// The control message that asks for segmentation, as the kernel wants it.
struct SegmentSize {
  alignas(cmsghdr) char bytes[CMSG_SPACE(sizeof(std::uint16_t))];

  void attach(msghdr& message, std::uint32_t size) noexcept {
    std::memset(bytes, 0, sizeof bytes);
    message.msg_control = bytes;
    message.msg_controllen = sizeof bytes;
    cmsghdr* const control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
    const auto value = static_cast<std::uint16_t>(size);
    std::memcpy(CMSG_DATA(control), &value, sizeof value);
  }
};

}  // namespace

// Offers blocks, queues those that were filled and gives back the rest.
long Performer::receive_batch(RecvDatagrams& operation) noexcept {
  std::array<mmsghdr, most> messages;
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
    msghdr& header = messages[offered].msg_hdr;
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
    const msghdr& header = messages[i].msg_hdr;
    const DatagramHeader stands = {
        header.msg_namelen, static_cast<std::uint32_t>(header.msg_controllen), messages[i].msg_len,
        static_cast<std::uint32_t>(header.msg_flags)};
    std::memcpy(blocks[i].data(), &stands, sizeof stands);
    buffers_.fill(blocks[i], before + messages[i].msg_len);
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

Attempt Performer::send_datagrams(SendDatagrams& operation) noexcept {
  std::array<mmsghdr, most> messages;
  std::array<iovec, most_pieces> pieces;
  std::array<SegmentSize, most> sizes;
  const DatagramQueue& queue = operation.queue();
  const detail::Segment* segment = queue.first();
  std::size_t count = 0;
  std::size_t used = 0;
  std::size_t bytes = 0;
  while (segment && count < std::min(most, queue.count()) && bytes < fair_share) {
    const DatagramQueue::Target& target = queue.target(count);
    if (target.error != 0) break;
    const std::size_t begin = used;
    const detail::Segment* end = segment;
    bool whole = false;
    while (used < most_pieces && !whole) {
      pieces[used++] = {end->data, end->size};
      whole = end->ends_write;
      end = end->next;
    }
    if (!whole) break;  // the next batch's
    msghdr& header = messages[count].msg_hdr;
    header = {};
    if (target.to.is_set()) {
      header.msg_name = const_cast<void*>(target.to.data());
      header.msg_namelen = static_cast<socklen_t>(target.to.size());
    }
    header.msg_iov = &pieces[begin];
    header.msg_iovlen = used - begin;
    if (target.segment > 0) sizes[count].attach(header, target.segment);
    bytes += target.bytes;
    segment = end;
    ++count;
  }
  if (count == 0) return {-EMSGSIZE};
  return {sys::sendmmsg(operation.descriptor().number, messages.data(),
                        static_cast<unsigned>(count), MSG_NOSIGNAL | MSG_DONTWAIT)};
}

}  // namespace proa
