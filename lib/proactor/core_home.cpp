// Who may use a proactor: one thread of one process. A child of fork(2) inherits a copy of all that
// the library keeps in memory, and shares with its parent what the kernel keeps for it: the epoll
// set, the ring, the offsets of files. So a child takes over only what its parent has never run,
// with kernel objects of its own; of anything else it lets go without a system call that the parent
// could notice. Upholds R9 and R14.
#include <cstring>

#include "base/misuse.hpp"
#include "proactor/core.hpp"

namespace proa {

const char* Core::astray() noexcept {
  switch (home_.caller()) {
    case Home::Caller::welcome:
      return nullptr;
    case Home::Caller::foreign:
      return "on a foreign thread";
    case Home::Caller::run_heir:
      return "in a child of fork(2), but the parent has run this proactor: make one here";
    case Home::Caller::unrun_heir:
      break;
  }
  adopt();
  return nullptr;
}

void Core::refuse(const char* verb, const char* why) const noexcept {
  misuse("Proactor %p: %s() %s", owner_, verb, why);
}

void Core::adopt() noexcept {
  home_.settle();
  adopt_operations();
  posts_.adopt(home_.process());
  nobody_was_told();
  if (const long error = backend_->renew(); error < 0) {
    misuse("Proactor %p cannot go on in a child of fork(2): %s: %s", owner_, report_.name.c_str(),
           std::strerror(static_cast<int>(-error)));
  }
  hurry();  // the backend's new descriptor does not know what was begun before fork(2)
}

// Those that belong to files are in lists of the backend, which renew() looks after, or of workers.
void Core::adopt_operations() noexcept {
  const long process = home_.process();
  timers_.each([process](Operation& timer) { BackendSide::adopt(timer, process); });
  channels_.each([process](Channel& channel, int) {
    for (Operation* const active : channel.active) {
      if (active) BackendSide::adopt(*active, process);
    }
    if (connects(channel)) channel.connected = Connected::shared;
    for (OperationRing& waiting : channel.waiting) proa::adopt(waiting, process);
    if (channel.close_file) BackendSide::adopt(*channel.close_file, process);
  });
  for (Workers* each = workers_.front(); each; each = workers_.after(*each)) each->adopt(process);
  proa::adopt(finished_, process);
}

void Core::let_go() noexcept {
  for (Workers* each = workers_.front(); each; each = workers_.after(*each)) each->disown();
  posts_.disown();
  pool_->disown();
  paged_pool_->disown();
}

}  // namespace proa
