#pragma once

#include <memory>
#include <string>

namespace proa {

class Backend;
struct BackendContext;
struct Options;

/// A backend as a plugin. `probe` says in one sentence why it cannot work here ("io_uring_setup:
/// EPERM (...)"), or leaves the string empty. `create` returns nullptr and a sentence when it fails
/// after all. Neither throws but for memory.
struct BackendInfo {
  const char* name = "";
  std::string (*probe)(const Options& options, bool by_name) = nullptr;
  std::unique_ptr<Backend> (*create)(const BackendContext& context, std::string& why_not) = nullptr;
};

}  // namespace proa
