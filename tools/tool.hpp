// What the tools share: errors that end the program, what descriptors 0 to 2 are, the options that
// choose a backend, and the UNIX path of a listener, to be removed at the end.
#pragma once

#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <utility>

namespace tool {

constexpr int failure = 1;
constexpr int usage_error = 2;

/// Bytes of a buffer (Options::buffer_size) that any UDP datagram fits in.
constexpr std::size_t datagram_buffer_size = 66048;

/// What this program is called; begin() finds out.
inline const char* program = "proa";

inline void complain(const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", program, message.c_str());
}

[[noreturn]] inline void die(const std::string& message, int status = failure) {
  complain(message);
  std::exit(status);
}

[[noreturn]] inline void bad_usage(const std::string& message) {
  die(message + " (try --help)", usage_error);
}

/// Puts /dev/null in the place of a descriptor, open or not; false, with errno, if that fails.
inline bool replace_by_null(int number) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || null == number) return null >= 0;
  const bool replaced = ::dup2(null, number) == number;
  ::close(null);
  return replaced;
}

/// First of all in main(). If one of the descriptors 0 to 2 is closed, the ring, a socket or a file
/// would get its number, and what is printed would go there.
inline void begin(char** argv) {
  const char* const slash = std::strrchr(argv[0], '/');
  program = slash ? slash + 1 : argv[0];
  for (int number = 0; number <= 2; ++number) {
    if (::fcntl(number, F_GETFD) >= 0 || errno != EBADF) continue;
    if (!replace_by_null(number)) die("/dev/null: " + std::string(std::strerror(errno)));
  }
}

inline proa::Address to_address(const std::string& text) {
  std::error_code error;
  std::string detail;
  const proa::Address address = proa::Address::parse(text, error, &detail);
  if (error) bad_usage(detail);
  return address;
}

inline proa::Duration to_seconds(const std::string& what, const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(seconds > 0 && seconds <= 86400)) {
    bad_usage(what + " \"" + text + "\" is not a time in seconds, above 0 and at most 86400");
  }
  return std::chrono::duration_cast<proa::Duration>(std::chrono::duration<double>(seconds));
}

// Rows for getopt_long(3) and what they do; `--backend` and its like are the same in all tools.
enum BackendOption { option_backend = 1000, option_exclude, option_strict };

#define TOOL_BACKEND_OPTIONS                                           \
  {"backend", required_argument, nullptr, tool::option_backend},       \
      {"exclude", required_argument, nullptr, tool::option_exclude}, { \
    "strict", no_argument, nullptr, tool::option_strict                \
  }

#define TOOL_BACKEND_HELP                                                                    \
  "      --backend NAME     uring, epoll or kqueue; by default, or \"auto\", the best that " \
  "works\n"                                                                                  \
  "      --exclude NAME     never use that backend, do not even probe it; repeatable\n"      \
  "      --strict           fail if the named backend does not work, instead of another one\n"

/// True if it was one of the backend options. Only getopt_long's own complaints are left over.
inline bool take_backend_option(int which, proa::Options& options) {
  switch (which) {
    case option_backend:
      options.backend = optarg;
      return true;
    case option_exclude: {
      // A misspelt name would exclude nothing, in silence.
      const std::string name = optarg;
      if (name != "uring" && name != "epoll" && name != "kqueue") {
        bad_usage("no backend is named \"" + name + "\"");
      }
      options.exclude.push_back(name);
      return true;
    }
    case option_strict:
      options.fallback = false;
      return true;
    default:
      return false;
  }
}

/// A proactor, or the end of the program with the reason. Says so when it is not the one asked for.
inline std::unique_ptr<proa::Proactor> make_proactor(const proa::Options& options) {
  std::error_code error;
  std::string detail;
  auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) die(detail, error == proa::Error::no_such_backend ? usage_error : failure);
  const proa::BackendReport& report = proactor->backend();
  for (const auto& refusal : report.refused) {
    if (report.chosen_by == "auto") break;
    complain(refusal.name + ": " + refusal.reason + "; " + report.name + " is used instead");
  }
  return proactor;
}

/// The path of a UNIX listener, removed when this is destroyed if it is still the one that was
/// bound.
class BoundPath {
 public:
  explicit BoundPath(const proa::Address& address) {
    if (address.family() != proa::Address::Family::local) return;
    const std::string path(address.path());
    struct stat status {};
    if (path.empty() || path[0] == '\0' || ::lstat(path.c_str(), &status) != 0) return;
    path_ = path;
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
  BoundPath(BoundPath&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  BoundPath& operator=(BoundPath&&) = delete;
  ~BoundPath() {
    struct stat status {};
    if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
    if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace tool
