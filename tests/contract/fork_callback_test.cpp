// fork(2) in a callback: the child lets go of what the callback belongs to (R14).
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <proa/proa.hpp>
#include <proa/stream_filter.hpp>
#include <string>
#include <vector>

#include "contract/file_rig.hpp"
#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// A repeating receive that is destroyed in a child, which its callback has forked.
struct Forking {
  void received(proa::RecvBuffers&, const proa::Result& result) {
    if (result.error || child >= 0) return;
    child = ::fork();
    if (child == 0) own->reset();
  }
  std::unique_ptr<Forking>* own;
  pid_t child = -1;
  proa::On<proa::RecvBuffers, &Forking::received> request{*this};
};

TEST_CASE("R14: a callback forks, and its request is destroyed in the child", "[R14]") {
  auto proactor = make_proactor();
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  std::error_code error;
  auto near = std::make_unique<proa::Socket>(proa::Socket::adopt(*proactor, ends[0], error));
  REQUIRE(!error);
  auto forking = std::make_unique<Forking>();
  forking->own = &forking;
  forking->request.prepare(near->descriptor());
  REQUIRE(!proactor->submit(forking->request));
  REQUIRE(::write(ends[1], "x", 1) == 1);
  while (forking && forking->child < 0) proactor->run_once(5ms);
  if (!forking) ::_exit(0);  // the child, back from its loop
  int status = -1;
  ::waitpid(forking->child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  proactor->cancel(forking->request);
  while (forking->request.pending()) proactor->run_once(5ms);
  near.reset();
  ::close(ends[1]);
}

// Forks in the first callback that asks for that.
struct Fork {
  pid_t child = -1;
  void here() {
    if (child >= 0) return;
    child = ::fork();
    if (child == 0) ::alarm(120);
  }
  bool done() const { return child >= 0; }
  bool is_child() const { return child == 0; }
  // In the parent: whether the child has ended well.
  bool ended_well() const {
    int status = -1;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
};

struct Speaker : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  ~Speaker() override = default;
  std::function<void()> written, closed;
  int writes = 0;
  bool is_closed = false;

 private:
  void on_read(proa::Buffer&) override {}
  void on_write(std::size_t) override {
    ++writes;
    if (written) written();
  }
  void on_error(std::error_code) override {}
  void on_closed() override {
    is_closed = true;
    if (closed) closed();
  }
};

// A stream over one end of a pair; the other end is `far`.
std::unique_ptr<Speaker> speaker(proa::Proactor& proactor, int& far) {
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  far = ends[1];
  std::error_code error;
  auto made = std::make_unique<Speaker>(proactor, proa::Socket::adopt(proactor, ends[0], error));
  REQUIRE(!error);
  return made;
}

TEST_CASE("R14: on_closed() forks while the proactor is destroyed", "[R14]") {
  Fork fork;
  int far[2];
  auto proactor = make_proactor();
  const auto first = speaker(*proactor, far[0]);
  const auto second = speaker(*proactor, far[1]);
  first->closed = [&] { fork.here(); };
  proactor->poll();
  proactor.reset();
  if (fork.is_child()) ::_exit(0);
  CHECK(fork.ended_well());
  CHECK(second->is_closed);
  for (const int each : far) ::close(each);
}

TEST_CASE("R14: what a handler remembers is for the parent, when its on_closed() forks", "[R14]") {
  struct Filed : proa::FileHandler {
    using FileHandler::FileHandler;
    ~Filed() override = default;
    std::function<void()> opened, closed;
    void on_open() override {
      if (opened) opened();
    }
    void on_error(std::error_code) override {}
    void on_closed() override {
      if (closed) closed();
    }
  };
  Fork fork;
  int far = -1;
  int opened = 0;
  auto proactor = make_proactor();
  auto stream = speaker(*proactor, far);
  auto file = std::make_unique<Filed>(*proactor);
  file->opened = [&] { ++opened; };
  file->open("/dev/null", proa::OpenFlags::read);
  while (opened == 0) proactor->run_once(5ms);
  const bool of_stream = GENERATE(true, false);
  if (of_stream) {
    stream->closed = [&] { fork.here(); };
    stream->close();
    stream->connect(proa::Address::unix_path("/nowhere/at/all"));
  } else {
    file->closed = [&] { fork.here(); };
    file->close();
    file->open("/dev/null", proa::OpenFlags::read);
  }
  while (!fork.done()) proactor->run_once(5ms);
  if (!fork.is_child()) CHECK(fork.ended_well());
  if (!fork.is_child() && !of_stream) {
    while (opened == 1) proactor->run_once(5ms);
  }
  stream->closed = file->closed = {};
  if (fork.is_child()) {
    stream.reset();
    file.reset();
    proactor.reset();
    ::_exit(0);
  }
  proactor->shutdown(10s);
  ::close(far);
}

struct Words : proa::StreamFilter {
  explicit Words(int& said) : finished(said) {}
  ~Words() override = default;
  void on_received(proa::Buffer data) noexcept override { give(std::move(data)); }
  void on_written(proa::Buffer data) noexcept override { send(std::move(data)); }
  void on_finished() noexcept override {
    ++finished;
    send_end();
  }
  int& finished;
};

TEST_CASE("R14: on_write() forks: the child hears of no other write, and neither does its filter",
          "[R14]") {
  Fork fork;
  int far = -1;
  int finished = 0;
  auto proactor = make_proactor();
  auto stream = speaker(*proactor, far);
  stream->set_filter(std::make_unique<Words>(finished));
  stream->written = [&] { fork.here(); };
  for (int i = 0; i < 3; ++i) stream->write("x");
  stream->half_close();
  while (!fork.done()) proactor->run_once(5ms);
  if (fork.is_child()) {
    const bool told_once = stream->writes == 1 && finished == 0;
    stream.reset();
    proactor.reset();
    ::_exit(told_once ? 0 : 1);
  }
  CHECK(fork.ended_well());
  while (finished == 0) proactor->run_once(5ms);
  CHECK(stream->writes == 3);
  stream->written = {};
  proactor->shutdown(10s);
  ::close(far);
}

struct Quiet : proa::StreamHandler {
  using StreamHandler::StreamHandler;
  ~Quiet() override = default;
  void on_read(proa::Buffer&) override {}
  void on_closed() override { delete this; }
};

TEST_CASE("R14: a server's factory forks, and the child serves nobody", "[R14]") {
  Fork fork;
  auto proactor = make_proactor();
  auto server = std::make_unique<proa::Server<Quiet>>(
      *proactor, [&](proa::Socket socket, const proa::Address&) {
        auto* const made = new Quiet(*proactor, std::move(socket));
        fork.here();
        return made;
      });
  server->set_limit(1);
  REQUIRE(!server->listen("127.0.0.1:0"));
  const int client = plain_socket(AF_INET, SOCK_STREAM);
  REQUIRE(plain_connect(client, server->addresses().at(0)));
  while (!fork.done()) proactor->run_once(5ms);
  if (fork.is_child()) {
    server.reset();
    proactor.reset();
    ::_exit(0);
  }
  CHECK(fork.ended_well());
  CHECK(server->live() == 1);
  proactor->shutdown(10s);
  ::close(client);
}

TEST_CASE("R14: on_accept() forks behind finish(): the parent takes what waits", "[R14]") {
  struct Door : proa::AcceptHandler {
    using AcceptHandler::AcceptHandler;
    ~Door() override = default;
    std::function<void()> then;
    int accepted = 0;
    bool closed = false;
    void on_accept(proa::Socket, const proa::Address&) override {
      ++accepted;
      then();
    }
    void on_error(std::error_code) override {}
    void on_closed() override { closed = true; }
  };
  Fork fork;
  auto proactor = make_proactor();
  auto door = std::make_unique<Door>(*proactor);
  // The first may come by an Accept, the others by finish(). The parent goes on when the child has
  // ended, so that what the child took would be missing.
  bool well = false;
  door->then = [&] {
    if (door->accepted != 2) return;
    fork.here();
    if (!fork.is_child()) well = fork.ended_well();
  };
  REQUIRE(!door->listen(proa::Address::loopback(0)));
  int clients[3];
  for (int& client : clients) {
    client = plain_socket(AF_INET, SOCK_STREAM);
    REQUIRE(plain_connect(client, door->address()));
  }
  door->finish();
  while (!fork.done()) proactor->run_once(5ms);
  if (fork.is_child()) {
    const bool told_no_more = door->accepted == 2;
    door.reset();
    proactor.reset();
    ::_exit(told_no_more ? 0 : 1);
  }
  CHECK(well);
  while (!door->closed) proactor->run_once(5ms);
  CHECK(door->accepted == 3);
  for (const int client : clients) ::close(client);
}

// The kernel or a worker has opened the file, and the loop has not heard of that yet.
TEST_CASE("R14: a handler whose file is being opened may outlive the proactor in a child",
          "[R14]") {
  if (!on_linux) return;  // looks into /proc
  struct Opening : proa::FileHandler {
    using FileHandler::FileHandler;
    ~Opening() override = default;
    std::function<void()> opened;
    void on_open() override { opened(); }
    void on_error(std::error_code) override {}
  };
  const Folder folder;
  const std::string path = folder.file("b", "bytes");
  const auto is_open_here = [&] {
    for (int number = 0; number < 1000; ++number) {
      char name[4096];
      const std::string link = "/proc/self/fd/" + std::to_string(number);
      const ssize_t size = ::readlink(link.c_str(), name, sizeof name);
      if (size > 0 && std::string(name, static_cast<std::size_t>(size)) == path) return true;
    }
    return false;
  };
  Fork fork;
  auto proactor = make_proactor();
  auto first = std::make_unique<Opening>(*proactor);
  auto second = std::make_unique<Opening>(*proactor);
  second->opened = [] {};
  first->opened = [&] {
    while (!is_open_here()) continue;
    fork.here();
  };
  first->open(folder.file("a", "bytes"), proa::OpenFlags::read);
  second->open(path, proa::OpenFlags::read);
  while (!fork.done()) proactor->run_once(5ms);
  if (fork.is_child()) {
    proactor.reset();
    first.reset();
    second.reset();
    ::_exit(0);
  }
  CHECK(fork.ended_well());
  proactor->shutdown(10s);
}

TEST_CASE("R14: a socket that is released in a child keeps the mode that the parent needs",
          "[R14]") {
  int ends[2];
  REQUIRE(plain_pair(ends));
  auto proactor = make_proactor();
  std::error_code error;
  proa::Socket socket = proa::Socket::adopt(*proactor, ends[0], error);
  REQUIRE(!error);
  // The child takes a proactor over that was never run, and lets go of one that was.
  const bool runs = GENERATE(true, false);
  if (runs) proactor->poll();
  Fork fork;
  fork.here();
  if (fork.is_child()) {
    proa::Socket other;
    int others[2];
    if (!runs && plain_pair(others)) other = proa::Socket::adopt(*proactor, others[0], error);
    static_cast<void>(socket.release());
    ::_exit(error ? 1 : 0);
  }
  CHECK(fork.ended_well());
  CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) != 0);
  CHECK(socket.release().number == ends[0]);
  CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);
  for (const int end : ends) ::close(end);
}

}  // namespace
