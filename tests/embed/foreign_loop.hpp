#pragma once

#include <functional>
#include <memory>
#include <proa/proactor.hpp>

namespace proa_test {

/// The event loop of another library, with an adapter of proa/embed, as the scenario uses it. Each
/// in_*.cpp of this folder has one.
class ForeignLoop {
 public:
  static std::unique_ptr<ForeignLoop> make();

  virtual ~ForeignLoop() = default;
  virtual void attach(proa::Proactor& proactor) = 0;
  virtual void detach() = 0;
  /// Calls `work` once, from a timer of that library, outside of poll().
  virtual void after(int milliseconds, std::function<void()> work) = 0;
  /// Runs that library's loop until quit().
  virtual void run() = 0;
  virtual void quit() = 0;
  /// Runs that library's loop inside of a callback for a while; false if it is not made for that.
  virtual bool nest(int milliseconds) {
    (void)milliseconds;
    return false;
  }
};

}  // namespace proa_test
