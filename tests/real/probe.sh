#!/usr/bin/env bash
# proa-probe, and the choice of a backend by the tools, where io_uring is forbidden in the ways in which that happens.
# Arguments: as all, and deny_uring instead of a backend.
. "$(dirname "$0")/lib.sh"
deny=$backend backend=auto
need setpriv prlimit unshare

probe() { timeout 120 "$tools/proa-probe" "$@"; }
# row NAME TEXT: what probe.log says of a backend.
row() {
  cat probe.log
  grep -qE "^$1 +$2" probe.log
}

works_here() {
  probe >probe.log
  row uring "yes .*multishot receive"
  row epoll "yes .*epoll"
  row kqueue "no .*not part of this build"
  grep -qx 'auto takes uring' probe.log
  [ "$(probe --names)" = $'uring\nepoll' ]
}

limits() {
  (
    ulimit -S -n 321
    probe >probe.log
  )
  grep -qE "^RLIMIT_NOFILE +321, at most $(ulimit -H -n) " probe.log
  for name in fs.aio-max-nr net.core.somaxconn; do
    grep -qE "^$name +$(cat "/proc/sys/${name//.//}")[ ,]" probe.log
  done
  grep -qF "$(uname -r)" probe.log
}

# The columns of a table begin below each other.
aligned() {
  probe >probe.log
  local column
  column=$(sed -n 's/^\(backend *works *\)features.*/\1/p' probe.log | wc -c)
  for name in uring epoll kqueue; do
    [ "$(grep "^$name " probe.log | cut -c $((column - 1)))" = ' ' ]
    [ "$(grep "^$name " probe.log | cut -c $column)" != ' ' ]
  done
}

forbidden() {  # HOW REASON
  "$deny" "$1" "$tools/proa-probe" >probe.log
  row uring "no  *io_uring_setup: $2"
  row epoll yes
  grep -qx 'auto takes epoll' probe.log
  grep -qE "not uring: io_uring_setup: $2" probe.log
  [ "$("$deny" "$1" "$tools/proa-probe" --names)" = epoll ]
}

fatal() {
  local status=0
  "$deny" kill "$tools/proa-probe" >probe.log || status=$?
  [ $status -eq 159 ]  # SIGSYS: what --exclude is for
  "$deny" kill "$tools/proa-probe" --exclude uring >probe.log
  row uring "no  *excluded"
  row epoll yes
  # The environment does not widen that.
  PROA_BACKEND=uring "$deny" kill "$tools/proa-probe" --exclude uring >probe.log
  grep -qF 'auto takes epoll' probe.log
}

# echo_says TEXT COMMAND...: in the first lines of a proa-echo, which is then stopped.
echo_says() {
  local text=$1
  shift
  : >echo.log
  "$@" --listen 127.0.0.1:0 >echo.log 2>&1 &
  wait_for grep -q 'listening on' echo.log
  cat echo.log
  grep -qF -- "$text" echo.log
  kill -TERM $!
  wait $!
}

falls_back() {
  echo_says '(uring)' "$tools/proa-echo"
  echo_says '(epoll)' "$tools/proa-echo" --exclude uring
  echo_says '(epoll)' "$deny" eperm "$tools/proa-echo"
  echo_says 'a seccomp filter forbids it); epoll is used instead' \
    "$deny" eperm "$tools/proa-echo" --backend uring
  echo_says '(epoll)' "$deny" kill "$tools/proa-echo" --exclude uring --backend uring
  echo_says '(epoll)' env PROA_BACKEND=epoll "$tools/proa-echo"
  echo_says '(uring)' env PROA_BACKEND=epoll "$tools/proa-echo" --backend uring
  local status=0
  "$deny" enosys "$tools/proa-echo" --backend uring --strict --listen 127.0.0.1:0 2>err || status=$?
  cat err
  [ $status -eq 1 ]
  grep -qF 'uring: io_uring_setup: ENOSYS' err
  status=0
  PROA_BACKEND=nosuch timeout 120 "$tools/proa-echo" --listen 127.0.0.1:0 2>err || status=$?
  cat err
  [ $status -eq 2 ]
  grep -qF '"nosuch" (PROA_BACKEND)' err
}

# Whatever the limit does on this kernel, the report is either "works" or names the limit.
little_memlock() {
  [ "$(id -u)" -eq 0 ] || skip "only root can drop CAP_IPC_LOCK"
  prlimit --memlock=0:0 setpriv --bounding-set=-ipc_lock "$tools/proa-probe" >probe.log
  grep -qE '^RLIMIT_MEMLOCK +0 bytes' probe.log
  row uring '(yes |no  *.*RLIMIT_MEMLOCK)'
  row epoll yes
}

few_descriptors() {
  local status=0
  # One is left, and each backend needs two.
  prlimit --nofile=4:4 "$tools/proa-probe" >probe.log || status=$?
  row uring 'no .*EMFILE'
  row epoll 'no .*Too many open files'
  grep -q 'auto takes none' probe.log
  [ $status -eq 1 ]
}

# The switch is the whole machine's: another file in its place, and the error by seccomp.
switched_off() {
  [ "$(id -u)" -eq 0 ] || skip "only root can put another file in the place of a sysctl"
  echo 2 >two
  unshare -m --propagation unchanged sh -ec "mount --make-rprivate /proc
    mount --bind two /proc/sys/kernel/io_uring_disabled
    exec $deny eperm $tools/proa-probe" >probe.log
  row uring 'no  *io_uring_setup: EPERM \(kernel.io_uring_disabled is 2\)'
  grep -qE '^kernel.io_uring_disabled +2 +nobody may' probe.log
}

bad_usage() {
  local status
  for bad in --nonsense more "--exclude nosuch"; do
    status=0
    # shellcheck disable=SC2086
    probe $bad 2>err || status=$?
    [ $status -eq 2 ]
  done
  probe --help | grep -q -- --names
}

check "what works here" works_here
check "limits" limits
check "columns are aligned" aligned
check "seccomp says EPERM" forbidden eperm 'EPERM \(a seccomp filter forbids it\)'
check "seccomp says ENOSYS" forbidden enosys 'ENOSYS \(the kernel has no io_uring, or a seccomp filter hides it\)'
check "seccomp kills" fatal
check "the tools fall back and say so" falls_back
check "kernel.io_uring_disabled" switched_off
check "no locked memory" little_memlock
if ! grep -q __ubsan_handle "$tools/proa-probe"; then  # which opens pipes of its own
  check "few descriptors" few_descriptors
fi
check "bad usage" bad_usage
finish
