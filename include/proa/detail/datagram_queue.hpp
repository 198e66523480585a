#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <proa/address.hpp>
#include <proa/buffer.hpp>
#include <proa/bytes.hpp>
#include <proa/datagram_info.hpp>
#include <proa/detail/api.hpp>
#include <proa/detail/write_queue.hpp>
#include <utility>

namespace proa {
inline namespace v0 {

/// The datagrams that a socket has not sent yet. Their bytes are segments of the pool's blocks,
/// many small datagrams in one block. For DatagramHandler.
class PROA_API DatagramQueue {
 public:
  struct Target {
    Address to;                 ///< unset: the peer that the socket is connected to
    std::uint32_t segment = 0;  ///< more than 0: several datagrams of this size (GSO)
    std::uint32_t bytes = 0;
    /// bytes that have been sent already, because the library cuts this datagram
    std::uint32_t cut = 0;
    bool lent = false;
    bool has_source = false;  ///< source() has from where it is sent
    std::int32_t error = 0;   ///< the datagram is not sent, and on_sent() tells this error
  };

  /// How a datagram is sent. Refers to what the caller has.
  struct Route {
    const Address& to;
    const DatagramSource* from;  ///< nullptr: the system chooses
    std::uint32_t segment;
  };

  /// Bytes that the queue keeps for each datagram, besides those of blocks.
  std::size_t kept_for_each() const noexcept {
    return (has_sources_ ? 2 : 1) * sizeof(Target) + sizeof(detail::Segment);
  }

  /// False if memory is short; nothing is queued then.
  bool push(Buffer buffer, const Route& route) noexcept;
  bool push(Buffer buffer, const Address& to, std::uint32_t segment) noexcept {
    return push(std::move(buffer), {to, nullptr, segment});
  }
  bool push(Bytes bytes, const Route& route, Pool& pool) noexcept;
  /// The last datagram shall not be sent.
  void fail_last(std::int32_t error) noexcept;
  /// So many more bytes of the datagram at `index` have been sent, as datagrams of its segment
  /// size.
  void note_cut(std::size_t index, std::uint32_t bytes) noexcept;
  /// Takes the first datagram off.
  void pop() noexcept;
  /// Moves the blocks of the datagram at `index` to another queue. The caller has lent all
  /// datagrams before it. The datagram still waits to be popped.
  void lend(std::size_t index, WriteQueue& to) noexcept;
  void clear() noexcept;

  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  /// Bytes of the blocks that the queue pins, and of what it keeps for each datagram that will be
  /// sent.
  std::size_t capacity() const noexcept {
    return bytes_.capacity() + (count_ - failed_) * kept_for_each();
  }
  /// How much capacity() would grow by a copied datagram of so many bytes.
  std::size_t growth(std::size_t bytes, const Pool& pool) const noexcept {
    return bytes_.growth(bytes, pool);
  }
  /// How many datagrams will not be sent.
  std::size_t failed() const noexcept { return failed_; }
  /// The first segment of the first datagram. The last segment of each datagram has `ends_write`.
  const detail::Segment* first() const noexcept { return bytes_.first(); }
  /// The target of the datagram at `index`.
  const Target& target(std::size_t index) const noexcept {
    return ring_[(head_ + index) & (room_ - 1)];
  }

  /// From where a datagram is sent whose target has a source.
  DatagramSource source(std::size_t index) const noexcept {
    const Target& held = source_of(index);
    return {held.to, held.segment};
  }

 private:
  bool reserve(bool with_source) noexcept;
  Target& source_of(std::size_t index) const noexcept {
    return ring_[room_ + ((head_ + index) & (room_ - 1))];
  }
  Target& at(std::size_t index) noexcept { return ring_[(head_ + index) & (room_ - 1)]; }
  void add(const Route& route, std::size_t bytes) noexcept;

  WriteQueue bytes_;
  // The targets, and from the first source on as many again that hold the sources: an address each,
  // and an interface in place of the size of segments.
  std::unique_ptr<Target[]> ring_;
  std::uint32_t room_ = 0;  // a power of two
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
  std::uint16_t failed_ = 0;  // DatagramHandler lets no more than 4096 wait
  bool has_sources_ = false;
};

}  // namespace v0
}  // namespace proa
