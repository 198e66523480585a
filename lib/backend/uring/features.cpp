// The one table of everything that the backend uses of io_uring. Ring::ask() probes the kernel for
// the rows. Ring::restrict() makes the ring's restrictions of them. Options::uring_release hides
// the rows of later releases, so that the kernel itself refuses whatever a reduced tier must not
// use. Upholds R12: a tier, or a filter, differs in cost, not in results.
#include "backend/uring/features.hpp"

#include <liburing.h>

#include <algorithm>

#include "sys/linux.hpp"

namespace proa {
inline namespace v0 {
namespace uring {

const Row table[] = {
    {Sort::vital, IORING_OP_POLL_ADD, release(5, 1), "POLL_ADD"},
    {Sort::vital, IORING_OP_TIMEOUT, release(5, 4), "TIMEOUT"},
    {Sort::vital, IORING_OP_ASYNC_CANCEL, release(5, 5), "ASYNC_CANCEL"},

    {Sort::opcode, IORING_OP_WRITEV, release(5, 1), "WRITEV"},
    {Sort::opcode, IORING_OP_SENDMSG, release(5, 3), "SENDMSG"},
    {Sort::opcode, IORING_OP_RECVMSG, release(5, 3), "RECVMSG"},
    {Sort::opcode, IORING_OP_ACCEPT, release(5, 5), "ACCEPT"},
    {Sort::opcode, IORING_OP_CONNECT, release(5, 5), "CONNECT"},
    {Sort::opcode, IORING_OP_READ, release(5, 6), "READ"},
    {Sort::opcode, IORING_OP_WRITE, release(5, 6), "WRITE"},
    {Sort::opcode, IORING_OP_SEND, release(5, 6), "SEND"},
    {Sort::opcode, IORING_OP_RECV, release(5, 6), "RECV"},

    {Sort::registered_opcode, IORING_OP_READ_FIXED, release(5, 1), "READ_FIXED"},
    {Sort::registered_opcode, IORING_OP_WRITE_FIXED, release(5, 1), "WRITE_FIXED"},

    {Sort::file_opcode, IORING_OP_READV, release(5, 1), "READV"},
    {Sort::file_opcode, IORING_OP_FSYNC, release(5, 1), "FSYNC"},
    {Sort::file_opcode, IORING_OP_OPENAT, release(5, 6), "OPENAT"},
    {Sort::file_opcode, IORING_OP_STATX, release(5, 6), "STATX"},
    {Sort::file_opcode, IORING_OP_FALLOCATE, release(5, 6), "FALLOCATE"},
    {Sort::file_opcode, IORING_OP_UNLINKAT, release(5, 11), "UNLINKAT"},
    {Sort::file_opcode, IORING_OP_RENAMEAT, release(5, 11), "RENAMEAT"},
    {Sort::file_opcode, IORING_OP_MKDIRAT, release(5, 15), "MKDIRAT"},

    {Sort::marker, IORING_OP_UNLINKAT, release(5, 11), "UNLINKAT"},
    {Sort::marker, IORING_OP_LINKAT, release(5, 15), "LINKAT"},
    {Sort::marker, IORING_OP_MSG_RING, release(5, 18), "MSG_RING"},
    {Sort::marker, IORING_OP_SOCKET, release(5, 19), "SOCKET"},
    {Sort::marker, IORING_OP_SEND_ZC, release(6, 0), "SEND_ZC"},
    {Sort::marker, IORING_OP_SENDMSG_ZC, release(6, 1), "SENDMSG_ZC"},

    {Sort::register_call, IORING_REGISTER_EVENTFD, release(5, 2), "REGISTER_EVENTFD"},
    {Sort::register_call, IORING_REGISTER_PROBE, release(5, 6), "REGISTER_PROBE"},
    {Sort::register_call, IORING_REGISTER_RESTRICTIONS, release(5, 10), "REGISTER_RESTRICTIONS"},
    {Sort::register_call, IORING_REGISTER_ENABLE_RINGS, release(5, 10), "REGISTER_ENABLE_RINGS"},
    {Sort::register_call, IORING_REGISTER_PBUF_RING, release(5, 19), "REGISTER_PBUF_RING"},
    // The call came with Linux 5.13, and tables with empty places with 5.19.
    {Sort::register_call, IORING_REGISTER_BUFFERS2, release(5, 19), "REGISTER_BUFFERS2"},

    {Sort::late_register_call, IORING_UNREGISTER_BUFFERS, release(5, 1), "UNREGISTER_BUFFERS"},
    {Sort::late_register_call, IORING_REGISTER_BUFFERS_UPDATE, release(5, 13),
     "REGISTER_BUFFERS_UPDATE"},
    {Sort::late_register_call, sys::uring_register_resize_rings, release(6, 13),
     "REGISTER_RESIZE_RINGS"},

    {Sort::sqe_flag, IOSQE_ASYNC, release(5, 6), "ASYNC"},
    // The flag came with Linux 5.7, but the backend uses it only together with buffer rings.
    {Sort::sqe_flag, IOSQE_BUFFER_SELECT, release(5, 19), "BUFFER_SELECT"},

    {Sort::setup_flag, IORING_SETUP_CQSIZE, release(5, 5), "CQSIZE"},
    {Sort::setup_flag, IORING_SETUP_CLAMP, release(5, 6), "CLAMP"},
    {Sort::setup_flag, IORING_SETUP_R_DISABLED, release(5, 10), "R_DISABLED"},
    {Sort::setup_flag, IORING_SETUP_SUBMIT_ALL, release(5, 18), "SUBMIT_ALL"},
    {Sort::setup_flag, IORING_SETUP_COOP_TASKRUN, release(5, 19), "COOP_TASKRUN"},
    {Sort::setup_flag, IORING_SETUP_SINGLE_ISSUER, release(6, 0), "SINGLE_ISSUER"},
    {Sort::setup_flag, IORING_SETUP_DEFER_TASKRUN, release(6, 1), "DEFER_TASKRUN"},

    {Sort::enter_flag, sys::uring_enter_no_iowait, release(6, 15), "NO_IOWAIT"},

    {Sort::op_flag, poll_multishot, release(5, 13), "multishot poll"},
    {Sort::op_flag, poll_first, release(5, 19), "poll first"},
    {Sort::op_flag, recv_multishot, release(6, 0), "multishot receive"},
    {Sort::op_flag, recv_multishot_limit, release(6, 17), "multishot receive with a limit"},
};
const std::size_t table_size = sizeof(table) / sizeof(table[0]);

Release since(Sort sort, unsigned value) noexcept {
  for (const Row& row : table) {
    if (row.sort == sort && row.value == value) return row.since;
  }
  return any_release;  // no release allows what the table does not have
}

bool Features::reads_files() const noexcept {
  return files && has_opcode(IORING_OP_READ) && has_opcode(IORING_OP_READV);
}

bool Features::writes_files() const noexcept {
  return files && has_opcode(IORING_OP_WRITE) && has_opcode(IORING_OP_WRITEV);
}

bool Features::has_files() const noexcept {
  const bool calls = std::any_of(table, table + table_size, [this](const Row& row) {
    return row.sort == Sort::file_opcode && row.value != IORING_OP_READV && has_opcode(row.value);
  });
  return reads_files() || writes_files() || calls;
}

bool Features::calls_late(unsigned call) const noexcept {
  switch (call) {
    case IORING_UNREGISTER_BUFFERS:
    case IORING_REGISTER_BUFFERS_UPDATE:
      return registered_buffers;
    case sys::uring_register_resize_rings:
      return resizes;
    default:
      return false;
  }
}

std::string Features::refused_names() const {
  std::string names;
  for (const Row& row : table) {
    const bool told = row.sort <= Sort::file_opcode && row.sort != Sort::registered_opcode;
    if (!told || (refused >> row.value & 1) == 0) continue;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  return names;
}

}  // namespace uring
}  // namespace v0
}  // namespace proa
