// A journal: records are appended to a file, and acknowledged once they are on the disk. Whatever
// happens to the program or the machine, an acknowledged record is found again.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
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

/// What there is at an offset of a file.
enum class Found { intact, cut_short, wrong_number, wrong_length, wrong_checksum };

inline const char* words(Found found) {
  switch (found) {
    case Found::intact:
      return "is intact";
    case Found::cut_short:
      return "is longer than the file";
    case Found::wrong_number:
      return "has a wrong number";
    case Found::wrong_length:
      return "has a wrong length";
    case Found::wrong_checksum:
      return "has a wrong checksum";
  }
  return "";
}

/// Looks for intact records in a file, by its descriptor: what is read is the file that was locked,
/// whatever its name belongs to by now. Waits for the disk.
class Reader {
 public:
  explicit Reader(int file) : file_(file) {
    struct stat status {};
    if (::fstat(file, &status) != 0) {
      fail(0, std::strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
      fail(0, "not a regular file");
    } else {
      size_ = static_cast<std::uint64_t>(status.st_size);
    }
  }

  /// When the reader was made; what is appended meanwhile is left out.
  std::uint64_t size() const { return size_; }
  /// Where and why the file could not be read; empty if it could.
  const std::string& error() const { return error_; }

  /// Looks for a record with a number from `first` to `last`, and reads its header.
  Found look(std::uint64_t offset, std::uint64_t first, std::uint64_t last, Header& header) {
    std::string_view bytes = read(offset, sizeof header);
    if (bytes.size() < sizeof header) return Found::cut_short;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.number < first || header.number > last) return Found::wrong_number;
    if (header.size > largest_record) return Found::wrong_length;
    bytes = read(offset, sizeof header + header.size);
    if (bytes.size() < sizeof header + header.size) return Found::cut_short;
    bytes.remove_prefix(sizeof header);
    return header.checksum == checksum(header, bytes) ? Found::intact : Found::wrong_checksum;
  }

  /// Whether a whole record with this number lies from `offset` to the end of the file, but for the
  /// length that its header says: the length is damaged, and nothing is torn.
  bool has_damaged_length(std::uint64_t offset, std::uint64_t number) {
    Header header;
    const std::string_view bytes = read(offset, sizeof header + largest_record);
    if (bytes.size() < sizeof header || offset + bytes.size() < size_) return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    header.size = static_cast<std::uint32_t>(bytes.size() - sizeof header);
    return header.number == number &&
           header.checksum == checksum(header, bytes.substr(sizeof header));
  }

  /// A file system that had made the file longer when the power failed, and had not written what
  /// was to come there, leaves zeros: to the end of the file, from a sector's beginning on, or from
  /// `offset`, where the records before end.
  bool ends_in_zeros(std::uint64_t offset) {
    offset = std::max(offset, (size_ - 1) / sector * sector);
    return read(offset, sector).find_first_not_of('\0') == std::string_view::npos;
  }

 private:
  /// These bytes, or fewer at the end of the file and before what cannot be read.
  std::string_view read(std::uint64_t offset, std::size_t size) {
    size = static_cast<std::size_t>(std::min<std::uint64_t>(size, size_ - offset));
    if (offset < window_start_ || offset + size > window_start_ + window_.size()) fill(offset);
    return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_start_), size);
  }

  void fill(std::uint64_t offset) {
    window_start_ = offset;
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(window, size_ - offset)));
    for (std::size_t have = 0; have < window_.size();) {
      const ssize_t taken =
          ::pread(file_, &window_[have], window_.size() - have, static_cast<off_t>(offset + have));
      if (taken < 0 && errno == EINTR) continue;
      if (taken <= 0) {
        fail(offset + have, taken == 0 ? "the file has become shorter" : std::strerror(errno));
        return window_.resize(have);
      }
      have += static_cast<std::size_t>(taken);
    }
  }

  void fail(std::uint64_t offset, const std::string& why) {
    error_ = "offset " + std::to_string(offset) + ": " + why;
  }

  static constexpr std::size_t sector = 512;
  static constexpr std::size_t window = 2 * (sizeof(Header) + largest_record);

  const int file_;
  std::uint64_t size_ = 0;
  std::string window_;  // what was read last
  std::uint64_t window_start_ = 0;
  std::string error_;
};

/// What a file holds: intact records from its beginning on, and the offset behind the last one.
struct Contents {
  std::uint64_t records = 0;
  std::uint64_t end = 0;
  std::uint64_t torn = 0;  // bytes behind `end`, of records that were never acknowledged
  std::string refusal;     // where and why the file must not be touched; empty if it may be
};

/// Reads all of a file. What is behind the last intact record may be cut off if it is a torn tail:
/// the beginning of a group that was being written when the process or the machine stopped. It is
/// none if an intact record follows anywhere, or if nothing is missing at its end: then a record
/// that was acknowledged is damaged, as far as one can tell, and cutting would lose what is left.
///
/// Two things cannot be told apart. Damage to the length of the last record and to more of it makes
/// it look torn. A file system that writes the last group out of order, when the power fails,
/// leaves what looks like damage: a person has to decide.
inline Contents scan(int file) {
  Reader reader(file);
  Contents found;
  Header header;
  Found state = Found::intact;
  while (found.end < reader.size()) {
    state = reader.look(found.end, found.records + 1, found.records + 1, header);
    if (state != Found::intact) break;
    ++found.records;
    found.end += sizeof header + header.size;
  }
  found.torn = reader.size() - found.end;
  if (found.torn > 0 && reader.error().empty()) {
    const std::uint64_t next = found.records + 1;
    const std::string bad = "offset " + std::to_string(found.end) + ": record " +
                            std::to_string(next) + " " + words(state);
    std::uint64_t offset = found.end;
    while (offset < reader.size() && reader.error().empty() &&
           reader.look(offset, next, UINT64_MAX, header) != Found::intact) {
      ++offset;
    }
    if (offset < reader.size()) {
      found.refusal = bad + ", and the intact record " + std::to_string(header.number) +
                      " follows at offset " + std::to_string(offset);
    } else if (state == Found::cut_short && reader.has_damaged_length(found.end, next)) {
      found.refusal = bad + ", but all of it is there: its length is damaged";
    } else if (state != Found::cut_short && !reader.ends_in_zeros(found.end)) {
      found.refusal = bad + ", although its end is there";
    }
  }
  if (!reader.error().empty()) found.refusal = reader.error();
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
  /// Goes on behind what scan() found in the file, which must end there (see Contents::torn).
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
  static constexpr std::size_t large_group = 64 * 1024;  // bytes; no record is added to it

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
