// Random sequences of requests give what a model of files in memory gives: the same on every
// configuration, since the seeds are.
#include "contract/file_sequence.hpp"

namespace {

using namespace proa_test;

void run_sequence(std::uint32_t seed, bool direct, std::size_t batches) {
  const Folder folder;
  Flight flight;
  World world;
  Sequence(world, flight, folder, seed, direct).run(batches);
}

TEST_CASE("random sequences give what the model gives", "[file][model][R12]") {
  for (const std::uint32_t seed : {1u, 2u, 3u, 4u}) run_sequence(seed, false, 250);
}

TEST_CASE("random sequences past the page cache give what the model gives", "[file][model][R12]") {
  for (const std::uint32_t seed : {5u, 6u, 7u}) run_sequence(seed, true, 250);
}

}  // namespace
