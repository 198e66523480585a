// aio(4) of FreeBSD: threads that perform the calls, and what its kernel insists on. What was not
// taken back by aio_return() counts against the limit, completed or not.
#include <aio.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <new>
#include <utility>

#include "kernel.hpp"

namespace proa_test::emulated {

namespace {

constexpr int thread_count = 8;

enum class State { unused, queued, running, done };
enum class What { read, write, sync, data_sync };

struct Job {
  State state = State::unused;
  What what = What::read;
  aiocb* control = nullptr;
  int given = -1;       // aio_fildes
  int descriptor = -1;  // the same for files; sockets may be closed meanwhile: a duplicate
  bool socket = false;
  bool canceled = false;
  std::uint64_t number = 0;  // of submission
  off_t offset = 0;
  int count = 0;
  int error = 0;
  ssize_t result = 0;
  iovec* pieces = nullptr;
  Knote knote;
};

struct Engine {
  Engine() noexcept {
    for (std::size_t i = 0; i < most_aio; ++i) jobs[i].pieces = pieces[i];
  }
  Job jobs[most_aio];
  iovec pieces[most_aio][IOV_MAX];
  std::condition_variable work;
  std::condition_variable done;
  std::uint64_t submitted = 0;
  int threads = 0;
};

// Never destroyed: the threads are still there when the program ends.
Engine& engine() noexcept {
  alignas(Engine) static char memory[sizeof(Engine)];
  static Engine* const made = new (memory) Engine;
  return *made;
}

Job* find(const aiocb* control) noexcept {
  for (Job& job : engine().jobs) {
    if (job.state != State::unused && job.control == control) return &job;
  }
  return nullptr;
}

bool unfinished(const Job& job) noexcept {
  return job.state == State::queued || job.state == State::running;
}

// A sync waits for what was submitted before it for the same file.
bool may_run(const Job& job) noexcept {
  if (job.state != State::queued) return false;
  if (job.what == What::read || job.what == What::write) return true;
  for (const Job& other : engine().jobs) {
    if (unfinished(other) && other.given == job.given && other.number < job.number) {
      return false;
    }
  }
  return true;
}

Job* oldest_to_run() noexcept {
  Job* oldest = nullptr;
  for (Job& job : engine().jobs) {
    if (may_run(job) && (!oldest || job.number < oldest->number)) oldest = &job;
  }
  return oldest;
}

void finish(Job& job, ssize_t result, int error) noexcept {
  job.state = State::done;
  job.result = result;
  job.error = error;
  if (job.socket) real_close(job.descriptor);
  if (job.knote.kqueue) {
    job.knote.event.data = error;
    job.knote.event.flags |= EV_EOF;
    activate(job.knote);
  }
  engine().done.notify_all();
}

// Whether the socket is ready; false if the job is to be canceled.
bool await_socket(const Job& job) noexcept {
  pollfd asked{job.descriptor, static_cast<short>(job.what == What::read ? POLLIN : POLLOUT), 0};
  for (;;) {
    {
      const std::lock_guard<std::mutex> lock(giant_mutex());
      if (job.canceled) return false;
    }
    constexpr int until_canceled = 5;
    if (::poll(&asked, 1, until_canceled) != 0) return true;
  }
}

ssize_t perform(const Job& job) noexcept {
  switch (job.what) {
    case What::sync:
      return ::fsync(job.descriptor);
    case What::data_sync:
      return ::fdatasync(job.descriptor);
    case What::read:
      return job.socket ? ::readv(job.descriptor, job.pieces, job.count)
                        : ::preadv(job.descriptor, job.pieces, job.count, job.offset);
    case What::write:
      return job.socket ? ::writev(job.descriptor, job.pieces, job.count)
                        : ::pwritev(job.descriptor, job.pieces, job.count, job.offset);
  }
  return 0;
}

void* serve(void*) noexcept {
  std::unique_lock<std::mutex> lock(giant_mutex());
  for (;;) {
    Job* const job = oldest_to_run();
    if (!job) {
      engine().work.wait(lock);
      continue;
    }
    job->state = State::running;
    lock.unlock();
    ssize_t result = -1;
    errno = ECANCELED;
    do {
      if (job->socket && !await_socket(*job)) break;
      result = perform(*job);
    } while (result < 0 && job->socket && (errno == EAGAIN || errno == EINTR));
    const int error = result < 0 ? errno : 0;
    lock.lock();
    finish(*job, result, error);
  }
}

// All signals are blocked here, and so they are in the threads. False if there is none.
bool start() noexcept {
  pthread_t made;
  while (engine().threads < thread_count && ::pthread_create(&made, nullptr, serve, nullptr) == 0) {
    ::pthread_detach(made);
    ++engine().threads;
  }
  return engine().threads > 0;
}

int check_descriptor(const aiocb& control, What what, struct stat& status) noexcept {
  const int flags = ::fcntl(control.aio_fildes, F_GETFL);
  if (flags < 0 || (flags & O_PATH) != 0) return EBADF;
  const int mode = flags & O_ACCMODE;
  if (what == What::read && mode == O_WRONLY) return EBADF;
  if (what == What::write && mode == O_RDONLY) return EBADF;
  if (::fstat(control.aio_fildes, &status) < 0) return EBADF;
  const bool moves = what == What::read || what == What::write;
  if (!moves && (S_ISSOCK(status.st_mode) || S_ISFIFO(status.st_mode))) return EINVAL;
  if (moves && control.aio_offset < 0 && !S_ISCHR(status.st_mode)) return EINVAL;
  return 0;
}

// 0, and the kqueue if there is to be an event, or an error.
int check_event(const sigevent& event, Kqueue*& kqueue) noexcept {
  if (event.sigev_notify == SIGEV_NONE) return 0;
  if (event.sigev_notify != SIGEV_KEVENT) return EINVAL;
  constexpr int allowed = EV_CLEAR | EV_DISPATCH | EV_ONESHOT;
  if ((event.sigev_notify_kevent_flags & ~allowed) != 0) return EINVAL;
  kqueue = find_kqueue(event.sigev_notify_kqueue);
  return kqueue ? 0 : EBADF;
}

int submit(aiocb* control, What what, bool vector) noexcept {
  if (macos()) return ENOSYS;
  const Giant giant;
  Job* job = nullptr;
  for (Job& each : engine().jobs) {
    if (each.state == State::unused) job = &each;
  }
  if (!job || !start()) return EAGAIN;
  Kqueue* kqueue = nullptr;
  struct stat status {};
  const sigevent& event = control->aio_sigevent;
  int error = check_descriptor(*control, what, status);
  if (error == 0) error = check_event(event, kqueue);
  if (error != 0) return error;
  if (vector ? control->aio_iovcnt > IOV_MAX : control->aio_nbytes > SSIZE_MAX) return EINVAL;
  const bool file = S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
  // All else is "unsafe", which vfs.aio.enable_unsafe forbids.
  if (!file && !S_ISSOCK(status.st_mode)) return EOPNOTSUPP;

  job->given = job->descriptor = control->aio_fildes;
  job->socket = S_ISSOCK(status.st_mode);
  if (job->socket) job->descriptor = ::fcntl(control->aio_fildes, F_DUPFD_CLOEXEC, 0);
  if (job->descriptor < 0) return EAGAIN;
  void* const memory = const_cast<void*>(control->aio_buf);
  if (vector) {
    std::memcpy(job->pieces, memory, control->aio_iovcnt * sizeof(iovec));
  } else {
    job->pieces[0] = {memory, control->aio_nbytes};
  }
  job->count = vector ? static_cast<int>(control->aio_iovcnt) : 1;
  job->what = what;
  job->control = control;
  job->canceled = false;
  job->offset = control->aio_offset;
  job->number = engine().submitted++;
  job->state = State::queued;
  if (kqueue) {
    Knote& knote = job->knote;
    knote.event = {};
    EV_SET(&knote.event, reinterpret_cast<std::uintptr_t>(control), EVFILT_AIO,
           event.sigev_notify_kevent_flags, 0, 0, event.sigev_value.sival_ptr);
    knote.disabled = false;
    attach(knote, *kqueue);
  }
  engine().work.notify_one();
  return 0;
}

int answer(int error) noexcept {
  if (error == 0) return 0;
  errno = error;
  return -1;
}

}  // namespace

void await_aio(int descriptor) noexcept {
  std::unique_lock<std::mutex> lock(giant_mutex(), std::adopt_lock);
  engine().done.wait(lock, [&] {
    const auto& jobs = engine().jobs;
    return std::none_of(std::begin(jobs), std::end(jobs), [&](const Job& job) {
      return unfinished(job) && !job.socket && job.given == descriptor;
    });
  });
  lock.release();  // it stays locked, by the caller
}

void forget_aio_after_fork() noexcept {
  for (Job& job : engine().jobs) {
    job.state = State::unused;
    job.knote.owned.unlink();
    job.knote.queued.unlink();
    job.knote.kqueue = nullptr;
  }
  engine().threads = 0;
  new (&engine().work) std::condition_variable;  // without the threads that waited there
  new (&engine().done) std::condition_variable;
}

}  // namespace proa_test::emulated

