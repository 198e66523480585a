#pragma once

// What --configuration names: a backend, or a backend with less than the kernel has.

#include <memory>
#include <proa/proactor.hpp>
#include <string>
#include <vector>

namespace proa_test {

const std::vector<std::string>& configurations();

// The one under test: --configuration, else the first of configurations().
const std::string& configuration();
bool over_uring();
bool over_epoll();
bool over_kqueue();

// Whether the kernel below is Linux, whatever the configuration.
#ifdef __linux__
inline constexpr bool on_linux = true;
#else
inline constexpr bool on_linux = false;
#endif

// Whether streams have a filter that only looks on.
bool streams_filtered();
// Whether every read and write of a file is given to a worker.
bool files_by_workers();

// Strict: the named backend or an error. Queues and buffers are few and small, so that a test fills
// them. An unknown name throws.
proa::Options options(const std::string& name = configuration());

// Throws std::system_error, naming the reason, if the backend does not work here.
std::unique_ptr<proa::Proactor> make_proactor(const proa::Options& with = options());

}  // namespace proa_test
