// Part of a program that main.cpp loads and unloads: it makes proactors, with a worker each.
#include <proa/proa.hpp>

namespace {

struct Sum {
  void add() noexcept { sum = 40 + 2; }
  void added(const proa::Result& result) { done = !result.error; }
  int sum = 0;
  bool done = false;
  proa::On<proa::Work, &Sum::added> work{*this};
};

}  // namespace

extern "C" __attribute__((visibility("default"))) int use_proa() {
  for (const char* backend : {"auto", "epoll"}) {
    proa::Options options;
    options.backend = backend;
    std::error_code error;
    const auto proactor = proa::Proactor::create(options, error);
    if (!proactor) return 1;
    proa::WorkerPool pool(*proactor);
    Sum sum;
    sum.work.prepare<&Sum::add>(sum);
    if (pool.run(sum.work)) return 1;
    proactor->run();
    if (!sum.done || sum.sum != 42) return 1;
  }
  return 0;
}
