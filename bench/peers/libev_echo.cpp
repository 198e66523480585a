// An echo server as a user of libev would write it: libev only tells when a socket is ready, recv
// and send are the program's own. A rest that the socket does not take is kept, and nothing is read
// until it has gone.
#include <ev.h>

#include <string>

#include "floor.hpp"

namespace {

struct Peer {
  ev_io watcher;
  floor_server::Answer answer;
  std::string rest;
};

bool sink = false;
char buffer[65536];

void end(struct ev_loop* loop, Peer* peer) {
  ev_io_stop(loop, &peer->watcher);
  close(peer->watcher.fd);
  delete peer;
}

void wait_for(struct ev_loop* loop, Peer* peer, int what) {
  ev_io_stop(loop, &peer->watcher);
  ev_io_set(&peer->watcher, peer->watcher.fd, what);
  ev_io_start(loop, &peer->watcher);
}

/// How many bytes were sent; negative when the connection is broken.
ssize_t send_some(const Peer* peer, const char* bytes, std::size_t length) {
  const ssize_t sent = send(peer->watcher.fd, bytes, length, MSG_NOSIGNAL);
  return sent < 0 && errno == EAGAIN ? 0 : sent;
}

void send_rest(struct ev_loop* loop, Peer* peer) {
  const ssize_t sent = send_some(peer, peer->rest.data(), peer->rest.size());
  if (sent < 0) return end(loop, peer);
  peer->rest.erase(0, static_cast<std::size_t>(sent));
  if (peer->rest.empty()) wait_for(loop, peer, EV_READ);
}

void receive(struct ev_loop* loop, Peer* peer) {
  const ssize_t received = recv(peer->watcher.fd, buffer, sizeof buffer, 0);
  if (received < 0 && errno == EAGAIN) return;
  if (received <= 0) return end(loop, peer);
  const std::size_t length = peer->answer.length(static_cast<std::size_t>(received));
  if (length == 0) return;
  const ssize_t sent = send_some(peer, buffer, length);
  if (sent < 0) return end(loop, peer);
  const auto done = static_cast<std::size_t>(sent);
  if (done == length) return;
  peer->rest.assign(buffer + done, length - done);
  wait_for(loop, peer, EV_WRITE);
}

void ready(struct ev_loop* loop, ev_io* watcher, int events) {
  auto* const peer = static_cast<Peer*>(watcher->data);
  if (events & EV_WRITE) {
    send_rest(loop, peer);
  } else {
    receive(loop, peer);
  }
}

void accept_all(struct ev_loop* loop, ev_io* listener, int) {
  for (int socket;
       (socket = accept4(listener->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
    floor_server::no_delay(socket);
    auto* const peer = new Peer{{}, floor_server::Answer(sink), {}};
    ev_io_init(&peer->watcher, ready, socket, EV_READ);
    peer->watcher.data = peer;
    ev_io_start(loop, &peer->watcher);
  }
}

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libev %d.%d", ev_version_major(), ev_version_minor());
  const auto arguments = floor_server::to_arguments(argc, argv, version);
  sink = arguments.sink;
  struct ev_loop* const loop = ev_default_loop(0);
  ev_io listener{};
  ev_io_init(&listener, accept_all, floor_server::listen_on_loopback(arguments.port, SOCK_NONBLOCK),
             EV_READ);
  ev_io_start(loop, &listener);
  ev_run(loop, 0);
}
