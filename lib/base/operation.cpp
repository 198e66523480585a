// What an operation says of itself when it is misused. Upholds R6 (nothing that is pending is
// destroyed).
#include <proa/operation.hpp>

#include "base/misuse.hpp"

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
    case Opcode::read_at:
      return "ReadAt";
    case Opcode::write_at:
      return "WriteAt";
    case Opcode::file_call:
      return "FileCall";
    case Opcode::send_file:
      return "SendFile";
    case Opcode::work:
      return "Work";
    case Opcode::recv_datagrams:
      return "RecvDatagrams";
    case Opcode::send_datagrams:
      return "SendDatagrams";
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

}  // namespace proa
