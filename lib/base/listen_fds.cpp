// Takes over the descriptors that a service manager has passed (sd_listen_fds(3)). The environment
// is read and emptied first, and only then believed.
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <optional>
#include <proa/listen_fds.hpp>
#include <string_view>

#include "base/error_code.hpp"
#include "sys/sys.hpp"

namespace proa {
inline namespace v0 {

namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

std::optional<std::string> taken_from_environment(const char* name) {
  const char* const value = std::getenv(name);
  if (!value) return std::nullopt;
  std::string taken = value;
  ::unsetenv(name);
  return taken;
}

// Between 1 and `most`; 0 if it is anything else.
long number_in(std::string_view text, long most) noexcept {
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number > 0 && number <= most ? number : 0;
}

long option(int socket, int name, int& value) noexcept {
  socklen_t size = sizeof value;
  return sys::getsockopt(socket, SOL_SOCKET, name, &value, &size);
}

PassedKind kind_of_passed(int number) noexcept {
  int type = 0;
  if (option(number, SO_TYPE, type) < 0) return PassedKind::other;
  int listens = 0;
  if (option(number, SO_ACCEPTCONN, listens) >= 0 && listens != 0) return PassedKind::listener;
  return type == SOCK_DGRAM ? PassedKind::datagram : PassedKind::stream;
}

// The next name of a list that colons separate; taken off the list.
std::string_view next_name(std::string_view& names) noexcept {
  const std::string_view name = names.substr(0, names.find(':'));
  names.remove_prefix(std::min(name.size() + 1, names.size()));
  return name;
}

}  // namespace

std::vector<PassedDescriptor> listen_fds(std::error_code& error, std::string* detail) {
  error.clear();
  if (detail) detail->clear();
  const auto refuse = [&](long result, const std::string& why) -> std::vector<PassedDescriptor> {
    error = to_error_code(static_cast<int>(result));
    if (detail) *detail = why;
    return {};
  };
  const auto process = taken_from_environment("LISTEN_PID");
  const auto count_text = taken_from_environment("LISTEN_FDS");
  const auto names_text = taken_from_environment("LISTEN_FDNAMES");
  ::unsetenv("LISTEN_PIDFDID");
  if (!process || !count_text) return {};
  const long whose = number_in(*process, INT_MAX);
  if (whose == 0) return refuse(-EINVAL, "LISTEN_PID is \"" + *process + "\", which is no process");
  if (whose != sys::process()) return {};
  const long count = number_in(*count_text, INT_MAX - first_descriptor);
  if (count == 0) {
    return refuse(-EINVAL,
                  "LISTEN_FDS is \"" + *count_text + "\", which is no number of descriptors");
  }
  std::string_view names = names_text ? *names_text : std::string_view();
  const long named = 1 + std::count(names.begin(), names.end(), ':');
  if (names_text && named != count) {
    return refuse(-EINVAL, "LISTEN_FDNAMES has " + std::to_string(named) + " names (\"" +
                               *names_text + "\") for " + std::to_string(count) + " descriptors");
  }
  std::vector<PassedDescriptor> passed;
  for (int number = first_descriptor; number < first_descriptor + count; ++number) {
    if (const long result = sys::set_close_on_exec(number); result < 0) {
      return refuse(result, "descriptor " + std::to_string(number) +
                                " of LISTEN_FDS=" + *count_text + " is not open");
    }
    const std::string_view name = names_text ? next_name(names) : std::string_view("unknown");
    passed.push_back({number, std::string(name), kind_of_passed(number)});
  }
  return passed;
}

}  // namespace v0
}  // namespace proa
