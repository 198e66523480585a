#pragma once

// Every operation at the kernel has a slot, and the user_data of its SQEs is the slot's index and
// generation. A slot changes its generation whenever an operation leaves it, so that a late
// completion of that operation is not taken for one of the operation that has the slot next.

#include <cstddef>
#include <cstdint>
#include <proa/operation.hpp>
#include <vector>

#include "base/memory.hpp"
#include "base/operation_table.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

/// What user_data says. For an SQE of an operation, `kind` is the Opcode. It is kind_poll for a
/// POLL_ADD or TIMEOUT that goes before the operation, and kind_guard for the POLL_ADD of a
/// receive's guard. An SQE of kind_cancel names the operation that it cancels, or will cancel
/// again; that of kind_wake has no slot. The first three kinds reuse the numbers of opcodes that
/// never go to the kernel.
struct Tag {
  static constexpr unsigned kind_wake = static_cast<unsigned>(Opcode::timer);
  static constexpr unsigned kind_guard = static_cast<unsigned>(Opcode::work);
  static constexpr unsigned kind_poll = static_cast<unsigned>(Opcode::send_datagrams);
  static constexpr unsigned kind_cancel = 15;
  static_assert(operation_table.size() <= kind_cancel && kind_cancel < 16, "a kind has four bits");
  static constexpr std::uint32_t generations = (1u << 28) - 1;

  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  unsigned kind = 0;

  static constexpr Tag of(std::uint64_t value) noexcept {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 36),
            static_cast<unsigned>(value >> 32) & 15};
  }
  constexpr std::uint64_t value() const noexcept {
    return index | std::uint64_t{kind} << 32 | std::uint64_t{generation} << 36;
  }
};

class Slots {
 public:
  static constexpr std::uint32_t none = 0xffffffff;

  /// Returns `none` if there is no memory.
  std::uint32_t add(Operation& operation) noexcept {
    if (free_ == none && !grow()) return none;
    const std::uint32_t index = free_;
    free_ = slots_[index].next_free;
    slots_[index].operation = &operation;
    slots_[index].singly = 0;
    return index;
  }
  void remove(std::uint32_t index) noexcept {
    Slot& slot = slots_[index];
    slot.operation = nullptr;
    slot.generation = (slot.generation + 1) & Tag::generations;
    slot.next_free = free_;
    free_ = index;
  }
  /// The tag's operation, or nullptr if that operation has left its slot.
  Operation* find(Tag tag) const noexcept {
    if (tag.index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[tag.index];
    return slot.generation == tag.generation ? slot.operation : nullptr;
  }
  /// Hints for the processor's cache: the tag's slot, and the operation in it with what stands
  /// around it, which is mostly its handler.
  void prefetch_slot(std::uint64_t tag) const noexcept {
    __builtin_prefetch(slots_.data() + static_cast<std::uint32_t>(tag));
  }
  void prefetch_operation(std::uint64_t tag) const noexcept {
    const auto index = static_cast<std::uint32_t>(tag);
    if (index >= slots_.size()) return;
    const auto operation = reinterpret_cast<std::uintptr_t>(slots_[index].operation);
    for (std::uintptr_t line = operation - 128; line < operation + 256; line += 64) {
      __builtin_prefetch(reinterpret_cast<const void*>(line));
    }
  }
  std::uint32_t generation(std::uint32_t index) const noexcept { return slots_[index].generation; }
  /// What is left, at most 15, until a receive that goes block by block, or by recvmmsg(2), is a
  /// multishot one again (pace.cpp). 0: it is one.
  unsigned singly(std::uint32_t index) const noexcept { return slots_[index].singly; }
  void set_singly(std::uint32_t index, unsigned left) noexcept { slots_[index].singly = left & 15; }
  /// Of an operation on a file at the kernel: whether a thread of the kernel performs it.
  bool threaded(std::uint32_t index) const noexcept { return slots_[index].singly != 0; }
  void set_threaded(std::uint32_t index, bool on) noexcept { slots_[index].singly = on; }
  /// Of an operation on a file that has completed: what the CQE said.
  std::int32_t result(std::uint32_t index) const noexcept { return slots_[index].result; }
  void set_result(std::uint32_t index, std::int32_t result) noexcept {
    slots_[index].result = result;
  }

 private:
  struct Slot {
    Operation* operation = nullptr;
    std::uint32_t generation : 28;
    std::uint32_t singly : 4;  // of an operation on a file: threaded
    union {
      std::uint32_t next_free = none;  // of a free slot
      std::int32_t result;
    };

    Slot() noexcept : generation(0), singly(0) {}
  };

  bool grow() noexcept {
    const std::size_t before = slots_.size();
    const std::size_t after = before == 0 ? 64 : before * 2;
    if (after >= none) return false;
    if (!with_memory([&] { slots_.resize(after); })) return false;
    for (std::size_t i = after; i-- > before;) {
      slots_[i].next_free = free_;
      free_ = static_cast<std::uint32_t>(i);
    }
    return true;
  }

  std::vector<Slot> slots_;
  std::uint32_t free_ = none;
};

}  // namespace uring
}  // namespace v0
}  // namespace proa
