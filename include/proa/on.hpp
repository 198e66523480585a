#pragma once

#include <proa/detail/method_owner.hpp>
#include <proa/operation.hpp>
#include <type_traits>
#include <utility>

namespace proa {
inline namespace v0 {

/// A request whose completion calls a method of an object:
///
///     void received(proa::Result result);  // or (proa::Recv&, proa::Result)
///     proa::On<proa::Recv, &Session::received> recv_{*this};  // below the method
///
/// The object must outlive the request. The method runs on the proactor's thread, only from run(),
/// run_once(), poll() or shutdown() (R1). Inside the method the request is idle, unless it is a
/// repeating one with more to come; an idle request may be prepared and submitted again, or
/// destroyed.
template <class Request, auto Method>
class On : public Request {
 public:
  static_assert(std::is_base_of_v<Operation, Request>, "On<> is for the requests of proa");
  /// The class of the method; const if the method is.
  using Owner = typename detail::MethodOwner<decltype(Method)>::Owner;

  /// The object whose method is called, and what the request's own constructor takes.
  template <class... Arguments>
  explicit On(Owner& owner, Arguments&&... arguments)
      : Request(std::forward<Arguments>(arguments)...), owner_(&owner) {
    this->deliver_ = [](Operation& operation, const Result& result) {
      On& self = static_cast<On&>(operation);
      if constexpr (std::is_invocable_v<decltype(Method), Owner&, const Result&>) {
        (self.owner_->*Method)(result);
      } else {
        static_assert(std::is_invocable_v<decltype(Method), Owner&, On&, const Result&>,
                      "the method of an On<> takes (Result), or (Request&, Result)");
        (self.owner_->*Method)(self, result);
      }
    };
  }

 private:
  Owner* owner_;
};

}  // namespace v0
}  // namespace proa
