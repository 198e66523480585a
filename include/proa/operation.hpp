#pragma once

#include <cstddef>
#include <cstdint>
#include <proa/descriptor.hpp>
#include <proa/detail/api.hpp>
#include <system_error>

namespace proa {
inline namespace v0 {

/// The result of an operation. Complete success has no error; `bytes` counts what moved, also
/// beside an error.
struct Result {
  std::error_code error;
  std::size_t bytes = 0;
};

/// Links an object into one of the library's lists. A hook is in one list at most.
struct ListHook {
  ListHook* next = nullptr;
  ListHook* previous = nullptr;

  /// Whether it is in a list.
  bool linked() const noexcept { return next != nullptr; }
};

/// What an operation does.
enum class Opcode : std::uint8_t {
  recv,
  send,
  recv_buffers,
  send_buffers,
  accept,
  connect,
  timer,
  read_at,
  write_at,
  file_call,
  send_file,
  work,
  recv_datagrams,
  send_datagrams,
  poll,
};

/// Operations of one direction on one descriptor run first in, first out (R5). Operations on files
/// have no direction.
enum class Direction : std::uint8_t { in, out, none };

/// One request to the operating system: a small object that its owner (nearly always a handler, as
/// a member) keeps at one address from Proactor::submit() until its callback. Only typed requests
/// (Recv, Send, Accept, ...) exist; On<> adds the callback.
class PROA_API Operation {
 public:
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  /// True from submit() until the (last) callback begins: meanwhile the operation and its buffers
  /// belong to the proactor (R3).
  bool pending() const noexcept { return state_ != State::idle; }

  /// What it does, in which direction, and on which descriptor.
  Opcode opcode() const noexcept { return opcode_; }
  Direction direction() const noexcept { return direction_; }
  Descriptor descriptor() const noexcept { return {descriptor_, kind_}; }

 protected:
  /// For typed requests.
  Operation(Opcode opcode, Direction direction) noexcept
      : opcode_(opcode), direction_(direction), scatters_(false), repeating_(false) {}
  /// Destroying a pending operation is misuse: it aborts and names the operation.
  ~Operation() {
    if (pending()) abandon();
  }
  void abandon() const noexcept;

  /// For prepare() and the constructors of typed requests.
  void set_descriptor(Descriptor descriptor) noexcept {
    descriptor_ = descriptor.number;
    kind_ = descriptor.kind;
  }
  void set_repeating(bool repeating) noexcept { repeating_ = repeating; }
  void set_scattering(bool scatters) noexcept { scatters_ = scatters; }
  bool is_scattering() const noexcept { return scatters_; }
  /// Changing the inputs of a pending operation is misuse.
  void check_idle(const char* verb) const noexcept {
    if (pending()) busy(verb);
  }

 private:
  friend class BackendSide;
  friend class Core;
  template <class Request, auto Method>
  friend class On;
  friend class OperationAccess;

  enum class State : std::uint8_t {
    idle,
    waiting,    // waits behind another operation of its descriptor and direction
    submitted,  // the backend has it; a Timer is in the timer heap
    finished,   // has its result, and waits until the core delivers it
  };
  enum class Reason : std::uint8_t {
    none,
    cancel,
    close,
    deadline,
    hurried_deadline,  // after the deadline somebody ended it: it waits for nothing any more
  };
  // Who has a submitted operation.
  enum class Keeper : std::uint8_t {
    backend,
    workers,  // a worker, or it waits for one
    devices,  // the threads that wait for devices
  };
  using Deliver = void (*)(Operation&, const Result&);
  static constexpr std::uint32_t no_index = 0xffffffff;

  [[noreturn]] void busy(const char* verb) const noexcept;
  [[noreturn]] void elsewhere(const char* verb) const noexcept;

  ListHook hook_;
  Deliver deliver_ = nullptr;
  std::size_t bytes_ = 0;   // bytes moved so far
  std::int32_t error_ = 0;  // 0, or negative: -errno
  std::int32_t descriptor_ = -1;
  std::uint32_t slot_ = no_index;   // for the backend that has the operation
  std::uint32_t timer_ = no_index;  // place of the deadline in the timer heap
  Opcode opcode_;
  Direction direction_ : 6;
  bool scatters_ : 1;   // a result may bring several blocks
  bool repeating_ : 1;  // has many results, the last one without `more_`
  DescriptorKind kind_ = DescriptorKind::none;
  State state_ = State::idle;
  Reason reason_ = Reason::none;  // what asked first for the operation's end
  Keeper keeper_ = Keeper::backend;
  std::uint16_t core_ = 0;  // which proactor of the process took it on last
  // A worker sets these three, bytes_ and error_, while the proactor's thread may look at the
  // members from opcode_ to core_: a compiler may read those eight bytes at once.
  std::uint8_t phase_ = 0;  // for whoever has the operation
  bool more_ = false;
  std::uint8_t extra_cost_ = 0;  // beyond what the table of operations says of bytes_ (R8)
  std::int32_t process_ = 0;     // the process that submitted it
};

}  // namespace v0
}  // namespace proa
