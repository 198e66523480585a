// EVFILT_SIGNAL of the emulation, by what kevent(2) of FreeBSD says of it, and sigaction() past it.
#include <poll.h>
#include <sys/wait.h>

#include <csignal>

#include "emulation.hpp"
#include "rig.hpp"

using namespace proa_test;

namespace {

volatile std::sig_atomic_t handled = 0;
void handle(int) { handled = handled + 1; }

// The test's own action, put back to what was there.
class Action {
 public:
  explicit Action(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(SIGUSR1, &action, &before_);
    handled = 0;
  }
  ~Action() { ::sigaction(SIGUSR1, &before_, nullptr); }
  Action(const Action&) = delete;
  Action& operator=(const Action&) = delete;

 private:
  struct sigaction before_ {};
};

struct sigaction action_now() {
  struct sigaction action {};
  ::sigaction(SIGUSR1, nullptr, &action);
  return action;
}

}  // namespace

TEST_CASE("signals are counted, and the handler runs all the same", "[kqueue]") {
  const Action action(handle);
  Queue queue;
  REQUIRE(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 7) == 0);
  CHECK(queue.take().empty());
  for (int i = 0; i < 3; ++i) ::raise(SIGUSR1);
  CHECK(handled == 3);
  const Events events = queue.take();
  REQUIRE(events.size() == 1);
  CHECK(events[0].ident == SIGUSR1);
  CHECK(events[0].filter == EVFILT_SIGNAL);
  CHECK(events[0].flags == EV_CLEAR);
  CHECK(events[0].data == 3);
  CHECK(events[0].udata == reinterpret_cast<void*>(7));
  CHECK(queue.take().empty());
  ::raise(SIGUSR1);
  CHECK(queue.take().at(0).data == 1);
}

TEST_CASE("a kqueue is told of a signal before its handler runs", "[kqueue]") {
  static Queue* asked = nullptr;
  static std::size_t told = 0;
  const Action action([](int) { told = asked->take().size(); });
  Queue queue;
  asked = &queue;
  REQUIRE(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
  ::raise(SIGUSR1);
  CHECK(told == 1);
}

TEST_CASE("a signal that is ignored is counted, and every kqueue has its count", "[kqueue]") {
  const Action action(SIG_IGN);
  Queue first, second;
  REQUIRE(first.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
  ::raise(SIGUSR1);
  REQUIRE(second.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
  ::raise(SIGUSR1);
  CHECK(first.take().at(0).data == 2);
  CHECK(second.take().at(0).data == 1);
  CHECK(first.change(SIGUSR1, EVFILT_SIGNAL, EV_DELETE) == 0);
  CHECK(first.change(SIGUSR1, EVFILT_SIGNAL, EV_DELETE) == ENOENT);
  ::raise(SIGUSR1);
  CHECK(first.take().empty());
  CHECK(second.take().size() == 1);
}

TEST_CASE("the program sees and sets its own action while signals are counted", "[kqueue]") {
  const Action action(handle);
  {
    Queue queue;
    REQUIRE(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
    CHECK(action_now().sa_handler == handle);
    CHECK(std::signal(SIGUSR1, SIG_IGN) == handle);
    CHECK(action_now().sa_handler == SIG_IGN);
    ::raise(SIGUSR1);
    CHECK(queue.take().size() == 1);
    std::signal(SIGUSR1, handle);
    ::raise(SIGUSR1);
    CHECK(queue.take().size() == 1);
  }
  CHECK(action_now().sa_handler == handle);
  ::raise(SIGUSR1);
  CHECK(handled == 2);
}

TEST_CASE("a signal that was sent before is not counted, though it is handled", "[kqueue]") {
  const Action action(handle);
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  Queue queue;
  REQUIRE(::pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  ::raise(SIGUSR1);
  CHECK(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(handled == 1);
  CHECK(queue.take().empty());
  ::raise(SIGUSR1);
  CHECK(queue.take().size() == 1);
}

TEST_CASE("signals that nobody can handle are never told of", "[kqueue]") {
  Queue queue;
  CHECK(queue.change(SIGKILL, EVFILT_SIGNAL, EV_ADD) == 0);
  struct sigaction action {};
  action.sa_handler = handle;
  CHECK(::sigaction(SIGKILL, &action, nullptr) == -1);
  CHECK(errno == EINVAL);
  CHECK(queue.change(12'345, EVFILT_SIGNAL, EV_ADD) == 0);
  CHECK(queue.take().empty());
}

TEST_CASE("a child's signals are its own", "[kqueue]") {
  const Action action(handle);
  Queue queue;
  REQUIRE(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::raise(SIGUSR1);
    const bool own = handled == 1;
    const int another = ::kqueue();
    struct kevent event;
    EV_SET(&event, SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0, nullptr);
    const bool added = ::kevent(another, &event, 1, nullptr, 0, nullptr) == 0;
    ::raise(SIGUSR1);
    const timespec at_once{};
    const bool told = ::kevent(another, nullptr, 0, &event, 1, &at_once) == 1 && event.data == 1;
    ::_exit(own && added && told && handled == 2 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  pollfd readable{queue.number, POLLIN, 0};
  CHECK(::poll(&readable, 1, 0) == 0);
  CHECK(queue.take().empty());
}

TEST_CASE("macOS counts no signals that the backend could use", "[kqueue]") {
  Queue queue;
  emulate_macos(true);
  CHECK(queue.change(SIGUSR1, EVFILT_SIGNAL, EV_ADD) == ENOTSUP);
  emulate_macos(false);
}
