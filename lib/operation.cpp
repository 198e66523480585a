// What an operation says of itself when it is misused, and the request that copies a list. Upholds
// R3 (lists are copied) and R6 (nothing that is pending is destroyed).
#include <algorithm>
#include <new>
#include <proa/operation.hpp>
#include <proa/requests.hpp>

#include "misuse.hpp"

namespace proa {

namespace {

const char* name_of(Opcode opcode) noexcept {
  switch (opcode) {
    case Opcode::recv:
      return "Recv";
    case Opcode::send:
      return "Send";
    case Opcode::recv_buffers:
      return "RecvBuffers";
    case Opcode::send_buffers:
      return "SendBuffers";
    case Opcode::accept:
      return "Accept";
    case Opcode::connect:
      return "Connect";
    case Opcode::timer:
      return "Timer";
  }
  return "Operation";
}

}  // namespace

void Operation::abandon() const noexcept {
  misuse("%s %p on descriptor %d destroyed while it was pending", name_of(opcode_),
         static_cast<const void*>(this), descriptor_);
}

void Operation::busy(const char* verb) const noexcept {
  misuse("%s %p on descriptor %d: %s while it was pending", name_of(opcode_),
         static_cast<const void*>(this), descriptor_, verb);
}

void Send::prepare(Descriptor to, const Bytes* pieces, std::size_t count) noexcept {
  check_idle("prepare");
  set_descriptor(to);
  acceptable_ = false;
  out_of_memory_ = false;
  count_ = 0;
  size_ = 0;
  if (count == 0 || pieces == nullptr) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (pieces[i].data == nullptr && pieces[i].size > 0) return;
    if (pieces[i].size > PTRDIFF_MAX - size_) return;
    size_ += pieces[i].size;
  }
  if (count <= inline_pieces) {
    std::copy_n(pieces, count, few_.begin());
  } else {
    if (count > many_capacity_) {
      if (count > PTRDIFF_MAX / sizeof(Bytes)) return;
      many_.reset(new (std::nothrow) Bytes[count]);
      many_capacity_ = many_ ? count : 0;
      out_of_memory_ = !many_;
      if (out_of_memory_) return;
    }
    std::copy_n(pieces, count, many_.get());
  }
  count_ = count;
  acceptable_ = true;
}

}  // namespace proa
