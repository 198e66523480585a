// One thing that is measured of one technology, in several runs.
#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "measurements.hpp"

namespace measure {

class Part {
 public:
  using Run = std::function<Trouble(double seconds, Figures& figures)>;

  Part(std::string name, double weight, Run run)
      : name_(std::move(name)), weight_(weight), run_(std::move(run)) {}
  /// What cannot be measured at all.
  explicit Part(Trouble trouble) : trouble_(std::move(trouble)) {}

  const std::string& name() const { return name_; }
  /// How long its runs are, compared with those of others.
  double weight() const { return trouble_.empty() ? weight_ : 0; }
  const Trouble& trouble() const { return trouble_; }
  std::size_t runs() const { return figures_.size(); }

  /// The first trouble ends it.
  void run(double seconds) {
    if (!trouble_.empty()) return;
    Figures figures;
    trouble_ = run_(seconds, figures);
    figures_.push_back(std::move(figures));
  }

  /// A column's median of all runs, the lowest and the highest: "7.12 (6.80..9.01)".
  std::string text(std::size_t column, int decimals) const {
    if (!trouble_.empty()) return trouble_;
    Figures all;
    for (const Figures& each : figures_) all.push_back(each[column]);
    std::sort(all.begin(), all.end());
    char text[128];
    std::snprintf(text, sizeof text, "%.*f (%.*f..%.*f)", decimals, all[all.size() / 2], decimals,
                  all.front(), decimals, all.back());
    return text;
  }

 private:
  std::string name_;
  double weight_ = 0;
  Run run_;
  std::vector<Figures> figures_;
  Trouble trouble_;
};

}  // namespace measure
