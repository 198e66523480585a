#pragma once

#include <atomic>
#include <memory>
#include <proa/detail/api.hpp>
#include <proa/detail/method_owner.hpp>
#include <type_traits>
#include <utility>

namespace proa {
inline namespace v0 {

/// Work that any thread posts, to be done on the proactor's thread. The object stays with its
/// owner. It must live until its callback has begun, or until the proactor that refused or dropped
/// it is gone.
class PROA_API Post {
 public:
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

 protected:
  /// What a post calls, with itself.
  using Run = void (*)(Post&);
  /// If the proactor is shut down before the post's turn comes, it calls `discard`, if given, in
  /// place of `run`.
  explicit Post(Run run, Run discard = nullptr) noexcept : run_(run), discard_(discard) {}
  ~Post();

 private:
  friend class PostQueue;
  Run run_;
  Run discard_;
  Post* next_ = nullptr;
  std::atomic<bool> queued_{false};
  long process_ = 0;  // the process that queued it
};

namespace detail {

/// A callable that was posted. The object owns itself.
template <class Work>
class PostedWork final : public Post {
 public:
  template <class Given>
  explicit PostedWork(Given&& work)
      : Post(&PostedWork::run, &PostedWork::discard), work_(std::forward<Given>(work)) {}

 private:
  static void run(Post& post) {
    const std::unique_ptr<PostedWork> self(static_cast<PostedWork*>(&post));
    self->work_();
  }
  static void discard(Post& post) { delete static_cast<PostedWork*>(&post); }

  Work work_;
};

template <class Work>
using IfWork = std::enable_if_t<!std::is_base_of_v<Post, std::decay_t<Work>>>;

}  // namespace detail

/// A Post that calls a method without arguments: `proa::OnPost<&Session::refresh> refresh_{*this};`
template <auto Method>
class OnPost : public Post {
 public:
  /// The class of the method; const if the method is.
  using Owner = typename detail::MethodOwner<decltype(Method)>::Owner;

  /// The object whose method is called; it must outlive the post.
  explicit OnPost(Owner& owner) noexcept
      : Post([](Post& post) { (static_cast<OnPost&>(post).owner_->*Method)(); }), owner_(&owner) {
    static_assert(std::is_invocable_v<decltype(Method), Owner&>,
                  "the method of an OnPost<> takes no arguments");
  }

 private:
  Owner* owner_;
};

}  // namespace v0
}  // namespace proa
