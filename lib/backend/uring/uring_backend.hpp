#pragma once

// The Backend over one io_uring. An operation waits in a list of the backend (for room, for a block
// or for a moment), or one of its SQEs is at the kernel, or it has finished and waits for next().
// Its phase says which: see Stage.

#include <atomic>
#include <cstdint>
#include <proa/backend.hpp>
#include <proa/file_requests.hpp>
#include <proa/options.hpp>
#include <proa/poll.hpp>
#include <string>
#include <vector>

#include "backend/perform.hpp"
#include "backend/retry_line.hpp"
#include "backend/uring/arena.hpp"
#include "backend/uring/buffer_ring.hpp"
#include "backend/uring/file_lane.hpp"
#include "backend/uring/file_system.hpp"
#include "backend/uring/registered_blocks.hpp"
#include "backend/uring/ring.hpp"
#include "backend/uring/slots.hpp"
#include "base/operation_list.hpp"
#include "base/rotation.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

class UringBackend final : public Backend {
 public:
  explicit UringBackend(const BackendContext& context) noexcept;
  ~UringBackend() override;

  /// Makes the ring and registers everything that it needs. Returns nothing, or a sentence that
  /// says why that failed.
  std::string open();

  void submit(Operation& operation) noexcept override;
  void cancel(Operation& operation) noexcept override;
  void withdraw(int number) noexcept override;
  void wait(TimePoint until) noexcept override;
  Operation* next() noexcept override;
  void wake() noexcept override;
  long renew() noexcept override;
  /// The eventfd that the ring signals for each completion, and the backend for what the ring does
  /// not know.
  int native_handle() const noexcept override { return notify_fd_; }
  TimePoint next_deadline() const noexcept override {
    return may_serve() || draws_on() || !refused_.empty() ? TimePoint() : retrying_.next();
  }
  System& system() noexcept override { return system_; }
  std::vector<std::string> features() const override;
  /// The names of the opcodes that a filter refuses.
  std::string refused() const { return ring_.features().refused_names(); }

 private:
  // Operation::phase_ has the stage in its low bits and the flags above.
  enum Stage : std::uint8_t { outside, listed, at_kernel, finished, stage_mask = 3 };
  enum Flag : std::uint8_t {
    polling = 4,     // the SQE at the kernel is a POLL_ADD that goes before the operation
    delaying = 8,    // with `polling`: the SQE is a TIMEOUT instead, or a multishot POLL_ADD
    ending = 16,     // the core has called cancel()
    again = 32,      // of Connect: connect(2) has been called before
    by_kernel = 32,  // a repeating Accept on a listener in blocking mode: only the kernel tries it
    own_block = 8,   // of RecvBuffers: receives into a block of the pool, not into one of the ring
    guarded = 32,    // of RecvBuffers: its guard is at the kernel
    as_call = 32,    // of Send and SendBuffers: next() makes the system call (calls.cpp)
    out_of_memory = 64,  // with `finished`: it ends with ENOMEM, without this flag with ECANCELED
    settled = 128,       // it has its result already
  };
  // Where next() finds finished operations.
  enum Source : std::size_t {
    completions,
    calls,
    reads,
    accepts,
    starved,
    costly,
    files,
    done,
    sources
  };
  enum class Loop : std::uint8_t { busy, asleep, woken };

