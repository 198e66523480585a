#pragma once

// The inside of a Proactor: the loop, and per descriptor and direction the queue of operations. All
// callbacks run in deliver(), dispatch() and run_posts() (R1).

#include <array>
#include <atomic>
#include <memory>
#include <proa/backend.hpp>
#include <proa/handler.hpp>
#include <proa/notifier.hpp>
#include <proa/proactor.hpp>
#include <string>
#include <thread>

#include "base/descriptor_table.hpp"
#include "base/operation_list.hpp"
#include "buffer/pool.hpp"
#include "file/workers.hpp"
#include "proactor/post_queue.hpp"
#include "proactor/timers.hpp"

namespace proa {

class FileHandler;

class FileCall;

struct OpenHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.open_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};
struct NoticeHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.notice_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};
struct UnflushedHook {
  static ListHook& hook(Handler& handler) noexcept { return handler.unflushed_hook_; }
  static Handler& from_hook(ListHook& hook) noexcept;
};

struct StarvedHook {
  static ListHook& hook(FileHandler& handler) noexcept;
  static FileHandler& from_hook(ListHook& hook) noexcept;
};

struct WorkersHook {
  static ListHook& hook(Workers& workers) noexcept { return workers.hook(); }
  static Workers& from_hook(ListHook& hook) noexcept;
};

/// One descriptor's operations: per direction the one at the backend and those behind it (R5).
struct Channel {
  std::array<Operation*, 2> active{};
  std::array<OperationList, 2> waiting;
  Handler* closing = nullptr;  // told when the last operation has ended
  // Pending, but not among `pending`: behind it the number may be another file's.
  Operation* close_file = nullptr;
  std::uint32_t pending = 0;
  std::array<bool, 2> continuous{};  // one that goes on has the direction for itself
};

class Core final : private BlockingCalls {
 public:
  using Reason = Operation::Reason;

  static std::unique_ptr<Core> create(const Options& options, std::error_code& error,
                                      std::string* detail);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  // Proactor's own methods; see there.
  std::error_code submit(Operation& operation, TimePoint deadline) noexcept;
  void cancel(Operation& operation) noexcept { end(operation, Operation::Reason::cancel); }
  std::size_t run();
  std::size_t run_once(Duration timeout);
  std::size_t poll();
  void stop() noexcept;
  std::size_t shutdown(Duration limit);
  bool post(Post& post) noexcept;
  TimePoint next_deadline() const noexcept;

  // For handlers.
  void opened(Handler& handler) noexcept;
  void notify_later(Handler& handler) noexcept;
  /// The same for a handler that is idle, and may be destroyed before.
  void notify_idle(Handler& handler) noexcept { noticed_.push_back(handler); }
  void flush_later(Handler& handler) noexcept;
  /// The same, but when nothing more is to be delivered: what many callbacks send leaves together.
  void flush_when_idle(Handler& handler) noexcept;
  /// Cancels what is in flight on the handler's descriptor; notice_closed follows the last
  /// completion.
  void close(Handler& handler) noexcept;
  void closed(Handler& handler) noexcept;
  /// An operation that a handler has in flight on no descriptor, or on another's, has ended.
  void ended_elsewhere(Handler& handler) noexcept;
  /// The handler is given notice_read when the pool, which had no block for it, has one (R11).
  void await_buffer(FileHandler& handler, const Pool& pool) noexcept;
  template <class Visit>
  void each_open(Visit visit) {
    for (Handler* h = open_.front(); h; h = open_.after(*h)) visit(*h);
  }
  void keep_alive(int change) noexcept { kept_alive_ += change; }
  void check_thread(const char* verb) const noexcept;
  void wake() noexcept { backend_->wake(); }
  /// From any thread or signal handler; the notifier is not in the stack yet.
  void notified(Notifier& notifier) noexcept;
  /// Moves what notified() collected to the notices.
  void collect_notified() noexcept;
  /// Arms a timer that belongs to a handler, and takes it back without a callback.
  bool arm(Operation& timer, TimePoint deadline) noexcept;
  void disarm(Operation& timer) noexcept;

