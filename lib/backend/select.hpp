#pragma once

#include <memory>
#include <proa/backend.hpp>
#include <proa/counters.hpp>
#include <proa/options.hpp>
#include <string>
#include <system_error>

namespace proa {
inline namespace v0 {

/// The backends built into the library, in order of preference. An entry without a name ends the
/// table.
const BackendInfo* built_in_backends() noexcept;

/// Makes the backend that the options, the environment and this machine allow. Returns nullptr and
/// sets `error` and `detail` if there is none.
std::unique_ptr<Backend> select_backend(const BackendContext& context, BackendReport& report,
                                        std::error_code& error, std::string& detail);

}  // namespace v0
}  // namespace proa
