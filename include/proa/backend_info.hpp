#pragma once

#include <memory>
#include <string>

namespace proa {
inline namespace v0 {

class Backend;
struct BackendContext;
struct Options;

/// A backend as a plugin. `probe` returns an empty string if the backend works here, or a sentence
/// that says why it does not ("io_uring_setup: EPERM (...)"). `create` returns nullptr and a
/// sentence if it fails. Both throw only std::bad_alloc.
struct BackendInfo {
  const char* name = "";
  std::string (*probe)(const Options& options, bool by_name) = nullptr;
  std::unique_ptr<Backend> (*create)(const BackendContext& context, std::string& why_not) = nullptr;
};

}  // namespace v0
}  // namespace proa
