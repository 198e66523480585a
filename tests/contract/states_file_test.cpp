// Every verb of a file's handler in every state has one outcome: that of its table in
// docs/STATES.md.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <proa/file_handler.hpp>
#include <string>

#include "states_rig.hpp"
#include "states_tables.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

class FileDriver final : public Driven<proa::FileHandler> {
 public:
  explicit FileDriver(World& world)
      : Driven(world), path_("/tmp/proa-test-states-" + std::to_string(::getpid())) {
    std::ofstream(path_) << "abc";
  }
  ~FileDriver() override { ::unlink(path_.c_str()); }

  void enter(World& world, const std::string& state) override {
    if (state == "idle" || state == "shut down") return;
    const bool fails = state == "a write failed";
    open(state == "open failed" ? "/nonexistent/proa" : path_, fails ? OpenFlags::read : flags);
    if (state == "opening") {
      due = {"on_open()"};
      return;
    }
    world.run_until("it is open, or not", [&] { return !heard.empty(); });
    if (state == "cut") {
      write(proa::Bytes(nullptr, 1));
      world.run_until("the write was refused", [&] { return heard.size() == 2; });
    } else if (fails) {
      write("x");
      world.run_until("the write failed", [&] { return heard.size() == 2; });
    } else if (state == "finishing") {
      write("x");
      finish();
      due = {"on_write()", "on_drained()", "on_closed()"};
    } else if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }
  void call(World&, const std::string& verb) override {
    if (verb.find("start_reading()") == 0) start_reading();
    if (verb == "stop_reading()") {
      start_reading();
      stop_reading();
    }
    if (verb.find("open()") != std::string::npos) open(path_, flags);
    if (verb.find("set_write_position()") == 0) set_write_position(1);
    const bool writes = verb.find("write()") != std::string::npos;
    if (verb == "write() of no buffer") {
      write(proa::Buffer());
    } else if (verb == "set_watermarks() raised above a write()") {
      due.push_back("on_write()");
      set_watermarks({1, 0});
      write("x");
      set_watermarks({});
    } else if (writes) {
      write("x");
    }
    if (verb == "set_watermarks() with low above high") set_watermarks({0, 1});
    if (verb == "sync()") sync();
    if (verb == "set_watermarks()") set_watermarks({});
    if (verb == "finish()") finish();
    if (verb == "close()") close();
  }

 private:
  static constexpr OpenFlags flags = OpenFlags::read | OpenFlags::write;

  void on_open() override { hear("on_open()"); }
  void on_read(proa::Buffer&) override { hear("on_read()"); }
  void on_end() override { hear("on_end()"); }
  void on_write(std::size_t) override { hear("on_write()"); }
  void on_synced() override { hear("on_synced()"); }
  void on_drained() override { hear("on_drained()"); }

  const std::string path_;
};

TEST_CASE("each verb of a file's handler in each state does what its table says",
          "[R6][file][states]") {
  check_states(file_states, making<FileDriver>());
}

// Whatever was asked for while a handler closes.
TEST_CASE("an open() while it closes begins behind on_closed(), the last one counts",
          "[R6][file]") {
  struct Again : Driven<proa::FileHandler> {
    using Driven::Driven;
    std::function<void()> closed;
    void on_open() override { hear("on_open()"); }
    void on_closed() override {
      Driven::on_closed();
      if (const auto then = closed) then();  // a copy: it may destroy the handler
    }
    void enter(World&, const std::string&) override {}
    void call(World&, const std::string&) override {}
  };
  World world;
  auto handler = std::make_unique<Again>(world);
  const bool opening = GENERATE(true, false);
  handler->open(opening ? "/dev/null" : "/proa-no-such-file", OpenFlags::read);
  if (!opening) world.run_until("it failed", [&] { return handler->heard.size() == 1; });
  handler->heard.clear();
  handler->Driven::close();
  handler->open("/proa-no-such-file", OpenFlags::read);
  handler->open("/dev/null", OpenFlags::read);
  Heard expected{"on_closed()", "on_open()"};
  SECTION("as asked") {}
  SECTION("close() forgets it") {
    handler->Driven::close();
    expected = {"on_closed()"};
  }
  SECTION("what on_closed() opens comes first") {
    handler->closed = [&] { handler->open("/proa-no-such-file", OpenFlags::read); };
    expected = {"on_closed()", "on_error(no_such_file_or_directory)"};
  }
  SECTION("on_closed() destroys it") {
    bool gone = false;
    handler->closed = [&] {
      handler.reset();
      gone = true;
    };
    world.run_until("it is gone", [&] { return gone; });
    CHECK(world->run() == 0);
    return;
  }
  world.run_until("all of it came", [&] { return handler->heard.size() == expected.size(); });
  for (int i = 0; i < 5; ++i) world.turn();
  CHECK(handler->heard == expected);
  handler->closed = {};
  handler->Driven::close();
  world.run_until("it is idle", [&] { return handler->idle(); });
}

}  // namespace
