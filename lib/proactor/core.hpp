#pragma once

// The inside of a Proactor: the loop, and per descriptor and direction the queue of operations. It
// knows no handlers: those stand above it and have a turn of their own in each round. All callbacks
// run inside a CallbackScope (R1).

#include <array>
#include <atomic>
#include <memory>
#include <proa/backend.hpp>
#include <proa/counters.hpp>
#include <proa/options.hpp>
#include <string>
#include <utility>

#include "backend/last_try.hpp"
#include "base/descriptor_table.hpp"
#include "base/home.hpp"
#include "base/operation_list.hpp"
#include "base/rotation.hpp"
#include "buffer/pool.hpp"
#include "file/device_workers.hpp"
#include "file/workers.hpp"
#include "proactor/channel.hpp"
#include "proactor/post_queue.hpp"
#include "proactor/timers.hpp"

namespace proa {
inline namespace v0 {

class FileCall;
enum class FilePace : std::uint8_t;
class Proactor;

struct WorkersHook {
  static ListHook& hook(Workers& workers) noexcept { return workers.hook(); }
  static Workers& from_hook(ListHook& hook) noexcept;
};

class Core : private BlockingCalls, private DescriptorWatch, private Process, private BlockWaiter {
 public:
  using Reason = Operation::Reason;

  virtual ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Proactor's own methods; see there.
  std::error_code submit(Operation& operation, TimePoint deadline) noexcept;
  void cancel(Operation& operation) noexcept {
    if (lost()) return;
    if (!inherited()) check("cancel");
    if (operation.pending() && operation.core_ != number_) operation.elsewhere("cancel");
    end(operation, Operation::Reason::cancel);
  }
  /// submit() for a handler's send. If the kernel takes bytes at once, no operation begins: `taken`
  /// says how many, and the caller tells its handler. If `taken` is 0, the send is pending.
  std::error_code send(SendBuffers& send, std::size_t& taken) noexcept;
  /// Whether callbacks may be made now: they belong into the loop's turns, and none follows stop()
  /// (R1).
  bool may_tell() const noexcept { return may_tell_ && !stopping(); }
  /// Lives while a callback runs, also one that leaves by an exception.
  class CallbackScope {
   public:
    explicit CallbackScope(Core& core) noexcept : core_(core) { core_.in_callback_ = true; }
    ~CallbackScope() { core_.in_callback_ = false; }
    CallbackScope(const CallbackScope&) = delete;
    CallbackScope& operator=(const CallbackScope&) = delete;

   private:
    Core& core_;
  };
  std::size_t run();
  std::size_t run_once(Duration timeout);
  std::size_t poll();
  void stop() noexcept;
  std::size_t shutdown(Duration limit);
  bool post(Post& post) noexcept;
  TimePoint next_deadline() const noexcept;

  // For those above.
  void keep_alive(int change) noexcept { kept_alive_ += change; }
  /// Whom messages name.
  void set_owner(const Proactor& owner) noexcept { owner_ = &owner; }
  /// nullptr if the caller may use the proactor; else why not, for the end of a sentence.
  const char* stray() noexcept { return home_.here() ? nullptr : astray(); }
  /// A child of fork(2) of the process that the proactor belongs to: nothing here is the caller's.
  bool inherited() const noexcept final { return home_.inherited(); }
  /// The same, for good: the parent has run it.
  bool lost() const noexcept { return home_.caller() == Home::Caller::run_heir; }
  /// Misuse unless the caller may; `verb` is what it called.
  void check(const char* verb) noexcept {
    if (const char* const why = stray()) refuse(verb, why);
  }
  /// The callback that runs takes as much of the round's budget as so many more (R8).
  void charge(std::size_t callbacks) noexcept { extra_cost_ += callbacks; }
  /// What charge() was told since the last call of this.
  std::size_t take_charge() noexcept { return std::exchange(extra_cost_, 0); }
  void wake() noexcept { backend_->wake(); }
  /// Something is to be done then, or at once: a foreign loop that means to sleep for longer hears
  /// of that by the descriptor. A round asks nobody to hurry. Before the first round no thread is
  /// the proactor's, and any may call.
  void hurry(TimePoint due = TimePoint::min()) noexcept {
    if (due >= told_ || (home_.bound() && !home_.here())) return;
    told_ = due;
    backend_->wake();
  }
  /// Ends an operation as if its deadline had passed: it takes what the kernel has for it by now,
  /// and completes with Error::deadline if that is not all (R7).
  void expire(Operation& operation) noexcept { end(operation, Reason::deadline); }
  /// Arms a timer that belongs to a handler, and takes it back without a callback.
  bool arm(Operation& timer, TimePoint deadline) noexcept;
  void disarm(Operation& timer) noexcept;

  /// Bytes that an operation has moved by now, or SIZE_MAX while a worker has it.
  std::size_t moved(const Operation& operation) const noexcept {
    return operation.keeper_ != Operation::Keeper::backend ? SIZE_MAX : operation.bytes_;
  }

  void add_workers(Workers& workers) noexcept;
  void remove_workers(Workers& workers, const void* pool) noexcept;
  /// What the workers of a WorkerPool do.
  static long perform_work(Operation& operation) noexcept;

  Pool& pool() const noexcept { return *pool_; }
  Pool& paged_pool() const noexcept { return *paged_pool_; }
  Backend& backend() noexcept { return *backend_; }
  System& system() noexcept { return backend_->system(); }
  const Options& options() const noexcept { return options_; }
  const BackendReport& report() noexcept;
  Counters& counters() noexcept { return counters_; }
  TimePoint now() const noexcept { return now_; }
  bool shutting_down() const noexcept { return shut_down_; }
  bool in_callback() const noexcept { return in_callback_; }

 protected:
  using Make = Core* (*)(const Options& options);

  /// nullptr, and why, if there is no backend to be had or memory is short.
  static std::unique_ptr<Core> create(Make make, const Options& options, std::error_code& error,
                                      std::string* detail);
  explicit Core(const Options& options);
  /// For the destructor of those above: shuts down if that was not done.
  void end_of_life() noexcept;
  /// Instead of that in a child of fork(2): nothing is told, and the parent notices nothing.
  void let_go() noexcept;

  /// Also when a callback has called fork(2), and this is the child.
  bool stopping() const noexcept {
    return stop_.load(std::memory_order_relaxed) || home_.inherited();
  }

  /// Makes a descriptor the owner's; returns who had it before, or nullptr.
  void* own(int descriptor, void* owner) noexcept;
  void disown(int descriptor, const void* owner) noexcept;
  /// Cancels what is in flight on the descriptor and takes on no more; settled() follows the last
  /// operation, if there is one.
  void end_descriptor(int descriptor, void* owner) noexcept;
  bool in_flight(int descriptor) noexcept;

  /// What was done: `steps` counts also those that called nobody back.
  struct Done {
    std::size_t callbacks = 0;
    std::size_t steps = 0;
    void add(bool called) noexcept {
      ++steps;
      if (called) ++callbacks;
    }
  };

  /// A callback beside those of the loop's turns.
  void count_callback() noexcept { ++told_at_once_; }

  bool flush_is_due_ = false;  // flush() has something to do

 private:
  using State = Operation::State;
  using Keeper = Operation::Keeper;

  const char* astray() noexcept;
  void adopt() noexcept;
  void adopt_operations() noexcept;
  [[noreturn]] void refuse(const char* verb, const char* why) const noexcept;

  // What the core asks of those above it.
  /// A round begins.
  virtual void before_wait() noexcept = 0;
  /// Has something to do, so the round must not sleep.
  virtual bool has_turn() const noexcept = 0;
  /// Their turn of a round, within the budget.
  virtual void take_turn(Done& done) = 0;
  /// After a callback, if it is due: sends what was written, and tells what of that the kernel took
  /// at once, if may_tell(). And when nothing more is to be delivered: true if there was something
  /// that waited for that.
  virtual void flush() = 0;
  virtual bool flush_gathered() = 0;
  virtual bool wants_flush() const noexcept = 0;
  /// The last operation on the descriptor of an owner that closes has ended.
  virtual void settled(void* owner) noexcept = 0;
  /// A descriptor of the owner's is closed while an operation is pending on it.
  [[noreturn]] virtual void closed_under(const void* owner, const Operation& pending) noexcept = 0;
  virtual void close_all() noexcept = 0;
  /// Those that are open, and whether one of them keeps run() going.
  virtual std::size_t residents() const noexcept = 0;
  virtual bool keeps_running() const noexcept = 0;

  Channel* file_of(Operation& operation) noexcept;
  int refusal(Operation& operation, Channel*& channel) noexcept;
  void take_on(Operation& operation, std::size_t extra_cost) noexcept;
  long try_send(SendBuffers& send) noexcept;
  bool submit_plain(SendBuffers& send) noexcept;
  bool close_file_waits(const Channel& channel) noexcept;
  void start(Operation& operation) noexcept;
  void start_next(Channel& channel, std::size_t side) noexcept;
  bool misaligned(Operation& operation) noexcept;
  void end(Operation& operation, Operation::Reason reason) noexcept;
  static void hurry_deadline(Operation& operation, Operation::Reason reason) noexcept;
  static bool is_late(const Operation& operation) noexcept {
    return operation.reason_ >= Operation::Reason::deadline;
  }
  bool keeps_its_place(Operation& operation) noexcept;
  bool is_over(const Operation& operation) noexcept;
  bool has_last_try(const Operation& operation) noexcept;
  LastTry tried_at_last(Operation& operation) noexcept;
  bool awaits_block(Operation& operation) noexcept;
  bool passed_at_last(Operation& operation) noexcept;
  void take(Operation& operation) noexcept override;
  void wait_for(Operation& operation) noexcept;
  bool is_quick(const Operation& operation) noexcept;
  void forget_file(int number) noexcept;
  void hand_to(Workers& workers, Keeper keeper, Operation& operation, bool quick = false) noexcept;
  bool goes_on(Operation& operation, Keeper kept) noexcept;
  void leaving(Descriptor descriptor, const char* verb) noexcept final;
  void block_came() noexcept final { home_.here() ? hurry() : backend_->wake(); }
  Workers& workers_of(Operation& operation) noexcept;
  void withdraw(Workers& workers, int descriptor) noexcept;
  static bool may_be_queued(const Channel& channel) noexcept;
  void hand_to_workers() noexcept;
  void worked(FileCall& call) noexcept;
  void collect_worked() noexcept;
  bool short_of_memory() const noexcept {
    return pool_->out_of_memory() || paged_pool_->out_of_memory();
  }
  void end_all(Channel& channel) noexcept;
  void end_sends_of(int file) noexcept;
  void finish(Operation& operation, long result) noexcept;
  void retire(Operation& operation) noexcept;
  void retire_send(Operation& send) noexcept;
  void connection_begins(Channel& channel) noexcept;
  int refusal_to_connect(const Operation& connect) noexcept;
  void look_at_connect(Operation& connect) noexcept;
  void look_for_connection(Operation& operation, bool moved) noexcept;
  bool end_is_known(Operation& operation) noexcept;
  bool waits_with_end(const Operation& operation) noexcept;
  void tell_waiting_end(Channel& channel) noexcept;
  void note_connection(Channel& channel, Connected connected) noexcept;
  /// False if nobody was called: the operation goes on, or what it brought is nobody's.
  bool deliver(Operation& operation);
  bool is_plain(const Operation& operation) const noexcept;
  Done round(TimePoint until);
  void looked(bool found) noexcept;
  Operation* next_finished() noexcept;
  void deliver_completions(Done& done, bool& more);
  void fire_timers(TimePoint by, Done& done, bool& more);
  void run_posts(Done& done);
  void bind(const char* verb) noexcept;
  /// A foreign loop that has not asked for the time yet may sleep already, without end.
  void nobody_was_told() noexcept { told_ = options_.embedded ? never : TimePoint::min(); }
  bool work_waits() const noexcept;
  bool alive() const noexcept;
  std::size_t left() const noexcept { return residents() + pending_; }
  void cancel_everything() noexcept;

  Home home_;
  const void* owner_ = this;
  Options options_;
  BackendReport report_;
  Counters counters_;
  struct PoolRelease {
    void operator()(Pool* pool) const noexcept { pool->orphan(); }
  };
  std::unique_ptr<Pool, PoolRelease> pool_;
  std::unique_ptr<Pool, PoolRelease> paged_pool_;  // for direct I/O
  std::unique_ptr<Backend> backend_;

  Workers files_;
  DeviceWorkers devices_;
  List<Workers, WorkersHook> workers_;
  Timers timers_;
  DescriptorTable<Channel> channels_;
  DescriptorTable<FilePace> paces_;  // until the file is closed
  OperationList finished_;           // ended here, without the backend
  OperationList worked_;             // a worker has ended them
  Rotation<3> rotation_;             // the backend, finished_ and worked_
  PostQueue posts_;

  TimePoint now_;
  TimePoint looks_until_ = TimePoint::min();  // rounds do not sleep before; `never`: not yet known
  TimePoint owed_timers_ = TimePoint::min();  // until when timers were due in a round that was cut
  // Which of the process it is. Many proactors later a number comes again; then misuse that it
  // would show goes unseen.
  const std::uint16_t number_;
  std::size_t pending_ = 0;
  std::size_t unconnected_ = 0;  // channels that lack a connection
  int kept_alive_ = 0;
  bool in_callback_ = false;
  bool untold_ = false;  // the backend was given something since its last wait()
  /// Until when a foreign loop sleeps; `min` while it does not, or is told already.
  mutable TimePoint told_ = TimePoint::min();
  bool more_ = false;             // the last round ended by its budget
  std::size_t extra_cost_ = 0;    // what charge() was told, and the round was not charged for yet
  std::size_t told_at_once_ = 0;  // so often handlers have told in this round what a flush has sent
  bool shut_down_ = false;
  bool tries_sends_ = false;            // what the backend says
  bool may_tell_ = false;               // flush() follows a callback of this round
  bool write_signals_blocked_ = false;  // something was written to a pipe or a file (R11)
  std::atomic<bool> stop_{false};
};

}  // namespace v0
}  // namespace proa
