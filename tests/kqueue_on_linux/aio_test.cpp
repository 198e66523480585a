// aio(4) of the emulation, where the transcripts do not say it.
#include <aio.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysctl.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstring>
#include <memory>

#include "emulation.hpp"
#include "rig.hpp"

using namespace proa_test;

namespace {

struct File {
  explicit File(const std::string& text = "0123456789")
      : number(::memfd_create("file", MFD_CLOEXEC)) {
    put(number, text);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(number); }
  int number;
};

struct Request {
  Request(const Queue& queue, int descriptor, std::size_t size = 10, off_t offset = 0) {
    std::memset(&control, 0, sizeof control);
    control.aio_fildes = descriptor;
    control.aio_buf = bytes.data();
    control.aio_nbytes = size;
    control.aio_offset = offset;
    control.aio_sigevent.sigev_notify = SIGEV_KEVENT;
    control.aio_sigevent.sigev_notify_kqueue = queue.number;
    control.aio_sigevent.sigev_notify_kevent_flags = EV_ONESHOT;
    control.aio_sigevent.sigev_value.sival_ptr = this;
  }
  std::array<char, 64> bytes{};
  aiocb control;
};

int error_of(int result) { return result == 0 ? 0 : errno; }

/// The one event that must come, of this request.
void expect(const Queue& queue, const Request& request, int error) {
  const Events events = queue.take(soon);
  REQUIRE(events.size() == 1);
  CHECK(events[0].ident == reinterpret_cast<std::uintptr_t>(&request.control));
  CHECK(events[0].filter == EVFILT_AIO);
  CHECK(events[0].data == error);
  CHECK(events[0].udata == &request);
}

/// Keeps all threads of the emulation busy with reads of a socket.
class Busy {
 public:
  Busy() : ends_(make_local()) {
    for (auto& each : reads_) {
      each = std::make_unique<Request>(queue_, ends_.a, 1);
      REQUIRE(aio_read(&each->control) == 0);
    }
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() { end(); }

  /// Lets them end.
  void end() {
    if (std::exchange(ended_, true)) return;
    put(ends_.b, std::string(reads_.size(), 'x'));
    for (std::size_t taken = 0; taken < reads_.size();) taken += queue_.take(soon).size();
    for (auto& each : reads_) CHECK(aio_return(&each->control) == 1);
  }

 private:
  Queue queue_;
  Pair ends_;
  std::array<std::unique_ptr<Request>, 32> reads_;
  bool ended_ = false;
};

}  // namespace

TEST_CASE("the pieces of a vector are copied when it is submitted", "[kqueue][aio]") {
  Queue queue;
  const File file;
  Request request(queue, file.number);
  {
    std::array<iovec, 2> pieces{{{request.bytes.data() + 8, 4}, {request.bytes.data(), 4}}};
    request.control.aio_iov = pieces.data();
    request.control.aio_iovcnt = pieces.size();
    REQUIRE(aio_readv(&request.control) == 0);
    pieces = {};
  }
  expect(queue, request, 0);
  CHECK(aio_return(&request.control) == 8);
  CHECK(std::string(request.bytes.data(), 12) == std::string("4567\0\0\0\0"
                                                             "0123",
                                                             12));
}

TEST_CASE("what is submitted in vain is known to nobody", "[kqueue][aio]") {
  Queue queue;
  const File file;
  Request bad(queue, file.number);
  bad.control.aio_offset = -1;
  CHECK(error_of(aio_read(&bad.control)) == EINVAL);
  CHECK(aio_return(&bad.control) == -1);
  CHECK(errno == EINVAL);
  Pair ends(make_pipe());
  Request piped(queue, ends.a);
  CHECK(error_of(aio_read(&piped.control)) == EOPNOTSUPP);
  Request wrong_way(queue, ends.a);
  CHECK(error_of(aio_write(&wrong_way.control)) == EBADF);
  Request nowhere(queue, 999'999);
  CHECK(error_of(aio_read(&nowhere.control)) == EBADF);
  Request synced(queue, ends.a);
  CHECK(error_of(aio_fsync(O_SYNC, &synced.control)) == EINVAL);
  CHECK(error_of(aio_fsync(0, &synced.control)) == EINVAL);
  CHECK(queue.take().empty());
}

TEST_CASE("what was completed counts until it is returned", "[kqueue][aio]") {
  Queue queue;
  const File file;
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 256; ++i) {
    requests.push_back(std::make_unique<Request>(queue, file.number));
    REQUIRE(aio_read(&requests.back()->control) == 0);
  }
  for (std::size_t taken = 0; taken < requests.size();) taken += queue.take(soon, 64).size();
  Request more(queue, file.number);
  CHECK(error_of(aio_read(&more.control)) == EAGAIN);
  CHECK(aio_return(&requests[100]->control) == 10);
  CHECK(aio_read(&more.control) == 0);
  expect(queue, more, 0);
  requests.push_back(nullptr);
  for (auto& each : requests) {
    if (each && each != requests[100]) CHECK(aio_return(&each->control) == 10);
  }
  CHECK(aio_return(&more.control) == 10);
}

TEST_CASE("what no thread has begun is canceled, and says so once", "[kqueue][aio]") {
  Queue queue;
  const File file;
  Busy busy;
  Request request(queue, file.number);
  REQUIRE(aio_read(&request.control) == 0);
  CHECK(aio_error(&request.control) == EINPROGRESS);
  CHECK(aio_return(&request.control) == -1);  // not yet
  CHECK(aio_cancel(file.number, &request.control) == AIO_CANCELED);
  expect(queue, request, ECANCELED);
  CHECK(aio_error(&request.control) == ECANCELED);
  CHECK(aio_return(&request.control) == -1);
  CHECK(errno == ECANCELED);
  CHECK(aio_cancel(file.number, nullptr) == AIO_ALLDONE);
  busy.end();
}

TEST_CASE("a sync is behind the writes that were there before it", "[kqueue][aio]") {
  Queue queue;
  const File file;
  std::vector<char> much(32 << 20, 'x');  // that takes a while
  Request write(queue, file.number, much.size());
  write.control.aio_buf = much.data();
  Request sync(queue, file.number);
  REQUIRE(aio_write(&write.control) == 0);
  REQUIRE(aio_fsync(O_DSYNC, &sync.control) == 0);
  std::vector<void*> order;
  while (order.size() < 2) {
    for (const auto& event : queue.take(soon)) order.push_back(event.udata);
  }
  CHECK(order == std::vector<void*>{&write, &sync});
  CHECK(aio_return(&write.control) == static_cast<ssize_t>(much.size()));
  CHECK(aio_return(&sync.control) == 0);
}

TEST_CASE("with its kqueue closed an operation completes all the same", "[kqueue][aio]") {
  const File file;
  Busy busy;
  auto queue = std::make_unique<Queue>();
  Request request(*queue, file.number);
  REQUIRE(aio_read(&request.control) == 0);
  queue.reset();
  Queue next;  // may have the number of the one that was closed
  busy.end();
  while (aio_error(&request.control) == EINPROGRESS) next.take(1);
  CHECK(aio_return(&request.control) == 10);
  CHECK(next.take().empty());
}

TEST_CASE("a file that is closed has been read by then", "[kqueue][aio][thread]") {
  Queue queue;
  for (int i = 0; i < 100; ++i) {
    std::array<std::unique_ptr<Request>, 16> requests;
    {
      const File file;
      for (auto& each : requests) {
        each = std::make_unique<Request>(queue, file.number);
        REQUIRE(aio_read(&each->control) == 0);
      }
    }
    const File other("abcdefghij");  // of the same number
    for (std::size_t taken = 0; taken < requests.size();) taken += queue.take(soon).size();
    for (auto& each : requests) {
      CHECK(aio_return(&each->control) == 10);
      CHECK(std::string(each->bytes.data(), 10) == "0123456789");
    }
  }
}

// The threads that wait for work in the parent, or do some, do not exist in the child.
void child_reads(int file) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(soon / 1000);
    Queue queue;
    bool good = true;
    for (int i = 0; i < 20 && good; ++i) {  // at first by new threads, then by waiting ones
      Request request(queue, file);
      good = aio_read(&request.control) == 0 && queue.take(soon).size() == 1 &&
             aio_return(&request.control) == 10;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a child begins with none of its parent's operations", "[kqueue][aio]") {
  const File file;
  Busy busy;
  child_reads(file.number);
  busy.end();
  child_reads(file.number);
}

TEST_CASE("an event may be disabled, enabled and deleted", "[kqueue][aio]") {
  Queue queue;
  const File file;
  Request request(queue, file.number);
  const auto ident = reinterpret_cast<std::uintptr_t>(&request.control);
  request.control.aio_sigevent.sigev_notify_kevent_flags = EV_DISPATCH;
  REQUIRE(aio_read(&request.control) == 0);
  expect(queue, request, 0);
  CHECK(queue.take().empty());
  CHECK(queue.change(ident, EVFILT_AIO, EV_ENABLE) == 0);
  CHECK(queue.take().size() == 1);
  CHECK(queue.change(ident, EVFILT_AIO, EV_DELETE) == 0);
  CHECK(queue.change(ident, EVFILT_AIO, EV_DELETE) == ENOENT);
  CHECK(aio_return(&request.control) == 10);
}

TEST_CASE("macOS has no aio calls of this kind, and no names for them", "[kqueue][aio]") {
  Queue queue;
  const File file;
  Request request(queue, file.number);
  int value = 0;
  std::size_t size = sizeof value;
  const char* const name = "vfs.aio.max_aio_queue_per_proc";
  emulate_macos(true);
  const int read = error_of(aio_read(&request.control));
  const int limit = error_of(sysctlbyname(name, &value, &size, nullptr, 0));
  emulate_macos(false);
  CHECK(read == ENOSYS);
  CHECK(limit == ENOENT);
  REQUIRE(sysctlbyname(name, &value, &size, nullptr, 0) == 0);
  CHECK(value == 256);
  CHECK(error_of(sysctlbyname("vfs.aio.none", &value, &size, nullptr, 0)) == ENOENT);
}

TEST_CASE("many operations of files from several threads", "[kqueue][aio][thread]") {
  Queue queue;
  const File file;
  std::vector<std::unique_ptr<Request>> requests;
  std::size_t returned = 0;
  std::size_t submitted = 0;
  constexpr std::size_t all = 20'000;
  for (int i = 0; i < 64; ++i) requests.push_back(std::make_unique<Request>(queue, file.number));
  for (auto& each : requests) {
    REQUIRE(aio_read(&each->control) == 0);
    ++submitted;
  }
  while (returned < all) {
    const Events events = queue.take(soon, 8);
    REQUIRE_FALSE(events.empty());
    for (const auto& event : events) {
      auto& request = *static_cast<Request*>(event.udata);
      if (aio_return(&request.control) != 10) FAIL("a short read");
      ++returned;
      if (submitted < all && aio_read(&request.control) == 0) ++submitted;
    }
  }
  CHECK(queue.take().empty());
}
