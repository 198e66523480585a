// A handler's file whose callbacks throw while writes of nothing are queued.
#include <stdexcept>

#include "contract/file_handler_rig.hpp"

namespace {

using namespace proa_test;

struct Thrown : std::runtime_error {
  Thrown() : runtime_error("thrown by a handler") {}
};

// What callbacks throw is swallowed.
template <class Done>
void run_through(World& world, const char* what, const Done& done) {
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!done() && std::chrono::steady_clock::now() < limit) {
    try {
      world.turn();
    } catch (const Thrown&) {
    }
  }
  INFO(what);
  REQUIRE(done());
}

TEST_CASE("C07: an exception before a write of nothing: what follows goes where it was told to",
          "[file][R5][C07]") {
  const bool syncs_throw = GENERATE(false, true);
  const Folder folder;
  Filings filings;
  World world;
  Filing& file = filings.add(*world);
  file.written = [](std::size_t) { throw Thrown(); };
  if (syncs_throw) file.synced = [] { throw Thrown(); };
  file.open(folder.path("a"), read_write);
  file.sync();
  file.sync();
  file.write("0000");
  file.sync();
  file.set_write_position(10);
  file.write("");
  file.sync();
  file.write("10");
  file.set_write_position(20);
  file.set_write_position(30);
  file.write("");
  file.write("");
  file.set_write_position(40);
  file.write("40");
  file.finish();
  run_through(world, "it is closed", [&] { return file.is_closed(); });
  CHECK(!file.error);
  CHECK(file.writes == std::vector<std::size_t>{4, 0, 2, 0, 0, 2});
  CHECK(file.syncs == 4);
  const auto gap = [](std::size_t bytes) { return std::string(bytes, '\0'); };
  CHECK(contents(folder.path("a")) == "0000" + gap(6) + "10" + gap(28) + "40");
}

}  // namespace
