#pragma once

// The Backend over one io_uring. An operation is on a list here (it waits for room, for a buffer or
// for a moment), or one of its SQEs is at the kernel, or it is finished and waits for next(): its
// stage, in its phase.

#include <atomic>
#include <cstdint>
#include <proa/backend.hpp>
#include <proa/file_requests.hpp>
#include <proa/options.hpp>
#include <proa/poll.hpp>
#include <string>
#include <vector>

#include "backend/perform.hpp"
#include "backend/uring/arena.hpp"
#include "backend/uring/buffer_ring.hpp"
#include "backend/uring/file_system.hpp"
#include "backend/uring/ring.hpp"
#include "backend/uring/slots.hpp"
#include "base/operation_list.hpp"
#include "base/rotation.hpp"

namespace proa::uring {

class UringBackend final : public Backend {
 public:
  explicit UringBackend(const BackendContext& context) noexcept;
  ~UringBackend() override;

  /// Makes the ring and all that is registered with it; a sentence that says why not, or nothing.
  std::string open();

  void submit(Operation& operation) noexcept override;
  void cancel(Operation& operation) noexcept override;
  void wait(TimePoint until) noexcept override;
  Operation* next() noexcept override;
  void wake() noexcept override;
  long renew() noexcept override;
  /// The eventfd that the ring signals; the ring itself cannot be polled under DEFER_TASKRUN.
  int native_handle() const noexcept override { return notify_fd_; }
  TimePoint next_deadline() const noexcept override { return may_serve() ? TimePoint() : never; }
  System& system() noexcept override { return system_; }
  std::vector<std::string> features() const override;

 private:
  // Operation::phase_: the stage in the low bits, flags above.
  enum Stage : std::uint8_t { outside, listed, at_kernel, finished, stage_mask = 3 };
  enum Flag : std::uint8_t {
    polling = 4,         // what is at the kernel is a POLL_ADD, the operation itself follows
    delaying = 8,        // with `polling`: it is a TIMEOUT instead
    ending = 16,         // cancel() was called
    again = 32,          // a connect that was started before
    own_block = 8,       // a receive into a block that was lent to it, not one of the ring's
    guarded = 32,        // a receive beside which a poll for its end is at the kernel
    out_of_memory = 64,  // how it finished without the kernel; else it was cancelled
    settled = 128,       // or has its result
  };
  // The sources of finished work.
  enum Source : std::size_t { completions, reads, starved, done, sources };
  enum class Loop : std::uint8_t { busy, asleep, woken };

  static std::uint8_t& phase(Operation& operation) noexcept {
    return BackendSide::phase(operation);
  }
  static bool has(Operation& operation, Flag flag) noexcept {
    return (phase(operation) & flag) != 0;
  }
  static Stage stage(Operation& operation) noexcept {
    return static_cast<Stage>(phase(operation) & stage_mask);
  }
  static void set_stage(Operation& operation, Stage stage) noexcept {
    phase(operation) = static_cast<std::uint8_t>((phase(operation) & ~stage_mask) | stage);
  }
  static void set(Operation& operation, Flag flag) noexcept {
    phase(operation) = static_cast<std::uint8_t>(phase(operation) | flag);
  }
  static void clear(Operation& operation, Flag flag) noexcept {
    phase(operation) = static_cast<std::uint8_t>(phase(operation) & ~flag);
  }

  // uring_backend.cpp: the loop's side.
  void close() noexcept;
  Step ask(std::size_t source) noexcept;
  void enable() noexcept;
  void feed() noexcept;
  void arm_wake() noexcept;
  long enter(unsigned want, const timespec* timeout) noexcept;
  Operation* leave(Operation& operation) noexcept;
  Operation* end(Operation& operation, long result) noexcept;
  void finish_later(Operation& operation) noexcept;

  // prepare.cpp: operations to SQEs.
  void start(Operation& operation) noexcept;
  void start_polling(Operation& operation) noexcept;
  void list(Operation& operation, OperationList& where) noexcept;
  bool prepare(Operation& operation) noexcept;
  io_uring_sqe* fill(Operation& operation) noexcept;
  io_uring_sqe* fill_send(Send& send) noexcept;
  io_uring_sqe* fill_send_buffers(SendBuffers& send) noexcept;
  io_uring_sqe* fill_recv_buffers(RecvBuffers& recv) noexcept;
  io_uring_sqe* fill_message(Descriptor to, Message* message, int count, unsigned flags) noexcept;
  Tag tag_of(Operation& operation) const noexcept;
  Tag guard_of(Operation& operation) const noexcept;
  bool prepare_cancel(Operation& operation) noexcept;
  void prepare_cancel(Tag tag) noexcept;
  bool from_ring(const Operation& operation) const noexcept {
    return buffers_.is_open() && operation.descriptor().is_socket();
  }

