// Feeds a fuzz harness its seeds and pseudo-random mutations of them, the same in every run and on
// every machine. Arguments: how many inputs, and the number that the mutations start from.

#include <cstdio>
#include <cstdlib>
#include <random>

#include "fuzz.hpp"

namespace {

class Mutator {
 public:
  Mutator(std::vector<std::string> seeds, std::uint32_t start)
      : seeds_(std::move(seeds)), random_(start) {}

  std::string next() {
    std::string input = seeds_[below(seeds_.size())];
    for (std::size_t changes = 1 + below(4); changes > 0; --changes) change(input);
    return input;
  }

 private:
  // Not a standard distribution: those differ between libraries.
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  void change(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    switch (below(6)) {
      case 0:  // another byte
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        break;
      case 1:  // one bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 2:  // one byte more
        input.insert(at, 1, static_cast<char>(below(256)));
        break;
      case 3:  // some bytes less
        input.erase(at, 1 + below(4));
        break;
      case 4:  // a piece repeated
        input.insert(at, input.substr(below(input.size()), 1 + below(64)));
        break;
      default: {  // a piece of another seed
        const std::string& other = seeds_[below(seeds_.size())];
        input.insert(at, other.substr(below(other.size()), 1 + below(16)));
        break;
      }
    }
  }

  std::vector<std::string> seeds_;
  std::mt19937 random_;
};

}  // namespace

int main(int argc, char** argv) {
  const unsigned long inputs = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100000;
  const unsigned long start = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
  const auto run = [](const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  };
  for (const std::string& seed : fuzz_seeds()) run(seed);
  Mutator mutator(fuzz_seeds(), static_cast<std::uint32_t>(start));
  for (unsigned long i = 0; i < inputs; ++i) run(mutator.next());
  std::printf("%lu inputs\n", inputs);
}
