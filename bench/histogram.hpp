// Latencies by the million in fixed memory: a histogram with logarithmic buckets, as
// HdrHistogram's. A value keeps its highest 8 bits, so a percentile is at most 0.8 % above the
// truth, from 0 ns to 2^64 ns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void record(std::uint64_t value) {
    ++counts_[index_of(value)];
    ++count_;
    if (value > max_) max_ = value;
  }

  void add(const Histogram& other) {
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      counts_[index] += other.counts_[index];
    }
    count_ += other.count_;
    if (other.max_ > max_) max_ = other.max_;
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  /// The value that `percent` of the recorded ones do not exceed (the upper end of its bucket,
  /// never above max()); 0 when nothing was recorded. `percent` from 0 to 100.
  std::uint64_t percentile(double percent) const {
    const double exact = percent / 100.0 * static_cast<double>(count_);
    auto rank = static_cast<std::uint64_t>(exact);
    if (static_cast<double>(rank) < exact || rank == 0) ++rank;  // at least this many values
    std::uint64_t seen = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      seen += counts_[index];
      if (seen >= rank) return highest_of(index) < max_ ? highest_of(index) : max_;
    }
    return max_;
  }

 private:
  // Values below 256 have a bucket each. Above, every power of two is divided into 128 buckets.
  static constexpr unsigned kBits = 7;
  static constexpr std::size_t kPerOctave = std::size_t{1} << kBits;

  static std::size_t index_of(std::uint64_t value) {
    unsigned shift = 0;
    if (value >= 2 * kPerOctave) {
      shift = 63 - kBits - static_cast<unsigned>(__builtin_clzll(value));
    }
    return shift * kPerOctave + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t highest_of(std::size_t index) {
    if (index < 2 * kPerOctave) return index;
    const std::size_t shift = index / kPerOctave - 1;
    const std::uint64_t top = index - shift * kPerOctave;
    return ((top + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - kBits + 1) * kPerOctave> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace bench
