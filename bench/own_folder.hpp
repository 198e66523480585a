// Programs that are built beside this one.
#pragma once

#include <unistd.h>

#include <stdexcept>
#include <string>

namespace bench {

/// The folder that this program was built into; the others are beside it.
inline std::string own_folder() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string whole(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  return whole.substr(0, whole.rfind('/'));
}

/// Whether that program was built with this one.
inline bool is_built(const std::string& name) {
  return access((own_folder() + "/" + name).c_str(), X_OK) == 0;
}

/// The path of a program that was built with this one, for the shell. Throws std::runtime_error if
/// it is not there.
inline std::string built(const std::string& name) {
  const std::string program = own_folder() + "/" + name;
  if (!is_built(name)) {
    throw std::runtime_error(program + ": not there, build it first");
  }
  return "'" + program + "'";
}

}  // namespace bench
