#pragma once

// Random requests on the files of a folder, and on a model of it. Several are in flight at once
// where they do not touch the same bytes, for then their order does not matter.

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "contract/file_model.hpp"
#include "contract/file_rig.hpp"

namespace proa_test {

// One request in flight, and what is to come of it.
struct Task {
  std::string what;
  std::shared_ptr<void> recording;
  std::function<bool()> done;
  std::function<std::string()> difference;  // once done: "" if all is as it has to be
};

// A stretch of a file that a request in flight touches.
struct Claim {
  const ModelFile* file;
  std::size_t from;
  std::size_t to;
  bool changes;
};

struct Slot {
  proa::File file;
  ModelOpened opened;
  bool used = false;  // in this batch
};

template <class Request>
std::string compare(const Recording<Request>& recording, const Outcome& expected) {
  if (recording.results.size() != 1) return "completed not once";
  std::string text;
  if (recording.error() != expected.error) {
    text = "error: " + recording.error().message() + ", expected: " + expected.error.message();
  }
  if (recording.bytes() != expected.bytes) {
    text += " bytes: " + std::to_string(recording.bytes()) +
            ", expected: " + std::to_string(expected.bytes);
  }
  return text;
}

// Declare it before the World: what is in flight.
struct Flight {
  std::list<Task> tasks;
};

class Sequence {
 public:
  Sequence(World& world, Flight& flight, const Folder& folder, std::uint32_t seed, bool direct)
      : world_(world),
        flight_(flight),
        folder_(folder),
        seed_(seed),
        direct_(direct),
        grain_(direct ? 4096 : 1),
        random_(seed) {}

  // Batches of requests, each waited for; fails the test where the two differ.
  void run(std::size_t batches);

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  std::string name() { return std::string(1, static_cast<char>('a' + pick(4))); }
  std::size_t place() { return pick(200000) / grain_ * grain_; }
  std::size_t length();
  std::string where() const;
  void one();
  // False if something in flight is at the same bytes, and one of the two changes them.
  bool claim(const ModelFile& file, std::size_t from, std::size_t to, bool changes);
  bool claim_names() { return !std::exchange(names_busy_, true); }

  template <class Request>
  std::shared_ptr<Recording<Request>> make(std::string what) {
    auto recording = std::make_shared<Recording<Request>>();
    flight_.tasks.push_back(
        {std::move(what), recording, [recording] { return recording->done(); }, nullptr});
    return recording;
  }
  template <class Request>
  void submit(const std::shared_ptr<Recording<Request>>& recording, const Outcome& expected,
              std::function<std::string()> more = nullptr) {
    flight_.tasks.back().difference = [recording = recording.get(), expected, more] {
      const std::string text = compare(*recording, expected);
      return text.empty() && more ? more() : text;
    };
    world_.submit(recording->request);
  }

  void open();
  void rename();
  void unlink();
  void close(Slot& slot);
  void sync(Slot& slot);
  void status(Slot& slot);
  void status_of_name();
  void expect_status(const std::shared_ptr<Recording<proa::Status>>& recording,
                     const ModelFile& file);
  void truncate(Slot& slot);
  void allocate(Slot& slot);
  void read(Slot& slot);
  void write(Slot& slot);
  void append(Slot& slot);
  std::shared_ptr<Aligned> fill(std::size_t size);
  void compare_folder() const;

  World& world_;
  Flight& flight_;
  const Folder& folder_;
  const std::uint32_t seed_;
  const bool direct_;
  const std::size_t grain_;
  std::mt19937 random_;
  std::size_t batch_ = 0;
  FileModel model_;
  std::array<Slot, 6> slots_;
  std::vector<Claim> claims_;
  bool names_busy_ = false;
};

}  // namespace proa_test
