#include "machine.hpp"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "json_writer.hpp"

namespace bench {
namespace {

/// The text after the colon in the first line of /proc/cpuinfo that begins with `name`.
std::string processor_line(const std::string& name) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(name, 0) != 0) continue;
    const auto colon = line.find(": ");
    return colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  return {};
}

std::string processor_model() {
  const std::string model = processor_line("model name");
  return model.empty() ? "unknown processor" : model;
}

std::string kernel() {
  utsname names{};
  uname(&names);
  return names.release;
}

}  // namespace

std::string machine() { return "kernel " + kernel() + ", " + processor_model(); }

void write_machine(JsonWriter& json) {
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const bool virtual_machine =
      (" " + processor_line("flags") + " ").find(" hypervisor ") != std::string::npos;
  json.begin('{');
  json.member("cpu", processor_model());
  json.member("processors", static_cast<std::uint64_t>(sysconf(_SC_NPROCESSORS_ONLN)));
  json.member("kernel", kernel());
  json.member("memory_mib", pages * page >> 20);
#ifdef __clang__
  json.member("compiler", "clang " __clang_version__);
#else
  json.member("compiler", "gcc " __VERSION__);
#endif
  json.member("libc", std::string("glibc ") + gnu_get_libc_version());
  json.member("hypervisor", virtual_machine);
  json.end();
}

}  // namespace bench
