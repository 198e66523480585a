// Measures the ways to wait that this system has, by bare system calls, and prints tables.
#pragma once

#include <string>
#include <vector>

#include "test_file.hpp"

namespace measure {

struct Plan {
  double seconds = 20;               ///< that all of it may take, about
  std::vector<std::string> exclude;  ///< backends whose technology is not touched
};

/// Reads the file, which was made and is empty.
void measure_and_print(const Plan& plan, TestFile& file, const std::string& directory);

}  // namespace measure
