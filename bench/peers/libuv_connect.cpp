// The client of `compare connect` as a user of libuv would write it.
#include <uv.h>

#include "../connect_load.hpp"

namespace {

bench::ConnectLoad* load;

struct Client {
  uv_tcp_t socket;
  uv_connect_t request;
  std::size_t received;
  char answer[bench::ConnectLoad::kSize];
};

void open(Client* client);

uv_stream_t* stream_of(Client* client) { return reinterpret_cast<uv_stream_t*>(&client->socket); }

void end(Client* client) {
  uv_close(reinterpret_cast<uv_handle_t*>(&client->socket),
           [](uv_handle_t* handle) { open(static_cast<Client*>(handle->data)); });
}

void received(uv_stream_t* stream, ssize_t length, const uv_buf_t*) {
  auto* const client = static_cast<Client*>(stream->data);
  if (length < 0) return end(client);
  load->compare(client->answer, static_cast<std::size_t>(length), client->received);
  client->received += static_cast<std::size_t>(length);
  if (client->received < load->kSize) return;
  int descriptor = -1;
  uv_fileno(reinterpret_cast<uv_handle_t*>(stream), &descriptor);
  load->done(descriptor);
  end(client);
}

void connected(uv_connect_t* request, int status) {
  auto* const client = static_cast<Client*>(request->data);
  if (status < 0) return end(client);
  uv_tcp_nodelay(&client->socket, 1);
  uv_buf_t message = uv_buf_init(const_cast<char*>(load->message()), load->kSize);
  if (uv_try_write(stream_of(client), &message, 1) != static_cast<int>(load->kSize)) {
    return end(client);
  }
  const auto lend = [](uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* const own = static_cast<Client*>(handle->data);
    *buffer = uv_buf_init(own->answer, sizeof own->answer);
  };
  uv_read_start(stream_of(client), lend, received);
}

void open(Client* client) {
  if (!load->next()) return;
  uv_tcp_init(uv_default_loop(), &client->socket);
  client->socket.data = client;
  client->request.data = client;
  client->received = 0;
  const sockaddr_in address = load->address();
  uv_tcp_connect(&client->request, &client->socket, reinterpret_cast<const sockaddr*>(&address),
                 connected);
}

}  // namespace

int main(int argc, char** argv) {
  char version[32];
  std::snprintf(version, sizeof version, "libuv %s", uv_version_string());
  bench::ConnectLoad own(argc, argv, version);
  load = &own;
  Client clients[bench::ConnectLoad::kAtOnce];
  for (Client& client : clients) open(&client);
  uv_run(uv_default_loop(), UV_RUN_DEFAULT);
  return own.report();
}
