// Makes a ring. open() makes a disabled one, because a ring belongs to the thread that enables it,
// and that thread is not known yet when the backend registers its memory. Where the kernel can
// resize a ring, its queues begin small, because locked memory is scarce, and ring.cpp lets them
// grow. The ring is restricted to the table in features.cpp. open() tries the setup flags from the
// newest tier down, for a foreign loop without DEFER_TASKRUN; it never uses SQPOLL, whose thread
// would spin beside other programs. Upholds R11 (the completion queue is four times as long as the
// submission queue).
#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "backend/uring/ring.hpp"
#include "backend/uring/trial.hpp"
#include "sys/linux.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

namespace {

constexpr unsigned base_flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
constexpr unsigned tiers[] = {
    base_flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    base_flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
    base_flags | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
    base_flags,
};
constexpr unsigned fewest_entries = 8;
constexpr unsigned first_entries = 64;  // of a submission queue that can grow

bool allowed_flags(unsigned flags, Release allowed) noexcept {
  for (unsigned bit = 1; bit != 0 && bit <= flags; bit <<= 1) {
    if ((flags & bit) != 0 && since(Sort::setup_flag, bit) > allowed) return false;
  }
  return true;
}

// Finds out why io_uring_setup(2) says EPERM. The file exists since Linux 6.6, and holds 0
// (allowed), 1 (allowed to a privileged group only) or 2 (forbidden to all).
std::string forbidden_by() {
  const long fd = sys::open("/proc/sys/kernel/io_uring_disabled", 0);
  if (fd >= 0) {
    char value = '0';
    const long size = sys::read(static_cast<int>(fd), &value, 1);
    sys::close(static_cast<int>(fd));
    if (size == 1 && value != '0') return std::string("kernel.io_uring_disabled is ") + value;
  }
  return "a seccomp filter forbids it";
}

std::string refused(long error) {
  const std::string text = "io_uring_setup: " + error_name(error);
  switch (-error) {
    case EPERM:
      return text + " (" + forbidden_by() + ")";
    case ENOSYS:
      return text + " (the kernel has no io_uring, or a seccomp filter hides it)";
    case ENOMEM:
      return text + " (out of memory, or RLIMIT_MEMLOCK is too low)";
    case EINVAL:
      return text + " (kernel older than " + to_string(lowest_uring_release) + ")";
    default:
      return text;
  }
}

}  // namespace

std::string error_name(long error) {
  switch (-error) {
    case EPERM:
      return "EPERM";
    case ENOSYS:
      return "ENOSYS";
    case ENOMEM:
      return "ENOMEM";
    case EINVAL:
      return "EINVAL";
    case EACCES:
      return "EACCES";
    case EMFILE:
      return "EMFILE";
    case ENFILE:
      return "ENFILE";
    case EEXIST:
      return "EEXIST";
    case EBADFD:
      return "EBADFD";
    case EBADR:
      return "EBADR";
    default:
      return "errno " + std::to_string(-error);
  }
}

std::string Ring::open(unsigned entries, Release allowed, bool files, bool embedded) {
  features_ = {};
  // Linux 6.13 to 6.18.18 may crash when an eventfd is signalled while a ring grows.
  features_.resizes = !embedded;
  features_.files = files;
  std::string why_not = setup(entries, allowed, embedded);
  if (why_not.empty()) why_not = ask(allowed);
  if (why_not.empty()) why_not = ask_filter(allowed);
  if (!why_not.empty()) close();
  return why_not;
}

std::string Ring::setup(unsigned entries, Release allowed, bool embedded) {
  entries = std::clamp(entries, 2u, 32768u);  // a receive and its guard need two SQEs in one cancel
  long result = -EINVAL;
  for (const unsigned flags : tiers) {
    if (!allowed_flags(flags, allowed)) continue;
    // With DEFER_TASKRUN the kernel hears of input on an eventfd inside the write(2) to it, and
    // wants to signal the ring's eventfd in there. It may not signal one eventfd from inside the
    // write(2) to another, so it does that late the first time, and never again (Linux 6.18).
    // Without the flag it interrupts the thread that submitted, which completes the operation and
    // signals the ring's eventfd on its way out of the kernel.
    if (embedded && (flags & IORING_SETUP_DEFER_TASKRUN) != 0) continue;
    do {
      result = make(entries, flags, allowed);
      if (result >= 0) return {};
      entries /= 2;
    } while (result == -ENOMEM && entries >= fewest_entries);
    if (result != -EINVAL) break;  // other flags would not help
    entries = std::max(entries * 2, 1u);
  }
  return refused(result);
}

// Makes a small ring where that can grow. The kernel tells whether it can by doing it.
long Ring::make(unsigned entries, unsigned flags, Release allowed) noexcept {
  const bool may_resize =
      features_.resizes && (flags & IORING_SETUP_DEFER_TASKRUN) != 0 && entries > first_entries &&
      allowed >= since(Sort::late_register_call, sys::uring_register_resize_rings);
  for (const bool small : {true, false}) {
    if (small && !may_resize) continue;
    io_uring_params parameters = {};
    parameters.flags = flags;
    const unsigned first = small ? first_entries / 2 : entries;
    parameters.cq_entries = first * 4;
    const long result = sys::uring_setup(first, &ring_, &parameters);
    if (result < 0) return result;
    open_ = true;
    full_ = lost_ = false;
    features_.setup_flags = flags;
    features_.resizes = small && resize(first_entries) == 0;
    most_entries_ = entries;
    if (!small || features_.resizes) break;
    close();
  }
  return 0;
}

