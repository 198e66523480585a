// A table of `compare matrix`: every contestant runs alone, in turns with the others. A row is one
// comparison; a column is a contestant.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "contender.hpp"
#include "report.hpp"

namespace bench {

/// What one run came to.
struct MatrixRun {
  double value = 0;
  std::vector<std::pair<std::string, double>> details;
};

struct MatrixRow {
  std::string label;
  std::string published;  ///< by others, of their machine; may be empty
  Comparison what;        ///< without contestants
  Group group;            ///< the same names in all rows; the first is what others are divided by
  std::function<MatrixRun(const Contender&)> run;  ///< throws std::exception when it fails
};

struct MatrixTable {
  std::string title;
  std::string labels;     ///< what the labels of the rows are
  std::string published;  ///< whose figures those of the last column are
  std::vector<MatrixRow> rows;
};

/// How many programs run in a round; for the line of progress that is how much work a row is.
inline double runs_of_round(const MatrixRow& row) {
  return static_cast<double>(row.group.size() + 1);
}

/// Plays the rows one after the other, `rounds` runs of each contestant in each, and reports them;
/// then prints the table. A row in which a program fails is left out of the table and reported as
/// failed. Returns the exit status.
int play_matrix(const MatrixTable& table, std::size_t rounds, Report& report);

}  // namespace bench
