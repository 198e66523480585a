// The kernel's log, whose readers wait for the next message.
#include <algorithm>
#include <cstdio>
#include <list>

#include "contract/file_rig.hpp"
#include "raw.hpp"

namespace {

using namespace proa_test;

TEST_CASE("readers of the kernel's log hold up no file", "[file][device][R8]") {
  const char* const path = GENERATE("/dev/kmsg", "/proc/kmsg");
  CAPTURE(path);
  // The emulation's aio(4) takes all regular files, as /proc/kmsg seems to be, which FreeBSD lacks.
  if (over_kqueue() && std::string(path) == "/proc/kmsg") return;
  const int tried = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (tried < 0) return skip(std::string("cannot read ") + path, true);
  ::close(tried);
  std::list<ReadingAt> reads;
  bool over = false;
  World world;
  std::list<proa::File> files;
  for (int i = 0; i < 6; ++i) {
    Recording<proa::Open> open;
    open.request.prepare(path, proa::OpenFlags::read);
    perform(world, open);
    REQUIRE(!open.error());
    files.push_back(std::move(open.request.file()));
    ReadingAt& read = reads.emplace_back(16384);
    const proa::Descriptor descriptor = files.back().descriptor();
    read.then = [&, descriptor] {
      if (!over && !read.error()) world.submit(read.from(descriptor));
    };
    world.submit(read.from(descriptor));
  }
  for (int i = 0; i < 20; ++i) {
    turns(world, 3);
    Recording<proa::Status> status;
    status.request.prepare("/");
    perform(world, status);
    CHECK(!status.error());
  }
  over = true;  // a cancel may come too late for a read that has just got a message
  for (ReadingAt& each : reads) world->cancel(each.request);
  // If another reader of /proc/kmsg has taken the message that a read was polled for, the kernel
  // lets this one wait for the next message, in non-blocking mode too.
  const int log = ::open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  world.run_until("all were cancelled", [&] {
    if (log >= 0) (void)!::write(log, "<7>proa: test\n", 14);
    return std::all_of(reads.begin(), reads.end(), [](ReadingAt& each) { return each.done(); });
  });
  if (log >= 0) ::close(log);
}

}  // namespace
