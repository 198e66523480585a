#pragma once

// A FileHandler whose callbacks are noted, and, where a test sets one, replaced.

#include <sys/resource.h>

#include <functional>
#include <list>
#include <proa/file_handler.hpp>
#include <string>
#include <utility>
#include <vector>

#include "contract/file_rig.hpp"
#include "support/patterns.hpp"

namespace proa_test {

using Events = std::vector<std::string>;

class Filing : public proa::FileHandler {
 public:
  explicit Filing(proa::Proactor& proactor) : FileHandler(proactor) {}
  Filing(proa::Proactor& proactor, proa::File file) : FileHandler(proactor, std::move(file)) {}

  // In place of what the handler would do; each callback is noted first.
  std::function<void()> opened, drained, ended, synced, closed;
  std::function<void(proa::Buffer&)> read;
  std::function<void(std::size_t)> written;
  std::function<void(std::error_code)> failed;

  // What happened, in order. Consecutive reads and writes are noted once.
  Events events;
  std::size_t count(const std::string& event) const {
    std::size_t number = 0;
    for (const std::string& each : events) number += each == event;
    return number;
  }
  bool saw(const std::string& event) const { return count(event) > 0; }
  bool is_closed() const { return saw("closed"); }

  std::string received;
  std::size_t reads = 0;
  std::vector<std::size_t> writes;  // what on_write() said
  std::size_t syncs = 0;
  std::error_code error;  // the last one

 protected:
  void on_open() override {
    events.push_back("open");
    if (opened) opened();
  }
  void on_read(proa::Buffer& data) override {
    note("read");
    ++reads;
    received.append(data.text());
    if (read) read(data);
  }
  void on_end() override {
    events.push_back("end");
    ended ? ended() : FileHandler::on_end();
  }
  void on_write(std::size_t bytes) override {
    note("write");
    writes.push_back(bytes);
    if (written) written(bytes);
  }
  void on_drained() override {
    events.push_back("drained");
    if (drained) drained();
  }
  void on_synced() override {
    note("synced");
    ++syncs;
    if (synced) synced();
  }
  void on_error(std::error_code code) override {
    events.push_back("error");
    error = code;
    failed ? failed(code) : FileHandler::on_error(code);
  }
  void on_closed() override {
    events.push_back("closed");
    if (closed) closed();
  }

 private:
  void note(const char* event) {
    if (events.empty() || events.back() != event) events.push_back(event);
  }
};

// Declare it before the World, whose end closes what is still open.
class Filings {
 public:
  template <class... Arguments>
  Filing& add(Arguments&&... arguments) {
    return all_.emplace_back(std::forward<Arguments>(arguments)...);
  }

 private:
  std::list<Filing> all_;
};

inline void wait_closed(World& world, Filing& filing) {
  world.run_until("the file is closed", [&] { return filing.is_closed(); });
}
inline void wait_for(World& world, Filing& filing, const std::string& event) {
  world.run_until(event, [&] { return filing.saw(event); });
}

// Files end there while it lives.
struct FileSizeLimit {
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before); }
  rlimit before{};
};

constexpr proa::OpenFlags read_write =
    proa::OpenFlags::read | proa::OpenFlags::write | proa::OpenFlags::create;

}  // namespace proa_test
