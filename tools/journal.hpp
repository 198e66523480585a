// A journal: records are appended to a file, and acknowledged once they are on the disk. Whatever
// happens to the program or the machine, an acknowledged record is found again.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <fstream>
#include <proa/proa.hpp>
#include <string>
#include <string_view>

namespace journal {

/// Before each record. The numbers are 1, 2, 3 and so on.
struct Header {
  std::uint32_t size = 0;
  std::uint32_t checksum = 0;  // of all that follows, and of the size
  std::uint64_t number = 0;
};

constexpr std::size_t largest_record = std::size_t{1} << 20;

/// FNV-1a: tells a record from what was there before, or from half of it.
inline std::uint32_t checksum(const Header& header, std::string_view record) {
  std::uint32_t sum = 2166136261u;
  const auto add = [&sum](const char* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      sum = (sum ^ static_cast<unsigned char>(bytes[i])) * 16777619u;
    }
  };
  add(reinterpret_cast<const char*>(&header.size), sizeof header.size);
  add(reinterpret_cast<const char*>(&header.number), sizeof header.number);
  add(record.data(), record.size());
  return sum;
}

/// What a file holds: intact records from its beginning on, and the offset behind the last one.
struct Contents {
  std::uint64_t records = 0;
  std::uint64_t end = 0;
};

/// Reads all of a file and waits for the disk: for the start of a program. A file that is not there
/// is empty.
inline Contents scan(const std::string& path) {
  Contents found;
  std::ifstream file(path, std::ios::binary);
  Header header;
  std::string record;
  while (file.read(reinterpret_cast<char*>(&header), sizeof header)) {
    if (header.number != found.records + 1 || header.size > largest_record) break;
    record.resize(header.size);
    if (!file.read(record.data(), header.size)) break;
    if (header.checksum != checksum(header, record)) break;
    ++found.records;
    found.end += sizeof header + header.size;
  }
  return found;
}

/// Appends to a file, and syncs. Records are written in groups: each is one write, so that a
/// process that is killed leaves a beginning of it and no gap, and one Sync, which is submitted
/// when the write has completed: a Sync covers only such writes. What is appended meanwhile is the
/// next group.
///
/// Subclass it; the on_*() are called by the proactor's loop. It must live until it is idle(), or
/// the proactor has shut down; the file stays the caller's.
class Journal {
 public:
  /// Goes on behind what scan() found in the file, which must end there.
  Journal(proa::Proactor& proactor, proa::Descriptor file, const Contents& contents)
      : proactor_(proactor),
        file_(file),
        last_(contents.records),
        synced_(contents.records),
        group_end_(contents.records),
        end_(contents.end) {}
  virtual ~Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Copies the record, which is largest_record long at most, and returns its number.
  std::uint64_t append(std::string_view record) {
    Header header;
    header.size = static_cast<std::uint32_t>(record.size());
    header.number = ++last_;
    header.checksum = checksum(header, record);
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    queue_.push_back(bytes.append(record));
    if (!busy_) begin_group();
    return last_;
  }

  /// Records that were appended and not acknowledged.
  std::uint64_t waiting() const { return last_ - synced_; }
  bool idle() const { return !busy_; }

 protected:
  /// All records up to this one are on the disk.
  virtual void on_synced(std::uint64_t number) = 0;
  /// The kernel has all records up to this one; the disk may not.
  virtual void on_written(std::uint64_t /*number*/) {}
  /// A write or a sync failed, or was refused. What was not acknowledged may be there or not, and
  /// another sync would not tell: nothing is acknowledged any more.
  virtual void on_error(std::error_code error) = 0;

 private:
  static constexpr std::size_t large_group = 256 * 1024;  // bytes; no record is added to it

  void begin_group() {
    if (queue_.empty() || error_) return;
    busy_ = true;
    group_.clear();
    for (; !queue_.empty() && group_.size() < large_group; queue_.pop_front()) {
      group_.append(queue_.front());
      ++group_end_;
    }
    write_.prepare(file_, end_, {group_.data(), group_.size()});
    if ((error_ = proactor_.submit(write_))) fail();
  }

  void written(const proa::Result& result) {
    if ((error_ = result.error)) return fail();
    end_ += group_.size();
    on_written(group_end_);
    sync_.prepare_data(file_);
    if ((error_ = proactor_.submit(sync_))) fail();
  }

  void synced(const proa::Result& result) {
    error_ = result.error;
    if (error_) return fail();
    synced_ = group_end_;
    busy_ = false;
    on_synced(synced_);
    if (!busy_) begin_group();
  }

  void fail() {
    busy_ = false;
    on_error(error_);
  }

  proa::Proactor& proactor_;
  const proa::Descriptor file_;
  std::deque<std::string> queue_;  // encoded, not yet given to the kernel
  std::string group_;              // what the kernel writes
  proa::On<proa::WriteAt, &Journal::written> write_{*this};
  proa::On<proa::Sync, &Journal::synced> sync_{*this};
  std::error_code error_;
  std::uint64_t last_;       // appended
  std::uint64_t synced_;     // acknowledged
  std::uint64_t group_end_;  // the last one of the group that is under way
  std::uint64_t end_;        // offset of the next group
  bool busy_ = false;
};

}  // namespace journal
