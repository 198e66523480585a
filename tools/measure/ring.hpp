// A ring of io_uring(7), by its three system calls alone.
#pragma once

#include <linux/io_uring.h>

#include <cstddef>
#include <cstdint>

#include "descriptor.hpp"
#include "trouble.hpp"

namespace measure {

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring();

  Trouble open(unsigned entries);
  /// How many entries may be pushed before the next enter().
  unsigned room() const { return entries_ - unsubmitted_; }
  /// An empty entry, which the next enter() submits.
  io_uring_sqe& push();
  /// Submits what was pushed, and blocks until a completion is there. Counts its system calls.
  Trouble enter(std::uint64_t& calls);
  /// Takes the next completion that is there.
  bool pop(io_uring_cqe& completion);

 private:
  Descriptor ring_;
  std::byte* rings_ = nullptr;
  std::size_t rings_size_ = 0;
  io_uring_sqe* sqes_ = nullptr;
  unsigned entries_ = 0;
  unsigned unsubmitted_ = 0;
  unsigned tail_ = 0;
  std::uint32_t* submission_tail_ = nullptr;
  std::uint32_t* submission_array_ = nullptr;
  std::uint32_t* completion_head_ = nullptr;
  std::uint32_t* completion_tail_ = nullptr;
  std::uint32_t completion_mask_ = 0;
  io_uring_cqe* completions_ = nullptr;
};

}  // namespace measure
