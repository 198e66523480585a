#!/usr/bin/env bash
# The life of proa-echo: what it prints, how it ends, what it says when it cannot begin.
. "$(dirname "$0")/lib.sh"
need socat ss awk cmp

echo_tool() { timeout 120 "$tools/proa-echo" --backend "$backend" --strict "$@"; }

# expect STATUS TEXT COMMAND...: the status, and a text in what it writes to standard error.
expect() {
  local wanted=$1 text=$2 status=0
  shift 2
  "$@" >out 2>err || status=$?
  cat err
  [ $status -eq "$wanted" ]
  grep -qF -- "$text" err
}

prints_where() {
  start_echo 127.0.0.1:0 '[::1]:0' unix:where.sock "unix:@proa-where-$$-$backend"
  cat server.log
  grep -qxE "listening on 127\.0\.0\.1:[1-9][0-9]+ \($backend\)" server.log
  grep -qxE "listening on \[::1\]:[1-9][0-9]+ \($backend\)" server.log
  grep -qxF "listening on unix:where.sock ($backend)" server.log
  grep -qxF "listening on unix:@proa-where-$$-$backend ($backend)" server.log
  stop_echo
}

ends_cleanly() {
  start_echo 127.0.0.1:0 unix:end.sock
  [ -S end.sock ]
  exec 5<>"/dev/tcp/127.0.0.1/$(port_of "${addresses[0]}")"
  echo hello >&5
  read -r -t 120 line <&5
  kill "-$1" "$pid"
  # The connection is ended by the server, not reset; then the server ends, since nobody is left.
  ! read -r -t 120 line <&5
  exec 5>&-
  wait "$pid"
  [ ! -e end.sock ]
}

# What was received before the signal comes back, then the end: no reset takes anything away.
drains() {
  start_echo 127.0.0.1:0
  random_bytes 20000000 >in
  mkfifo late
  exec 5<>late
  socat -t 60 - "TCP:${addresses[0]},rcvbuf=4096" <in >late 5>&- &
  local client=$!
  wait_for stalled $client
  kill -TERM "$pid"
  wait_for refuses "$(port_of "${addresses[0]}")"
  timeout 120 cat <late >out 5>&- &
  local reader=$!
  exec 5>&-
  wait $client
  wait "$pid"
  wait $reader
  local size
  size=$(stat -c %s out)
  echo "$size bytes came back"
  [ "$size" -gt 0 ]
  cmp -n "$size" in out
}

# Also what has only reached the kernel, and on connections that nobody has accepted.
answers_what_had_arrived() {
  start_echo 127.0.0.1:0
  local port connections=() fd line
  port=$(port_of "${addresses[0]}")
  for _ in {1..50}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$port"
    echo early >&"$fd"
    read -r -t 120 line <&"$fd"
    connections+=("$fd")
  done
  kill -STOP "$pid"
  for _ in {1..10}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$port"
    connections+=("$fd")
  done
  for fd in "${connections[@]}"; do echo late >&"$fd"; done
  kill -TERM "$pid"
  kill -CONT "$pid"
  for fd in "${connections[@]}"; do
    read -r -t 120 line <&"$fd"
    [ "$line" = late ]
    if read -r -t 120 line <&"$fd"; then return 1; fi
    exec {fd}>&-
  done
  wait "$pid"
}

