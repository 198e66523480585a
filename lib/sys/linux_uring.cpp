// The system calls of io_uring: the ring is made and ended by liburing; what the release in Debian
// 12 lacks is done here.
#include "sys/linux.hpp"

#ifdef PROA_HAVE_URING
#include <liburing.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "sys/call.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace sys {

#ifdef PROA_HAVE_URING
namespace {

// Where the array lies that names the SQE of each place: in the first cache line behind the CQEs.
// io_uring_register(2) does not say so when it has resized a ring (Linux 6.13 to 6.18).
std::size_t array_behind(std::size_t completions_at, unsigned completions) noexcept {
  constexpr std::size_t line = 64;
  return (completions_at + completions * sizeof(io_uring_cqe) + line - 1) / line * line;
}

template <class T = unsigned>
T* at(void* memory, std::size_t offset) noexcept {
  return reinterpret_cast<T*>(static_cast<char*>(memory) + offset);
}

// What both queues have.
template <class Queue, class Offsets>
void find(Queue& queue, const Offsets& offsets) noexcept {
  queue.khead = at(queue.ring_ptr, offsets.head);
  queue.ktail = at(queue.ring_ptr, offsets.tail);
  queue.kring_mask = at(queue.ring_ptr, offsets.ring_mask);
  queue.kring_entries = at(queue.ring_ptr, offsets.ring_entries);
  queue.kflags = at(queue.ring_ptr, offsets.flags);
  queue.ring_mask = *queue.kring_mask;
  queue.ring_entries = *queue.kring_entries;
}

std::size_t completions_at(const io_uring& ring) noexcept {
  return static_cast<std::size_t>(reinterpret_cast<const char*>(ring.cq.cqes) -
                                  static_cast<const char*>(ring.sq.ring_ptr));
}

void* map_part(int ring, std::size_t size, off_t part) noexcept {
  return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, part);
}

}  // namespace

long uring_make_room(const io_uring& ring, unsigned entries, QueueRoom& room) noexcept {
  const std::size_t begin = completions_at(ring);
  if (ring.cq.ring_ptr != ring.sq.ring_ptr) return -EOPNOTSUPP;
  // Since 2.6 liburing makes rings without the array.
  const auto array_at =
      reinterpret_cast<const char*>(ring.sq.array) - static_cast<const char*>(ring.sq.ring_ptr);
  if (ring.sq.array &&
      array_behind(begin, *ring.cq.kring_entries) != static_cast<std::size_t>(array_at)) {
    return -EOPNOTSUPP;
  }
  unsigned places = 1;
  while (places < entries) places *= 2;
  room.queues_size = array_behind(begin, places * 4) + places * sizeof(unsigned);
  room.entries_size = places * sizeof(io_uring_sqe);
  const long result = map(room.queues_size, &room.queues);
  if (result < 0) return result;
  const long other = map(room.entries_size, &room.entries);
  if (other < 0) unmap(room.queues, room.queues_size);
  return other;
}

void uring_leave_room(const QueueRoom& room) noexcept {
  unmap(room.queues, room.queues_size);
  unmap(room.entries, room.entries_size);
}

#endif

