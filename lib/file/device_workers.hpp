#pragma once

// Threads for reads and writes of devices, and of whatever else may have nothing to read or no room
// for as long as it likes: a device never keeps a thread that files need. An operation that is not
// possible waits, and one of the threads polls for all that wait. Those of one descriptor and
// direction take turns, in their order: what a device gives it gives once.

#include <poll.h>

#include <atomic>
#include <vector>

#include "file/workers.hpp"

namespace proa {
inline namespace v0 {

class DeviceWorkers final : public Workers {
 public:
  DeviceWorkers(std::string name, unsigned most, Perform perform);
  ~DeviceWorkers() override;

 private:
  bool may_begin() noexcept override;
  void rest(std::unique_lock<std::mutex>& lock) noexcept override;
  void rouse() noexcept override;
  void taken_back() noexcept override { rouse(); }
  bool holds(Operation& operation) noexcept override;
  bool keeps(Operation& operation, long result) noexcept override;
  bool gather() noexcept;
  void queue_ready() noexcept;
  void poll_anew() noexcept;

  int pipe_[2] = {-1, -1};
  std::atomic<bool> polling_{false};  // a thread is, or will be, in poll_many()
  std::vector<Operation*> waiting_;   // the first of each descriptor and direction in kept()
  std::vector<pollfd> asked_;         // the pipe, then those of waiting_
};

}  // namespace v0
}  // namespace proa
