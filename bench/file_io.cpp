// file_io: reads and writes of files through proa, each worker a thread with its own loop. See
// --help.
#include <algorithm>
#include <deque>
#include <new>
#include <proa/proa.hpp>
#include <system_error>

#include "file_load.hpp"

namespace {

using namespace bench;

/// Keeps `depth` requests in flight. A completion looks at the clock once, for its own end and for
/// the beginning of what it submits.
class ProaWorker final : public FileWorker {
 public:
  ProaWorker(const FileOptions& options, const std::string& path)
      : block_(options.block), batch_(options.batch), proactor_(with_backend(options)) {
    auto flags = proa::OpenFlags::read | proa::OpenFlags::write;
    if (options.direct) flags = flags | proa::OpenFlags::direct;
    std::error_code error;
    file_ = proa::File::open(proactor_, path, flags, 0, error);
    if (error) throw std::system_error(error, path);
    idle_.reserve(options.depth);
    const bool pooled = from_pool(options);
    if (!pooled) memory_ = aligned_blocks(options.depth, block_);
    for (std::size_t i = 0; i < options.depth; ++i) {
      if (pooled) blocks_.push_back(direct_block());
      slots_.emplace_back(*this, pooled ? blocks_.back().data() : memory_.get() + i * block_);
      idle_.push_back(&slots_.back());
    }
  }

  void run(Access access, Schedule& schedule, Tally& tally) override {
    access_ = access;
    schedule_ = &schedule;
    tally_ = &tally;
    over_ = false;
    submit_batches(FileClock::now());
    proactor_.run();
  }

 private:
  struct Slot {
    Slot(ProaWorker& the_worker, char* the_memory) : worker(the_worker), memory(the_memory) {}
    void done(const proa::Result& result) { worker.finished(*this, result); }

    ProaWorker& worker;
    char* memory;
    std::uint64_t offset = 0;
    FileClock::time_point start;
    proa::On<proa::ReadAt, &Slot::done> read{*this};
    proa::On<proa::WriteAt, &Slot::done> write{*this};
  };

  static bool from_pool(const FileOptions& options) {
    constexpr std::size_t largest = std::size_t{64} << 10;  // that is registered
    return options.direct && !options.own_memory && options.block <= largest;
  }

  static proa::Options with_backend(const FileOptions& options) {
    proa::Options result;
    result.backend = options.backend;
    result.fallback = options.backend == "auto";
    if (from_pool(options)) result.buffer_size = std::max(result.buffer_size, options.block);
    return result;
  }

  proa::Buffer direct_block() {
    proa::Buffer block = proactor_.take_direct_buffer();
    if (!block) throw std::bad_alloc();
    return block;
  }

  void submit_batches(FileClock::time_point now) {
    while (!over_ && idle_.size() >= batch_) {
      for (std::size_t i = 0; i < batch_ && !over_; ++i) submit_one(now);
    }
  }

  void submit_one(FileClock::time_point now) {
    std::uint64_t offset = 0;
    over_ = !schedule_->next(now, offset);
    if (over_) return;
    Slot& slot = *idle_.back();
    slot.offset = offset;
    slot.start = now;
    std::error_code refused;
    if (access_ == Access::read) {
      slot.read.prepare(file_.descriptor(), offset, {slot.memory, block_});
      refused = proactor_.submit(slot.read);
    } else {
      stamp(slot.memory, offset);
      slot.write.prepare(file_.descriptor(), offset, {slot.memory, block_});
      refused = proactor_.submit(slot.write);
    }
    if (refused) {
      tally_->fail("refused: " + refused.message());
      over_ = true;
    } else {
      idle_.pop_back();
    }
  }

  void finished(Slot& slot, const proa::Result& result) {
    const auto now = FileClock::now();
    if (result.error) {
      tally_->fail(result.error.message() + at(slot));
    } else if (result.bytes != block_) {
      tally_->fail("a short transfer" + at(slot));
    } else if (access_ == Access::read && !has_stamp(slot.memory, slot.offset)) {
      tally_->fail("wrong data" + at(slot));
    } else {
      ++tally_->operations;
      tally_->latencies.record(static_cast<std::uint64_t>((now - slot.start).count()));
    }
    idle_.push_back(&slot);
    submit_batches(now);
  }

  static std::string at(const Slot& slot) { return " at offset " + std::to_string(slot.offset); }

  std::size_t block_;
  std::size_t batch_;
  proa::Proactor proactor_;
  // Where the slots read and write: blocks of the proactor's pool if from_pool(), else memory_.
  std::deque<proa::Buffer> blocks_;
  AlignedMemory memory_;
  proa::File file_;
  std::deque<Slot> slots_;
  std::vector<Slot*> idle_;
  Access access_ = Access::write;
  Schedule* schedule_ = nullptr;
  Tally* tally_ = nullptr;
  bool over_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  return run_file_load(argc, argv, [](const FileOptions& options, const std::string& path) {
    return std::make_unique<ProaWorker>(options, path);
  });
}
