#pragma once

// A filter that works when the test says so.

#include <memory>
#include <proa/stream_filter.hpp>
#include <utility>
#include <vector>

#include "contract/stream_rig.hpp"

namespace proa_test {

// Keeps what the peer sends until the test lets it go, as one does that works on other threads.
class Late : public proa::StreamFilter {
 public:
  void let_go() {
    for (proa::Buffer& each : kept_) give(std::move(each));
    kept_.clear();
  }
  using StreamFilter::fail;
  using StreamFilter::give_end;
  bool holds() const { return !kept_.empty(); }
  int ends = 0;  // calls of on_ended()

 private:
  void on_received(proa::Buffer data) noexcept override { kept_.push_back(std::move(data)); }
  void on_ended() noexcept override { ++ends; }
  void on_written(proa::Buffer data) noexcept override { send(std::move(data)); }
  std::vector<proa::Buffer> kept_;
};

inline Late& late(Stream& stream) {
  auto made = std::make_unique<Late>();
  Late& filter = *made;
  stream.set_filter(std::move(made));
  return filter;
}

}  // namespace proa_test
