// fork(2) in a callback: the child lets go of what the callback belongs to (R14).
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <proa/proa.hpp>

#include "support/plain.hpp"
#include "support/world.hpp"

namespace {

using namespace proa_test;

// A repeating receive that is destroyed in a child, which its callback has forked.
struct Forking {
  void received(proa::RecvBuffers&, const proa::Result& result) {
    if (result.error || child >= 0) return;
    child = ::fork();
    if (child == 0) own->reset();
  }
  std::unique_ptr<Forking>* own;
  pid_t child = -1;
  proa::On<proa::RecvBuffers, &Forking::received> request{*this};
};

TEST_CASE("R14: a callback forks, and its request is destroyed in the child", "[R14]") {
  auto proactor = make_proactor();
  int ends[2];
  REQUIRE(plain_pair(ends, false));
  std::error_code error;
  auto near = std::make_unique<proa::Socket>(proa::Socket::adopt(*proactor, ends[0], error));
  REQUIRE(!error);
  auto forking = std::make_unique<Forking>();
  forking->own = &forking;
  forking->request.prepare(near->descriptor());
  REQUIRE(!proactor->submit(forking->request));
  REQUIRE(::write(ends[1], "x", 1) == 1);
  while (forking && forking->child < 0) proactor->run_once(5ms);
  if (!forking) ::_exit(0);  // the child, back from its loop
  int status = -1;
  ::waitpid(forking->child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  proactor->cancel(forking->request);
  while (forking->request.pending()) proactor->run_once(5ms);
  near.reset();
  ::close(ends[1]);
}

}  // namespace
