// Tables of states: how they are read, and how a cell is tried.
#include "states_rig.hpp"

#include <algorithm>
#include <proa/error.hpp>
#include <sstream>

namespace proa_test {

namespace {

std::string name_of(const std::error_code& error) {
  const std::pair<std::error_condition, const char*> names[] = {
      {std::errc::invalid_argument, "invalid_argument"},
      {std::errc::device_or_resource_busy, "device_or_resource_busy"},
      {std::errc::not_connected, "not_connected"},
      {std::errc::no_buffer_space, "no_buffer_space"},
      {std::errc::already_connected, "already_connected"},
      {std::errc::connection_already_in_progress, "connection_already_in_progress"},
      {std::errc::connection_refused, "connection_refused"},
      {std::errc::no_such_file_or_directory, "no_such_file_or_directory"},
  };
  if (error == proa::Error::closing) return "closing";
  if (error == proa::Error::bad_address) return "bad_address";
  if (error == proa::Error::end_of_file) return "end_of_file";
  if (error == std::errc::bad_file_descriptor) return "bad_file_descriptor";
  for (const auto& [condition, name] : names) {
    if (error == condition) return name;
  }
  return error.message();
}

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" `");
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(" `") - first + 1);
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(trimmed(part));
  return parts;
}

/// The cells of a line "| a | b |".
std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells = split(line, '|');
  cells.erase(cells.begin());
  return cells;
}

Heard heard_of(const std::string& cell) {
  if (cell == "nothing") return {};
  Heard heard = split(cell, ',');
  for (std::string& each : heard) {
    each.erase(std::remove(each.begin(), each.end(), '`'), each.end());
  }
  return heard;
}

void check_cell(const MakeDriver& make, const std::string& state, const std::string& verb,
                const Heard& expected, bool again) {
  CAPTURE(state, verb, again);
  World world;
  const std::unique_ptr<Driver> driver = make(world);
  const auto close = [&] {
    driver->close();
    world.run_until("it is idle", [&] { return driver->idle(); });
  };
  if (again) close();
  if (state == "shut down") CHECK(world->shutdown(hang) == 0);
  driver->enter(world, state);
  driver->heard.clear();
  driver->call(world, verb);
  const auto heard = [&] {
    Heard all = driver->heard;
    for (const std::string& each : driver->due) {
      const auto found = std::find(all.begin(), all.end(), each);
      if (found != all.end()) all.erase(found);
    }
    return all;
  };
  const bool turns = state != "shut down";
  if (turns)
    world.run_until("the verb had its effect", [&] { return heard().size() >= expected.size(); });
  for (int i = 0; turns && i < 5; ++i) world.turn();
  CHECK(heard() == expected);
  if (turns) close();
  CHECK(driver->idle());
}

}  // namespace

void Driver::hear_error(const std::error_code& error) { hear("on_error(" + name_of(error) + ")"); }

void Driver::note_returned(const std::error_code& error) {
  if (error) hear("returns " + name_of(error));
}

void check_states(const char* table, const MakeDriver& make) {
  std::vector<std::string> lines = split(table, '\n');
  lines.erase(lines.begin());  // before the first line
  const std::vector<std::string> states = cells_of(lines.at(0));
  for (std::size_t row = 2; row < lines.size(); ++row) {
    const std::vector<std::string> cells = cells_of(lines[row]);
    REQUIRE(cells.size() == states.size());
    for (std::size_t column = 1; column < cells.size(); ++column) {
      if (cells[column] == "see above") continue;
      const Heard expected = heard_of(cells[column]);
      for (std::string verb : split(cells[0], ',')) {
        verb.erase(std::remove(verb.begin(), verb.end(), '`'), verb.end());
        check_cell(make, states[column], verb, expected, false);
        if (column == 1) check_cell(make, states[column], verb, expected, true);
      }
    }
  }
}

}  // namespace proa_test
