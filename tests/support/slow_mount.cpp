// Begins and ends the program slow_files.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "support/catch.hpp"
#include "support/slow_files.hpp"

namespace proa_test {

namespace {

constexpr std::chrono::milliseconds patience{10000};

#ifdef PROA_SLOW_FILES
constexpr char program[] = PROA_SLOW_FILES;
#else
constexpr char program[] = "";
#endif

[[noreturn]] void become(const char* folder, const char* delay, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // upon which it unmounts
  if (::getppid() != parent || ::dup2(output, STDOUT_FILENO) < 0) ::_exit(1);
  ::execl(program, program, folder, delay, static_cast<char*>(nullptr));
  ::_exit(127);
}

}  // namespace

SlowFiles::SlowFiles(std::chrono::milliseconds delay) {
  if (program[0] == '\0') {
    why_not_ = "built without libfuse3: no slow file system";
  } else if (::access("/dev/fuse", R_OK | W_OK) != 0) {
    why_not_ = "/dev/fuse cannot be used: no slow file system";
    unavoidable_ = true;  // a container, mostly
  } else {
    mount(delay);
  }
}

bool SlowFiles::missing() const {
  if (why_not_.empty()) return false;
  skip(why_not_, unavoidable_);
  return true;
}

void SlowFiles::mount(std::chrono::milliseconds delay) {
  folder_ = std::filesystem::temp_directory_path().string() + "/proa-slow-XXXXXX";
  int ends[2];
  if (::mkdtemp(folder_.data()) == nullptr || ::pipe2(ends, O_CLOEXEC) != 0) {
    why_not_ = "no folder for a slow file system";
    return;
  }
  const std::string milliseconds = std::to_string(delay.count());
  const pid_t parent = ::getpid();
  program_ = ::fork();
  if (program_ == 0) become(folder_.c_str(), milliseconds.c_str(), ends[1], parent);
  ::close(ends[1]);
  output_ = ends[0];
  pollfd ready{output_, POLLIN, 0};
  char said = 0;
  if (program_ < 0 || ::poll(&ready, 1, static_cast<int>(patience.count())) != 1 ||
      ::read(output_, &said, 1) != 1 || said != slow_files_ready[0]) {
    why_not_ = "the slow file system cannot be mounted";
  }
}

bool SlowFiles::ended(std::chrono::milliseconds limit) {
  pollfd end{output_, POLLIN, 0};
  return ::poll(&end, 1, static_cast<int>(limit.count())) == 1;
}

SlowFiles::~SlowFiles() {
  if (program_ > 0) {
    ::kill(program_, SIGTERM);
    if (!ended(patience)) ::kill(program_, SIGKILL);
    ::waitpid(program_, nullptr, 0);
    ::umount2(folder_.c_str(), MNT_DETACH);  // if it was killed; else there is nothing
  }
  if (output_ >= 0) ::close(output_);
  if (!folder_.empty()) ::rmdir(folder_.c_str());
}

}  // namespace proa_test
