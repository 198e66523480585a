// Nothing is allocated in steady state (R10).
#include "support/allocations.hpp"
#include "support/patterns.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// Requests that note nothing: a vector of results would allocate.
class Quiet {
 public:
  Quiet(proa::Proactor& proactor, proa::Descriptor line, bool continuous)
      : proactor_(proactor), line_(line), continuous_(continuous) {}

  void start() {
    if (continuous_) {
      stream_.prepare(line_);
      failed = failed || proactor_.submit(stream_);
    } else {
      receive();
    }
  }
  void stop() {
    proactor_.cancel(stream_);
    proactor_.cancel(recv_);
  }
  void receive() {
    recv_.prepare(line_, {memory_, sizeof memory_});
    failed = failed || proactor_.submit(recv_, proactor_.now() + hang);
  }
  void received(proa::Recv&, const proa::Result& result) {
    if (result.error || result.bytes == 0) return;
    const proa::Bytes pieces[2] = {{memory_, 1}, {memory_ + 1, result.bytes - 1}};
    send_.prepare(line_, pieces, 2);
    failed = failed || proactor_.submit(send_);
  }
  void streamed(proa::RecvBuffers&, const proa::Result& result) {
    if (result.error || result.bytes == 0) return;
    held_ = std::move(stream_.buffer());
    send_.prepare(line_, held_.bytes());
    failed = failed || proactor_.submit(send_);
  }
  void sent(proa::Send&, const proa::Result& result) {
    failed = failed || result.error;
    ++echoes;
    held_.reset();
    if (!continuous_) receive();
  }

  std::size_t echoes = 0;
  bool failed = false;

 private:
  proa::Proactor& proactor_;
  proa::Descriptor line_;
  const bool continuous_;
  char memory_[256] = {};
  proa::Buffer held_;
  proa::On<proa::Recv, &Quiet::received> recv_{*this};
  proa::On<proa::RecvBuffers, &Quiet::streamed> stream_{*this};
  proa::On<proa::Send, &Quiet::sent> send_{*this};
};

// The other side, with raw verbs of System: a Peer allocates.
void echo_once(World& world, Quiet& quiet, proa::Descriptor far) {
  char memory[200] = "request";
  const std::size_t before = quiet.echoes;
  if (world.system().send(far, {memory, sizeof memory}) != sizeof memory) quiet.failed = true;
  while (quiet.echoes == before && !quiet.failed) world->run_once(1s);
  std::size_t got = 0;
  while (got < sizeof memory && !quiet.failed) {
    const long bytes = world.system().recv(far, {memory, sizeof memory});
    if (bytes <= 0) quiet.failed = true;
    got += static_cast<std::size_t>(bytes);
  }
}

TEST_CASE("receives, sends and deadlines allocate nothing in steady state", "[R10]") {
  if (!counts_malloc()) return skip("this sanitizer does not tell of allocations", true);
  const bool continuous = GENERATE(false, true);
  World world;
  const Connection line = world.pair();
  {
    Quiet quiet(*world, line.descriptor(), continuous);
    quiet.start();
    for (int i = 0; i < 300; ++i) echo_once(world, quiet, line.far.descriptor());
    const std::uint64_t before = allocations();
    for (int i = 0; i < 3000; ++i) echo_once(world, quiet, line.far.descriptor());
    const std::uint64_t after = allocations();
    CHECK(after - before == 0);
    CHECK(!quiet.failed);
    CHECK(quiet.echoes == 3300);
    quiet.stop();
    while (world->run() > 0) continue;
  }
}

struct Listener {
  explicit Listener(proa::Proactor& with) : proactor(with) {}
  void accepted(proa::Accept& request, const proa::Result& result) {
    if (!result.error) ++accepts;
    request.socket().close();
  }
  void connected(proa::Connect&, const proa::Result&) { ++connects; }
  void posted() { ++posts; }
  proa::Proactor& proactor;
  std::size_t accepts = 0;
  std::size_t connects = 0;
  std::size_t posts = 0;
  proa::On<proa::Accept, &Listener::accepted> accept{*this, true};
  proa::On<proa::Connect, &Listener::connected> connect{*this};
  proa::OnPost<&Listener::posted> post{*this};
};

TEST_CASE("accepts, connects and posts allocate nothing in steady state", "[R10]") {
  if (!counts_malloc()) return skip("this sanitizer does not tell of allocations", true);
  World world;
  proa::Socket& listening = world.listen();
  const proa::Address address = listening.local_address();
  {
    Listener listener(*world);
    listener.accept.prepare(listening.descriptor());
    world.submit(listener.accept);
    const auto connect_once = [&] {
      const std::size_t wanted = listener.accepts + 1;
      std::error_code error;
      proa::Socket socket =
          proa::Socket::open(*world, address.family(), proa::Transport::stream, error);
      listener.connect.prepare(socket.descriptor(), address);
      const std::size_t connects = listener.connects;
      const std::size_t posts = listener.posts;
      if (error || world->submit(listener.connect) || !world->post(listener.post)) return false;
      while (listener.accepts < wanted || listener.connects == connects ||
             listener.posts == posts) {
        world->run_once(1s);
      }
      socket.set_option(proa::SocketOption::linger, 0);
      return true;
    };
    bool worked = true;
    for (int i = 0; i < 200; ++i) worked = worked && connect_once();
    const std::uint64_t before = allocations();
    for (int i = 0; i < 1000; ++i) worked = worked && connect_once();
    const std::uint64_t after = allocations();
    CHECK(after - before == 0);
    CHECK(worked);
    world->cancel(listener.accept);
    while (world->run() > 0) continue;
  }
}

TEST_CASE("a request with its callback is small", "[R10]") {
  CHECK(sizeof(proa::On<proa::Recv, &Quiet::received>) <= 96);
}

TEST_CASE("the counter counts", "[R10]") {
  const std::uint64_t before = allocations();
  auto counted = std::make_unique<std::string>(1000, 'x');
  CHECK(allocations() - before >= 2);
  CHECK(counted->size() == 1000);
}

}  // namespace
