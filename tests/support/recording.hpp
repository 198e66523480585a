#pragma once

// Requests that remember what became of them.

#include <functional>
#include <proa/on.hpp>
#include <proa/requests.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace proa_test {

// One request and its results. Declare it before the World: it must live until the World is gone.
template <class Request>
class Recording {
 public:
  template <class... Arguments>
  explicit Recording(Arguments&&... arguments)
      : request(*this, std::forward<Arguments>(arguments)...) {}

  void completed(Request&, const proa::Result& result) {
    results.push_back(result);
    if (then) then();
  }
  proa::On<Request, &Recording::completed> request;

  std::vector<proa::Result> results;
  std::function<void()> then;  // called after each result was noted

  bool done() const { return !results.empty() && !request.pending(); }
  // Of the last result.
  std::error_code error() const { return results.back().error; }
  std::size_t bytes() const { return results.back().bytes; }
};

using Receiving = Recording<proa::Recv>;
using Accepting = Recording<proa::Accept>;
using Connecting = Recording<proa::Connect>;
using Timing = Recording<proa::Timer>;

// A receive with memory of its own.
struct Read : Receiving {
  explicit Read(std::size_t size = 256) : memory(size, '?') {}
  proa::Recv& from(proa::Descriptor descriptor) {
    request.prepare(descriptor, {memory.data(), memory.size()});
    return request;
  }
  std::string_view text() const { return std::string_view(memory).substr(0, bytes()); }
  std::string memory;
};

// A send of memory that stays the test's.
struct Sending : Recording<proa::Send> {
  proa::Send& to(proa::Descriptor descriptor, std::string_view bytes) {
    request.prepare(descriptor, bytes);
    return request;
  }
};

}  // namespace proa_test
