// The configurations that the contract is tested on.
#include "support/configuration.hpp"

#include <stdexcept>
#include <system_error>

#include "support/catch.hpp"
#include "support/kqueue.hpp"
#include "support/opcode_filter.hpp"

namespace proa_test {

namespace {

// Said by main() before the first test: why the configuration that was asked for cannot run here,
// or nothing.
std::string why_not() {
  if (settings().configuration.empty()) return {};
  const proa::Options with = options();
  try {
    make_proactor(with);
    return {};
  } catch (const std::system_error& thrown) {
    return configuration() + ": " + thrown.what();
  }
}

[[maybe_unused]] const bool registered = (set_precondition(why_not), true);

}  // namespace

const std::vector<std::string>& configurations() {
  static const std::vector<std::string> names = {
#ifdef PROA_HAVE_URING
      "uring",  "uring-5.19", "uring-5.11", "uring-filtered", "uring-pool",
#endif
#ifdef PROA_HAVE_KQUEUE
      "kqueue", "kqueue-pool"
#else
      "epoll", "epoll-pool", "epoll-stream-filter", "kqueue", "kqueue-macos"
#endif
  };
  return names;
}

const std::string& configuration() {
  return settings().configuration.empty() ? configurations().front() : settings().configuration;
}

namespace {
bool over(const std::string& backend) { return configuration().rfind(backend, 0) == 0; }
bool ends_in(const std::string& name, const std::string& tier) {
  return name.size() > tier.size() &&
         name.compare(name.size() - tier.size(), tier.size(), tier) == 0;
}
}  // namespace

bool over_uring() { return over("uring"); }
bool over_epoll() { return over("epoll"); }
bool over_kqueue() { return over("kqueue"); }
bool streams_filtered() { return configuration() == "epoll-stream-filter"; }
bool files_by_workers() {
  return ends_in(configuration(), "-pool") || ends_in(configuration(), "-macos");
}

proa::Options options(const std::string& name) {
  proa::Options made;
  const std::size_t dash = name.find('-');
  made.backend = name.substr(0, dash);
  const std::string tier = dash == std::string::npos ? "" : name.substr(dash + 1);
  made.native_files = tier != "pool";
  if (made.backend == "kqueue") {
    use_kqueue(made, tier == "macos");
  } else if (made.backend == "uring" || made.backend == "epoll") {
    if (tier == "filtered") {
      filter_opcodes();
    } else if (tier != "pool" && tier != "stream-filter") {
      made.uring_release = tier;
    }
  } else {
    throw std::invalid_argument("no configuration is named " + name);
  }
  made.fallback = false;
  made.uring_entries = 64;
  made.buffer_size = 4096;
  made.buffers = 64;
  return made;
}

std::unique_ptr<proa::Proactor> make_proactor(const proa::Options& with) {
  std::error_code error;
  std::string detail;
  auto made = proa::Proactor::create(with, error, &detail);
  if (!made) throw std::system_error(error, detail);
  return made;
}

}  // namespace proa_test