  // starved.cpp: receives that wait for a block.
  void starve(Operation& operation) noexcept;
  bool may_serve() const noexcept { return !starved_.empty() && source_.available(); }
  Operation* serve_starved() noexcept;
  void read_into_block(RecvBuffers& recv) noexcept;
  void readable(RecvBuffers& recv) noexcept;
  void go_on(RecvBuffers& recv) noexcept;

  // files.cpp: both, for files.
  bool performs(const Operation& operation) noexcept;
  template <class Request>
  io_uring_sqe* fill_transfer(Request& request, unsigned one, unsigned many) noexcept;
  io_uring_sqe* fill_file(Operation& operation) noexcept;
  io_uring_sqe* fill_call(FileCall& call) noexcept;
  Operation* file_done(Operation& operation, long result) noexcept;
  long called(Operation& operation, long result) noexcept;
  Operation* pass(Operation& operation) noexcept;

  // datagrams.cpp: both, for datagrams.
  void arm(RecvDatagrams& recv) noexcept;
  void submit_datagrams(Operation& operation) noexcept;
  io_uring_sqe* fill_recv_datagrams(RecvDatagrams& recv) noexcept;
  Operation* received_datagram(RecvDatagrams& recv, const Completion& completion) noexcept;
  Operation* read_datagrams(RecvDatagrams& recv) noexcept;
  Operation* receive_datagrams(RecvDatagrams& recv) noexcept;
  Operation* read_listed() noexcept;
  void send_datagrams(Operation& operation) noexcept;

  // poll.cpp: both, for Poll.
  void open_helper(Poll& poll) noexcept;
  static void close_helper(Poll& poll) noexcept;
  static bool take_edge(Poll& poll, long& events) noexcept;
  io_uring_sqe* fill_poll(Poll& poll) noexcept;
  Operation* told(Poll& poll, const Completion& completion) noexcept;

  // complete.cpp: CQEs to results.
  /// io_uring also ends a poll for room when the peer sends no more (EPOLLRDHUP), again and again.
  static bool tells_only_of_input(const Operation& operation, long events) noexcept;
  Operation* complete(const Completion& completion) noexcept;
  Operation* polled(Operation& operation, long result) noexcept;
  Operation* go_on_or_end(Operation& operation, long result) noexcept;
  Operation* sent(Send& send, long result) noexcept;
  Operation* received_buffers(RecvBuffers& recv, const Completion& completion) noexcept;
  Operation* accepted(Accept& accept, const Completion& completion) noexcept;
  Operation* connected(Connect& connect, long result) noexcept;
  void drop(const Completion& completion, unsigned kind) noexcept;
  void woken() noexcept;

  // guard.cpp: no end of a stream is lost.
  static bool is_guarded(Operation& operation) noexcept {
    return operation.opcode() == Opcode::recv_buffers && has(operation, guarded);
  }
  void want_guard(RecvBuffers& recv, const Completion& completion) noexcept;
  bool prepare_guard(Operation& operation) noexcept;
  Operation* guard_ended(Operation& operation, long result) noexcept;
  Operation* await_guard(Operation& operation) noexcept;

  const Options& options_;
  BufferSource& source_;
  BlockingCalls& blocking_;
  Counters& counters_;
  const Process& process_;
  FileSystem system_;
  Performer performer_;

  // Destroyed from the last to the first: the ring before what it uses.
  BufferRing buffers_;
  Arena arena_;
  Ring ring_;
  Slots slots_;

  OperationList pending_;   // waits for room in the submission queue, or for the ring to be enabled
  OperationList starved_;   // receives that wait for a block: first come, first served
  OperationList unwanted_;  // at the kernel, their cancel waits for room
  OperationList unguarded_;     // receives at the kernel that shall get a guard
  OperationList done_;          // finished without the kernel
  OperationList always_ready_;  // polls that were told all there is to tell
  OperationList readable_;      // receives of datagrams that need no kernel to go on, or may not
  Rotation<sources> rotation_;

  int wake_fd_ = -1;
  int notify_fd_ = -1;  // signalled by the ring, for a foreign loop; -1 if not asked for
  bool enabled_ = false;
  bool wake_armed_ = false;
  bool buffers_in_use_ = false;  // the first receive fills the ring

  /// So many direct transfers are not kept back until the next wait(), or disk and loop would take
  /// turns to idle. Reads of 4 KiB, 32 in flight, beside fio: 1: 0.93, 2: 0.97, 4: 0.92, 8: 0.85.
  static constexpr unsigned enough_for_disk = 2;
  unsigned for_disk_ = 0;  // direct transfers since the last entry
  std::atomic<Loop> loop_{Loop::busy};
};

}  // namespace proa::uring
