#pragma once

// One io_uring with its two queues: makes, probes, restricts, enables and enters the ring.

#include <liburing.h>

#include <cstdint>
#include <string>

#include "backend/uring/features.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

/// A copy of a CQE. The kernel may reuse the CQE's place at once.
struct Completion {
  std::uint64_t tag = 0;
  std::int32_t result = 0;
  std::uint32_t flags = 0;

  bool more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
  bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
  /// The kernel knows that the socket has more input. Where the kernel cannot know, it tries to
  /// read more by itself.
  bool has_rest() const noexcept { return (flags & IORING_CQE_F_SOCK_NONEMPTY) != 0; }
  std::uint16_t buffer() const noexcept {
    return static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  }
};

class Ring {
 public:
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { close(); }

  /// Makes a disabled ring and finds out which features it has. Returns nothing, or a sentence that
  /// says why that failed. Without `files` the ring may use no opcode for files. `embedded`: the
  /// ring can signal an eventfd for each completion, without being entered; its queues do not grow.
  std::string open(unsigned entries, Release allowed, bool files, bool embedded);
  void close() noexcept;

  /// Calls io_uring_register(2). Behind enable() only a late_register_call of the table.
  long register_with(unsigned call, void* argument, unsigned count) noexcept;
  /// From enable() on, the kernel allows what the table holds for features().release, and nothing
  /// else.
  long restrict() noexcept;
  /// Makes the calling thread the only one that may submit. 0 or -errno.
  long enable() noexcept;

  const Features& features() const noexcept { return features_; }
  /// A filter has refused an opcode that it had allowed when it was asked.
  void refuse(unsigned opcode) noexcept;
  /// The kernel has no room for them.
  void forgo_registered_buffers() noexcept { features_.registered_buffers = false; }
  int descriptor() const noexcept { return ring_.ring_fd; }

  bool has_room(unsigned places = 1) noexcept {
    const bool has = io_uring_sq_space_left(&ring_) >= places;
    if (!has) full_ = true;
    return has;
  }
  /// Returns a place in the submission queue, or nullptr if the queue is full.
  io_uring_sqe* take() noexcept {
    io_uring_sqe* const sqe = io_uring_get_sqe(&ring_);
    if (!sqe) full_ = true;
    return sqe;
  }
  unsigned unsubmitted() const noexcept { return io_uring_sq_ready(&ring_); }
  unsigned ready() const noexcept { return io_uring_cq_ready(&ring_); }
  /// Of the completion queue, now.
  unsigned places() const noexcept { return *ring_.cq.kring_entries; }
  /// Behind an enter(): makes the queues twice as long, up to what open() was asked for, if one of
  /// them was nearly full and the kernel can do that. False if the ring is lost.
  bool grow() noexcept;
  /// Whether the kernel holds completions for which the completion queue had no room.
  bool overflowed() const noexcept { return io_uring_cq_has_overflow(&ring_); }

  /// Copies the oldest completion, if there is one.
  bool front(Completion& completion) const noexcept {
    const unsigned head = *ring_.cq.khead;
    if (head == io_uring_smp_load_acquire(ring_.cq.ktail)) return false;
    const io_uring_cqe& cqe = ring_.cq.cqes[head & ring_.cq.ring_mask];
    completion = {cqe.user_data, cqe.res, cqe.flags};
    return true;
  }
  /// The tag at the place of the queue that stands so far behind the oldest completion: an old one
  /// if no completion is there.
  std::uint64_t tag_ahead(unsigned distance) const noexcept {
    return ring_.cq.cqes[(*ring_.cq.khead + distance) & ring_.cq.ring_mask].user_data;
  }
  /// The same as front(), and takes it out of the queue.
  bool pull(Completion& completion) noexcept {
    if (!front(completion)) return false;
    io_uring_cq_advance(&ring_, 1);
    return true;
  }

  /// Submits all SQEs and waits until `want` completions are in the queue or the timeout is over.
  long enter(unsigned want, const timespec* timeout) noexcept;

 private:
  std::string setup(unsigned entries, Release allowed, bool embedded);
  long make(unsigned entries, unsigned flags, Release allowed) noexcept;
  long resize(unsigned entries) noexcept;
  std::string ask(Release allowed);
  std::string ask_filter(Release allowed);
  void choose(Release allowed, bool limits_receives) noexcept;

  io_uring ring_{};
  Features features_;
  unsigned most_entries_ = 0;  // of the submission queue
  bool open_ = false;
  bool full_ = false;  // the submission queue was
  bool lost_ = false;  // resized, but its queues could not be mapped
};

/// The name of the error, such as "EPERM", or its number.
std::string error_name(long error);

}  // namespace uring
}  // namespace v0
}  // namespace proa
