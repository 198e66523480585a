// What `compare post` measures of proa: `poster [-b backend] [-t threads | -w] [-n posts]`.
#include <cstdio>
#include <cstring>
#include <memory>
#include <proa/proa.hpp>
#include <string>
#include <system_error>

#include "post_load.hpp"

namespace {

class Loop {
 public:
  explicit Loop(proa::Proactor& proactor) : proactor_(proactor) {}

  template <class Work>
  void post(Work&& work) {
    if (!proactor_.post(std::forward<Work>(work))) std::abort();
  }
  void run() {
    const proa::KeepAlive keep(proactor_);
    proactor_.run();
  }
  void stop() { proactor_.stop(); }

 private:
  proa::Proactor& proactor_;
};

}  // namespace

int main(int argc, char** argv) {
  proa::Options options;
  for (int index = 1; index + 1 < argc; ++index) {
    if (std::strcmp(argv[index], "-b") != 0) continue;
    options.backend = argv[index + 1];
    options.fallback = false;
  }
  std::error_code error;
  std::string detail;
  const auto proactor = proa::Proactor::create(options, error, &detail);
  if (!proactor) {
    std::fprintf(stderr, "poster: %s\n", detail.c_str());
    return 1;
  }
  Loop loop(*proactor);
  return bench::run_post_load(argc, argv, (std::string("proa ") + proa::version()).c_str(), loop);
}
