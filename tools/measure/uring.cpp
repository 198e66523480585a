// io_uring: a poll for each descriptor, made anew when it has told, or the read itself.
#include <poll.h>

#include <vector>

#include "ring.hpp"
#include "waiter.hpp"

namespace measure {

namespace {

class Uring final : public Waiter {
 public:
  Trouble open() { return ring_.open(4096); }

  Trouble add(int descriptor) override {
    unpolled_.push_back(descriptor);
    return {};
  }
  Trouble wait(std::uint64_t& events) override {
    polling_.swap(unpolled_);
    unpolled_.clear();
    std::size_t next = 0;
    do {
      while (next < polling_.size() && ring_.room() > 0) poll(polling_[next++]);
      if (Trouble trouble = ring_.enter(calls_); !trouble.empty()) return trouble;
      for (io_uring_cqe completion; ring_.pop(completion); ++events) {
        if (completion.res < 0) return failed("IORING_OP_POLL_ADD", -completion.res);
        unpolled_.push_back(static_cast<int>(completion.user_data));
      }
    } while (next < polling_.size());
    return {};
  }
  Trouble take_ring(int bell) override {
    static std::uint64_t rings;  // outlives a read that is left behind
    int result = 0;
    if (Trouble trouble = read(bell, &rings, sizeof rings, result); !trouble.empty()) {
      return trouble;
    }
    return result == sizeof rings ? Trouble() : failed("IORING_OP_READ", -result);
  }
  std::string try_regular_file(int file) override {
    alignas(4096) static char block[4096];
    int result = 0;
    if (const Trouble trouble = read(file, block, sizeof block, result); !trouble.empty()) {
      return "no: " + trouble;
    }
    if (result < 0) return "no: " + failed("IORING_OP_READ", -result);
    return "works: a read of it completes like any other";
  }

 private:
  void poll(int descriptor) {
    io_uring_sqe& entry = ring_.push();
    entry.opcode = IORING_OP_POLL_ADD;
    entry.fd = descriptor;
    entry.poll_events = POLLIN;
    entry.user_data = static_cast<std::uint64_t>(descriptor);
  }
  Trouble read(int descriptor, void* into, unsigned size, int& result) {
    io_uring_sqe& entry = ring_.push();
    entry.opcode = IORING_OP_READ;
    entry.fd = descriptor;
    entry.addr = reinterpret_cast<std::uint64_t>(into);
    entry.len = size;
    if (Trouble trouble = ring_.enter(calls_); !trouble.empty()) return trouble;
    io_uring_cqe completion;
    if (!ring_.pop(completion)) return "io_uring_enter: no completion";
    result = completion.res;
    return {};
  }

  Ring ring_;
  std::vector<int> unpolled_;
  std::vector<int> polling_;
};

}  // namespace

std::unique_ptr<Waiter> make_uring(Trouble& trouble) {
  auto uring = std::make_unique<Uring>();
  trouble = uring->open();
  if (!trouble.empty()) uring.reset();
  return uring;
}

}  // namespace measure
