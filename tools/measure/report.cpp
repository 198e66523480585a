#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

#include "part.hpp"
#include "progress.hpp"
#include "table.hpp"
#include "technology.hpp"

namespace measure {

namespace {

constexpr unsigned runs = 5;
constexpr std::size_t most_ready = 10000;

std::string cpu() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.compare(0, 10, "model name") == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "a processor without a name";
}

/// What is measured of one technology.
struct Row {
  const Technology* technology;
  std::string regular_file;
  Part wake_up;        // by a thread on the same CPU
  Part other_wake_up;  // on another one
  Part reads;
  std::vector<Part> events;  // for each of the counts
};

class Measurement {
 public:
  Measurement(const Plan& plan, TestFile& file) : plan_(plan), file_(file) {
    progress_.show("writing the file");
    not_filled_ = file.fill();
    for (const std::size_t count : {std::size_t{1}, std::size_t{100}, most_ready}) {
      const std::size_t possible = std::min(count, ready_.size());
      if (counts_.empty() || possible > counts_.back()) counts_.push_back(possible);
    }
    for (const Technology& technology : technologies()) rows_.push_back(plan_row(technology));
  }

  /// The runs of the parts alternate: what the machine does besides meets all of them.
  void run() {
    std::vector<Part*> parts;
    for (Row& row : rows_) {
      parts.push_back(&row.wake_up);
      parts.push_back(&row.other_wake_up);
      parts.push_back(&row.reads);
      for (Part& part : row.events) parts.push_back(&part);
    }
    double weight = 0;
    for (const Part* const part : parts) weight += part->weight();
    for (unsigned run = 1; run <= runs; ++run) {
      for (Part* const part : parts) {
        if (!part->trouble().empty()) continue;
        progress_.show("run " + std::to_string(run) + " of " + std::to_string(runs) + ": " +
                       part->name());
        part->run(plan_.seconds * part->weight() / weight / runs);
      }
    }
    progress_.show({});
  }

  void print(const std::string& directory) const {
    std::printf("%u x %s\n", std::thread::hardware_concurrency(), cpu().c_str());
    std::printf("Figures: the median of the runs, in brackets the lowest and the highest.\n");
    print_regular_files(directory);
    print_wake_up("the same CPU", &Row::wake_up);
    print_wake_up("another CPU", &Row::other_wake_up);
    print_reads(directory);
    print_events();
  }

 private:
  Row plan_row(const Technology& technology) {
    const std::string name = technology.name;
    const auto& exclude = plan_.exclude;
    if (std::find(exclude.begin(), exclude.end(), technology.backend) != exclude.end()) {
      const Part excluded(Trouble("excluded"));
      return {&technology, "excluded", excluded, excluded, excluded, {counts_.size(), excluded}};
    }
    Row row{&technology,
            try_regular_file(technology),
            plan_wake_up(technology, false),
            plan_wake_up(technology, true),
            plan_reads(technology),
            {}};
    for (const std::size_t count : counts_) row.events.push_back(plan_events(technology, count));
    return row;
  }
  std::string try_regular_file(const Technology& technology) {
    Trouble trouble;
    const auto waiter = technology.make_waiter(trouble);
    return waiter ? waiter->try_regular_file(file_.descriptor()) : trouble;
  }
  static Part plan_wake_up(const Technology& technology, bool other_cpu) {
    return {std::string(technology.name) + (other_cpu ? ", wake-up by another CPU" : ", wake-up"),
            2, [&technology, other_cpu](double seconds, Figures& figures) {
              Trouble trouble;
              const auto waiter = technology.make_waiter(trouble);
              return waiter ? measure_wake_up(*waiter, other_cpu, seconds, figures) : trouble;
            }};
  }
  Part plan_reads(const Technology& technology) {
    if (!technology.make_reader) return Part(technology.reads);
    if (!not_filled_.empty()) return Part(not_filled_);
    return {std::string(technology.name) + ", reads", 6,
            [this, &technology](double seconds, Figures& figures) {
              Trouble trouble;
              const auto reader = technology.make_reader(file_.descriptor(), trouble);
              return reader ? measure_reads(*reader, seconds, figures) : trouble;
            }};
  }
  Part plan_events(const Technology& technology, std::size_t count) {
    if (count == 0) return Part(ready_.trouble());
    return {std::string(technology.name) + ", " + std::to_string(count) + " ready", 1,
            [this, &technology, count](double seconds, Figures& figures) {
              Trouble trouble;
              const auto waiter = technology.make_waiter(trouble);
              return waiter ? measure_events(*waiter, ready_, count, seconds, figures) : trouble;
            }};
  }