// Finds out which features the kernel has and Options allows.
std::string Ring::ask(Release allowed) {
  constexpr unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;
  if ((ring_.features & needed) != needed) {
    return "kernel older than " + to_string(lowest_uring_release);
  }
  constexpr unsigned opcodes = 256;
  const std::size_t size = sizeof(io_uring_probe) + opcodes * sizeof(io_uring_probe_op);
  std::vector<std::uint64_t> memory(size / sizeof(std::uint64_t) + 1);
  auto* const probe = reinterpret_cast<io_uring_probe*>(memory.data());
  const long result = register_with(IORING_REGISTER_PROBE, probe, opcodes);
  if (result < 0) return "io_uring_register: " + error_name(result) + " for REGISTER_PROBE";

  Release kernel = lowest_uring_release;
  for (std::size_t i = 0; i < table_size; ++i) {
    const Row& row = table[i];
    if (row.sort > Sort::marker) continue;
    const bool supported =
        row.value <= probe->last_op && (probe->ops[row.value].flags & IO_URING_OP_SUPPORTED) != 0;
    if (row.sort == Sort::marker) {
      if (supported) kernel = std::max(kernel, row.since);
    } else if (row.sort >= Sort::registered_opcode) {
      if (supported && row.since <= allowed && features_.files) {
        features_.opcodes |= std::uint64_t{1} << row.value;
      }
    } else if (!supported) {
      return std::string("io_uring lacks ") + row.name + " (kernel " + to_string(row.since) + ")";
    } else {
      features_.opcodes |= std::uint64_t{1} << row.value;
    }
  }
  features_.release = std::min(kernel, allowed);
  if (allowed < since(Sort::enter_flag, sys::uring_enter_no_iowait)) {
    ring_.features &= ~sys::uring_feature_no_iowait;
  }
  features_.no_iowait = (ring_.features & sys::uring_feature_no_iowait) != 0;
  return {};
}

// Takes off the opcodes that a filter refuses, and chooses what needs the others. Kernels that know
// filters have had IORING_SETUP_SUBMIT_ALL for long.
std::string Ring::ask_filter(Release allowed) {
  Answers answers;
  if (features_.has(IORING_SETUP_SUBMIT_ALL)) {
    const long asked = ask_by_trying(features_, allowed, answers);
    if (asked < 0) return "io_uring_enter: " + error_name(asked) + " (a filter forbids it)";
  }
  features_.refused = answers.refused;
  features_.opcodes &= ~answers.refused;
  for (std::size_t i = 0; i < table_size; ++i) {
    const Row& row = table[i];
    if (row.sort == Sort::vital && !features_.has_opcode(row.value)) {
      return std::string("a filter refuses ") + row.name + " of io_uring";
    }
  }
  choose(allowed, answers.limits_receives);
  return {};
}

void Ring::choose(Release allowed, bool limits_receives) noexcept {
  const bool multishot = features_.release >= since(Sort::op_flag, recv_multishot);
  features_.multishot_recv = multishot && features_.has_opcode(IORING_OP_RECV);
  features_.multishot_datagrams = multishot && features_.has_opcode(IORING_OP_RECVMSG);
  features_.multishot_limit = features_.multishot_recv && limits_receives &&
                              allowed >= since(Sort::op_flag, recv_multishot_limit);
  features_.registered_buffers =
      features_.release >= since(Sort::register_call, IORING_REGISTER_BUFFERS2) &&
      ((features_.reads_files() && features_.has_opcode(IORING_OP_READ_FIXED)) ||
       (features_.writes_files() && features_.has_opcode(IORING_OP_WRITE_FIXED)));
  features_.poll_first = features_.release >= since(Sort::op_flag, poll_first);
  features_.multishot_poll = features_.release >= since(Sort::op_flag, poll_multishot);
  features_.buffer_ring =
      features_.release >= since(Sort::register_call, IORING_REGISTER_PBUF_RING) &&
      (features_.multishot_datagrams || features_.has_opcode(IORING_OP_RECV));
}

long Ring::restrict() noexcept {
  std::array<io_uring_restriction, 32> rules = {};
  unsigned count = 0;
  unsigned sqe_flags = 0;
  for (std::size_t i = 0; i < table_size; ++i) {
    const Row& row = table[i];
    if (row.sort == Sort::late_register_call && features_.calls_late(row.value)) {
      rules[count].opcode = IORING_RESTRICTION_REGISTER_OP;
      rules[count++].register_op = static_cast<std::uint8_t>(row.value);
    }
    if (row.since > features_.release) continue;
    if (row.sort == Sort::sqe_flag) sqe_flags |= row.value;
    // The other register calls need no rule: the backend makes none once the ring is enabled.
    if (row.sort > Sort::file_opcode || !features_.has_opcode(row.value)) continue;
    rules[count].opcode = IORING_RESTRICTION_SQE_OP;
    rules[count++].sqe_op = static_cast<std::uint8_t>(row.value);
  }
  rules[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
  rules[count++].sqe_flags = static_cast<std::uint8_t>(sqe_flags);
  const long result = register_with(IORING_REGISTER_RESTRICTIONS, rules.data(), count);
  // The thread has restrictions (Linux 7.0), and the ring has inherited them.
  return result == -EBUSY ? 0 : result;
}

long Ring::enable() noexcept { return register_with(IORING_REGISTER_ENABLE_RINGS, nullptr, 0); }

}  // namespace uring
}  // namespace v0
}  // namespace proa
