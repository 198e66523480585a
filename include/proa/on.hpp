#pragma once

#include <proa/operation.hpp>
#include <type_traits>
#include <utility>

namespace proa {

namespace detail {
template <class Method>
struct MethodOwner;
template <class Owner, class... Arguments>
struct MethodOwner<void (Owner::*)(Arguments...)> {
  using Type = Owner;
};
template <class Owner, class... Arguments>
struct MethodOwner<void (Owner::*)(Arguments...) noexcept> {
  using Type = Owner;
};
}  // namespace detail

/// A request whose completion calls a method of an object:
///
///     void received(proa::Result result);  // or (proa::Recv&, proa::Result)
///     proa::On<proa::Recv, &Session::received> recv_{*this};  // below the method
///
/// The object must outlive the request. The method runs on the proactor's thread, from run(),
/// run_once(), poll() or shutdown() alone (R1); inside it the request is idle, unless it is a
/// repeating one with more to come, and may be prepared and submitted again, or destroyed.
template <class Request, auto Method>
class On : public Request {
 public:
  using Owner = typename detail::MethodOwner<decltype(Method)>::Type;

  template <class... Arguments>
  explicit On(Owner& owner, Arguments&&... arguments)
      : Request(std::forward<Arguments>(arguments)...), owner_(&owner) {
    this->deliver_ = [](Operation& operation, const Result& result) {
      On& self = static_cast<On&>(operation);
      if constexpr (std::is_invocable_v<decltype(Method), Owner&, const Result&>) {
        (self.owner_->*Method)(result);
      } else {
        (self.owner_->*Method)(self, result);
      }
    };
  }

 private:
  Owner* owner_;
};

}  // namespace proa
