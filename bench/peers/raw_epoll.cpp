// The floor of an epoll echo server: the least code that does the job, so that `compare` can say
// what the library on top of the system calls costs. Level-triggered epoll, one recv and one send
// per request, one thread, one shared buffer: 2 system calls per request and one epoll_wait for all
// sockets that are ready. A peer that does not read until its socket buffer is full is dropped:
// keeping the rest would be a library's work.
#include <sys/epoll.h>

#include <vector>

#include "floor.hpp"

using namespace floor_server;

namespace {

char buffer[65536];
epoll_event events[1024];
bool sink = false;
std::vector<Answer> answers;  // by descriptor

void watch(int epoll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) < 0) die("epoll_ctl", errno);
}

void accept_all(int epoll, int listener) {
  for (;;) {
    const int peer = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer >= 0) {
      no_delay(peer);
      if (sink) answers.at(static_cast<std::size_t>(peer)) = Answer(true);
      watch(epoll, peer);
    } else if (errno == EAGAIN) {
      return;
    } else if (!is_peers_fault(errno)) {
      die("accept", errno);
    }
  }
}

void echo(int peer) {
  const ssize_t received = recv(peer, buffer, sizeof buffer, 0);
  if (received > 0) {
    auto length = static_cast<std::size_t>(received);
    if (sink) {
      length = answers[static_cast<std::size_t>(peer)].length(length);
      if (length == 0) return;
    }
    if (send(peer, buffer, length, MSG_NOSIGNAL) == static_cast<ssize_t>(length)) return;
  } else if (received < 0 && errno == EAGAIN) {
    return;
  }
  close(peer);  // end of stream, an error, or a send that took only a part
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = to_arguments(argc, argv);
  sink = arguments.sink;
  if (sink) answers.resize(descriptor_limit());
  const int listener = listen_on_loopback(arguments.port, SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1", errno);
  watch(epoll, listener);
  for (;;) {
    const int ready = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.fd == listener) {
        accept_all(epoll, listener);
      } else {
        echo(events[i].data.fd);
      }
    }
  }
}
