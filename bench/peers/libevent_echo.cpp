// An echo server as a user of libevent would write it: a bufferevent per connection, whose input
// becomes its output without a copy.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "floor.hpp"

namespace {

struct Peer {
  floor_server::Answer answer;
};

bool sink = false;

void end(bufferevent* stream, Peer* peer) {
  bufferevent_free(stream);
  delete peer;
}

void received(bufferevent* stream, void* context) {
  evbuffer* const input = bufferevent_get_input(stream);
  if (!sink) {
    bufferevent_write_buffer(stream, input);
    return;
  }
  const std::size_t length = evbuffer_get_length(input);
  const std::size_t answered = static_cast<Peer*>(context)->answer.length(length);
  if (answered > 0) evbuffer_remove_buffer(input, bufferevent_get_output(stream), answered);
  evbuffer_drain(input, length - answered);
}

void ended(bufferevent* stream, short what, void* context) {
  if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) end(stream, static_cast<Peer*>(context));
}

void accepted(evconnlistener* listener, evutil_socket_t socket, sockaddr*, int, void*) {
  floor_server::no_delay(socket);
  bufferevent* const stream =
      bufferevent_socket_new(evconnlistener_get_base(listener), socket, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(stream, received, nullptr, ended, new Peer{floor_server::Answer(sink)});
  bufferevent_enable(stream, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libevent %s", event_get_version());
  const auto arguments = floor_server::to_arguments(argc, argv, version);
  sink = arguments.sink;
  event_base* const base = event_base_new();
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(arguments.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const evconnlistener* const listener = evconnlistener_new_bind(
      base, accepted, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
      4096, reinterpret_cast<sockaddr*>(&address), sizeof address);
  if (listener == nullptr) floor_server::die("cannot listen", errno);
  event_base_dispatch(base);
}
