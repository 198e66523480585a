// The handlers' part of the loop: notices, flushing, who waits for a buffer, and the end of a
// handler, which waits for its last operation. Upholds R6 (one last notice, when nothing is in
// flight any more), R8 (a handler that is noticed again waits behind the others, and so does a
// notice that is given again behind the handler's others) and R9 (notify()).
#include "handler/handler_loop.hpp"

#include <algorithm>
#include <boost/intrusive/parent_from_member.hpp>
#include <cstdio>
#include <utility>

#include "base/memory.hpp"
#include "base/misuse.hpp"
#include "base/operation_table.hpp"

namespace proa {

using boost::intrusive::get_parent_from_member;

Handler& OpenHook::from_hook(ListHook& hook) noexcept {
  return *get_parent_from_member<Handler>(&hook, &Handler::open_hook_);
}
Handler& NoticeHook::from_hook(ListHook& hook) noexcept {
  return *get_parent_from_member<Handler>(&hook, &Handler::notice_hook_);
}
Handler& UnflushedHook::from_hook(ListHook& hook) noexcept {
  return *get_parent_from_member<Handler>(&hook, &Handler::unflushed_hook_);
}
ListHook& StarvedHook::hook(FileHandler& handler) noexcept { return handler.starved_hook_; }
FileHandler& StarvedHook::from_hook(ListHook& hook) noexcept {
  return *get_parent_from_member<FileHandler>(&hook, &FileHandler::starved_hook_);
}

std::unique_ptr<HandlerLoop> HandlerLoop::create(const Options& options, std::error_code& error,
                                                 std::string* detail) {
  auto make = [](const Options& with) -> Core* { return new HandlerLoop(with); };
  std::unique_ptr<Core> made = Core::create(make, options, error, detail);
  return std::unique_ptr<HandlerLoop>(static_cast<HandlerLoop*>(made.release()));
}

HandlerLoop::~HandlerLoop() {
  if (!inherited()) end_of_life();
  // A child of fork(2), also of one that a callback in here has called.
  if (inherited()) {
    while (Handler* const handler = open_.front()) handler->disown_();
    let_go();
  }
  // Those that are idle may be destroyed later, and would take themselves out of the lists.
  collect_notified();
  while (noticed_.pop_front()) {
  }
}

void HandlerLoop::opened(Handler& handler) noexcept {
  open_.push_back(handler);
  ++open_count_;
  if (handler.keeps_running_) ++keeping_count_;
  claim(handler);
}

void HandlerLoop::claim(Handler& handler) noexcept {
  const int number = handler.descriptor().number;
  if (handler.socket_.valid() && !handler.socket_.is_of(system())) {
    handler.misused_("given a descriptor of another proactor: release() it, and adopt() it here");
  }
  void* const before = own(number, &handler);
  if (before == nullptr || before == &handler) return;
  static_cast<Handler*>(before)->clashes_(handler);
}

void HandlerLoop::disclaim(Handler& handler) noexcept {
  disown(handler.descriptor().number, &handler);
}

void HandlerLoop::closed(Handler& handler) noexcept {
  collect_notified();  // it may be a notifier that waits there
  disclaim(handler);
  // During its on_closed() the handler stays in the list of became_closed_().
  if (NoticeHook::hook(handler).linked() && !handler.in_on_closed_) noticed_.remove(handler);
  if (UnflushedHook::hook(handler).linked()) unflushed_.remove(handler);
  open_.remove(handler);
  --open_count_;
  if (handler.keeps_running_) --keeping_count_;
}

void HandlerLoop::notify_later(Handler& handler) noexcept {
  if (!handler.is_open() || NoticeHook::hook(handler).linked()) return;
  noticed_.push_back(handler);
  hurry();
}

void HandlerLoop::flush_later(Handler& handler) noexcept {
  if (!handler.is_open() || UnflushedHook::hook(handler).linked()) return;
  (flushing_ ? unflushed_next_ : unflushed_).push_back(handler);
  flush_is_due_ = true;
  hurry();
}

void HandlerLoop::flush_when_idle(Handler& handler) noexcept {
  if (!handler.is_open() || UnflushedHook::hook(handler).linked()) return;
  gathering_.push_back(handler);
  hurry();
}

void HandlerLoop::await_buffer(FileHandler& handler, const Pool& from) noexcept {
  if (StarvedHook::hook(handler).linked()) return;
  (&from == &pool() ? starved_ : starved_paged_).push_back(handler);
}

bool HandlerLoop::lend(Pool& from, Line& line) noexcept {
  bool lent = false;
  for (; !line.empty() && from.available(); lent = true) line.pop_front()->loop_lent(from.take());
  return lent;
}

void HandlerLoop::close(Handler& handler) noexcept {
  end_descriptor(handler.descriptor().number, &handler);
  close_when_settled(handler);
}

void HandlerLoop::ended_elsewhere(Handler& handler) noexcept {
  --handler.elsewhere_;
  if (handler.closing()) close_when_settled(handler);
}

// The request may be a part of the handler, which the program does not know.
void HandlerLoop::closed_under(const void* owner, const Operation& pending) noexcept {
  char how[128];
  std::snprintf(how, sizeof how, "the descriptor is closed while %s %p is pending on it",
                traits_of(pending).name, static_cast<const void*>(&pending));
  static_cast<const Handler*>(owner)->misused_(how);
}

void HandlerLoop::end_requests(Handler& handler) noexcept {
  end_descriptor(handler.descriptor().number, &handler);
}

void HandlerLoop::settled(void* owner) noexcept {
  Handler& handler = *static_cast<Handler*>(owner);
  handler.closing() ? close_when_settled(handler) : handler.notify_later_(Handler::notice_reopen);
}

// The last notice waits for the last operation, wherever that is (R6).
void HandlerLoop::close_when_settled(Handler& handler) noexcept {
  if (in_flight(handler.descriptor().number) || handler.elsewhere_ > 0) return;
  handler.notices_ |= Handler::notice_closed;
  notify_later(handler);
}

void HandlerLoop::close_all() noexcept {
  each_open([](Handler& handler) { handler.close(); });
}

void HandlerLoop::before_wait() noexcept {
  lend(paged_pool(), starved_paged_);
  // Receives take a block as soon as it is back; files look once per round. So they have turns: one
  // round is that of the receives, and from the next one on a block is kept for the files.
  pool().set_aside(0);
  const bool files_turn = !starved_.empty() && lends_next_;
  lends_next_ = !starved_.empty();
  if (!files_turn) return;
  if (lend(pool(), starved_)) {
    lends_next_ = false;
  } else {
    pool().set_aside(1);
  }
}

bool HandlerLoop::has_turn() const noexcept {
  return !noticed_.empty() || notified_.load(std::memory_order_acquire) != nullptr ||
         (!starved_.empty() && pool().available_at_all()) ||
         (!starved_paged_.empty() && paged_pool().available());
}

void HandlerLoop::take_turn(Done& done) {
  collect_notified();
  // A handler that is noticed again waits behind this one for the next round.
  List<Handler, NoticeHook> batch;
  batch.splice(noticed_);
  struct PutBack {
    List<Handler, NoticeHook>& from;
    List<Handler, NoticeHook>& to;
    ~PutBack() {
      from.splice(to);
      to.splice(from);
    }
  } const put_back{batch, noticed_};
  for (std::size_t spent = 0; spent < options().round_budget && !stopping();) {
    Handler* const handler = batch.pop_front();
    if (!handler) break;
    done.add(dispatch(*handler));
    if (flush_is_due_) flush();
    spent += 1 + take_charge();
  }
}

bool HandlerLoop::dispatch(Handler& handler) {
  // The one that was told last waits behind the others that are set.
  const unsigned behind = handler.notices_ & ~((1u << handler.told_last_) - 1u);
  const unsigned next = behind != 0 ? behind : handler.notices_;
  unsigned notice = next & ~(next - 1u);
  if (handler.state_ == Handler::HandlerState::closing)
    notice = handler.notices_ & Handler::notice_closed;
  if (notice == 0) return false;
  handler.told_last_ = static_cast<std::uint8_t>(__builtin_ctz(notice) + 1) & 15;
  handler.notices_ = static_cast<std::uint16_t>(handler.notices_ & ~notice);
  if (handler.notices_ != 0) notify_later(handler);

  const CallbackScope scope(*this);
  switch (notice) {
    case Handler::notice_error:
      flush_later(handler);  // its end may wait for this
      handler.loop_tell_error(handler.take_error_());
      break;
    case Handler::notice_drain:
      handler.loop_drain();
      break;
    case Handler::notice_overdue:
      handler.loop_overdue();
      break;
    case Handler::notice_closed:
      // The callback that came last may have left something elsewhere: that one's end tells again.
      if (handler.elsewhere_ > 0) return false;
      handler.became_closed_();
      break;
    case Handler::notice_left:
      handler.left_behind_();
      return false;
    default:
      handler.loop_dispatch(static_cast<Handler::HandlerNotice>(notice));
  }
  return true;
}

bool HandlerLoop::keep_error(const Handler& handler, std::int16_t error) noexcept {
  for (const DueError& kept : due_errors_) {
    if (kept.handler == &handler && kept.code == error) return true;
  }
  return with_memory([&] { due_errors_.push_back({&handler, error}); });
}

std::int16_t HandlerLoop::next_error(const Handler& handler) noexcept {
  const auto first = std::find_if(due_errors_.begin(), due_errors_.end(),
                                  [&](const DueError& kept) { return kept.handler == &handler; });
  if (first == due_errors_.end()) return 0;
  const std::int16_t code = first->code;
  due_errors_.erase(first);
  return code;
}

// The vector has room for what was taken out of it.
void HandlerLoop::put_error_back(const Handler& handler, std::int16_t error) noexcept {
  due_errors_.insert(due_errors_.begin(), {&handler, error});
}

void HandlerLoop::forget_errors(const Handler& handler) noexcept {
  while (next_error(handler) != 0) {
  }
}

bool HandlerLoop::flush_gathered() {
  unflushed_.splice(gathering_);
  if (unflushed_.empty()) return false;
  flush();
  return true;
}

// Tells a few dozen handlers at most, and each of them once: a notice tells the others, in turn
// with everything else. What these callbacks write leaves too, also behind one that has thrown, and
// is told by a notice.
void HandlerLoop::flush() {
  if (inherited()) return;
  struct Turn {
    HandlerLoop& loop;
    ~Turn() {
      loop.tells_left_ = 0;
      loop.flushing_ = false;
      if (loop.inherited()) return;  // an on_write() has called fork(2)
      loop.unflushed_.splice(loop.unflushed_next_);
      while (Handler* const handler = loop.unflushed_.pop_front()) handler->loop_flush();
      loop.flush_is_due_ = false;
    }
  } const turn{*this};
  flushing_ = true;
  tells_left_ = most_told;
  while (Handler* const handler = unflushed_.pop_front()) {
    handler->loop_flush();
    if (inherited()) return;
  }
}

void HandlerLoop::notified(Notifier& notifier) noexcept {
  if (lost()) {
    notifier.notified_.store(false, std::memory_order_relaxed);  // it is not in the stack
    return;
  }
  Notifier* head = notified_.load(std::memory_order_relaxed);
  do {
    notifier.next_notified_ = head;
  } while (!notified_.compare_exchange_weak(head, &notifier, std::memory_order_release,
                                            std::memory_order_relaxed));
  if (head == nullptr) wake();
}

void HandlerLoop::collect_notified() noexcept {
  if (notified_.load(std::memory_order_relaxed) == nullptr) return;
  Notifier* notifier = notified_.exchange(nullptr, std::memory_order_acquire);
  while (notifier) {
    Notifier* const next = notifier->next_notified_;
    // An exchange, so that what was written before a notify() that found it set is seen.
    notifier->notified_.exchange(false, std::memory_order_acq_rel);
    notifier->notices_ |= Handler::notice_notified;
    notify_later(*notifier);
    notifier = next;
  }
}

}  // namespace proa
