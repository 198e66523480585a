// An echo server as a user of libuv would write it: what arrives is written at once as far as that
// goes; only a rest that the socket does not take is copied and written later.
#include <uv.h>

#include <cstdlib>
#include <cstring>

#include "floor.hpp"

namespace {

struct Peer {
  uv_tcp_t socket;
  floor_server::Answer answer;
};

struct Rest {
  uv_write_t request;
  char* bytes;
};

uv_loop_t* loop;
bool sink = false;
char shared[65536];

void closed(uv_handle_t* handle) { delete static_cast<Peer*>(handle->data); }
void end(uv_stream_t* stream) {
  auto* const handle = reinterpret_cast<uv_handle_t*>(stream);
  if (!uv_is_closing(handle)) uv_close(handle, closed);
}

void lend(uv_handle_t*, std::size_t, uv_buf_t* buffer) {
  *buffer = uv_buf_init(shared, sizeof shared);
}

void written(uv_write_t* request, int status) {
  auto* const rest = static_cast<Rest*>(request->data);
  if (status < 0) end(request->handle);
  std::free(rest->bytes);
  delete rest;
}

void write_later(uv_stream_t* stream, const char* bytes, std::size_t length) {
  auto* const rest = new Rest{};
  rest->request.data = rest;
  rest->bytes = static_cast<char*>(std::malloc(length));
  std::memcpy(rest->bytes, bytes, length);
  const uv_buf_t buffer = uv_buf_init(rest->bytes, static_cast<unsigned>(length));
  uv_write(&rest->request, stream, &buffer, 1, written);
}

void received(uv_stream_t* stream, ssize_t result, const uv_buf_t* buffer) {
  if (result < 0) return end(stream);
  auto* const peer = static_cast<Peer*>(stream->data);
  const std::size_t length = peer->answer.length(static_cast<std::size_t>(result));
  if (length == 0) return;
  const uv_buf_t part = uv_buf_init(buffer->base, static_cast<unsigned>(length));
  const int sent = uv_try_write(stream, &part, 1);
  if (sent < 0 && sent != UV_EAGAIN) return end(stream);
  const std::size_t done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (done < length) write_later(stream, buffer->base + done, length - done);
}

void connected(uv_stream_t* listener, int status) {
  if (status < 0) return;
  auto* const peer = new Peer{{}, floor_server::Answer(sink)};
  uv_tcp_init(loop, &peer->socket);
  peer->socket.data = peer;
  auto* const stream = reinterpret_cast<uv_stream_t*>(&peer->socket);
  if (uv_accept(listener, stream) < 0) return end(stream);
  uv_tcp_nodelay(&peer->socket, 1);
  uv_read_start(stream, lend, received);
}

void check(const char* what, int result) {
  if (result >= 0) return;
  std::fprintf(stderr, "libuv_echo: %s: %s\n", what, uv_strerror(result));
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libuv %s", uv_version_string());
  const auto arguments = floor_server::to_arguments(argc, argv, version);
  sink = arguments.sink;
  loop = uv_default_loop();
  uv_tcp_t listener;
  uv_tcp_init(loop, &listener);
  sockaddr_in address{};
  uv_ip4_addr("127.0.0.1", arguments.port, &address);
  check("bind", uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0));
  check("listen", uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, connected));
  uv_run(loop, UV_RUN_DEFAULT);
}
