// failing_read OFFSET[-END] COMMAND...: runs a command under a seccomp filter in which pread(2)
// from that offset on, or from there to before the end, fails with EIO, as on a disk with bad
// blocks there. Both are below 4 GiB. The dynamic linker reads libraries by pread(2), from offset
// 64 on.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: failing_read OFFSET[-END] COMMAND...\n", stderr);
    return 2;
  }
  char* rest = nullptr;
  const unsigned offset = static_cast<unsigned>(std::strtoul(argv[1], &rest, 10));
  const unsigned end =
      *rest == '-' ? static_cast<unsigned>(std::strtoul(rest + 1, nullptr, 10)) : UINT_MAX;
  // The filter compares words of 32 bits: this is the lower one of the fourth argument.
  const unsigned lower = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4;
  const unsigned argument =
      static_cast<unsigned>(offsetof(seccomp_data, args) + 3 * sizeof(__u64)) + lower;
  sock_filter instructions[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_pread64, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, offset, 0, 2),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, end, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EIO),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {7, instructions};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("failing_read: seccomp");
    return 1;
  }
  ::execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return 127;
}
