// WorkerPool: blocking work of the program's own, completed on the loop.
#include <atomic>
#include <cerrno>
#include <future>
#include <proa/worker_pool.hpp>
#include <thread>

#include "support/death.hpp"
#include "support/recording.hpp"
#include "support/replaced.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

struct Job {
  void run() noexcept {
    thread = std::this_thread::get_id();
    started = true;
    if (gate) gate->wait();
    sum = 40 + 2;
  }
  std::shared_future<void>* gate = nullptr;
  std::atomic<bool> started{false};
  std::thread::id thread;
  int sum = 0;
  Recording<proa::Work> work;
};

TEST_CASE("work is done by a worker and completed on the loop", "[workers][thread][R2][R9]") {
  Job job;
  World world;
  proa::WorkerPool pool(*world);
  CHECK(pool.threads() == 0);
  job.work.request.prepare<&Job::run>(job);
  std::thread::id completed_on;
  job.work.then = [&] { completed_on = std::this_thread::get_id(); };
  REQUIRE(!pool.run(job.work.request));
  world.run_until("it is done", [&] { return job.work.done(); });
  CHECK(!job.work.error());
  CHECK(job.sum == 42);
  CHECK(job.thread != std::this_thread::get_id());
  CHECK(completed_on == std::this_thread::get_id());
  CHECK(pool.threads() == 1);
}

TEST_CASE("F09: queued work can be cancelled, running work is too late",
          "[workers][thread][R4][F09]") {
  std::promise<void> promise;
  std::shared_future<void> gate = promise.get_future().share();
  std::list<Job> jobs(3);
  World world;
  proa::WorkerPool::Options options;
  options.threads = 1;
  options.queue = 2;
  proa::WorkerPool pool(*world, options);
  for (Job& job : jobs) {
    job.gate = &gate;
    job.work.request.prepare<&Job::run>(job);
  }
  auto job = jobs.begin();
  Job& running = *job++;
  Job& waiting = *job++;
  Job& last = *job;
  REQUIRE(!pool.run(running.work.request));
  world.run_until("it runs", [&] { return running.started.load(); });
  REQUIRE(!pool.run(waiting.work.request));
  REQUIRE(!pool.run(last.work.request));
  CHECK(pool.queued() == 2);
  Job refused;
  refused.work.request.prepare<&Job::run>(refused);
  CHECK(pool.run(refused.work.request) == std::errc::resource_unavailable_try_again);
  world->cancel(running.work.request);
  world->cancel(waiting.work.request);
  world.run_until("it is cancelled", [&] { return waiting.work.done(); });
  CHECK(waiting.work.error() == std::errc::operation_canceled);
  CHECK(!waiting.started);
  CHECK(!running.work.done());
  CHECK(pool.queued() == 1);
  SECTION("what is left is done") {
    promise.set_value();
    world.run_until("all is done", [&] { return last.work.done() && running.work.done(); });
    CHECK(!running.work.error());
    CHECK(!last.work.error());
  }
  SECTION("shutdown takes back what waits, and waits for what runs") {
    last.work.then = [&] { promise.set_value(); };
    CHECK(world->shutdown(hang) == 0);
    CHECK(!running.work.error());
    CHECK(last.work.error() == std::errc::operation_canceled);
    CHECK(!last.started);
  }
}

TEST_CASE("a deadline ends work that has not begun", "[workers][thread][R7]") {
  std::promise<void> promise;
  std::shared_future<void> gate = promise.get_future().share();
  Job running;
  Job waiting;
  World world;
  proa::WorkerPool::Options options;
  options.threads = 1;
  proa::WorkerPool pool(*world, options);
  running.gate = &gate;
  running.work.request.prepare<&Job::run>(running);
  waiting.work.request.prepare<&Job::run>(waiting);
  REQUIRE(!pool.run(running.work.request));
  REQUIRE(!pool.run(waiting.work.request, world.in(1ms)));
  world.run_until("it is late", [&] { return waiting.work.done(); });
  CHECK(waiting.work.error() == proa::Error::deadline);
  promise.set_value();
  world.run_until("the other is done", [&] { return running.work.done(); });
  CHECK(!running.work.error());
}

long no_thread(void* (*)(void*), void*, pthread_t*) noexcept { return -EAGAIN; }

TEST_CASE("work for which the system has no thread ends with EAGAIN", "[workers][R11]") {
  Job job;
  World world;
  proa::WorkerPool pool(*world);
  job.work.request.prepare<&Job::run>(job);
  {
    const Replaced replaced(proa::sys::table.begin_thread, no_thread);
    REQUIRE(!pool.run(job.work.request));
    world.run_until("it is refused", [&] { return job.work.done(); });
  }
  CHECK(job.work.error() == std::errc::resource_unavailable_try_again);
  CHECK(pool.threads() == 0);
  CHECK(!job.started);
  Job later;
  later.work.request.prepare<&Job::run>(later);
  REQUIRE(!pool.run(later.work.request));
  world.run_until("there is a thread again", [&] { return later.work.done(); });
  CHECK(later.sum == 42);
}

}  // namespace
