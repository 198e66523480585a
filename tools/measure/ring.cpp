#include "ring.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

#include "restart.hpp"

namespace measure {

namespace {

int set_up(unsigned entries, io_uring_params& params) {
#ifdef IORING_SETUP_DEFER_TASKRUN
  // What a program with one thread at the ring asks for, from Linux 6.1 on.
  params = {};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const int ring = static_cast<int>(::syscall(SYS_io_uring_setup, entries, &params));
  if (ring >= 0 || errno != EINVAL) return ring;
#endif
  params = {};
  return static_cast<int>(::syscall(SYS_io_uring_setup, entries, &params));
}

}  // namespace

Ring::~Ring() {
  if (sqes_) ::munmap(sqes_, entries_ * sizeof(io_uring_sqe));
  if (rings_) ::munmap(rings_, rings_size_);
}

Trouble Ring::open(unsigned entries) {
  io_uring_params params;
  ring_ = Descriptor(set_up(entries, params));
  if (!ring_) return failed("io_uring_setup");
  if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0) return "io_uring is older than Linux 5.4";
  entries_ = params.sq_entries;
  rings_size_ = std::max(params.sq_off.array + params.sq_entries * sizeof(std::uint32_t),
                         params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  const auto map = [&](std::size_t size, off_t which) {
    return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_.get(),
                  which);
  };
  void* const rings = map(rings_size_, static_cast<off_t>(IORING_OFF_SQ_RING));
  if (rings == MAP_FAILED) return failed("mmap");
  rings_ = static_cast<std::byte*>(rings);
  void* const sqes = map(entries_ * sizeof(io_uring_sqe), static_cast<off_t>(IORING_OFF_SQES));
  if (sqes == MAP_FAILED) return failed("mmap");
  sqes_ = static_cast<io_uring_sqe*>(sqes);
  const auto at = [&](std::uint32_t offset) {
    return reinterpret_cast<std::uint32_t*>(rings_ + offset);
  };
  submission_tail_ = at(params.sq_off.tail);
  submission_array_ = at(params.sq_off.array);
  completion_head_ = at(params.cq_off.head);
  completion_tail_ = at(params.cq_off.tail);
  completion_mask_ = *at(params.cq_off.ring_mask);
  completions_ = reinterpret_cast<io_uring_cqe*>(rings_ + params.cq_off.cqes);
  return {};
}

io_uring_sqe& Ring::push() {
  const unsigned place = tail_ & (entries_ - 1);
  submission_array_[place] = place;
  ++tail_;
  ++unsubmitted_;
  sqes_[place] = {};
  return sqes_[place];
}

Trouble Ring::enter(std::uint64_t& calls) {
  __atomic_store_n(submission_tail_, tail_, __ATOMIC_RELEASE);
  const long taken = restart([&] {
    ++calls;
    return ::syscall(SYS_io_uring_enter, ring_.get(), unsubmitted_, 1, IORING_ENTER_GETEVENTS,
                     nullptr, std::size_t{0});
  });
  if (taken < 0) return failed("io_uring_enter");
  unsubmitted_ -= static_cast<unsigned>(taken);
  return {};
}

bool Ring::pop(io_uring_cqe& completion) {
  const std::uint32_t head = *completion_head_;
  if (head == __atomic_load_n(completion_tail_, __ATOMIC_ACQUIRE)) return false;
  completion = completions_[head & completion_mask_];
  __atomic_store_n(completion_head_, head + 1, __ATOMIC_RELEASE);
  return true;
}

}  // namespace measure
