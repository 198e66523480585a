// The queue of posted work. Upholds R9, and of R2: a post that was accepted is run once or, if the
// proactor goes away first, dropped unrun.
#include "proactor/post_queue.hpp"

#include "base/misuse.hpp"
#include "sys/sys.hpp"

namespace proa {

// A child of fork(2) has copies of its parent's, and may end as it likes.
Post::~Post() {
  if (queued_.load(std::memory_order_acquire) && process_ == sys::process()) {
    misuse("Post %p destroyed while it was queued", static_cast<const void*>(this));
  }
}

PostQueue::Pushed PostQueue::push(Post& post, long process) noexcept {
  if (post.queued_.exchange(true, std::memory_order_acq_rel)) {
    misuse("Post %p posted while it was queued", static_cast<const void*>(&post));
  }
  post.process_ = process;
  Post* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == closed()) {
      post.queued_.store(false, std::memory_order_release);
      return Pushed::refused;
    }
    post.next_ = head;
  } while (!head_.compare_exchange_weak(head, &post, std::memory_order_release,
                                        std::memory_order_relaxed));
  return head == nullptr ? Pushed::first : Pushed::more;
}

Post* PostQueue::pop() noexcept {
  if (taken_ == nullptr) {
    // Only the consumer closes the queue, so the check cannot be overtaken.
    const Post* const head = head_.load(std::memory_order_relaxed);
    if (head == nullptr || head == closed()) return nullptr;
    Post* newest = head_.exchange(nullptr, std::memory_order_acquire);
    while (newest) {
      Post* const older = newest->next_;
      newest->next_ = taken_;
      taken_ = newest;
      newest = older;
    }
  }
  Post* const post = taken_;
  if (post) {
    taken_ = post->next_;
    post->queued_.store(false, std::memory_order_release);
  }
  return post;
}

void PostQueue::adopt(long process) noexcept {
  for (Post* post = taken_; post; post = post->next_) post->process_ = process;
  Post* const newest = head_.load(std::memory_order_acquire);
  if (newest == closed()) return;
  for (Post* post = newest; post; post = post->next_) post->process_ = process;
}

void PostQueue::drop(Post* post) noexcept {
  while (post && post != closed()) {
    Post* const next = post->next_;
    post->queued_.store(false, std::memory_order_release);
    if (post->discard_) post->discard_(*post);
    post = next;
  }
}

void PostQueue::close() noexcept {
  Post* const untaken = head_.exchange(closed(), std::memory_order_acquire);
  drop(taken_);
  taken_ = nullptr;
  drop(untaken);
}

}  // namespace proa
