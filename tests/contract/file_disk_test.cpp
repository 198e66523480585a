// A disk is kept busy: what one callback asks of it is on its way before the next callback runs.
#include <algorithm>
#include <list>

#include "contract/file_rig.hpp"
#include "support/ledger.hpp"
#include "support/patterns.hpp"

namespace {

using namespace proa_test;
using proa::OpenFlags;

TEST_CASE("a direct read of one callback does not wait for the end of the round", "[file][cost]") {
  constexpr std::size_t block = 4096;
  constexpr std::size_t number = 16;
  if (over_kqueue() || files_by_workers()) return;
  const Folder folder;
  folder.file("a", pattern(1, number * block));
  std::list<Aligned> memory;
  std::list<Recording<proa::ReadAt>> reads;
  Recording<proa::Sync> sync;  // a worker would have to wait for pages that are still dirty
  std::size_t begun = 0;
  World world;
  const proa::File file = open_file(world, folder.path("a"), OpenFlags::read | OpenFlags::direct);
  sync.request.prepare(file.descriptor());
  perform(world, sync);
  const Ledger ledger;
  const auto submit = [&](Recording<proa::ReadAt>& read, Aligned& into) {
    read.request.prepare(file.descriptor(), begun++ % number * block, into.all());
    world.submit(read.request);
  };
  // Callbacks of one round that found what the one before had asked for still kept back.
  std::uint64_t calls_before = 0;
  std::size_t late = 0;
  std::size_t kept_back = 0;
  for (std::size_t i = 0; i < number; ++i) {
    Aligned& into = memory.emplace_back(block);
    Recording<proa::ReadAt>& read = reads.emplace_back();
    read.then = [&] {
      if (calls_before != 0 && ledger.count(Call::aio_submit) == calls_before) ++late;
      kept_back = std::max<std::size_t>(kept_back, begun - ledger.submitted().number);
      calls_before = 0;
      if (begun == 10 * number) return;
      calls_before = ledger.count(Call::aio_submit);
      submit(read, into);
    };
    submit(read, into);
  }
  world.run_until("all is read", [&] {
    return begun == 10 * number &&
           std::all_of(reads.begin(), reads.end(), [](auto& one) { return one.done(); });
  });
  if (over_uring() && configuration() != "uring-filtered") {
    CHECK(kept_back <= 1);  // they leave in pairs
  } else {
    CHECK(late <= begun / 8);  // what a worker had to do comes back past the backend
  }
}

}  // namespace
