#pragma once

// A backend for a kernel that reports readiness. It has the readiness adapter for sockets, an
// engine for files, and the rotation between them (R8). The class Kernel derives from
// PollingBackend and has
//
//   long poll(const timespec* timeout)   waits; returns the number of events, or -errno
//   Step take(std::size_t index, bool at_once)
//                                        handles one event; what ReadinessAdapter::event() says, or
//                                        nothing
//   bool unflushed() const               whether poll() has changes to give to the kernel
//
// and Files is a FileQueue with submit(), withdraw(), forget() and the static takes().

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <proa/options.hpp>
#include <string>

#include "backend/file_queue.hpp"
#include "backend/readiness.hpp"
#include "base/misuse.hpp"
#include "base/operation_table.hpp"
#include "base/rotation.hpp"

namespace proa {
inline namespace v0 {

template <class Kernel, class Files>
class PollingBackend : public Backend, protected Poller {
 public:
  void submit(Operation& operation) noexcept final {
    if (native_files_ && Files::takes(operation)) {
      files_.submit(operation);
    } else if (traits_of(operation).works_on == Works::file) {
      blocking_.take(operation);
    } else {
      adapter_.submit(operation);
    }
  }
  bool tries_sends() const noexcept final { return true; }
  long try_send(SendBuffers& send) noexcept final { return adapter_.try_send(send); }
  void cancel(Operation& operation) noexcept final {
    Files::takes(operation) ? files_.cancel(operation) : adapter_.cancel(operation);
  }
  void withdraw(int descriptor) noexcept final { files_.withdraw(descriptor); }

  void wait(TimePoint until) noexcept final {
    files_.flush();
    if (next_event_ < event_count_) return;  // next() handles the events of the last wait first
    const TimePoint now = adapter_.now();
    adapter_.before_wait(now);
    until = std::min(until, adapter_.next_retry());
    timespec timeout{};
    const bool forever = until == never && !ready();
    if (!ready() && until > now && !forever) {
      const auto length = until - now;
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(length);
      timeout.tv_sec = seconds.count();
      timeout.tv_nsec = static_cast<long>((length - seconds).count());
    }
    ++counters_.waits;
    const long count = static_cast<Kernel&>(*this).poll(forever ? nullptr : &timeout);
    next_event_ = 0;
    if (count == -EBADF) misuse("%s is closed (a child of fork(2) has none)", Kernel::name);
    event_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;  // -EINTR is a wake-up
  }

  Operation* next() noexcept final {
    // If these transfers stayed here until the next wait(), the disk would be idle while the loop
    // works.
    if (files_.wants_flush()) files_.flush();
    while (only_sockets()) {
      if (next_event_ != event_count_) {
        const Step step = take_event(true);
        if (step.finished) return step.finished;
        if (!adapter_.has_runnable()) continue;
      } else if (!adapter_.has_runnable()) {
        return nullptr;
      }
      const Step step = adapter_.perform_next();
      if (step.finished || step.rests) return step.finished;
    }
    return rotation_.next([this](std::size_t source) noexcept { return ask(source); });
  }

  TimePoint next_deadline() const noexcept final {
    const bool at_once = files_.due() || files_.wants_flush() || adapter_.may_serve() ||
                         adapter_.has_runnable() || static_cast<const Kernel&>(*this).unflushed();
    return at_once ? TimePoint() : adapter_.next_retry();
  }
  System& system() noexcept final { return adapter_; }
  long renew() noexcept final {
    if (files_.busy()) return -EBUSY;  // the kernel performs requests of the parent process
    files_.renewed();
    const long result = static_cast<Kernel&>(*this).reopen();
    return result < 0 ? result : adapter_.watch_again();
  }

  static std::unique_ptr<Backend> create(const BackendContext& context, std::string& why_not) {
    auto backend = std::make_unique<Kernel>(context);
    const long result = backend->open();
    if (result == 0) return backend;
    why_not = Kernel::name + (": " + std::string(std::strerror(static_cast<int>(-result))));
    return nullptr;
  }

 protected:
  explicit PollingBackend(const BackendContext& context) noexcept
      : adapter_(*this, context.buffers, context.blocking, context.counters),
        files_(context.blocking, context.counters),
        native_files_(context.options.native_files),
        process_(context.process),
        blocking_(context.blocking),
        counters_(context.counters) {}

  ReadinessAdapter adapter_;
  Files files_;
  const bool native_files_;
  const Process& process_;

 private:
  // Where next() finds finished operations.
  enum Source : std::size_t {
    events,
    sockets,
    starved,
    ended_sockets,
    connections,
    files,
    sources
  };

  // Nearly always two sources alone have something: the events of the last wait, and the operations
  // on the sockets that they name. next() then takes an event and an operation in turn.
  bool only_sockets() const noexcept {
    return !adapter_.has_finished() && !adapter_.may_serve() && !files_.due();
  }
  Step take_event(bool at_once) noexcept {
    return static_cast<Kernel&>(*this).take(next_event_++, at_once);
  }

  Step ask(std::size_t source) noexcept {
    switch (source) {
      case events:
        if (next_event_ == event_count_) return Step::nothing();
        // Takes all events up to one that gives a socket something to do: if each event of a file
        // took a turn, the events behind it would wait.
        while (!take_event(false).worked && next_event_ != event_count_) continue;
        return Step::work(nullptr);
      case sockets:
        return adapter_.has_runnable() ? adapter_.perform_next() : Step::nothing();
      case starved:
        return adapter_.may_serve() ? Step::work(adapter_.serve_starved()) : Step::nothing();
      case ended_sockets:
        return {adapter_.finished()};
      case connections:
        return {adapter_.connected()};
      default:
        return files_.due() ? Step::work(files_.next()) : Step::nothing();
    }
  }
  bool ready() const noexcept {
    return adapter_.has_finished() || adapter_.has_runnable() || files_.due() ||
           adapter_.may_serve();
  }
  void forget(int descriptor) noexcept final { files_.forget(descriptor); }

  BlockingCalls& blocking_;
  Counters& counters_;
  std::size_t next_event_ = 0;
  std::size_t event_count_ = 0;
  Rotation<sources> rotation_;
};

}  // namespace v0
}  // namespace proa
