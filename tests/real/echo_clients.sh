#!/usr/bin/env bash
# proa-echo with nc and with bash itself.
. "$(dirname "$0")/lib.sh"
need nc cmp

netcat() {
  start_echo 127.0.0.1:0 '[::1]:0' unix:nc.sock
  random_bytes 3000000 >in
  timeout 120 nc -N 127.0.0.1 "$(port_of "${addresses[0]}")" <in >out
  cmp in out
  timeout 120 nc -N ::1 "$(port_of "${addresses[1]}")" <in >out
  cmp in out
  timeout 120 nc -N -U nc.sock <in >out
  cmp in out
  stop_echo
}

# Written and read in turns, on one connection.
in_turns() {
  start_echo 127.0.0.1:0
  local i line
  exec 5<>"/dev/tcp/127.0.0.1/$(port_of "${addresses[0]}")"
  for i in {1..2000}; do
    echo "line $i" >&5
    read -r -t 120 line <&5
    [ "$line" = "line $i" ]
  done
  exec 5>&-
  stop_echo
}

short_connections() {
  start_echo 127.0.0.1:0
  local port before i line
  port=$(port_of "${addresses[0]}")
  before=$(descriptors "$pid")
  for i in {1..1000}; do
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    echo "$i" >&5
    read -r -t 120 line <&5
    [ "$line" = "$i" ]
    exec 5>&-
  done
  for i in {1..1000}; do  # nothing but the connection
    exec 5<>"/dev/tcp/127.0.0.1/$port"
    exec 5>&-
  done
  wait_for has_descriptors "$pid" "$before"
  stop_echo
}

# Connections that are held, each asked again when all the others are there.
held_connections() {
  start_echo 127.0.0.1:0
  local port i line open=()
  port=$(port_of "${addresses[0]}")
  for i in {1..200}; do
    exec {descriptor}<>"/dev/tcp/127.0.0.1/$port"
    open+=("$descriptor")
  done
  for descriptor in "${open[@]}" "${open[@]}"; do
    echo "to $descriptor" >&"$descriptor"
  done
  for descriptor in "${open[@]}" "${open[@]}"; do
    read -r -t 120 line <&"$descriptor"
    [ "$line" = "to $descriptor" ]
  done
  for descriptor in "${open[@]}"; do exec {descriptor}>&-; done
  stop_echo
}

check "nc over TCP, TCP6 and a UNIX path" netcat
check "bash, written and read in turns" in_turns
check "2000 short connections of bash" short_connections
check "200 connections held by bash" held_connections
finish
