// One function per kind of request: draws its inputs, looks whether it is in the way of another
// one, asks the model and submits it.
#include "contract/file_sequence.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>

#include "support/patterns.hpp"

namespace proa_test {

using proa::OpenFlags;

namespace {

constexpr std::size_t end_of_all = std::numeric_limits<std::size_t>::max();

// In up to three pieces.
template <class Piece, class Pointer>
std::vector<Piece> cut(Pointer data, std::size_t size, std::size_t grain, std::size_t random) {
  std::vector<Piece> pieces;
  for (std::size_t left = 2; size > grain && left > 0 && random % 2 == 1; --left, random /= 2) {
    const std::size_t first = std::max(grain, size / 3 / grain * grain);
    pieces.push_back({data, first});
    data += first;
    size -= first;
  }
  pieces.push_back({data, size});
  return pieces;
}

}  // namespace

// Mostly short; now and then more than a backend does in one step.
std::size_t Sequence::length() {
  const std::size_t most = pick(60) == 0 ? 1500000 : pick(8) == 0 ? 150000 : 9000;
  return (1 + pick(most) + grain_ - 1) / grain_ * grain_;
}

std::string Sequence::where() const {
  return "seed " + std::to_string(seed_) + (direct_ ? ", direct" : "") + ", batch " +
         std::to_string(batch_) + ": ";
}

void Sequence::run(std::size_t batches) {
  for (batch_ = 0; batch_ < batches; ++batch_) {
    const std::size_t tries = 1 + pick(12);
    for (std::size_t i = 0; i < tries; ++i) one();
    world_.run_until("the batch completed", [this] {
      return std::all_of(flight_.tasks.begin(), flight_.tasks.end(),
                         [](const Task& task) { return task.done(); });
    });
    for (const Task& task : flight_.tasks) {
      const std::string difference = task.difference();
      if (!difference.empty()) FAIL(where() << task.what << ": " << difference);
    }
    flight_.tasks.clear();
    claims_.clear();
    names_busy_ = false;
    for (Slot& slot : slots_) {
      slot.used = false;
      let_append(slot.file, false);
    }
  }
  compare_folder();
}

bool Sequence::claim(const ModelFile& file, std::size_t from, std::size_t to, bool changes) {
  for (const Claim& other : claims_) {
    if (other.file == &file && from < other.to && other.from < to && (changes || other.changes)) {
      return false;
    }
  }
  claims_.push_back({&file, from, to, changes});
  return true;
}

void Sequence::one() {
  const std::size_t which = pick(100);
  if (which < 12) return open();
  if (which < 16) return rename();
  if (which < 19) return unlink();
  if (which < 22) return status_of_name();
  Slot& slot = slots_[pick(slots_.size())];
  if (!slot.file.valid()) return;
  if (which < 26) return close(slot);
  if (which < 29) return sync(slot);
  if (which < 33) return status(slot);
  if (which < 37) return truncate(slot);
  if (which < 40) return allocate(slot);
  if (which < 46) return append(slot);
  if (which < 70) return write(slot);
  read(slot);
}

void Sequence::open() {
  const auto free = std::find_if(slots_.begin(), slots_.end(),
                                 [](const Slot& slot) { return !slot.file.valid() && !slot.used; });
  const std::string file = name();
  const std::size_t access = pick(6);  // 0 reads, 1 writes, else both
  OpenFlags flags = access == 0 ? OpenFlags::read : OpenFlags::write;
  if (access > 1) flags = flags | OpenFlags::read;
  if (pick(4) > 0) flags = flags | OpenFlags::create;
  if (has(flags, OpenFlags::create) && pick(6) == 0) flags = flags | OpenFlags::exclusive;
  if (access > 0 && pick(5) == 0) flags = flags | OpenFlags::truncate;
  if (direct_) flags = flags | OpenFlags::direct;
  if (free == slots_.end() || !claim_names()) return;
  const std::shared_ptr<ModelFile> there = model_.find(file);
  if (there && has(flags, OpenFlags::truncate) && !claim(*there, 0, end_of_all, true)) return;
  Slot& slot = *free;
  slot.used = true;
  const auto recording = make<proa::Open>("open " + file);
  recording->request.prepare(folder_.path(file), flags);
  submit(recording, {model_.open(file, flags, slot.opened), 0},
         [&slot, opened = recording.get()]() -> std::string {
           slot.file = std::move(opened->request.file());
           return opened->error() || slot.file.valid() ? "" : "no file";
         });
}

void Sequence::close(Slot& slot) {
  if (slot.used) return;
  slot.used = true;
  const auto recording = make<proa::CloseFile>("close");
  recording->request.prepare(std::move(slot.file));
  slot.opened = {};
  submit(recording, {});
}

void Sequence::rename() {
  const std::string from = name();
  const std::string to = name();
  if (!claim_names()) return;
  const auto recording = make<proa::Rename>("rename " + from + " to " + to);
  recording->request.prepare(folder_.path(from), folder_.path(to));
  submit(recording, {model_.rename(from, to), 0});
}

void Sequence::unlink() {
  const std::string file = name();
  if (!claim_names()) return;
  const auto recording = make<proa::Unlink>("unlink " + file);
  recording->request.prepare(folder_.path(file));
  submit(recording, {model_.unlink(file), 0});
}

void Sequence::expect_status(const std::shared_ptr<Recording<proa::Status>>& recording,
                             const ModelFile& file) {
  submit(recording, {},
         [asked = recording.get(), size = file.bytes.size(), links = file.links]() -> std::string {
           const proa::FileStatus& status = asked->request.status();
           if (status.type != proa::FileType::regular) return "not a regular file";
           if (status.size != size) {
             return "size " + std::to_string(status.size) + ", expected " + std::to_string(size);
           }
           return status.links == links ? "" : "links " + std::to_string(status.links);
         });
}

void Sequence::status(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  if (!claim(file, file.bytes.size(), end_of_all, false) || !claim_names()) return;
  slot.used = true;
  const auto recording = make<proa::Status>("status");
  recording->request.prepare(slot.file.descriptor());
  expect_status(recording, file);
}

void Sequence::status_of_name() {
  const std::string file = name();
  const std::shared_ptr<ModelFile> there = model_.find(file);
  if (there && !claim(*there, there->bytes.size(), end_of_all, false)) return;
  if (!claim_names()) return;
  const auto recording = make<proa::Status>("status of " + file);
  recording->request.prepare(folder_.path(file));
  if (there) return expect_status(recording, *there);
  submit(recording, {std::make_error_condition(std::errc::no_such_file_or_directory), 0});
}

void Sequence::sync(Slot& slot) {
  slot.used = true;
  const auto recording = make<proa::Sync>("sync");
  if (pick(2) == 0) {
    recording->request.prepare(slot.file.descriptor());
  } else {
    recording->request.prepare_data(slot.file.descriptor());
  }
  submit(recording, {});
}

void Sequence::truncate(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  const std::size_t size = place();
  if (!claim(file, std::min(size, file.bytes.size()), end_of_all, true)) return;
  slot.used = true;
  const auto recording = make<proa::Truncate>("truncate to " + std::to_string(size));
  recording->request.prepare(slot.file.descriptor(), size);
  submit(recording, {FileModel::truncate(slot.opened, size), 0});
}

void Sequence::allocate(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  const std::size_t offset = place();
  const std::size_t size = length();
  if (!claim(file, std::min(offset, file.bytes.size()), end_of_all, true)) return;
  slot.used = true;
  const auto recording = make<proa::Allocate>("allocate");
  recording->request.prepare(slot.file.descriptor(), offset, size);
  submit(recording, {FileModel::allocate(slot.opened, offset + size), 0});
}

void Sequence::read(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  const std::size_t offset = place();
  const std::size_t size = length();
  const bool exactly = pick(4) == 0;
  const std::size_t shape = pick(8);
  // What lengthens a file is in its way where it ends.
  const std::size_t end = offset + size > file.bytes.size() ? end_of_all : offset + size;
  if (!claim(file, std::min(offset, file.bytes.size()), end, false)) return;
  slot.used = true;
  const auto recording =
      make<proa::ReadAt>("read " + std::to_string(size) + " at " + std::to_string(offset));
  const auto memory = std::make_shared<Aligned>(size);
  if (exactly) {
    recording->request.prepare_exactly(slot.file.descriptor(), offset, memory->all());
  } else {
    const auto pieces = cut<proa::MutableBytes>(memory->data(), size, grain_, shape);
    recording->request.prepare(slot.file.descriptor(), offset, pieces.data(), pieces.size());
  }
  std::string bytes;
  const Outcome expected = FileModel::read(slot.opened, offset, size, exactly, bytes);
  submit(recording, expected, [memory, bytes]() -> std::string {
    const auto different = std::mismatch(bytes.begin(), bytes.end(), memory->text().begin());
    if (different.first == bytes.end()) return "";
    return "differs at " + std::to_string(different.first - bytes.begin());
  });
}

void Sequence::write(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  const std::size_t offset = place();
  const std::size_t size = length();
  const std::size_t shape = pick(8);
  const bool longer = offset + size > file.bytes.size();
  if (!claim(file, std::min(offset, file.bytes.size()), longer ? end_of_all : offset + size,
             true)) {
    return;
  }
  slot.used = true;
  const auto recording =
      make<proa::WriteAt>("write " + std::to_string(size) + " at " + std::to_string(offset));
  const auto memory = fill(size);
  const auto pieces = cut<proa::Bytes>(memory->data(), size, grain_, shape);
  recording->request.prepare(slot.file.descriptor(), offset, pieces.data(), pieces.size());
  const Outcome expected = FileModel::write(slot.opened, offset, memory->text());
  submit(recording, expected, [memory] { return std::string(); });
}

void Sequence::append(Slot& slot) {
  ModelFile& file = *slot.opened.file;
  const std::size_t size = length();
  if (!claim(file, appends_anywhere() ? file.bytes.size() : 0, end_of_all, true)) return;
  slot.used = true;
  let_append(slot.file);
  const auto recording = make<proa::WriteAt>("append " + std::to_string(size));
  const auto memory = fill(size);
  recording->request.prepare_append(slot.file.descriptor(), memory->text());
  const Outcome expected = FileModel::write(slot.opened, file.bytes.size(), memory->text());
  submit(recording, expected, [memory] { return std::string(); });
}

// Bytes that no other write has.
std::shared_ptr<Aligned> Sequence::fill(std::size_t size) {
  auto memory = std::make_shared<Aligned>(size);
  const auto stamp = static_cast<std::uint32_t>(random_());
  fill_with_pattern(memory->data(), size, stamp);
  return memory;
}

// The end, as the system sees it.
void Sequence::compare_folder() const {
  for (const char* file : {"a", "b", "c", "d"}) {
    const std::shared_ptr<ModelFile> expected = model_.find(file);
    INFO(where() << file);
    REQUIRE(std::filesystem::exists(folder_.path(file)) == (expected != nullptr));
    if (expected) CHECK((contents(folder_.path(file)) == expected->bytes));
  }
}

}  // namespace proa_test
