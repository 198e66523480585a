// The filter of opcodes, as wrappers of what makes and restricts rings.
#include "support/opcode_filter.hpp"

#include "sys/sys.hpp"

#ifdef PROA_HAVE_URING
#include <liburing.h>

#include <array>
#include <cstdint>
#include <utility>

namespace proa_test {

namespace {

std::set<unsigned> refused_always;
std::set<unsigned> refused_untold;
decltype(proa::sys::Table::uring_setup) setup_below = nullptr;
decltype(proa::sys::Table::uring_register) register_below = nullptr;

// Allocates nothing: a test may let any allocation of the library fail.
class Rules {
 public:
  void add(const io_uring_restriction& rule) noexcept {
    if (count_ < rules_.size()) rules_[count_++] = rule;
  }
  void allow(unsigned opcode) noexcept {
    io_uring_restriction rule = {};
    rule.opcode = IORING_RESTRICTION_SQE_OP;
    rule.sqe_op = static_cast<std::uint8_t>(opcode);
    add(rule);
  }
  void allow_flags(unsigned flags) noexcept {
    io_uring_restriction rule = {};
    rule.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rule.sqe_flags = static_cast<std::uint8_t>(flags);
    add(rule);
  }
  long give_to(int fd) noexcept {
    return register_below(fd, IORING_REGISTER_RESTRICTIONS, rules_.data(), count_);
  }

 private:
  std::array<io_uring_restriction, 64> rules_ = {};
  unsigned count_ = 0;
};

// A ring that the library does not restrict is restricted here, before it is enabled.
long filtered_setup(unsigned entries, io_uring* ring, io_uring_params* parameters) noexcept {
  const bool restricts_itself = (parameters->flags & IORING_SETUP_R_DISABLED) != 0;
  parameters->flags |= IORING_SETUP_R_DISABLED;
  long result = setup_below(entries, ring, parameters);
  if (result < 0 || restricts_itself) return result;
  Rules rules;
  rules.allow_flags(0xff);
  for (unsigned opcode = 0; opcode < IORING_OP_LAST; ++opcode) {
    if (refused_always.count(opcode) == 0) rules.allow(opcode);
  }
  result = rules.give_to(ring->ring_fd);
  if (result == 0) result = register_below(ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) proa::sys::uring_exit(ring);
  return result;
}

long filtered_register(int fd, unsigned call, void* argument, unsigned count) noexcept {
  if (call != IORING_REGISTER_RESTRICTIONS) return register_below(fd, call, argument, count);
  Rules rules;
  const auto* const asked = static_cast<const io_uring_restriction*>(argument);
  for (const auto* rule = asked; rule != asked + count; ++rule) {
    const bool refused =
        rule->opcode == IORING_RESTRICTION_SQE_OP &&
        (refused_always.count(rule->sqe_op) != 0 || refused_untold.count(rule->sqe_op) != 0);
    if (!refused) rules.add(*rule);
  }
  return rules.give_to(fd);
}

}  // namespace

OpcodeFilter::OpcodeFilter(std::set<unsigned> always, std::set<unsigned> untold) {
  refused_always = std::move(always);
  refused_untold = std::move(untold);
  setup_below = proa::sys::table.uring_setup;
  register_below = proa::sys::table.uring_register;
  proa::sys::table.uring_setup = filtered_setup;
  proa::sys::table.uring_register = filtered_register;
}

OpcodeFilter::~OpcodeFilter() {
  proa::sys::table.uring_setup = setup_below;
  proa::sys::table.uring_register = register_below;
}

void filter_opcodes() {
  static const OpcodeFilter filter(
      {IORING_OP_RECV, IORING_OP_SENDMSG, IORING_OP_ACCEPT, IORING_OP_READ, IORING_OP_WRITEV,
       IORING_OP_FSYNC, IORING_OP_OPENAT, IORING_OP_RECVMSG},
      {IORING_OP_CONNECT, IORING_OP_STATX});
}

}  // namespace proa_test
#else
namespace proa_test {
void filter_opcodes() {}
}  // namespace proa_test
#endif
