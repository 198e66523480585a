#include "contender.hpp"

#include "arguments.hpp"
#include "own_folder.hpp"
#include "run_program.hpp"

namespace bench {
namespace {

std::string version_of(const std::string& program) {
  std::string text = output_of(program + " -V");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Contender to_contender(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == std::string::npos || text.find("%p") == std::string::npos) {
    bad_usage("'" + text + "' is not of the form NAME=COMMAND with %p for the port");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

Contender ours(const std::string& program, const std::string& backend, const std::string& options) {
  return {"proa " + backend, built(program) + " --backend " + backend + options, "ours", backend,
          version_of(built("tcp_server"))};
}

Group both_ours(const std::string& program, const std::string& options) {
  Group group;
  for (const std::string backend : {"epoll", "uring"}) {
    group.push_back({"proa " + backend, built(program) + " -b " + backend + options, "ours",
                     backend, version_of(built("tcp_server"))});
  }
  return group;
}

Contender floor(const std::string& program, const std::string& backend,
                const std::string& options) {
  return {program, built("peers/" + program) + options, "floor", backend};
}

void add_peer(Group& group, const std::string& name, const std::string& program,
              const std::string& backend, const std::string& options) {
  if (!is_built("peers/" + program)) return;
  const std::string path = built("peers/" + program);
  group.push_back({name, path + options, "peer", backend, version_of(path)});
}

Group epoll_servers(const std::string& options) {
  const std::string all = " -p %p" + options;
  Group group{floor("raw_epoll", "epoll", all), ours("tcp_server", "epoll", all)};
  add_peer(group, "Asio", "asio_echo", "epoll", all);
  add_peer(group, "libuv", "libuv_echo", "epoll", all);
  add_peer(group, "libevent", "libevent_echo", "epoll", all);
  add_peer(group, "libev", "libev_echo", "epoll", all);
  return group;
}

Group uring_servers(const std::string& options) {
  const std::string all = " -p %p" + options;
  Group group{floor("raw_uring", "uring", all), ours("tcp_server", "uring", all)};
  add_peer(group, "Asio io_uring", "asio_uring_echo", "uring", all);
  return group;
}

}  // namespace bench