  static std::uint8_t& phase(Operation& operation) noexcept {
    return BackendSide::phase(operation);
  }
  static bool has(const Operation& operation, Flag flag) noexcept {
    return (BackendSide::phase(operation) & flag) != 0;
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

  // uring_backend.cpp: what the loop calls.
  void close() noexcept;
  bool only_completions() const noexcept {
    return refused_.empty() && readable_.empty() && accepting_.empty() && starved_.empty() &&
           !has_finished();
  }
  bool has_finished() const noexcept {
    return !done_.empty() || !costly_.empty() || !performed_.empty();
  }
  Operation* nothing_more(bool hidden) noexcept;
  Step ask(std::size_t source) noexcept;
  void enable() noexcept;
  void feed() noexcept;
  void arm_wake() noexcept;
  long enter(unsigned want, const timespec* timeout) noexcept;
  unsigned list_files() noexcept;
  void fetch_the_rest() noexcept;
  Operation* leave(Operation& operation) noexcept;
  void settle(Operation& operation, long result) noexcept;
  Operation* end(Operation& operation, long result) noexcept;
  Operation* end_in_turn(Operation& operation, long result, OperationList& list) noexcept;
  void finish_later(Operation& operation) noexcept;
  void notify() noexcept;
  Step take_completion() noexcept;
  Step leave_first(OperationList& list) noexcept;
  void retry_later(Operation& operation) noexcept;
  void try_again() noexcept;
  void connect_at_once(Connect& connect) noexcept;

  // prepare.cpp makes SQEs of operations.
  static bool gathers(const Operation& operation) noexcept;
  void start(Operation& operation) noexcept;
  void start_polling(Operation& operation) noexcept;
  void list(Operation& operation, OperationList& where) noexcept;
  bool prepare(Operation& operation) noexcept;
  io_uring_sqe* fill(Operation& operation) noexcept;
  io_uring_sqe* fill_send(Send& send) noexcept;
  io_uring_sqe* fill_send_buffers(SendBuffers& send) noexcept;
  io_uring_sqe* fill_recv_buffers(RecvBuffers& recv) noexcept;
  io_uring_sqe* fill_message(Descriptor to, Message* message, int count) noexcept;
  Tag tag_of(Operation& operation) const noexcept;
  Tag guard_of(Operation& operation) const noexcept;
  bool prepare_cancel(Operation& operation) noexcept;
  void prepare_cancel(Tag tag) noexcept;
  bool prepare_delay(Tag cancel) noexcept;
  void cancelled(Tag tag, long result) noexcept;
  bool from_ring(const Operation& operation) const noexcept {
    return buffers_.is_open() && operation.descriptor().is_socket() && !by_call(operation);
  }

  // starved.cpp has the receives that wait for a block.
  void starve(Operation& operation) noexcept;
  bool may_serve() const noexcept { return !starved_.empty() && source_.available(); }
  void draw_from_ring() noexcept;
  bool draws_on() const noexcept { return drew_ && !starved_.empty(); }
  Operation* serve_starved() noexcept;
  void read_into_block(RecvBuffers& recv) noexcept;
  Operation* readable(RecvBuffers& recv) noexcept;
  void go_on(RecvBuffers& recv) noexcept;

  // files.cpp fills SQEs and reads CQEs for files.
  bool performs(const Operation& operation) noexcept;
  /// The opcodes of a transfer of one piece, of one piece in a registered block, and of many.
  struct TransferOpcodes {
    unsigned one;
    unsigned registered;
    unsigned many;
  };
  template <class Request>
  io_uring_sqe* fill_transfer(Request& request, TransferOpcodes opcodes) noexcept;
  io_uring_sqe* fill_file(Operation& operation) noexcept;
  io_uring_sqe* prepare_file(Operation& operation) noexcept;
  io_uring_sqe* fill_call(FileCall& call) noexcept;
  static bool tells_of_file(const Completion& completion) noexcept;
  void list_file(const Completion& completion) noexcept;
  bool needs_thread(const Operation& operation) noexcept;
  FileLane& lane_of(const Operation& operation) noexcept {
    return needs_thread(operation) ? slow_ : quick_;
  }
  bool waits_in_lane(Operation& operation) noexcept;
  bool lanes_go_on() const noexcept { return quick_.goes_on() || slow_.goes_on(); }
  unsigned files_at_kernel() const noexcept { return quick_.at_kernel + slow_.at_kernel; }
  bool may_cancel() const noexcept { return cancels_ < options_.round_budget; }
  Operation* file_done(Operation& operation) noexcept;
  long called(Operation& operation, long result) noexcept;
  Operation* pass(Operation& operation) noexcept;

  // calls.cpp makes the system calls of operations whose SQEs a filter refuses.
  bool by_call(const Operation& operation) const noexcept {
    return (ring_.features().refused != 0 && refuses(operation)) ||
           (sends_bytes(operation) && has(operation, as_call));
  }
  // Whether the loop makes the call when the kernel can make no thread for it (ECANCELED).
  static bool may_lack_thread(const Operation& operation) noexcept {
    return sends_bytes(operation) || operation.opcode() == Opcode::recv ||
           (operation.opcode() == Opcode::recv_buffers && has(operation, own_block));
  }
  static bool sends_bytes(const Operation& operation) noexcept {
    return operation.opcode() == Opcode::send || operation.opcode() == Opcode::send_buffers;
  }
  bool refuses(const Operation& operation) const noexcept;
  static bool may_call(const Operation& operation) noexcept;
  void note_refusal(Operation& operation) noexcept;
  Operation* call(Operation& operation) noexcept;
  Operation* receive(RecvBuffers& recv) noexcept;

  // datagrams.cpp fills SQEs and reads CQEs for datagrams.
  void go_on(RecvDatagrams& recv) noexcept;
  void arm(RecvDatagrams& recv) noexcept;
  void submit_datagrams(Operation& operation) noexcept;
  io_uring_sqe* fill_recv_datagrams(RecvDatagrams& recv) noexcept;
  Operation* received_datagram(RecvDatagrams& recv, const Completion& completion) noexcept;
  Operation* read_datagrams(RecvDatagrams& recv) noexcept;
  Operation* receive_datagrams(RecvDatagrams& recv) noexcept;
  Operation* read_listed() noexcept;
  void send_datagrams(Operation& operation) noexcept;

  // accept.cpp: SQEs and results of Accept.
  bool may_accept() const noexcept;
  Operation* accepted(Accept& accept, long result) noexcept;
  Operation* brought(Accept& accept) noexcept;
  Operation* accept_waiting() noexcept;

  // poll.cpp fills SQEs and reads CQEs for Poll.
  static long open_helper(Poll& poll) noexcept;
  static void close_helper(Poll& poll) noexcept;
  static bool take_edge(Poll& poll, long& events) noexcept;
  io_uring_sqe* fill_poll(Poll& poll) noexcept;
  void poll_again(Poll& poll, bool tells_error) noexcept;
  Operation* told(Poll& poll, const Completion& completion) noexcept;

  // complete.cpp makes results of CQEs.
  /// True if a poll for output has reported input only: io_uring ends a poll for POLLOUT also when
  /// the peer sends no more (EPOLLRDHUP), and would do so again and again.
  static bool tells_only_of_input(const Operation& operation, long events) noexcept;
  /// Whether the operation can wait for room although its peer sends no more, which ends every
  /// POLL_ADD for output at once: a multishot one tells of that end, and goes on.
  bool sees_room_alone(const Operation& operation) const noexcept;
  Operation* complete(const Completion& completion) noexcept;
  Operation* polled(Operation& operation, const Completion& completion) noexcept;
  Operation* go_on_or_end(Operation& operation, long result) noexcept;
  Operation* sent(Send& send, long result) noexcept;
  Operation* received_buffers(RecvBuffers& recv, const Completion& completion) noexcept;
  Operation* connected(Connect& connect, long result) noexcept;
  void drop(const Completion& completion, unsigned kind) noexcept;
  void woken() noexcept;

  // pace.cpp: how many blocks one entry into the kernel brings of a busy stream.
  bool receives_singly(Operation& operation) const noexcept {
    const std::uint32_t slot = BackendSide::slot(operation);
    return slot != Slots::none && slots_.singly(slot) > 0;
  }
  void set_pace(RecvBuffers& recv, const Completion& completion) noexcept;
  void set_pace(RecvDatagrams& recv, const Completion& completion) noexcept;
  void calm_down(RecvDatagrams& recv) noexcept;
  void waited_in_line(RecvDatagrams& recv) noexcept;
  unsigned most_blocks() const noexcept;
  void armed(Operation& operation) noexcept;
  void disarmed(Operation& operation) noexcept;

  // guard.cpp sees to it that no receive misses the end of its stream.
  static bool is_guarded(Operation& operation) noexcept {
    return operation.opcode() == Opcode::recv_buffers && has(operation, guarded);
  }
  void want_guard(RecvBuffers& recv, const Completion& completion) noexcept;
  bool prepare_guard(Operation& operation) noexcept;
  Operation* guard_ended(Operation& operation, long result) noexcept;
  Operation* await_guard(Operation& operation) noexcept;

  const Options& options_;
  const std::size_t block_capacity_;
  BufferSource& source_;
  const BufferSource* const direct_buffers_;
  BlockingCalls& blocking_;
  Counters& counters_;
  const Process& process_;
  FileSystem system_;
  Performer performer_;

  // C++ destroys members from the last to the first: the ring before the memory that the ring uses.
  BufferRing buffers_;
  Arena arena_;
  Ring ring_;
  RegisteredBlocks registered_;
  Slots slots_;

  // wait for room in the submission queue, or for wait() to enable the ring
  OperationList pending_;
  FileLane quick_{1024};   // transfers that the loop's thread begins, and the disk ends
  FileLane slow_{128};     // what threads of the kernel perform, which are fewer
  OperationList starved_;  // receives that wait for a block: first come, first served
  // at the kernel; their cancels wait for room in the submission queue, or for another round
  OperationList unwanted_;
  OperationList unguarded_;  // receives at the kernel; feed() will make their guards
  // Finished; next() returns them.
  OperationList done_;
  OperationList costly_;     // connections, and sends of many pieces
  OperationList performed_;  // on files, with what the kernel has said in their slots
  // repeating polls of descriptors that are always ready; they wait for their cancel
  OperationList always_ready_;
  OperationList refused_;    // operations for which next() makes the system call
  OperationList readable_;   // receives of datagrams; next() goes on with them by recvmmsg(2)
  OperationList accepting_;  // Accepts whose listener may have more connections
  RetryLine retrying_;       // wait for the room of a full UNIX listener or receiver
  Rotation<sources> rotation_;

  int wake_fd_ = -1;
  int notify_fd_ = -1;  // the ring signals it for a foreign loop; -1 without Options::embedded
  bool enabled_ = false;
  bool wake_armed_ = false;
  bool in_turn_ =
      false;  // the last completion gave no work now: a wake-up, a cancel's, or for a list
  bool accepted_ = false;  // accept_waiting() was called since the last entry
  // set by the first receive; before that feed() puts no blocks into the ring
  bool buffers_in_use_ = false;
  bool drew_ = false;  // the last wait() has started receives of the line from the ring

  /// next() enters the kernel when so many direct transfers wait in the queue. If they waited for
  /// the next wait(), the disk would be idle while the loop works. Reads of 4 KiB, 32 in flight,
  /// compared with fio: 1: 0.93, 2: 0.97, 4: 0.92, 8: 0.85.
  static constexpr unsigned enough_for_disk = 2;
  // datagrams in a row, of the socket whose receive has that slot, since the last entry
  unsigned row_ = 0;
  std::uint32_t row_slot_ = Slots::none;
  // receives at the kernel that take blocks of the ring, and those of datagrams among them
  unsigned armed_ = 0;
  unsigned armed_datagrams_ = 0;
  std::size_t cancels_ = 0;  // prepared since the last wait() began
  unsigned for_disk_ = 0;  // direct transfers that were queued since the last entry into the kernel
  std::atomic<Loop> loop_{Loop::busy};
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
