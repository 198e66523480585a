#include "run_program.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace bench {

std::string output_of(const std::string& command) {
  std::fflush(stdout);
  std::FILE* const pipe = popen(command.c_str(), "re");
  if (pipe == nullptr) throw std::system_error(errno, std::generic_category(), "popen");
  std::string output;
  char part[4096];
  while (const std::size_t length = std::fread(part, 1, sizeof part, pipe)) {
    output.append(part, length);
  }
  const int status = pclose(pipe);
  if (status == 0) return output;
  const std::string how = WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                                            : "signal " + std::to_string(WTERMSIG(status));
  throw std::runtime_error(how + " (" + command + ")");
}

std::string quoted(const std::string& path) {
  if (path.find('\'') != std::string::npos) throw std::runtime_error(path + ": a quote in a path");
  return "'" + path + "'";
}

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

double number_in(const std::string& json, const std::string& object, const std::string& key) {
  std::size_t at = json.find('"' + object + '"');
  if (at != std::string::npos) at = json.find('"' + key + '"', at);
  if (at != std::string::npos) at = json.find_first_of("-0123456789", at + key.size() + 2);
  if (at == std::string::npos) {
    throw std::runtime_error("no '" + key + "' in '" + object + "' of: " + json.substr(0, 200));
  }
  return std::strtod(json.c_str() + at, nullptr);
}

}  // namespace bench
