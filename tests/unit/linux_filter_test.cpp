// Reads and writes where a seccomp filter refuses the calls that are younger than it.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>

#include "support/catch.hpp"
#include "sys/sys.hpp"

namespace {

namespace direct = proa::sys::direct;

bool refuse_younger_calls() {
  constexpr unsigned skip_none = 0;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 1, skip_none),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwritev2, skip_none, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {sizeof program / sizeof *program, program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

// The number of the check that failed, or 0.
int check_calls(int file) {
  char text[] = "bytes";
  char memory[8] = {};
  const iovec write = {text, 5};
  const iovec read = {memory, sizeof memory};
  if (!refuse_younger_calls()) return 1;
  if (::preadv2(file, &read, 1, 0, RWF_NOWAIT) != -1 || errno != EPERM) return 2;
  if (direct::pwritev2(file, &write, 1, 0, 0) != 5) return 3;
  if (direct::preadv2(file, &read, 1, 0, 0) != 5) return 4;
  // Who must not wait asks a worker.
  if (direct::preadv2(file, &read, 1, 0, RWF_NOWAIT) != -EOPNOTSUPP) return 5;
  if (direct::pwritev2(file, &write, 1, 0, RWF_NOWAIT) != -EOPNOTSUPP) return 6;
  int ends[2];
  if (::pipe(ends) != 0) return 7;
  if (direct::preadv2(ends[0], &read, 1, -1, RWF_NOWAIT) != -EAGAIN) return 8;
  if (direct::pwritev2(ends[1], &write, 1, -1, RWF_NOWAIT) != 5) return 9;
  if (direct::preadv2(ends[0], &read, 1, -1, RWF_NOWAIT) != 5) return 10;
  return 0;
}

TEST_CASE("where a filter refuses preadv2 and pwritev2, the older calls are made") {
  std::FILE* const file = std::tmpfile();
  REQUIRE(file != nullptr);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check_calls(::fileno(file)));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  std::fclose(file);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
