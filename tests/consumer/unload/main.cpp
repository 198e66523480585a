// Loads the plugin that is given, uses it and unloads it. Nothing of it may stay: neither it, nor
// the library that it was linked with, nor what the library had asked to be called at fork(2).
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace {

int failed(const char* what) {
  std::fprintf(stderr, "unload: %s\n", what);
  return 1;
}

/// How many lines of this process's map name the file.
int mapped(const std::string& name) {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find(name) != std::string::npos;
  }
  return count;
}

}  // namespace

int main(int, char** arguments) {
  const std::string plugin = arguments[1];
  const bool shared = std::string(arguments[2]) == "shared";
  for (const bool used : {false, true}) {
    void* const handle = ::dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) return failed(::dlerror());
    if (mapped(plugin) == 0) return failed("the plugin is not in the map");
    if ((mapped("/libproa.so") > 0) != shared) return failed("linked otherwise than meant");
    void* const function = ::dlsym(handle, "use_proa");
    if (!function) return failed(::dlerror());
    if (used && reinterpret_cast<int (*)()>(function)() != 0) return failed("the plugin fails");
    if (::dlclose(handle) != 0) return failed(::dlerror());
    if (mapped(plugin) > 0) return failed("the plugin stays");
    if (mapped("/libproa.so") > 0) return failed("the library stays");
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    int status = 1;
    if (::waitpid(child, &status, 0) != child || status != 0) return failed("fork(2) fails");
  }
  return 0;
}
