// Every verb of a stream in every state has one outcome: that of its table in docs/STATES.md.
#include <unistd.h>

#include <fstream>
#include <memory>
#include <proa/file.hpp>
#include <proa/stream_filter.hpp>
#include <proa/stream_handler.hpp>
#include <string>
#include <utility>

#include "states_rig.hpp"
#include "states_tables.hpp"

namespace {

using namespace proa_test;

// A filter that changes nothing.
struct Passing final : proa::StreamFilter {
  void on_received(proa::Buffer data) noexcept override { give(std::move(data)); }
  void on_written(proa::Buffer data) noexcept override { send(std::move(data)); }
};

class StreamDriver final : public Driven<proa::StreamHandler> {
 public:
  explicit StreamDriver(World& world)
      : Driven(world),
        path_("/tmp/proa-test-states-stream-" + std::to_string(::getpid())),
        listener_(world.listen()) {
    std::ofstream(path_) << "abc";
    std::error_code error;
    file_ =
        proa::File::open(*world, path_, proa::OpenFlags::read | proa::OpenFlags::write, 0, error);
    REQUIRE(!error);
  }
  ~StreamDriver() override { ::unlink(path_.c_str()); }

  void enter(World& world, const std::string& state) override {
    if (state == "idle" || state == "shut down") return;
    if (state == "connect failed") {
      Socket& nobody = world.listen();
      connect(nobody.local_address());
      nobody.close();
      world.run_until("it failed", [&] { return !heard.empty(); });
      return;
    }
    connect(listener_.local_address());
    due = {"on_open()"};
    if (state == "connecting") return;
    world.run_until("it is open", [&] { return !heard.empty(); });
    accept(world);
    due = {};
    if (state == "cut") {
      write(proa::Buffer());
      world.run_until("the refusal was told", [&] { return heard.size() == 2; });
    } else if (state == "half closed") {
      half_close();
      world.run_until("the peer saw the end", [&] { return far_->ended(); });
    } else if (state == "the peer has ended") {
      start_reading();
      far_->half_close();
      world.run_until("the end was told", [&] { return heard.size() == 2; });
    } else if (state == "finishing") {
      finish();
      due = {"on_closed()"};
    } else if (state == "broken") {
      start_reading();
      far_->reset();
      world.run_until("the reset was told", [&] { return heard.size() == 2; });
    } else if (state == "closing") {
      close();
      due = {"on_closed()"};
    }
  }

  void call(World& world, const std::string& verb) override {
    const auto begins = [&](const char* with) { return verb.find(with) == 0; };
    const bool connects = verb.find("connect()") != std::string::npos;
    if (begins("start_reading()")) start_reading();
    if (verb == "write() of no buffer") {
      write(proa::Buffer());
    } else if (begins("write()")) {
      write("x");
    }
    if (connects) connect(listener_.local_address());
    if (verb == "stop_reading()") {
      start_reading();
      stop_reading();
    }
    if (verb == "send_file()") send_file(file_.descriptor(), 0, 3);
    if (verb == "receive_file()") receive_file(file_.descriptor(), 0, 3);
    if (verb == "half_close()") half_close();
    if (verb == "finish()") finish();
    if (verb == "close()") close();
    if (verb == "set_read_timeout()") set_read_timeout(hang);
    if (verb == "set_idle_timeout()") set_idle_timeout(hang);
    if (verb == "set_read_timeout(0)") set_read_timeout(0s);
    if (verb == "set_idle_timeout(0)") set_idle_timeout(0s);
    if (verb == "set_watermarks()") set_watermarks({});
    if (verb == "set_filter()") set_filter(std::make_unique<Passing>());
    if (verb == "set_watermarks() raised above a write()") {
      due.push_back("on_write()");
      set_watermarks({1, 0});
      write("x");
      set_watermarks({});
    }
    if (verb == "set_watermarks() with low above high") set_watermarks({0, 1});
    if (!is_open() || closing()) return;
    if (!far_ && (connects || (!due.empty() && due[0] == "on_open()"))) accept(world);
    if (!far_ || !far_->open()) return;
    if (begins("start_reading()") || begins("stop_reading()") || begins("receive_file()")) {
      far_->send("abc");
    }
    if (begins("finish()")) far_->half_close();
  }

 private:
  void accept(World& world) {
    proa::Descriptor accepted;
    world.run_until("a connection came", [&] {
      return world.system().accept(listener_.descriptor(), accepted, nullptr) == 0;
    });
    far_ = &world.peer(Socket(world.system(), accepted));
  }
  void on_open() override { hear("on_open()"); }
  void on_read(proa::Buffer&) override { hear("on_read()"); }
  void on_write(std::size_t) override { hear("on_write()"); }
  void on_received(std::uint64_t) override { hear("on_received()"); }
  void on_end() override { hear("on_end()"); }
  void on_drained() override { hear("on_drained()"); }

  using Socket = proa::Socket;
  const std::string path_;
  Socket& listener_;
  proa::File file_;
  Peer* far_ = nullptr;
};

TEST_CASE("each verb of a stream in each state does what its table says", "[R6][stream][states]") {
  check_states(stream_states, making<StreamDriver>());
}

}  // namespace
