#!/usr/bin/env bash
# proa-echo with socat: every kind of address, much data, half-close, many at once.
. "$(dirname "$0")/lib.sh"
need socat cmp

all=(127.0.0.1:0 '[::1]:0' unix:echo.sock "unix:@proa-real-$$-$backend")

every_address() {
  start_echo "${all[@]}"
  random_bytes 200000 >in
  for address in "${addresses[@]}"; do
    echo "$address"
    timeout 120 socat -t 20 - "$(to_socat "$address")" <in >out
    cmp in out
  done
  stop_echo
}

# The whole amount, with socat's own block size, and its end passed on by a half-close.
much_data() {
  start_echo "$1"
  random_bytes 67108864 >in
  timeout 120 socat -t 60 - "$(to_socat "${addresses[0]}")" <in >out
  cmp in out
  rm in out
  stop_echo
}

small_blocks() {
  start_echo "$1"
  random_bytes 300000 >in
  timeout 120 socat -b 100 -t 60 - "$(to_socat "${addresses[0]}")" <in >out
  cmp in out
  stop_echo
}

# Nobody reads what comes back until nothing moves any more.
late_reader() {
  start_echo "$1"
  random_bytes 20000000 >in
  mkfifo late
  exec 5<>late
  socat -t 60 - "$(to_socat "${addresses[0]}")" <in >late 5>&- &
  local client=$!
  wait_for stalled $client
  timeout 120 head -c 20000000 <&5 >out
  wait $client
  cmp in out
  stop_echo
}

many_at_once() {
  start_echo "$1"
  random_bytes 500000 >in
  local before i clients=()
  before=$(descriptors "$pid")
  for i in {1..30}; do
    timeout 120 socat -t 60 - "$(to_socat "${addresses[0]}")" <in >"out.$i" &
    clients+=($!)
  done
  for i in "${!clients[@]}"; do
    wait "${clients[$i]}"
    cmp in "out.$((i + 1))"
  done
  wait_for has_descriptors "$pid" "$before"
  stop_echo
}

# linger=0 makes socat reset the connection while it is written to.
resets() {
  start_echo "$1"
  local before i
  before=$(descriptors "$pid")
  for i in {1..20}; do
    random_bytes 400000 | timeout 120 socat -u - "$(to_socat "${addresses[0]}"),linger=0" || :
  done
  wait_for has_descriptors "$pid" "$before"
  echo still here | timeout 120 socat -t 20 - "$(to_socat "${addresses[0]}")" | grep -qx 'still here'
  stop_echo
}

check "socat on every kind of address" every_address
check "64 MiB through socat over TCP" much_data 127.0.0.1:0
check "64 MiB through socat over a UNIX path" much_data unix:much.sock
check "small blocks over TCP" small_blocks 127.0.0.1:0
check "a reader that is late gets all of it" late_reader 127.0.0.1:0
check "thirty socats at once over TCP" many_at_once 127.0.0.1:0
check "thirty socats at once over a UNIX path" many_at_once unix:many.sock
check "peers that reset" resets 127.0.0.1:0
finish
