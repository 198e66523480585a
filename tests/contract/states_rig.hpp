#pragma once

// Drives every verb of a handler in every state, and compares what follows with its table.

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "support/world.hpp"

namespace proa_test {

using Heard = std::vector<std::string>;

/// What a test does with one kind of handler; one for each cell of its table.
class Driver {
 public:
  virtual ~Driver() = default;

  /// Brings an idle handler into the state of a column. The proactor is shut down already where
  /// the column says so.
  virtual void enter(World& world, const std::string& state) = 0;
  /// Calls the verb of a row, and does what makes its effect felt.
  virtual void call(World& world, const std::string& verb) = 0;
  virtual void close() = 0;
  virtual bool idle() const = 0;

  /// What the verb returned and what was called, in order.
  Heard heard;
  /// What enter() has set going, and comes whatever the verb does: of that the table is silent.
  Heard due;

 protected:
  void hear(std::string what) { heard.push_back(std::move(what)); }
  void hear_error(const std::error_code& error);
  void note_returned(const std::error_code& error);
};

using MakeDriver = std::function<std::unique_ptr<Driver>(World&)>;

/// One try for each cell of the table; idle handlers are tried new, and behind on_closed().
void check_states(const char* table, const MakeDriver& make);

/// A driver that is the handler itself.
template <class Base>
class Driven : public Driver, public Base {
 public:
  explicit Driven(World& world) : Base(*world) {}
  ~Driven() override = default;
  void close() override { Base::close(); }
  bool idle() const override { return !Base::is_open(); }

 protected:
  void on_error(std::error_code error) override { hear_error(error); }
  void on_closed() override { hear("on_closed()"); }
};

template <class D>
MakeDriver making() {
  return [](World& world) -> std::unique_ptr<Driver> { return std::make_unique<D>(world); };
}

}  // namespace proa_test
