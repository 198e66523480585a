// The turns of the loop: wait, then completions, posts, handlers and timers, each within the
// round's budget. Upholds R1 (callbacks from here alone, on a fresh stack), R7 (what has come is
// told before the timers that are due) and R8 (budgets).
#include <algorithm>
#include <utility>

#include "base/error_code.hpp"
#include "base/misuse.hpp"
#include "proactor/core.hpp"
#include "sys/sys.hpp"

namespace proa {

namespace {

/// When blocks could not be had for want of memory.
constexpr Duration memory_retry = std::chrono::milliseconds(10);

}  // namespace

void Core::bind(const char* verb) noexcept {
  check(verb);
  if (in_callback_) {
    misuse("Proactor %p: %s() inside a callback", owner_, verb);
  }
  if (!home_.bound()) {
    home_.bind();
    pool_->bind(std::this_thread::get_id());
    paged_pool_->bind(std::this_thread::get_id());
    if (write_signals_blocked_) sys::block_write_signals();
  }
}

bool Core::work_waits() const noexcept {
  for (const Workers* each = workers_.front(); each; each = workers_.after(*each)) {
    if (each->waits()) return true;
  }
  const bool some = !finished_.empty() || !worked_.empty();
  return more_ || some || !posts_.empty() || has_turn();
}

bool Core::alive() const noexcept {
  return keeps_running() || pending_ > 0 || kept_alive_ > 0 || work_waits();
}

Core::Done Core::round(TimePoint until) {
  take_charge();  // of a callback that threw
  told_at_once_ = 0;
  told_ = TimePoint::min();
  may_tell_ = false;
  flush_gathered();
  hand_to_workers();
  ++counters_.rounds;
  before_wait();
  // A timer is told in a round whose wait began behind the timer's time: what the wait finds is
  // told first, also when the process stood still during the wait, or before the clock was read.
  const TimePoint began = timers_.empty() ? now_ : system().now();
  if (short_of_memory()) until = std::min(until, after(now_, memory_retry));
  until = std::min({until, timers_.next(), files_.look_again()});
  const bool goes_on = now_ < looks_until_ || work_waits();
  backend_->wait(goes_on ? now_ : until);
  untold_ = false;
  now_ = system().now();
  collect_worked();
  bool more = false;
  more_ = true;  // stands if a callback throws
  may_tell_ = true;
  // Each kind has its turn, and the budget, in every round: one that always has more must not
  // starve the others.
  Done done;
  // A round that stop() or an exception ends early owes the timers that were due in it.
  const TimePoint owed = std::exchange(owed_timers_, began);
  // Timers are the last, because what has come (a post, a notice, a signal) goes before them (R7).
  deliver_completions(done, more);
  if (owed != TimePoint::min() && !stopping()) fire_timers(owed, done, more);
  if (!stopping()) run_posts(done);
  if (!stopping()) take_turn(done);
  if (!stopping()) {
    fire_timers(began, done, more);
    owed_timers_ = TimePoint::min();
  }
  done.callbacks += told_at_once_;
  done.steps += told_at_once_;
  more_ = more;
  looked(done.steps > 0);
  return done;
}

// Options::spin counts from the first round that finds nothing.
void Core::looked(bool found) noexcept {
  if (options_.spin == Duration::zero()) return;
  if (found) {
    looks_until_ = never;
  } else if (looks_until_ == never) {
    looks_until_ = after(now_, options_.spin);
  }
}

Operation* Core::next_finished() noexcept {
  // Nearly always the backend alone has something.
  if (finished_.empty() && worked_.empty()) {
    rotation_.asked(0);
    return backend_->next();
  }
  return rotation_.next([this](std::size_t source) noexcept -> Step {
    switch (source) {
      case 0:
        return {backend_->next()};
      case 1:
        return {finished_.pop_front()};
      default:
        return {worked_.pop_front()};
    }
  });
}

void Core::deliver_completions(Done& done, bool& more) {
  for (std::size_t spent = 0; spent < options_.round_budget;) {
    Operation* const operation = next_finished();
    if (operation) {
      spent += cost(*operation);
      const CallbackScope scope(*this);
      done.add(deliver(*operation));
    } else if (!flush_gathered()) {
      return;
    }
    if (flush_is_due_) flush();
    if (const std::size_t more_cost = take_charge(); more_cost > 0) {
      rotation_.charge(more_cost);
      spent += more_cost;
    }
    if (stopping()) {
      flush_gathered();  // what was sent before stop() goes out
      break;
    }
  }
  more = true;
}

void Core::fire_timers(TimePoint by, Done& done, bool& more) {
  const std::uint64_t armed_before = timers_.mark();
  std::size_t spent = 0;
  while (Operation* const operation = timers_.due(by, armed_before)) {
    timers_.remove(operation->timer_);
    if (operation->opcode_ != Opcode::timer) {
      end(*operation, Operation::Reason::deadline);
      continue;
    }
    ++counters_.timers;
    {
      const CallbackScope scope(*this);
      done.add(deliver(*operation));
    }
    if (flush_is_due_) flush();
    spent += 1 + take_charge();
    if (spent >= options_.round_budget || stopping()) {
      more = true;
      break;
    }
  }
}

void Core::run_posts(Done& done) {
  for (std::size_t spent = 0; spent < options_.round_budget && !stopping();) {
    Post* const post = posts_.pop();
    if (!post) return;
    ++counters_.posts;
    {
      const CallbackScope scope(*this);
      PostQueue::run(*post);
    }
    done.add(true);
    if (flush_is_due_) flush();
    spent += 1 + take_charge();
  }
}

std::size_t Core::run() {
  bind("run");
  std::size_t delivered = 0;
  while (!stopping() && alive()) delivered += round(never).callbacks;
  stop_.store(false, std::memory_order_relaxed);
  return delivered;
}

std::size_t Core::run_once(Duration timeout) {
  bind("run_once");
  now_ = system().now();
  const TimePoint until = after(now_, timeout);
  std::size_t delivered = 0;
  while (!stopping() && alive() && delivered == 0) {
    delivered = round(until).callbacks;
    // A timer that was due by then is told in the next round.
    if (now_ >= until && timers_.next() > until) break;
  }
  stop_.store(false, std::memory_order_relaxed);
  return delivered;
}

std::size_t Core::poll() {
  bind("poll");
  now_ = system().now();
  // Stop() takes this turn's rounds: an edge that has made the loop call here is not lost.
  if (stopping()) more_ = true;
  // Until a round has nothing to deliver: then all that was submitted is flushed, and the kernel
  // tells of the rest.
  Done all;
  while (!stopping() && all.steps < options_.round_budget) {
    const Done done = round(now_);
    if (done.steps == 0) break;
    all.callbacks += done.callbacks;
    all.steps += done.steps;
    more_ = true;
  }
  stop_.store(false, std::memory_order_relaxed);
  return all.callbacks;
}

void Core::stop() noexcept {
  if (lost()) return;
  stop_.store(true, std::memory_order_relaxed);
  backend_->wake();
}

std::size_t Core::shutdown(Duration limit) {
  bind("shutdown");
  shut_down_ = true;
  posts_.close();
  const TimePoint until = after(system().now(), limit);
  for (;;) {
    cancel_everything();
    stop_.store(false, std::memory_order_relaxed);
    if (left() == 0 && !work_waits()) {
      paged_pool_->bind({});
      pool_->bind({});  // what is still lent may come home from any thread while the pool ends
      return 0;
    }
    // What has ended by then is told, however much that is.
    const bool nothing = round(until).steps == 0;
    if ((nothing && now_ >= until) || home_.inherited()) return left();
  }
}

bool Core::post(Post& post) noexcept {
  if (lost()) return false;
  // In a child of fork(2) that has not taken the proactor over yet, it is the child's all the same.
  const long process = inherited() ? sys::process() : home_.process();
  const PostQueue::Pushed pushed = posts_.push(post, process);
  if (pushed == PostQueue::Pushed::first) home_.here() ? hurry() : backend_->wake();
  return pushed != PostQueue::Pushed::refused;
}

TimePoint Core::next_deadline() const noexcept {
  told_ = now_;
  if (work_waits() || untold_ || wants_flush()) return told_;
  told_ = std::min({timers_.next(), backend_->next_deadline(), files_.look_again()});
  if (short_of_memory()) told_ = std::min(told_, after(now_, memory_retry));
  return told_;
}

}  // namespace proa
