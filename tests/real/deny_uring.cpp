// deny_uring HOW COMMAND...: runs a command under a seccomp filter that forbids io_uring_setup(2),
// as container runtimes and hardened services do. HOW is eperm, enosys or kill.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>

int main(int argc, char** argv) {
  const std::string how = argc > 2 ? argv[1] : "";
  unsigned verdict = 0;
  if (how == "eperm") {
    verdict = SECCOMP_RET_ERRNO | EPERM;
  } else if (how == "enosys") {
    verdict = SECCOMP_RET_ERRNO | ENOSYS;
  } else if (how == "kill") {
    verdict = SECCOMP_RET_KILL_PROCESS;
  } else {
    std::fputs("usage: deny_uring eperm|enosys|kill COMMAND...\n", stderr);
    return 2;
  }
  sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, verdict),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {4, instructions};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("deny_uring: seccomp");
    return 1;
  }
  ::execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return 127;
}