  /// Bytes that an operation has moved by now, or SIZE_MAX while a worker has it.
  std::size_t moved(const Operation& operation) const noexcept {
    return operation.at_workers_ ? SIZE_MAX : operation.bytes_;
  }

  void add_workers(Workers& workers) noexcept;
  void remove_workers(Workers& workers) noexcept;
  /// What the workers of a WorkerPool do.
  static long perform_work(Operation& operation) noexcept;

  Pool& pool() noexcept { return *pool_; }
  Pool& paged_pool() noexcept { return *paged_pool_; }
  Backend& backend() noexcept { return *backend_; }
  System& system() noexcept { return backend_->system(); }
  const Options& options() const noexcept { return options_; }
  const BackendReport& report() const noexcept { return report_; }
  Counters& counters() noexcept { return counters_; }
  TimePoint now() const noexcept { return now_; }
  bool shutting_down() const noexcept { return shut_down_; }

 private:
  using State = Operation::State;

  explicit Core(const Options& options);
  int refusal(Operation& operation, Channel*& channel) noexcept;
  bool close_file_waits(const Channel& channel) noexcept;
  void start(Operation& operation) noexcept;
  bool misaligned(Operation& operation) noexcept;
  void end(Operation& operation, Operation::Reason reason) noexcept;
  bool keeps_its_place(Operation& operation) noexcept;
  bool tried_at_last(Operation& operation) noexcept;
  void take(Operation& operation) noexcept override;
  Workers& workers_of(Operation& operation) noexcept;
  void withdraw(Workers& workers, int descriptor) noexcept;
  void worked(FileCall& call) noexcept;
  void collect_worked() noexcept;
  void retry_starved(Pool& pool, List<FileHandler, StarvedHook>& starved) noexcept;
  bool short_of_memory() const noexcept {
    return pool_->out_of_memory() || paged_pool_->out_of_memory();
  }
  void end_all(Channel& channel) noexcept;
  void close_when_settled(Handler& handler) noexcept;
  void finish(Operation& operation, long result) noexcept;
  void retire(Operation& operation) noexcept;
  void deliver(Operation& operation);
  std::size_t round(TimePoint until);
  std::size_t deliver_completions(bool& more);
  std::size_t fire_timers(bool& more);
  std::size_t run_posts();
  std::size_t run_notices();
  void dispatch(Handler& handler);
  void flush() noexcept;
  bool flush_gathered() noexcept;
  void bind(const char* verb) noexcept;
  bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }
  bool work_waits() const noexcept;
  bool alive() const noexcept;
  std::size_t left() const noexcept { return open_count_ + pending_; }
  void cancel_everything() noexcept;

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
  List<Workers, WorkersHook> workers_;
  Timers timers_;
  DescriptorTable<Channel> channels_;
  OperationList finished_;  // ended here, without the backend
  List<Handler, OpenHook> open_;
  List<Handler, NoticeHook> noticed_;
  List<Handler, UnflushedHook> unflushed_;
  List<FileHandler, StarvedHook> starved_;  // wait for a block of pool_
  List<FileHandler, StarvedHook> starved_paged_;
  List<Handler, UnflushedHook> gathering_;
  PostQueue posts_;

  TimePoint now_;
  std::size_t open_count_ = 0;
  std::size_t keeping_count_ = 0;  // open handlers that keep run() going
  std::size_t pending_ = 0;
  int kept_alive_ = 0;
  bool in_callback_ = false;
  bool backend_turn_ = false;
  bool untold_ = false;  // the backend was given something since its last wait()
  bool more_ = false;    // the last round ended by its budget
  bool shut_down_ = false;
  bool write_signals_blocked_ = false;  // something was written to a pipe or a file (R11)
  std::atomic<bool> stop_{false};
  std::atomic<Notifier*> notified_{nullptr};
  std::atomic<std::thread::id> thread_{};
};

}  // namespace proa
