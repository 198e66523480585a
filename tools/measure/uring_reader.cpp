// Reads by io_uring: one system call begins reads and waits for others.
#include "reader.hpp"
#include "ring.hpp"

namespace measure {

namespace {

class UringReader final : public Reader {
 public:
  explicit UringReader(int file) : file_(file) {}

  Trouble open() { return ring_.open(depth); }
  void begin(unsigned which, std::uint64_t offset) override {
    io_uring_sqe& entry = ring_.push();
    entry.opcode = IORING_OP_READ;
    entry.fd = file_;
    entry.addr = reinterpret_cast<std::uint64_t>(&block(which));
    entry.len = Block::size;
    entry.off = offset;
    entry.user_data = which;
  }
  Trouble turn(std::vector<unsigned>& done) override {
    if (Trouble trouble = ring_.enter(calls_); !trouble.empty()) return trouble;
    for (io_uring_cqe completion; ring_.pop(completion);) {
      if (Trouble trouble = look("IORING_OP_READ", completion.res); !trouble.empty()) {
        return trouble;
      }
      done.push_back(static_cast<unsigned>(completion.user_data));
    }
    return {};
  }

 private:
  int file_;
  Ring ring_;
};

}  // namespace

std::unique_ptr<Reader> make_uring_reader(int file, Trouble& trouble) {
  auto reader = std::make_unique<UringReader>(file);
  trouble = reader->open();
  if (!trouble.empty()) reader.reset();
  return reader;
}

}  // namespace measure