  void print_regular_files(const std::string& directory) const {
    std::printf("\nA regular file (in %s)\n", directory.c_str());
    Table table({"technology", "what comes of waiting for it"});
    for (const Row& row : rows_) table.add({row.technology->name, row.regular_file});
    table.print();
  }
  /// A line with the number of runs and a part's columns, or with the trouble.
  static void add(Table& table, std::string name, const Part& part,
                  const std::vector<int>& decimals) {
    if (!part.trouble().empty()) return table.add({std::move(name), part.trouble()});
    Table::Line line{std::move(name), std::to_string(part.runs())};
    for (std::size_t i = 0; i < decimals.size(); ++i) line.push_back(part.text(i, decimals[i]));
    table.add(std::move(line));
  }
  void print_wake_up(const char* where, Part Row::*part) const {
    std::printf("\nWake-up by a thread on %s, through an %s, which is read\n", where, Bell::kind);
    Table table({"technology", "runs", "p50, us", "p99, us", "system calls each"});
    for (const Row& row : rows_) add(table, row.technology->name, row.*part, {2, 2, 2});
    table.print();
  }
  void print_reads(const std::string& directory) const {
    std::printf("\nReads of 4 KiB at random, %u at a time, of a file of 64 MiB in %s\n",
                Reader::depth, directory.c_str());
    if (not_filled_.empty()) {
      std::printf("%s\n",
                  file_.is_direct()
                      ? "O_DIRECT: from the disk"
                      : ("buffered, from memory, because of " + file_.why_not_direct()).c_str());
    }
    Table table({"technology", "runs", "reads a second", "system calls each"});
    for (const Row& row : rows_) {
      std::string name = row.technology->name;
      if (row.technology->make_reader) name += std::string(" (") + row.technology->reads + ")";
      add(table, name, row.reads, {0, 3});
    }
    table.print();
  }
  /// Of those parts that came to figures, which have as many each.
  static std::string runs_of(const std::vector<Part>& parts) {
    for (const Part& part : parts) {
      if (part.trouble().empty()) return std::to_string(part.runs());
    }
    return "-";
  }
  void print_events() const {
    std::printf("\nCost of an event, while so many descriptors (%ss) are ready\n", Bell::kind);
    if (counts_.back() < most_ready) {
      std::printf("no more than %zu descriptors instead of %zu: %s\n", counts_.back(), most_ready,
                  ready_.trouble().c_str());
    }
    print_events("ns", 0, 1);
    std::printf("\nSystem calls for an event\n");
    print_events("calls", 1, 4);
  }
  void print_events(const char* unit, std::size_t column, int decimals) const {
    Table::Line heads{"technology", "runs"};
    for (const std::size_t count : counts_) {
      heads.push_back(std::to_string(count) + " ready, " + unit);
    }
    Table table(heads);
    for (const Row& row : rows_) {
      Table::Line line{row.technology->name, runs_of(row.events)};
      for (const Part& part : row.events) line.push_back(part.text(column, decimals));
      table.add(std::move(line));
    }
    table.print();
  }

  const Plan& plan_;
  TestFile& file_;
  Progress progress_;
  Trouble not_filled_;
  ReadyBells ready_{most_ready};
  std::vector<std::size_t> counts_;
  std::vector<Row> rows_;
};

}  // namespace

void measure_and_print(const Plan& plan, TestFile& file, const std::string& directory) {
  Measurement measurement(plan, file);
  measurement.run();
  measurement.print(directory);
}

}  // namespace measure
