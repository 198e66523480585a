#!/usr/bin/env bash
# proa-echo with datagrams. An empty one behind the others comes back as well, and is taken for the end by socat
# (shut-null, null-eof): nothing has to wait for a silence.
. "$(dirname "$0")/lib.sh"
need socat nc ss awk cmp dd

all=(udp:127.0.0.1:0 'udp:[::1]:0' udp:unix:echo.sock)

# through ADDRESS SIZE: standard input goes there in datagrams of that size, what comes back to standard output.
through() { timeout 120 socat -b "$2" -t 20 - "$(to_socat "$1"),shut-null,null-eof"; }

every_address() {
  start_echo "${all[@]}"
  random_bytes 20000 >in
  for address in "${addresses[@]}"; do
    echo "$address"
    through "$address" 1000 <in >out
    cmp in out
  done
  stop_echo
  [ ! -e echo.sock ]
}

# one_datagram SIZE ADDRESS: there and back, whole.
one_datagram() {
  start_echo "$2"
  random_bytes "$1" >in
  through "${addresses[0]}" 65507 <in >out
  cmp in out
  stop_echo
}

# Nothing but the empty one.
empty() {
  start_echo "${all[@]}"
  for address in "${addresses[@]}"; do
    echo "$address"
    through "$address" 1000 </dev/null >out
    [ ! -s out ]
  done
  stop_echo
}

both_families() {
  start_echo 'udp:[::]:0'
  local port
  port=$(port_of "${addresses[0]}")
  echo four | through "udp:127.0.0.1:$port" 100 | grep -qx four
  echo six | through "udp:[::1]:$port" 100 | grep -qx six
  stop_echo
}

beside_connections() {
  start_echo 127.0.0.1:0 udp:127.0.0.1:0 unix:stream.sock
  random_bytes 100000 >in
  timeout 120 socat -t 20 - "$(to_socat "${addresses[0]}")" <in >out
  cmp in out
  timeout 120 socat -t 20 - "$(to_socat "${addresses[2]}")" <in >out
  cmp in out
  echo datagram | through "${addresses[1]}" 100 | grep -qx datagram
  stop_echo
}

many_at_once() {
  start_echo "$1"
  local i clients=()
  for i in {1..20}; do
    random_bytes 3000 >"in.$i"
    through "${addresses[0]}" 1000 <"in.$i" >"out.$i" &
    clients+=($!)
  done
  for i in "${!clients[@]}"; do
    wait "${clients[$i]}"
    cmp "in.$((i + 1))" "out.$((i + 1))"
  done
  stop_echo
}

netcat() {
  start_echo "${all[@]:0:2}"
  mkfifo keys
  local host
  for host in 127.0.0.1 ::1; do
    : >out
    exec 5<>keys
    timeout 120 nc -u "$host" "$(port_of "${addresses[0]}")" <keys >out 5>&- &
    local client=$!
    echo "hello $host" >&5
    wait_for grep -qx "hello $host" out
    echo again >&5
    wait_for grep -qx again out
    exec 5>&-
    kill $client
    wait $client || true  # else it may read what is for the next one
    addresses=("${addresses[@]:1}")
  done
  stop_echo
}

# Bash has a socket of its own for each; dd reads one datagram.
in_turns() {
  start_echo udp:127.0.0.1:0
  local i
  exec 5<>"/dev/udp/127.0.0.1/$(port_of "${addresses[0]}")"
  for i in {1..200}; do
    echo "line $i" >&5
    [ "$(timeout 120 dd bs=100 count=1 status=none <&5)" = "line $i" ]
  done
  exec 5>&-
  stop_echo
}

# Nobody is there any more for the answers; what the system says of it ends nothing.
clients_that_leave() {
  start_echo udp:127.0.0.1:0
  local i
  for i in {1..100}; do
    exec 5<>"/dev/udp/127.0.0.1/$(port_of "${addresses[0]}")"
    echo "$i" >&5
    exec 5>&-
  done
  echo still here | through "${addresses[0]}" 100 | grep -qx 'still here'
  stop_echo
}

# It reads nothing: what is queued for it when the signal comes is waited for no longer than --drain says.
reader_that_stalls() {
  start_server proa-echo 1 --listen=udp:unix:echo.sock --drain 0.3
  mkfifo keys
  exec 5<>keys
  timeout 120 socat -u -b 100 - UNIX-SENDTO:echo.sock,bind=client.sock <keys 5>&- &
  random_bytes 10000 >&5
  wait_for has_unread client.sock
  kill -TERM "$pid"
  wait_for ended "$pid"
  wait "$pid"
}
has_unread() { [ -n "$(ss -Hxan | awk -v path="$1" '$5 == path && $3 > 0')" ]; }

hundred_numbers() {
  local i
  for i in {1..100}; do echo "$i"; done
}
told_to_end_with_datagrams() {
  start_server proa-echo 1 --listen=udp:127.0.0.1:0 "$@"
  answers_of_last "$(port_of "${addresses[0]}")" hundred_numbers
  seq 100 | cmp - out
}

# SIGSTOP keeps it from reading.
drops() {
  start_server proa-echo 1 --listen=udp:127.0.0.1:0 --receive-buffer 4096 2>err
  kill -STOP "$pid"
  exec 5<>"/dev/udp/127.0.0.1/$(port_of "${addresses[0]}")"
  local i
  for i in {1..200}; do echo "$i" >&5; done
  kill -CONT "$pid"
  exec 5>&-
  stop_server
  grep -qE '^proa-echo: 127\.0\.0\.1:[0-9]+: [0-9]+ datagrams were dropped \(--receive-buffer\)$' err
  local bad status
  for bad in 0 -1 1k '' 99999999999; do
    status=0
    timeout 120 "$tools/proa-echo" --listen udp:127.0.0.1:0 --receive-buffer "$bad" 2>err || status=$?
    [ $status -eq 2 ]
    grep -qF "\"$bad\"" err
  done
}

check "socat on every kind of address" every_address
check "a large datagram over IPv4" one_datagram 65507 udp:127.0.0.1:0
check "a large datagram over IPv6" one_datagram 65507 'udp:[::1]:0'
check "a large datagram over a UNIX path" one_datagram 65507 udp:unix:large.sock
check "an empty datagram" empty
check "IPv4 and IPv6 at one port" both_families
check "beside connections" beside_connections
check "twenty socats at once over UDP" many_at_once udp:127.0.0.1:0
check "twenty socats at once over a UNIX path" many_at_once udp:unix:many.sock
check "nc over UDP and UDP6" netcat
check "bash, written and read in turns" in_turns
check "clients that leave" clients_that_leave
check "datagrams that find no room are told" drops
check "what came before the signal to end is sent back" told_to_end_with_datagrams
check "what came before the signal to end is sent back, with few buffers" told_to_end_with_datagrams --buffers 2
check "a reader that stalls holds up no end" reader_that_stalls
finish
