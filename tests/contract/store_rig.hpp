#pragma once

// A stream that receives into files.

#include "contract/file_rig.hpp"
#include "contract/stream_rig.hpp"

namespace proa_test {

inline proa::File new_file(World& world, const Folder& folder, const std::string& name = "a") {
  return open_file(world, folder.path(name),
                   proa::OpenFlags::read | proa::OpenFlags::write | proa::OpenFlags::create);
}

// A Stream that notes what on_received() says as an event, and the number.
class Storing : public Stream {
 public:
  using Stream::Stream;
  std::vector<std::uint64_t> stored;
  std::function<void(std::uint64_t)> on_stored;

 private:
  void on_received(std::uint64_t bytes) override {
    events.push_back("stored");
    stored.push_back(bytes);
    if (on_stored) on_stored(bytes);
  }
};

class Stores {
 public:
  Storing& add(World& world, proa::Socket& socket) {
    return all_.emplace_back(*world, std::move(socket));
  }

 private:
  std::list<Storing> all_;
};

struct StoreLine {
  Storing& stream;
  Peer& far;
};

inline StoreLine store_line(Stores& stores, World& world, Link link = Link::tcp4) {
  const Connection pair = world.pair(link);
  return {stores.add(world, pair.near), pair.far};
}

inline void wait_stored(World& world, Storing& stream, std::size_t times = 1) {
  world.run_until("it was told", [&] { return stream.stored.size() >= times; });
}

}  // namespace proa_test