namespace direct {

#ifdef PROA_HAVE_URING
long uring_setup(unsigned entries, io_uring* ring, io_uring_params* parameters) noexcept {
  return ::io_uring_queue_init_params(entries, ring, parameters);
}
long uring_register(int fd, unsigned opcode, void* argument, unsigned count) noexcept {
  return checked(::syscall(__NR_io_uring_register, fd, opcode, argument, count));
}
// The kernel has resized the ring, which has no unsubmitted SQE: it has made other queues, and
// copied what was in the old ones. Puts them in the place of the old ones. The kernel maps a ring
// only where it chooses itself, so the memory that was kept for the queues is given back first.
long uring_remap(io_uring* ring, io_uring_params* made, QueueRoom* room) noexcept {
  uring_leave_room(*room);
  const std::size_t array = array_behind(made->cq_off.cqes, made->cq_entries);
  const std::size_t size = array + made->sq_entries * sizeof(unsigned);
  void* const queues = map_part(ring->ring_fd, size, IORING_OFF_SQ_RING);
  if (queues == MAP_FAILED) return -errno;
  const std::size_t entries_size = made->sq_entries * sizeof(io_uring_sqe);
  void* const entries = map_part(ring->ring_fd, entries_size, IORING_OFF_SQES);
  if (entries == MAP_FAILED) {
    const int error = errno;
    ::munmap(queues, size);
    return -error;
  }
  const io_uring_sq old = ring->sq;
  const unsigned old_places = *old.kring_entries;
  io_uring_sq submissions = {};
  io_uring_cq completions = {};
  submissions.ring_ptr = completions.ring_ptr = queues;
  submissions.ring_sz = completions.ring_sz = size;
  submissions.sqes = static_cast<io_uring_sqe*>(entries);
  find(submissions, made->sq_off);
  submissions.kdropped = at(queues, made->sq_off.dropped);
  submissions.sqe_head = submissions.sqe_tail = *submissions.ktail;
  find(completions, made->cq_off);
  completions.koverflow = at(queues, made->cq_off.overflow);
  completions.cqes = at<io_uring_cqe>(queues, made->cq_off.cqes);
  if (old.array) {
    submissions.array = at(queues, array);
    for (unsigned i = 0; i < submissions.ring_entries; ++i) submissions.array[i] = i;
  }
  // A child of fork(2) finds the old queues, or the new ones.
  ring->sq = submissions;
  ring->cq = completions;
  ::munmap(old.sqes, old_places * sizeof(io_uring_sqe));
  ::munmap(old.ring_ptr, old.ring_sz);
  return 0;
}
namespace {

// Shows the kernel the SQEs that were filled, as io_uring_submit() would. How many there are.
unsigned publish(io_uring& ring) noexcept {
  io_uring_sq& queue = ring.sq;
  const unsigned mask = *queue.kring_mask;
  unsigned tail = *queue.ktail;
  // Since 2.6 liburing makes rings without the array: each place has the SQE of its own number.
  for (; queue.sqe_head != queue.sqe_tail; ++queue.sqe_head, ++tail) {
    if (queue.array) queue.array[tail & mask] = queue.sqe_head & mask;
  }
  io_uring_smp_store_release(queue.ktail, tail);
  return tail - io_uring_smp_load_acquire(queue.khead);
}

}  // namespace

long uring_submit_and_wait(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
  if (want == 0) return ::io_uring_submit_and_get_events(ring);
  unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
  // Without the flag the kernel counts every thread that sleeps here as one that waits for a disk,
  // in /proc/pressure/io and in the load that monitors show.
  if ((ring->features & uring_feature_no_iowait) != 0) flags |= uring_enter_no_iowait;
  __kernel_timespec limit = {};
  io_uring_getevents_arg argument = {};
  if (timeout != nullptr) {
    limit = {timeout->tv_sec, timeout->tv_nsec};
    argument.ts = reinterpret_cast<std::uintptr_t>(&limit);
  }
  const unsigned filled = publish(*ring);
  return checked(::syscall(__NR_io_uring_enter, ring->ring_fd, filled, want, flags, &argument,
                           sizeof argument));
}
long uring_exit(io_uring* ring) noexcept {
  ::io_uring_queue_exit(ring);
  return 0;
}
#else
long uring_setup(unsigned, io_uring*, io_uring_params*) noexcept { return -ENOSYS; }
long uring_register(int, unsigned, void*, unsigned) noexcept { return -ENOSYS; }
long uring_remap(io_uring*, io_uring_params*, QueueRoom*) noexcept { return -ENOSYS; }
long uring_submit_and_wait(io_uring*, unsigned, const timespec*) noexcept { return -ENOSYS; }
long uring_exit(io_uring*) noexcept { return -ENOSYS; }
#endif

}  // namespace direct

}  // namespace sys
}  // namespace v0
}  // namespace proa
