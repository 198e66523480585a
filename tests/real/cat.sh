#!/usr/bin/env bash
# proa-cat against socat and proa-echo: what its standard input and output may be, and that nothing is lost.
. "$(dirname "$0")/lib.sh"
need socat nc script cmp md5sum

cat_tool() { timeout 120 "$tools/proa-cat" --backend "$backend" --strict "$@"; }

connects() {
  random_bytes 3000000 >in
  random_bytes 2000000 >back
  timeout 120 socat -d -d -t 60 TCP-LISTEN:0,bind=127.0.0.1 \
    SYSTEM:'cat back & cat >received; wait' 2>socat.log &
  local server=$!
  wait_for grep -q 'listening on' socat.log
  port=$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' socat.log)
  cat_tool "127.0.0.1:$port" <in >out
  wait $server
  cmp in received
  cmp back out
}

# listens ADDRESS: proa-cat has both a file to send and a file to fill.
listens() {
  random_bytes 3000000 >in
  random_bytes 2000000 >back
  cat_tool --listen "$1" <back >received 2>cat.log &
  local server=$!
  wait_for grep -q 'listening on' cat.log
  local address
  address=$(sed -n "s/^listening on \(.*\) ($backend)$/\1/p" cat.log)
  timeout 120 socat -t 60 - "$(to_socat "$address")" <in >out
  wait $server
  cmp in received
  cmp back out
  [ ! -e listen.sock ]
}

interrupted_listening() {
  "$tools/proa-cat" --backend "$backend" --listen unix:gone.sock 2>cat.log &
  wait_for grep -q 'listening on' cat.log
  kill -INT $!
  local status=0
  wait $! || status=$?
  [ $status -eq 1 ]
  [ ! -e gone.sock ]
}

# 100 MB there and back, between pipes; both directions are full at once.
much_data() {
  start_echo "$1"
  head -c 100000000 /dev/urandom | tee >(md5sum >in.sum) |
    cat_tool "${addresses[0]}" | md5sum >out.sum
  wait_for test -s in.sum
  cmp in.sum out.sum
  stop_echo
}

cats_facing_each_other() {
  random_bytes 20000000 >one
  random_bytes 20000000 >other
  cat_tool --listen unix:face.sock < <(cat one) 2>cat.log > >(cat >got.one) &
  local server=$!
  wait_for grep -q 'listening on' cat.log
  cat other | cat_tool unix:face.sock | cat >got.other
  wait $server
  wait_for cmp -s other got.one
  cmp one got.other
}

files_and_devices() {
  start_echo unix:echo.sock
  random_bytes 5000000 >in
  cat_tool unix:echo.sock <in >out
  cmp in out
  cat_tool unix:echo.sock <in >>out  # O_APPEND
  cat in in | cmp - out
  cat_tool unix:echo.sock </dev/null >out
  [ ! -s out ]
  cat_tool unix:echo.sock <in >/dev/null
  : >empty
  cat_tool unix:echo.sock <empty | cmp - empty
  cat_tool unix:echo.sock <&- >out
  [ ! -s out ]
  stop_echo
}

named_pipes() {
  start_echo unix:echo.sock
  random_bytes 5000000 >in
  mkfifo there back
  cat in >there &
  cat back >out &
  local reader=$!
  cat_tool unix:echo.sock <there >back
  wait $reader
  cmp in out
  stop_echo
}

# socat gives its child a socket for both, in blocking mode; written and read in turns.
sockets() {
  start_echo unix:echo.sock
  coproc socat -t 20 STDIO "EXEC:\"$tools/proa-cat --backend $backend unix:echo.sock\"" 2>&1
  local i line to=${COPROC[1]} from=${COPROC[0]}
  for i in {1..5}; do
    echo "line $i" >&"$to"
    read -r -t 120 line <&"$from"
    [ "$line" = "line $i" ]
  done
  exec {to}>&-
  wait "$COPROC_PID"
  stop_echo
}