second_signal() {
  "$tools/proa-echo" --backend "$backend" --drain 60 --listen 127.0.0.1:0 >echo.log &
  pid=$!
  wait_for has_lines echo.log 1
  port=$(sed -n 's/.*:\([0-9]*\) (.*/\1/p' echo.log)
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  echo hello >&5
  read -r -t 120 _ <&5
  # It reads little by little, so that what is queued keeps the server draining, and finish() alone would go on for as
  # long as that takes.
  (head -c 50000000 /dev/zero >&5) 2>/dev/null &
  wait_for sends_nothing "$pid"
  (while dd bs=20000 count=1 status=none <&5 >/dev/null; do sleep 0.1; done) 2>/dev/null &
  kill -TERM "$pid"
  wait_for refuses "$port"
  kill -0 "$pid"
  local start=$SECONDS
  kill -TERM "$pid"
  wait "$pid"
  [ $((SECONDS - start)) -lt 50 ]
}
refuses() { ! (exec 6<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# Its connection has bytes that the kernel could not pass on.
sends_nothing() { [ -n "$(ss -Htn "sport = :$port" | awk '$3 > 0')" ]; }

keeps_foreign_path() {
  start_echo unix:mine.sock
  rm mine.sock
  echo precious >mine.sock
  stop_echo
  grep -qx precious mine.sock
  rm mine.sock

  start_echo unix:mine.sock
  expect 1 "unix:mine.sock" echo_tool --listen unix:mine.sock
  [ -S mine.sock ]
  stop_echo
}

bad_usage() {
  expect 2 "70000" echo_tool --listen 127.0.0.1:70000
  expect 2 "localhost:80" echo_tool --listen localhost:80
  expect 2 "no address" echo_tool
  expect 2 "unexpected" echo_tool --listen 127.0.0.1:0 more
  expect 2 "--nonsense" echo_tool --nonsense
  expect 2 "nosuch" timeout 120 "$tools/proa-echo" --backend nosuch --listen 127.0.0.1:0
  expect 2 "drain" echo_tool --listen 127.0.0.1:0 --drain soon
  expect 2 "idle" echo_tool --listen 127.0.0.1:0 --idle 0
  expect 2 "$(printf '%0108d' 0)" echo_tool --listen "unix:$(printf '%0108d' 0)"
  expect 1 "no/such/folder" echo_tool --listen unix:no/such/folder
  expect 1 "$backend: excluded" echo_tool --exclude "$backend" --listen 127.0.0.1:0
  echo_tool --help | grep -q -- --listen
}

address_in_use() {
  start_echo 127.0.0.1:0
  expect 1 "${addresses[0]}" echo_tool --listen "${addresses[0]}"
  stop_echo
  start_echo "${addresses[0]}"  # free again at once
  stop_echo
}

# Whether it has said something or not.
idle() {
  start_server proa-echo 1 --listen=127.0.0.1:0 --idle 0.2
  local line
  exec 5<>"/dev/tcp/127.0.0.1/$(port_of "${addresses[0]}")" 6<>"/dev/tcp/127.0.0.1/$(port_of "${addresses[0]}")"
  echo hello >&5
  read -r -t 120 line <&5
  [ "$line" = hello ]
  timeout 120 cat <&5 >rest
  timeout 120 cat <&6 >>rest
  [ ! -s rest ]
  exec 5>&- 6>&-
  stop_server
}

# They share the ports; the first one alone has the UNIX address. SIGUSR1 tells of each.
threads() {
  start_server proa-echo 3 --threads 2 --listen=127.0.0.1:0 --listen=udp:127.0.0.1:0 --listen=unix:shared.sock 2>errors
  [ "${#addresses[@]}" -eq 3 ]
  local i address ends line
  for i in {1..12}; do
    for address in "${addresses[@]}"; do
      ends=  # an empty datagram comes back, and is the end
      if [[ $address == udp:* ]]; then ends=,shut-null,null-eof; fi
      line=$(echo "hello $i" | timeout 120 socat -t 60 - "$(to_socat "$address")$ends")
      [ "$line" = "hello $i" ]
    done
  done
  kill -USR1 "$pid"
  wait_for has_lines errors 2
  cat errors
  [ "$(grep -c "^thread [01], $backend: live [0-9]*, submitted [1-9]" errors)" -eq 2 ]
  stop_server
  [ ! -e shared.sock ]
}

check "prints where it listens" prints_where
check "ends cleanly on SIGTERM" ends_cleanly TERM
check "ends cleanly on SIGINT" ends_cleanly INT
check "drains what is under way" drains
check "answers what had arrived" answers_what_had_arrived
check "a second signal ends it at once" second_signal
check "removes no path but its own" keeps_foreign_path
check "bad usage and failures are named" bad_usage
check "an address in use" address_in_use
check "idle connections are closed" idle
check "threads" threads
finish
