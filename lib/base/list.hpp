#pragma once

// Lists of objects that carry a ListHook: Boost.Intrusive with a hook of this library, so that
// public headers do not need Boost. A hook that is in no list has null links, so an object knows
// whether it is in a list.

#include <boost/intrusive/circular_list_algorithms.hpp>
#include <cstddef>
#include <proa/operation.hpp>
#include <utility>

namespace proa {
inline namespace v0 {

struct HookTraits {
  using node = ListHook;
  using node_ptr = ListHook*;
  using const_node_ptr = const ListHook*;
  static node_ptr get_next(const_node_ptr n) noexcept { return n->next; }
  static void set_next(node_ptr n, node_ptr next) noexcept { n->next = next; }
  static node_ptr get_previous(const_node_ptr n) noexcept { return n->previous; }
  static void set_previous(node_ptr n, node_ptr previous) noexcept { n->previous = previous; }
};

using HookAlgorithms = boost::intrusive::circular_list_algorithms<HookTraits>;

/// First in, first out; removal from anywhere in O(1). `Access` turns objects into hooks and back.
template <class Object, class Access>
class List {
 public:
  List() noexcept { HookAlgorithms::init_header(&head_); }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

  bool empty() const noexcept { return head_.next == &head_; }
  void push_back(Object& object) noexcept {
    HookAlgorithms::link_before(&head_, &Access::hook(object));
  }
  void push_front(Object& object) noexcept {
    HookAlgorithms::link_after(&head_, &Access::hook(object));
  }
  Object* front() noexcept { return empty() ? nullptr : &Access::from_hook(*head_.next); }
  const Object* front() const noexcept { return const_cast<List*>(this)->front(); }
  const Object* after(const Object& object) const noexcept {
    return const_cast<List*>(this)->after(const_cast<Object&>(object));
  }
  /// Returns the object behind `object`, or nullptr.
  Object* after(Object& object) noexcept {
    ListHook* const next = Access::hook(object).next;
    return next == &head_ ? nullptr : &Access::from_hook(*next);
  }
  Object* pop_front() noexcept {
    Object* const object = front();
    if (object) remove(*object);
    return object;
  }
  /// Takes an object out of the list that it is in.
  static void remove(Object& object) noexcept {
    ListHook& hook = Access::hook(object);
    HookAlgorithms::unlink(&hook);
    hook = {};
  }
  static bool linked(Object& object) noexcept { return Access::hook(object).linked(); }
  /// Moves all objects of `other` to the end of this list.
  void splice(List& other) noexcept {
    if (other.empty()) return;
    HookAlgorithms::transfer(&head_, other.head_.next, &other.head_);
  }

 private:
  ListHook head_;
};

/// The same in one pointer, for lists of which there are many and which are mostly empty. Only the
/// ring itself can remove an object.
template <class Object, class Access>
class Ring {
 public:
  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool empty() const noexcept { return first_ == nullptr; }
  void push_back(Object& object) noexcept {
    ListHook* const hook = &Access::hook(object);
    if (first_) {
      HookAlgorithms::link_before(first_, hook);
    } else {
      HookAlgorithms::init_header(hook);
      first_ = hook;
    }
  }
  Object* front() noexcept { return first_ ? &Access::from_hook(*first_) : nullptr; }
  /// Returns the object behind `object`, or nullptr.
  Object* after(Object& object) noexcept {
    ListHook* const next = Access::hook(object).next;
    return next == first_ ? nullptr : &Access::from_hook(*next);
  }
  Object* pop_front() noexcept {
    Object* const object = front();
    if (object) remove(*object);
    return object;
  }
  void remove(Object& object) noexcept {
    ListHook& hook = Access::hook(object);
    if (first_ == &hook) first_ = hook.next == &hook ? nullptr : hook.next;
    HookAlgorithms::unlink(&hook);
    hook = {};
  }

 private:
  ListHook* first_ = nullptr;
};

}  // namespace v0
}  // namespace proa
