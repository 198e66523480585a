#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/address.hpp>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/detail/write_queue.hpp>

namespace proa {

/// What a socket has yet to send: datagrams, their bytes in segments of the pool's blocks, many
/// small ones in one block. For DatagramHandler.
class DatagramQueue {
 public:
  struct Target {
    Address to;                 ///< unset: the peer that the socket is connected to
    std::uint32_t segment = 0;  ///< more than 0: several datagrams of this size (GSO)
    std::uint32_t bytes = 0;
    std::uint32_t cut = 0;  ///< bytes that have gone out already, cut by us
    bool lent = false;
    std::int32_t error = 0;  ///< it is not to be sent: what is to be told instead
  };

  static constexpr std::size_t kept_for_each = sizeof(Target) + sizeof(detail::Segment);

  /// False if memory is short; nothing is queued then.
  bool push(Buffer buffer, const Address& to, std::uint32_t segment) noexcept;
  bool push(Bytes bytes, const Address& to, std::uint32_t segment, Pool& pool) noexcept;
  /// The last one is not to be sent.
  void fail_last(std::int32_t error) noexcept;
  /// So many bytes of the datagram that has `index` before it have gone out, as datagrams of its
  /// segment size.
  void note_cut(std::size_t index, std::uint32_t bytes) noexcept;
  /// Takes the first datagram off.
  void pop() noexcept;
  /// The blocks of the datagram that has `index` before it, whose own were lent before, go to
  /// another queue as they are; it still waits to be popped.
  void lend(std::size_t index, WriteQueue& to) noexcept;
  void clear() noexcept;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  /// Bytes of the blocks that are pinned, and of what is kept for each datagram that is to be sent.
  std::size_t capacity() const noexcept {
    return bytes_.capacity() + (count_ - failed_) * kept_for_each;
  }
  /// What it would grow by for a datagram of so many bytes, copied.
  std::size_t growth(std::size_t bytes, const Pool& pool) const noexcept {
    return bytes_.growth(bytes, pool);
  }
  /// How many of them are not to be sent.
  std::size_t failed() const noexcept { return failed_; }
  /// The first segment of the first datagram; each datagram ends with one that says so.
  const detail::Segment* first() const noexcept { return bytes_.first(); }
  /// Of the datagram that has so many before it.
  const Target& target(std::size_t index) const noexcept {
    return ring_[(head_ + index) & (room_ - 1)];
  }

 private:
  bool reserve() noexcept;
  Target& at(std::size_t index) noexcept { return ring_[(head_ + index) & (room_ - 1)]; }
  void add(const Address& to, std::uint32_t segment, std::size_t bytes) noexcept;

  WriteQueue bytes_;
  std::unique_ptr<Target[]> ring_;
  std::uint32_t room_ = 0;  // a power of two
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t failed_ = 0;
};

}  // namespace proa
