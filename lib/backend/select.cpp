// Selects the backend: tries a table in order, and keeps the reason of every refusal. The
// environment can choose among what the options allow, but cannot allow more.
#include "backend/select.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <proa/error.hpp>
#include <vector>

#ifdef PROA_HAVE_URING
#include "backend/uring/uring.hpp"
#endif
#ifdef __linux__
#include "backend/epoll/epoll.hpp"
#endif
#ifdef PROA_HAVE_KQUEUE
#include "backend/kqueue/kqueue.hpp"
#endif

namespace proa {
inline namespace v0 {

namespace {

bool excluded(const Options& options, const std::string& name) {
  const auto& list = options.exclude;
  return std::find(list.begin(), list.end(), name) != list.end();
}

const BackendInfo* find(const Options& options, const std::string& name) {
  for (const BackendInfo& extra : options.extra_backends) {
    if (name == extra.name) return &extra;
  }
  for (const BackendInfo* info = built_in_backends(); *info->name != '\0'; ++info) {
    if (name == info->name) return info;
  }
  return nullptr;
}

std::string known_names(const Options& options) {
  std::string names = "auto";
  for (const BackendInfo& extra : options.extra_backends) names += std::string(", ") + extra.name;
  for (const BackendInfo* info = built_in_backends(); *info->name != '\0'; ++info) {
    names += std::string(", ") + info->name;
  }
  return names;
}

std::string environment() {
#ifdef __linux__
  const char* const value = ::secure_getenv("PROA_BACKEND");
#else
  const char* const value = ::issetugid() ? nullptr : std::getenv("PROA_BACKEND");
#endif
  return value ? value : "";
}

/// Whether proa has a backend of this name, on some system.
bool exists_somewhere(const std::string& name) {
  static constexpr const char* everywhere[] = {"uring", "epoll", "kqueue"};
  return std::find(std::begin(everywhere), std::end(everywhere), name) != std::end(everywhere);
}

/// Returns the first name in Options::exclude that no backend has on any system, or nothing.
std::string misspelt(const Options& options) {
  for (const std::string& name : options.exclude) {
    if (!exists_somewhere(name) && !find(options, name)) return name;
  }
  return {};
}

/// Tries one backend, which the program may have asked for by name. Notes a refusal in the report.
std::unique_ptr<Backend> attempt(const BackendInfo& info, bool by_name,
                                 const BackendContext& context, BackendReport& report) {
  std::string why_not;
  std::unique_ptr<Backend> backend;
  if (excluded(context.options, info.name)) {
    why_not = "excluded by the options";
  } else {
    if (info.probe) why_not = info.probe(context.options, by_name);
    if (why_not.empty()) backend = info.create(context, why_not);
  }
  if (!backend) {
    report.refused.push_back({info.name, why_not.empty() ? "it could not be made" : why_not});
    return nullptr;
  }
  report.name = info.name;
  report.features = backend->features();
  return backend;
}

std::string refusals(const BackendReport& report) {
  std::string text;
  for (const auto& refusal : report.refused) {
    text += (text.empty() ? "" : "; ") + refusal.name + ": " + refusal.reason;
  }
  return text;
}

}  // namespace

const BackendInfo* built_in_backends() noexcept {
  static const BackendInfo table[] = {
#ifdef PROA_HAVE_URING
      uring_backend(),
#endif
#ifdef __linux__
      epoll_backend(),
#endif
#ifdef PROA_HAVE_KQUEUE
      kqueue_backend(),
#endif
      {},
  };
  return table;
}

std::unique_ptr<Backend> select_backend(const BackendContext& context, BackendReport& report,
                                        std::error_code& error, std::string& detail) {
  const Options& options = context.options;
  if (const std::string name = misspelt(options); !name.empty()) {
    error = Error::no_such_backend;
    detail = "Options::exclude: no backend is named \"" + name +
             "\"; known are: " + known_names(options);
    return nullptr;
  }
  std::string wanted = options.backend;
  report.chosen_by = wanted == "auto" ? "auto" : "options";
  if (wanted == "auto") {
    const std::string from_environment = environment();
    if (!from_environment.empty() && from_environment != "auto") {
      wanted = from_environment;
      report.chosen_by = "PROA_BACKEND";
    }
  }

  if (wanted != "auto") {
    const BackendInfo* const info = find(options, wanted);
    if (!info) {
      error = Error::no_such_backend;
      detail = exists_somewhere(wanted)
                   ? "this build has no backend \"" + wanted + "\" (" + report.chosen_by + ")"
                   : "no backend is named \"" + wanted + "\" (" + report.chosen_by + ")";
      detail += "; it knows: " + known_names(options);
      return nullptr;
    }
    if (auto backend = attempt(*info, true, context, report)) return backend;
    if (!options.fallback) {
      error = excluded(options, wanted) ? Error::excluded_backend : Error::backend_refused;
      detail = refusals(report);
      return nullptr;
    }
  }
  for (const BackendInfo* info = built_in_backends(); *info->name != '\0'; ++info) {
    if (wanted == info->name) continue;
    if (auto backend = attempt(*info, false, context, report)) return backend;
  }
  error = Error::backend_refused;
  detail = "no backend works here: " + refusals(report);
  return nullptr;
}

}  // namespace v0
}  // namespace proa