using namespace proa_test::emulated;

int aio_read(aiocb* control) { return answer(submit(control, What::read, false)); }
int aio_readv(aiocb* control) { return answer(submit(control, What::read, true)); }
int aio_write(aiocb* control) { return answer(submit(control, What::write, false)); }
int aio_writev(aiocb* control) { return answer(submit(control, What::write, true)); }

int aio_fsync(int how, aiocb* control) {
  if (how != O_SYNC && how != O_DSYNC) return answer(EINVAL);
  return answer(submit(control, how == O_SYNC ? What::sync : What::data_sync, false));
}

int aio_error(const aiocb* control) {
  const Giant giant;
  const Job* const job = find(control);
  if (!job) return answer(EINVAL);
  return job->state == State::done ? job->error : EINPROGRESS;
}

ssize_t aio_return(aiocb* control) {
  const Giant giant;
  Job* const job = find(control);
  if (!job || job->state != State::done) return answer(EINVAL);
  if (job->knote.kqueue) drop(job->knote);
  job->state = State::unused;
  if (job->error != 0) errno = job->error;
  return job->result;
}

int aio_cancel(int descriptor, aiocb* control) {
  if (::fcntl(descriptor, F_GETFD) < 0) return answer(EBADF);
  const Giant giant;
  int canceled = 0;
  int running = 0;
  for (Job& job : engine().jobs) {
    if (!unfinished(job) || job.given != descriptor) continue;
    if (control && job.control != control) continue;
    if (job.state == State::queued) {
      ++canceled;
      finish(job, -1, ECANCELED);
    } else if (job.socket) {
      ++canceled;
      job.canceled = true;
    } else {
      ++running;
    }
  }
  return running > 0 ? AIO_NOTCANCELED : canceled > 0 ? AIO_CANCELED : AIO_ALLDONE;
}

int lio_listio(int, aiocb* const*, int, sigevent*) { return answer(ENOSYS); }
