#pragma once

// Work posted from any thread: producers push onto a lock-free stack, the proactor's thread takes
// the whole of it and turns it round, which keeps the order of each producer (R9).

#include <atomic>
#include <cstddef>
#include <proa/post.hpp>

namespace proa {
inline namespace v0 {

class PostQueue {
 public:
  enum class Pushed { first, more, refused };

  /// Any thread of this process. `first` means that the consumer may be asleep.
  Pushed push(Post& post, long process) noexcept;
  /// The consumer's thread: the oldest one, no longer queued, or nullptr.
  Post* pop() noexcept;
  /// Pending work, as the consumer sees it.
  bool empty() const noexcept {
    const Post* const head = head_.load(std::memory_order_acquire);
    return taken_ == nullptr && (head == nullptr || head == closed());
  }
  /// From now on push() refuses; what is queued is dropped unrun.
  void close() noexcept;
  /// The same in a child of fork(2): what is queued are copies of the parent's posts, which the
  /// child may have destroyed already. None of them is touched.
  void disown() noexcept {
    head_.store(closed(), std::memory_order_relaxed);
    taken_ = nullptr;
  }
  /// The same child has taken them over instead.
  void adopt(long process) noexcept;
  static void run(Post& post) { post.run_(post); }

 private:
  static Post* closed() noexcept { return reinterpret_cast<Post*>(1); }
  static void drop(Post* post) noexcept;

  std::atomic<Post*> head_{nullptr};
  Post* taken_ = nullptr;
};

}  // namespace v0
}  // namespace proa
