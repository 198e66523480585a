#pragma once

namespace proa {
inline namespace v0 {
namespace detail {

/// The class of a method that returns void; const if the method is.
template <class Method>
struct MethodOwner {
  static_assert(sizeof(Method) == 0, "On<Request, &Owner::method>: a method that returns void");
};
template <class Owner_, class... Arguments>
struct MethodOwner<void (Owner_::*)(Arguments...)> {
  using Owner = Owner_;
};
template <class Owner_, class... Arguments>
struct MethodOwner<void (Owner_::*)(Arguments...) noexcept> {
  using Owner = Owner_;
};
template <class Owner_, class... Arguments>
struct MethodOwner<void (Owner_::*)(Arguments...) const> {
  using Owner = const Owner_;
};
template <class Owner_, class... Arguments>
struct MethodOwner<void (Owner_::*)(Arguments...) const noexcept> {
  using Owner = const Owner_;
};

}  // namespace detail
}  // namespace v0
}  // namespace proa
