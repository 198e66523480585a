// Reads and writes of files allocate nothing in steady state (R10): in the loop, in the kernel's
// hands, and on their way through the workers.
#include <array>
#include <memory>

#include "contract/file_rig.hpp"
#include "support/allocations.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

constexpr std::size_t block = 4096;
constexpr std::size_t depth = 32;

// Writes a block and reads it back, gathered and scattered, for ever.
class Quiet {
 public:
  Quiet(proa::Proactor& proactor, proa::Descriptor file, std::uint64_t offset)
      : proactor_(proactor), file_(file), offset_(offset) {}

  void write() {
    const proa::Bytes pieces[2] = {{memory_.data(), 512}, {memory_.data() + 512, block - 512}};
    write_.prepare(file_, offset_, pieces, 2);
    failed = failed || proactor_.submit(write_, proactor_.now() + hang);
  }
  void written(proa::WriteAt&, const proa::Result& result) {
    const proa::MutableBytes pieces[2] = {{memory_.data(), 512},
                                          {memory_.data() + 512, block - 512}};
    read_.prepare(file_, offset_, pieces, 2);
    failed = failed || result.error || result.bytes != block || proactor_.submit(read_);
  }
  void read(proa::ReadAt&, const proa::Result& result) {
    failed = failed || result.error || result.bytes != block;
    ++rounds;
    if (rounds < wanted && !failed) write();
  }

  std::size_t rounds = 0;
  std::size_t wanted = 0;
  bool failed = false;

 private:
  proa::Proactor& proactor_;
  const proa::Descriptor file_;
  const std::uint64_t offset_;
  Aligned memory_{block};
  proa::On<proa::WriteAt, &Quiet::written> write_{*this};
  proa::On<proa::ReadAt, &Quiet::read> read_{*this};
};

bool go_round(World& world, std::array<std::unique_ptr<Quiet>, depth>& all, std::size_t times) {
  for (auto& one : all) {
    one->wanted += times;
    one->write();
  }
  return world->run() > 0;
}

TEST_CASE("reads and writes of files allocate nothing in steady state", "[file][R10]") {
  if (!counts_malloc()) return skip("this sanitizer does not tell of allocations", true);
  const bool direct = GENERATE(false, true);
  const Folder folder;
  folder.file("a", pattern(1, depth * block));
  std::array<std::unique_ptr<Quiet>, depth> all;
  proa::Options with = options();
  with.workers = 1;  // one that begins late is an allocation
  World world(with);
  const OpenFlags flags = OpenFlags::read | OpenFlags::write;
  const proa::File file =
      open_file(world, folder.path("a"), direct ? flags | OpenFlags::direct : flags);
  for (std::size_t i = 0; i < depth; ++i) {
    all[i] = std::make_unique<Quiet>(*world, file.descriptor(), i * block);
  }
  REQUIRE(go_round(world, all, 50));
  const std::uint64_t before = allocations();
  const bool worked = go_round(world, all, sanitized() ? 10 : 50);
  const std::uint64_t after = allocations();
  CHECK(after - before == 0);
  CHECK(worked);
  for (const auto& one : all) {
    CHECK(!one->failed);
    CHECK(one->rounds == one->wanted);
  }
}

}  // namespace
