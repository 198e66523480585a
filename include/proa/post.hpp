#pragma once

#include <atomic>
#include <utility>

namespace proa {

/// Work to be done on the proactor's thread, posted from any other. Intrusive: the object stays
/// with its owner and must live until its callback has begun, or until the proactor that refused or
/// dropped it is gone.
class Post {
 public:
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

 protected:
  using Run = void (*)(Post&);
  /// `discard`, if given, is called in place of `run` when the proactor is shut down before its
  /// turn came.
  explicit Post(Run run, Run discard = nullptr) noexcept : run_(run), discard_(discard) {}
  ~Post();

 private:
  friend class PostQueue;
  Run run_;
  Run discard_;
  Post* next_ = nullptr;
  std::atomic<bool> queued_{false};
  long process_ = 0;  // that queued it
};

/// A Post that calls a method without arguments: `proa::OnPost<&Session::refresh> refresh_{*this};`
template <auto Method>
class OnPost;

template <class Owner, void (Owner::*Method)()>
class OnPost<Method> : public Post {
 public:
  explicit OnPost(Owner& owner) noexcept
      : Post([](Post& post) { (static_cast<OnPost&>(post).owner_->*Method)(); }), owner_(&owner) {}

 private:
  Owner* owner_;
};

}  // namespace proa
