#include "report.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "json_writer.hpp"
#include "machine.hpp"
#include "progress.hpp"

namespace bench {
namespace {

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void write_versions(JsonWriter& json, const std::vector<Comparison>& comparisons) {
  std::map<std::string, std::string> versions;
  for (const auto& comparison : comparisons) {
    for (const auto& contestant : comparison.contestants) {
      const auto space = contestant.version.rfind(' ');
      if (space == std::string::npos) continue;
      versions[contestant.version.substr(0, space)] = contestant.version.substr(space + 1);
    }
  }
  json.key("versions");
  json.begin('{');
  for (const auto& [name, version] : versions) json.member(name, version);
  json.end();
}

void write_contestant(JsonWriter& json, const Standing& contestant) {
  json.begin('{');
  json.member("name", contestant.name);
  json.member("role", contestant.role);
  if (!contestant.backend.empty()) json.member("backend", contestant.backend);
  json.member("runs", contestant.runs);
  json.member("min", contestant.min);
  json.member("median", contestant.median);
  json.member("max", contestant.max);
  if (contestant.ratio) {
    json.key("ratio");
    json.begin('{');
    json.member("to", contestant.ratio->to);
    json.member("min", contestant.ratio->min);
    json.member("median", contestant.ratio->median);
    json.member("max", contestant.ratio->max);
    json.member("error", contestant.ratio->error);
    json.end();
  }
  if (!contestant.refused.empty()) json.member("refused", contestant.refused);
  json.member("errors", contestant.errors);
  json.key("details");
  json.begin('{');
  for (const auto& [name, value] : contestant.details) json.member(name, value);
  json.end();
  json.end();
}

void write_comparison(JsonWriter& json, const Comparison& comparison) {
  json.begin('{');
  json.member("name", comparison.name);
  json.member("group", comparison.group);
  json.member("title", comparison.title);
  json.member("quantity", comparison.quantity);
  json.member("unit", comparison.unit);
  json.member("better", comparison.lower_is_better ? "lower" : "higher");
  if (!comparison.note.empty()) json.member("note", comparison.note);
  if (!comparison.skipped.empty()) {
    json.member("skipped", comparison.skipped);
  } else {
    json.key("contestants");
    json.begin('[');
    for (const auto& contestant : comparison.contestants) write_contestant(json, contestant);
    json.end();
  }
  json.end();
}

/// Where the JSON is written before it gets its name: a file besides, or what is no file to be
/// replaced, such as a device, itself.
std::string written_first(const std::string& path) {
  struct stat status {};
  const bool replaceable = stat(path.c_str(), &status) < 0 || S_ISREG(status.st_mode);
  return replaceable ? path + ".part" : path;
}

}  // namespace

void Report::add(Comparison comparison) {
  clear_progress();
  print(comparison);
  comparisons_.push_back(std::move(comparison));
  if (path_ == written_) return;  // a device would get all of it again and again
  try {
    write();
  } catch (const std::exception& error) {  // perhaps there is room again at the end
    std::fprintf(stderr, "compare: %s\n", error.what());
  }
}

void Report::skip(Comparison comparison, const std::string& why) {
  comparison.contestants.clear();
  comparison.skipped = why;
  add(std::move(comparison));
}

void Report::fail(Comparison comparison, const std::string& why) {
  clear_progress();
  std::fflush(stdout);
  std::fprintf(stderr, "compare: %s: %s\n", comparison.name.c_str(), why.c_str());
  skip(std::move(comparison), "it failed: " + why);
}

void Report::keep_in(const std::string& path, const std::string& command) {
  const std::string written = written_first(path);
  std::FILE* const file = std::fopen(written.c_str(), "ae");
  if (file == nullptr) throw std::system_error(errno, std::generic_category(), path);
  std::fclose(file);
  if (written != path) unlink(written.c_str());
  path_ = path;
  written_ = written;
  command_ = command;
}

void Report::write() const {
  if (path_.empty()) return;
  const auto seconds = std::chrono::steady_clock::now() - start_;
  JsonWriter json;
  json.begin('{');
  json.member("format", std::uint64_t{1});
  json.member("command", command_);
  json.member("date", now());
  json.member("seconds", std::chrono::duration<double>(seconds).count());
  json.key("machine");
  write_machine(json);
  write_versions(json, comparisons_);
  json.key("comparisons");
  json.begin('[');
  for (const auto& comparison : comparisons_) write_comparison(json, comparison);
  json.end();
  json.end();

  const std::string text = json.text() + "\n";
  std::FILE* const file = std::fopen(written_.c_str(), "we");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr && std::fclose(file) != 0) written = false;
  if (written && (written_ == path_ || std::rename(written_.c_str(), path_.c_str()) == 0)) return;
  const std::system_error error(errno, std::generic_category(), path_);
  if (written_ != path_) unlink(written_.c_str());
  throw error;
}

}  // namespace bench
