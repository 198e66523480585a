// A wrapper around every entry of the table of system calls.
#include "support/ledger.hpp"

#ifdef PROA_HAVE_URING
#include <liburing.h>
#endif

#include "support/catch.hpp"
#include "support/may_wait.hpp"
#include "support/peer.hpp"

namespace proa_test {

namespace {

std::atomic<Ledger*> current{nullptr};
std::atomic<int> noting{0};  // threads that write into it
proa::sys::Table below;

}  // namespace

struct LedgerCalls {
  // A worker may be on its way into a wrapped call when the ledger ends, so that it finds none.
  template <class Use>
  static void with_ledger(Use use) noexcept {
    noting.fetch_add(1);
    if (Ledger* const ledger = current.load()) use(*ledger);
    noting.fetch_sub(1);
  }
  template <class Ask>
  static void note(Call call, Ask may_wait) noexcept {
    if (PeerAtWork::now()) return;
    with_ledger([&](Ledger& ledger) {
      const auto index = static_cast<unsigned>(call);
      ++ledger.counts_[index];
      // The disk is for others to wait for.
      if (std::this_thread::get_id() == ledger.thread_ && may_wait()) ledger.waited_[index] = true;
    });
  }

#define PROA_TEST_WRAP(name, parameters, arguments)                       \
  static long name parameters noexcept {                                  \
    note(Call::name, [&] { return MayWait<Call::name>::ask arguments; }); \
    return below.name arguments;                                          \
  }
  PROA_SYS_CALLS(PROA_TEST_WRAP)
#undef PROA_TEST_WRAP

#ifdef PROA_HAVE_URING
  static void look(const io_uring& ring, Ledger::Submitted& seen) {
    for (unsigned i = ring.sq.sqe_head; i != ring.sq.sqe_tail; ++i) {
      const io_uring_sqe& sqe = ring.sq.sqes[i & *ring.sq.kring_mask];
      seen.opcodes.insert(sqe.opcode);
      seen.sqe_flags |= sqe.flags;
      if (sqe.opcode == IORING_OP_ACCEPT) seen.accept_priorities.insert(sqe.ioprio);
      if (sqe.opcode == IORING_OP_RECV) seen.recv_priorities.insert(sqe.ioprio);
      seen.syncs += sqe.opcode == IORING_OP_FSYNC;
      ++seen.number;
    }
  }
  static long looked_submit(io_uring* ring, unsigned want, const timespec* timeout) noexcept {
    with_ledger([&](Ledger& ledger) { look(*ring, ledger.submitted_); });
    return uring_submit_and_wait(ring, want, timeout);
  }
  static long looked_register(int fd, unsigned opcode, void* argument, unsigned count) noexcept {
    with_ledger([&](Ledger& ledger) { ledger.registered_.insert(opcode); });
    return uring_register(fd, opcode, argument, count);
  }
  static long looked_setup(unsigned entries, io_uring* ring, io_uring_params* parameters) noexcept {
    const unsigned flags = parameters->flags;
    const long result = uring_setup(entries, ring, parameters);
    with_ledger([&](Ledger& ledger) {
      if (result >= 0) ledger.setup_flags_ |= flags;
    });
    return result;
  }
#endif

  static proa::sys::Table table() {
    proa::sys::Table wrapped;
#define PROA_TEST_ENTRY(name, parameters, arguments) wrapped.name = LedgerCalls::name;
    PROA_SYS_CALLS(PROA_TEST_ENTRY)
#undef PROA_TEST_ENTRY
#ifdef PROA_HAVE_URING
    wrapped.uring_submit_and_wait = looked_submit;
    wrapped.uring_register = looked_register;
    wrapped.uring_setup = looked_setup;
#endif
    return wrapped;
  }
};

Ledger::Ledger() {
  REQUIRE(current == nullptr);
  below = proa::sys::table;
  current = this;
  proa::sys::table = LedgerCalls::table();
}

Ledger::~Ledger() {
  proa::sys::table = below;
  current = nullptr;
  while (noting.load() != 0) std::this_thread::yield();
}

std::uint64_t Ledger::count(Call call) const { return counts_[static_cast<unsigned>(call)].load(); }

std::uint64_t Ledger::total() const {
  std::uint64_t sum = 0;
  for (const auto& count : counts_) sum += count.load();
  return sum;
}

std::string Ledger::waited() const {
  static constexpr const char* names[] = {
#define PROA_TEST_TEXT(name, parameters, arguments) #name,
      PROA_SYS_CALLS(PROA_TEST_TEXT)
#undef PROA_TEST_TEXT
  };
  std::string found;
  for (std::size_t i = 0; i < waited_.size(); ++i) {
    if (waited_[i]) found += (found.empty() ? "" : " ") + std::string(names[i]);
  }
  return found;
}

void Ledger::clear() {
  waited_ = {};
  for (auto& count : counts_) count.store(0);
  submitted_ = {};
  registered_.clear();
  setup_flags_ = 0;
}

}  // namespace proa_test
