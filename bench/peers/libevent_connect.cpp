// The client of `compare connect` as a user of libevent would write it: a bufferevent per
// connection.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/tcp.h>

#include "../connect_load.hpp"

namespace {

bench::ConnectLoad* load;
event_base* base;

void open();

void end(bufferevent* stream) {
  bufferevent_free(stream);
  open();
}

void received(bufferevent* stream, void*) {
  if (evbuffer_get_length(bufferevent_get_input(stream)) < load->kSize) return;
  char answer[bench::ConnectLoad::kSize];
  load->compare(answer, bufferevent_read(stream, answer, sizeof answer), 0);
  load->done(bufferevent_getfd(stream));
  end(stream);
}

void happened(bufferevent* stream, short what, void*) {
  if ((what & BEV_EVENT_CONNECTED) == 0) return end(stream);
  const int one = 1;
  setsockopt(bufferevent_getfd(stream), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  bufferevent_write(stream, load->message(), load->kSize);
}

void open() {
  if (!load->next()) return;
  bufferevent* const stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_setcb(stream, received, nullptr, happened, nullptr);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
  sockaddr_in address = load->address();
  bufferevent_socket_connect(stream, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libevent %s", event_get_version());
  bench::ConnectLoad own(argc, argv, version);
  load = &own;
  base = event_base_new();
  for (std::size_t i = 0; i < own.kAtOnce; ++i) open();
  event_base_dispatch(base);
  return own.report();
}