# script(1) gives it a terminal for both. What is typed appears twice: echoed by the terminal and by proa-echo.
terminal() {
  start_echo unix:echo.sock
  mkfifo keys
  timeout 120 script -qec "$tools/proa-cat --backend $backend unix:echo.sock; cat /proc/self/fdinfo/0" \
    /dev/null <keys >screen &
  local terminal=$! flags
  exec 5>keys
  echo hello >&5
  wait_for two_hellos
  printf '\004' >&5  # end of file, in the terminal's words
  wait $terminal
  exec 5>&-
  # The terminal is as blocking as it was, else the shell's next read would fail. O_NONBLOCK is 04000.
  flags=$(sed -n 's/^flags:[[:space:]]*\([0-7]*\).*/\1/p' screen)
  [ -n "$flags" ]
  [ $((8#$flags & 04000)) -eq 0 ]
  stop_echo
}
two_hellos() { [ "$(grep -c hello screen)" -eq 2 ]; }

terminal_takes_much() {
  start_echo unix:echo.sock
  base64 -w 60 /dev/urandom | head -c 2000000 >in
  mkfifo keys
  exec 5<>keys  # its end would type a character
  timeout 120 script -qec "stty raw -echo -opost; $tools/proa-cat --backend $backend unix:echo.sock <in" \
    /dev/null <&5 >out
  cmp in out
  stop_echo
}

# 300 MB are copied; ASan needs 22 MB, and a sender that is never held up fills the pool's 64 MiB.
bounded() {
  local peak
  peak=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
  echo "peak: $peak KiB"
  [ "$peak" -lt 48000 ]
}

# $cat is alive and has copied all to where `sum` was taken.
copied_in_bounds() {
  wait_for test -s sum
  bounded "$cat"
  exec 5>&-
  wait "$cat"
  [ "$(head -c 32 sum)" = "$(head -c 300000000 /dev/zero | md5sum | head -c 32)" ]
}

# A peer that reads nothing before it is told to.
slow_connection() {
  mkfifo go feed
  timeout 120 socat -t 60 UNIX-LISTEN:slow.sock SYSTEM:'read x <go; head -c 300000000 | md5sum; cat >/dev/null' &
  exec 5<>feed
  wait_for test -S slow.sock
  head -c 300000000 /dev/zero >feed 5>&- &
  local feeder=$!
  "$tools/proa-cat" --backend "$backend" unix:slow.sock <feed >sum 5>&- &
  cat=$!
  wait_for stalled $feeder
  echo >go
  copied_in_bounds
}

# The same for a reader of its standard output.
slow_output() {
  mkfifo go keep out
  exec 5<>keep
  socat -u -b 65536 OPEN:/dev/zero,readbytes=300000000 UNIX-LISTEN:fast.sock 5>&- &
  local feeder=$!
  wait_for test -S fast.sock
  (read -r <go && md5sum) <out >sum 5>&- &
  "$tools/proa-cat" --backend "$backend" unix:fast.sock <keep >out 5>&- &
  cat=$!
  wait_for stalled $feeder
  echo >go
  copied_in_bounds
}

failures() {
  local status=0
  cat_tool 127.0.0.1:1 2>err || status=$?
  [ $status -eq 1 ]
  grep -q '127.0.0.1:1: Connection refused' err
  status=0
  cat_tool unix:nothing.sock 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'unix:nothing.sock: No such file' err
  for bad in "" "127.0.0.1" "127.0.0.1:70000" "--timeout 0 127.0.0.1:1" "--nonsense" "127.0.0.1:1 127.0.0.1:2"; do
    status=0
    # shellcheck disable=SC2086
    cat_tool $bad 2>err || status=$?
    cat err
    [ $status -eq 2 ]
  done
  cat_tool --help | grep -q -- --listen

  start_echo unix:echo.sock
  status=0
  random_bytes 100000 | cat_tool unix:echo.sock >/dev/full 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard output: No space left' err
  status=0
  cat_tool unix:echo.sock </ 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard input: Is a directory' err
  yes | cat_tool unix:echo.sock 2>err | head -n 1 >out  # a closed pipe ends it, with no SIGPIPE
  grep -q 'standard output: Broken pipe' err
  stop_echo
}

# A UNIX listener whose backlog is full keeps connecting clients waiting.
connect_timeout() {
  mkfifo keep
  exec 5<>keep
  nc -lkU busy.sock <&5 >/dev/null &
  wait_for test -S busy.sock
  local i status=0
  for i in {1..10}; do
    cat_tool unix:busy.sock <&5 >/dev/null 2>&1 &
  done
  wait_for timed_out
  cat err
  grep -q 'cannot connect to unix:busy.sock: ' err
}
# Until all the others are there, it connects.
timed_out() {
  local status=0
  timeout 3 "$tools/proa-cat" --backend "$backend" --timeout 0.3 unix:busy.sock <&5 2>err || status=$?
  [ $status -eq 1 ]
}

check "connects to socat, files both ways" connects
check "listens for socat over TCP" listens 127.0.0.1:0
check "listens for socat over a UNIX path" listens unix:listen.sock
check "interrupted while it listens" interrupted_listening
check "100 MB through pipes there and back over TCP" much_data 127.0.0.1:0
check "100 MB through pipes there and back over a UNIX path" much_data unix:much.sock
check "two proa-cats, both directions at once" cats_facing_each_other
check "regular files, /dev/null, no standard input" files_and_devices
check "named pipes" named_pipes
check "sockets in blocking mode" sockets
check "a terminal" terminal
check "a terminal takes 2 MB" terminal_takes_much
check "memory is bounded when the connection is slow" slow_connection
check "memory is bounded when standard output is slow" slow_output
check "failures are named" failures
check "connecting takes no longer than asked for" connect_timeout
finish
