// The floor of `compare connect`: bare calls and level-triggered epoll.
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <cerrno>

#include "../connect_load.hpp"

namespace {

struct Peer {
  int descriptor = -1;
  bool connected = false;
  std::size_t received = 0;
};

int epoll = -1;

void watch(int operation, Peer& peer, unsigned events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &peer;
  epoll_ctl(epoll, operation, peer.descriptor, &event);
}

bool open(bench::ConnectLoad& load, Peer& peer) {
  if (!load.next()) return false;
  peer = {socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), false, 0};
  const int one = 1;
  setsockopt(peer.descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const sockaddr_in address = load.address();
  if (connect(peer.descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
      errno != EINPROGRESS) {
    std::perror("connect");
    std::exit(1);
  }
  watch(EPOLL_CTL_ADD, peer, EPOLLOUT);
  return true;
}

/// False when the connection is done with.
bool advance(bench::ConnectLoad& load, Peer& peer) {
  if (!peer.connected) {
    peer.connected = true;
    watch(EPOLL_CTL_MOD, peer, EPOLLIN);
    return send(peer.descriptor, load.message(), load.kSize, MSG_NOSIGNAL) ==
           static_cast<ssize_t>(load.kSize);
  }
  char answer[bench::ConnectLoad::kSize];
  const ssize_t length = recv(peer.descriptor, answer, sizeof answer, 0);
  if (length <= 0) return false;
  load.compare(answer, static_cast<std::size_t>(length), peer.received);
  peer.received += static_cast<std::size_t>(length);
  if (peer.received < load.kSize) return true;
  load.done(peer.descriptor);
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  bench::ConnectLoad load(argc, argv, "");
  epoll = epoll_create1(EPOLL_CLOEXEC);
  Peer peers[bench::ConnectLoad::kAtOnce];
  std::size_t open_peers = 0;
  for (Peer& peer : peers) open_peers += open(load, peer) ? 1 : 0;
  while (open_peers > 0) {
    epoll_event events[bench::ConnectLoad::kAtOnce];
    const int ready = epoll_wait(epoll, events, bench::ConnectLoad::kAtOnce, -1);
    for (int i = 0; i < ready; ++i) {
      Peer& peer = *static_cast<Peer*>(events[i].data.ptr);
      if (advance(load, peer)) continue;
      close(peer.descriptor);
      if (!open(load, peer)) --open_peers;
    }
  }
  return load.report();
}
