#pragma once

#include <proa/descriptor.hpp>
#include <proa/system.hpp>

namespace proa {
inline namespace v0 {

/// Owns one open descriptor of a System, and closes it when destroyed: what Socket and File have in
/// common. Move-only. No operation may be in flight on the descriptor when it is closed; a handler
/// that was given the descriptor sees to that. The descriptor must be closed or released before its
/// proactor is destroyed. Until the proactor is shut down, only its thread may close or release it.
/// It is misuse to give it to a handler of another proactor: release() it, and let Socket::adopt()
/// or File::adopt() take the number for that proactor.
class OwnedDescriptor {
 public:
  OwnedDescriptor() noexcept = default;
  OwnedDescriptor(System& system, Descriptor descriptor, bool borrowed = false) noexcept
      : system_(&system), number_(descriptor.number), kind_(descriptor.kind), borrowed_(borrowed) {
    if (valid()) system.count_owned(1);
  }
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : system_(other.system_),
        number_(other.number_),
        kind_(other.kind_),
        borrowed_(other.borrowed_),
        was_blocking_(other.was_blocking_) {
    other.forget();
  }
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    if (this != &other) {
      close();
      system_ = other.system_;
      number_ = other.number_;
      kind_ = other.kind_;
      other.forget();
      borrowed_ = other.borrowed_;
      was_blocking_ = other.was_blocking_;
    }
    return *this;
  }
  ~OwnedDescriptor() { close(); }

  /// Whether there is a descriptor, and which.
  bool valid() const noexcept { return number_ >= 0; }
  Descriptor descriptor() const noexcept { return {number_, kind_}; }
  /// Whether the descriptor belongs to the program: this object forgets it, and never closes it.
  bool borrowed() const noexcept { return borrowed_; }

  /// Whether the descriptor was made by this System.
  bool is_of(const System& system) const noexcept { return system_ == &system; }

  /// Gives the open descriptor to the caller, who closes it. It is in blocking mode again if
  /// Socket::adopt() found it so; in a child of fork(2) it keeps its mode, which is the parent's
  /// too. Like close(), this is misuse while a request is pending on it.
  Descriptor release() noexcept {
    const Descriptor released = descriptor();
    if (valid()) {
      system_->count_owned(-1);
      system_->leaving(released, "release");
      system_->forget(released);
      if (was_blocking_) (void)system_->set_blocking(released);
    }
    forget();
    return released;
  }
  /// Closes the descriptor now with close(2), or forgets it if it is borrowed.
  void close() noexcept {
    if (!valid()) return;
    const Descriptor closed = descriptor();
    forget();
    system_->count_owned(-1);
    system_->leaving(closed, "close");
    borrowed_ ? system_->forget(closed) : (void)system_->close(closed);
  }

 protected:
  /// For Socket and File: there is no descriptor any more, and nobody closes it.
  void forget() noexcept {
    number_ = -1;
    kind_ = DescriptorKind::none;
  }

  System* system_ = nullptr;  ///< Whose the descriptor is.
  int number_ = -1;           ///< With `kind_` what a Descriptor has, in fewer bytes.
  DescriptorKind kind_ = DescriptorKind::none;  ///< See `number_`.
  bool borrowed_ = false;                       ///< See borrowed().
  bool was_blocking_ = false;                   ///< Socket::adopt() found it in blocking mode.
};

}  // namespace v0
}  // namespace proa
