// Part of a program that main.cpp loads and unloads: it makes proactors, with a worker each.
#include <proa/proa.hpp>

#include "../sum.hpp"

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
    if (!sum.right()) return 1;
  }
  return 0;
}
