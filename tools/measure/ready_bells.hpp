// Many descriptors, all of them readable.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "bell.hpp"

namespace measure {

class ReadyBells {
 public:
  /// As many as there may be, but no more than `wanted`; the lowest numbers are left for
  /// others (select).
  explicit ReadyBells(std::size_t wanted) {
    raise_limit(wanted);
    constexpr std::size_t for_others = 16;
    while (bells_.size() < wanted + for_others) {
      Bell bell;
      trouble_ = bell.open();
      if (trouble_.empty()) trouble_ = bell.ring();
      if (!trouble_.empty()) break;
      bells_.push_back(std::move(bell));
    }
    const std::size_t kept = bells_.size() - std::min(bells_.size(), for_others);
    bells_.erase(bells_.begin(), bells_.end() - static_cast<std::ptrdiff_t>(kept));
  }

  std::size_t size() const { return bells_.size(); }
  int descriptor(std::size_t which) const { return bells_[which].descriptor(); }
  /// Why there are fewer than were wanted.
  const Trouble& trouble() const { return trouble_; }

 private:
  static void raise_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    const auto enough = static_cast<rlim_t>(2 * wanted + 100);  // a pipe has two
    if (limit.rlim_cur >= enough) return;
    // Only root may have more than the maximum; for others the first one fails.
    const rlimit more{enough, std::max(limit.rlim_max, enough)};
    const rlimit most{std::min(limit.rlim_max, enough), limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &more) != 0) (void)::setrlimit(RLIMIT_NOFILE, &most);
  }

  std::vector<Bell> bells_;
  Trouble trouble_;
};

}  // namespace measure
