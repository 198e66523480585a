// The counters of a proactor in words.
#pragma once

#include <proa/counters.hpp>
#include <string>

namespace tool {

/// "submitted 12, completed 10, ..."; those that are 0 are left out, but for the first three.
inline std::string counters_text(const proa::Counters& counters) {
  using Counters = proa::Counters;
  struct Row {
    const char* name;
    std::uint64_t Counters::*value;
  };
  static constexpr Row rows[] = {
      {"submitted", &Counters::submitted},
      {"completed", &Counters::completed},
      {"delivered", &Counters::delivered},
      {"cancelled", &Counters::cancelled},
      {"deadlines", &Counters::deadlines},
      {"timers", &Counters::timers},
      {"posts", &Counters::posts},
      {"rounds", &Counters::rounds},
      {"waits", &Counters::waits},
      {"retries", &Counters::retries},
      {"queue_full", &Counters::queue_full},
      {"completion_overflows", &Counters::completion_overflows},
      {"rearmed", &Counters::rearmed},
      {"buffers_missed", &Counters::buffers_missed},
      {"accept_pauses", &Counters::accept_pauses},
      {"errors_unanswered", &Counters::errors_unanswered},
      {"left_behind", &Counters::left_behind},
      {"stale_events", &Counters::stale_events},
  };
  std::string text;
  for (const Row& row : rows) {
    if (counters.*row.value == 0 && &row >= rows + 3) continue;
    text += (text.empty() ? "" : ", ") + std::string(row.name) + " " +
            std::to_string(counters.*row.value);
  }
  return text;
}

}  // namespace tool
