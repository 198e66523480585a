#pragma once

#include <memory>
#include <proa/backend.hpp>
#include <proa/counters.hpp>
#include <proa/options.hpp>
#include <string>
#include <system_error>

namespace proa {

/// The backends built into the library, the preferred one first, up to an entry without a name.
const BackendInfo* built_in_backends() noexcept;

/// Makes the backend that the options, the environment and this machine lead to; nullptr, `error`
/// and `detail` if none.
std::unique_ptr<Backend> select_backend(const BackendContext& context, BackendReport& report,
                                        std::error_code& error, std::string& detail);

}  // namespace proa
