#!/usr/bin/env bash
# proa-probe --measure: what is in its tables, where less is allowed than usual too, and that its file is gone at the end.
# Arguments: as all, and deny_uring instead of a backend.
. "$(dirname "$0")/lib.sh"
deny=$backend backend=measure
need setpriv prlimit script taskset

measure() { timeout 120 "$tools/proa-probe" --measure --seconds 0.2; }
# section TITLE: the table below it in measure.log.
section() { awk -v title="$1" 'index($0, title) == 1 { on = 1 } /^$/ { on = 0 } on' measure.log; }
# row TITLE TECHNOLOGY TEXT: what the table says of a technology, all of it.
row() {
  section "$1"
  section "$1" | grep -qE "^$2 +$3\$"
}
figure='[0-9]+(\.[0-9]+)? \([0-9]+(\.[0-9]+)?\.\.[0-9]+(\.[0-9]+)?\)'
# figures COUNT: what a row with as many has, from the number of runs on.
figures() {
  local text=5 i
  for ((i = 0; i < $1; ++i)); do text+=" +$figure"; done
  echo "$text"
}

all_there() {
  measure >measure.log 2>err
  [ ! -s err ]
  grep -qF "$(uname -r)" measure.log
  grep -qE "^$(nproc --all) x " measure.log
  row 'A regular file' epoll 'no: epoll_ctl: EPERM'
  row 'A regular file' io_uring 'works: .*'
  for technology in poll select; do
    row 'A regular file' $technology 'ready at once, .*'
    row 'Reads of 4 KiB' $technology 'it cannot wait for a disk'
  done
  row 'Reads of 4 KiB' 'epoll \(libaio\)' "$(figures 2)"
  row 'Reads of 4 KiB' 'io_uring \(IORING_OP_READ\)' "$(figures 2)"
  for technology in epoll io_uring poll select; do
    row 'Wake-up by a thread on the same CPU' $technology "$(figures 3)"
    if [ "$(nproc)" -gt 1 ]; then row 'Wake-up by a thread on another CPU' $technology "$(figures 3)"; fi
  done
  for title in 'Cost of an event' 'System calls for an event'; do
    for technology in epoll io_uring poll; do
      row "$title" $technology "$(figures 3)"
    done
    row "$title" select "$(figures 2) +FD_SETSIZE is 1024"
    section "$title" | grep -qE '^technology +runs +1 ready, .* +100 ready, .* +10000 ready, '
  done
  # What one system call does is known: a wait and a read, or both in one; and of many that are ready all are told at once.
  row 'Wake-up by a thread on the same CPU' epoll '.* 2\.[0-9]+ \(.*'
  row 'Wake-up by a thread on the same CPU' io_uring '.* 1\.[0-9]+ \(.*'
  row 'System calls for an event' epoll '.* 1\.0000 \(.* 0\.0100 \(.* 0\.0001 \(.*'
}

one_cpu() {
  taskset -c "$(taskset -pc $$ | sed 's/.*: //; s/[,-].*//')" "$tools/proa-probe" --measure --seconds 0.2 >measure.log
  row 'Wake-up by a thread on another CPU' epoll 'there is one CPU'
}

few_descriptors() {
  prlimit --nofile=60:60 setpriv --bounding-set=-sys_resource "$tools/proa-probe" --measure --seconds 0.2 >measure.log
  grep -qE '^no more than [1-5][0-9] descriptors instead of 10000: eventfd: EMFILE$' measure.log
  row 'Cost of an event' epoll "$(figures 2)"
  prlimit --nofile=8:8 setpriv --bounding-set=-sys_resource "$tools/proa-probe" --measure --seconds 0.2 >measure.log
  row 'Cost of an event' poll '- +eventfd: EMFILE'
}

forbidden() {
  "$deny" eperm "$tools/proa-probe" --measure --seconds 0.2 >measure.log
  row 'A regular file' io_uring 'io_uring_setup: EPERM'
  row 'Wake-up by a thread on the same CPU' io_uring 'io_uring_setup: EPERM'
  row 'Wake-up by a thread on the same CPU' epoll "$(figures 3)"
  "$deny" kill "$tools/proa-probe" --measure --seconds 0.2 --exclude uring >measure.log
  row 'Reads of 4 KiB' 'io_uring \(IORING_OP_READ\)' excluded
  row 'Reads of 4 KiB' 'epoll \(libaio\)' "$(figures 2)"
  row 'Cost of an event' io_uring '- +excluded +excluded +excluded'
}

progress() {
  TERM=dumb script -qec "'$tools/proa-probe' --measure --seconds 0.2 >measure.log" terminal </dev/null
  grep -q 'run 5 of 5: epoll, reads' terminal
  row 'A regular file' epoll 'no: epoll_ctl: EPERM'
}

# holds_file PID: it has the file, whole.
holds_file() {
  local size
  size=$(find -L "/proc/$1/fd" -type f -size 64M 2>/dev/null | wc -l)
  [ "$size" -eq 1 ]
}

file_gone() {
  mkdir files
  env --default-signal=INT "$tools/proa-probe" --measure --seconds 60 --directory files >measure.log &
  local pid=$! status=0
  wait_for holds_file $pid
  kill -INT $pid
  wait $pid || status=$?
  [ $status -eq 130 ]
  [ -z "$(ls -A files)" ]
  TMPDIR=files measure >measure.log
  grep -qF 'file of 64 MiB in files' measure.log
  [ -z "$(ls -A files)" ]
}

refused() {  # TEXT DIRECTORY COMMAND...
  local status=0 text=$1 directory=$2
  shift 2
  "$@" "$tools/proa-probe" --measure --directory "$directory" >measure.log 2>err || status=$?
  cat err
  [ $status -eq 1 ]
  [ ! -s measure.log ]
  grep -qF "no file can be made in the directory \"$directory\": $text" err
}

not_writable() {
  mkdir closed
  chmod 555 closed
  refused 'mkstemp: EACCES' closed setpriv --bounding-set=-dac_override --inh-caps=-dac_override
  refused 'mkstemp: ENOENT' nowhere env
}

full_disk() {
  [ "$(id -u)" -eq 0 ] || skip "only root can mount a small file system"
  mkdir small
  unshare -m sh -ec "mount -t tmpfs -o size=1M none small
    exec $tools/proa-probe --measure --seconds 0.2 --directory small" >measure.log
  row 'Reads of 4 KiB' 'epoll \(libaio\)' 'pwrite: ENOSPC'
  row 'Wake-up by a thread on the same CPU' epoll "$(figures 3)"
}

bad_usage() {
  local status
  while IFS='|' read -r bad message; do
    status=0
    # shellcheck disable=SC2086
    "$tools/proa-probe" $bad 2>err || status=$?
    cat err
    [ $status -eq 2 ]
    grep -qF -e "$message" err
  done <<'END'
--seconds 1|--directory and --seconds are for --measure
--directory .|--directory and --seconds are for --measure
--measure --names|--names and --measure are for different things
--measure --seconds 0|"0" is not a time in seconds
END
}

check "each technology has every row" all_there
check "one CPU" one_cpu
check "few descriptors" few_descriptors
check "io_uring forbidden, or fatal" forbidden
check "progress on a terminal" progress
check "the file is gone" file_gone
check "a directory that is not writable" not_writable
check "a full disk" full_disk
check "bad usage" bad_usage
finish
