#!/usr/bin/env bash
# proa-journal, killed again and again: no record that it acknowledged is lost.
. "$(dirname "$0")/lib.sh"
need awk socat

journal() { "$tools/proa-journal" --backend "$backend" --strict "$@"; }
verify() { "$tools/proa-journal" --verify "$1"; }

# lines NUMBER: from none to some thousand bytes long.
lines() {
  awk -v number="$1" 'BEGIN {
    srand(7)
    text = sprintf("%4000s", "")
    gsub(/ /, "record ", text)
    for (i = 0; i < number; ++i) print substr(text, 1, int(rand() ^ 4 * 6000))
  }'
}

appends() {
  printf 'one\ntwo\nthree' | timeout 120 "$tools/proa-journal" --backend "$backend" --strict log >acks
  [ "$(cat acks)" = $'1\n2\n3' ]
  lines 5000 >in
  lines 5000 | timeout 120 "$tools/proa-journal" --backend "$backend" --strict log >acks
  [ "$(wc -l <acks)" -eq 5000 ]
  [ "$(tail -n 1 acks)" -eq 5003 ]
  [ "$(verify log)" -eq 5003 ]
}

# What is damaged ends the journal there, and is written over.
damage() {
  seq 100 | journal log >acks
  [ "$(verify log)" -eq 100 ]
  printf x | dd of=log bs=1 seek=1000 conv=notrunc status=none
  local intact
  intact=$(verify log)
  echo "intact: $intact"
  [ "$intact" -gt 10 ] && [ "$intact" -lt 100 ]
  echo again | journal log >acks
  [ "$(cat acks)" -eq $((intact + 1)) ]
  [ "$(verify log)" -eq $((intact + 1)) ]
}

# kill_once AFTER: it dies when that many numbers have come. What came in all is acknowledged.
kill_once() {
  local i pid last number=0
  "$tools/proa-journal" --backend "$backend" --strict log <in >acks &
  pid=$!
  {
    for ((i = 0; i < $1; ++i)); do read -r -t 120 number; done
    kill -KILL $pid 2>/dev/null || true  # on a busy machine it may have come to its end before
    last=$(tail -n 1)
  } <acks
  wait $pid || true
  acknowledged=${last:-$number}
  found=$(verify log)
  if [ "$found" -lt "$acknowledged" ]; then
    echo "record $acknowledged was acknowledged, $found are there"
    return 1
  fi
}

killed() {
  lines 3000 >in
  mkfifo acks
  : >log
  local times most=0
  RANDOM=$1
  for ((times = 0; times < $2; ++times)); do
    if ((times % 25 == 0)); then : >log; fi
    kill_once $((RANDOM % 150))
    if [ "$acknowledged" -gt $most ]; then most=$acknowledged; fi
  done
  echo "acknowledged: $most in one journal"
  [ $most -gt 1000 ]
}

# What came is kept, but nobody may think that it was all.
broken_input() {
  local status=0
  journal log </ >acks 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard input: Is a directory' err
  status=0
  journal log 0>write-only >acks 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard input: Bad file descriptor' err
  [ "$(verify log)" -eq 0 ]

  mkfifo feed
  socat -d -d -U TCP-LISTEN:0,bind=127.0.0.1,linger=0 PIPE:feed 2>socat.log &
  local port client peer=$!
  wait_for grep -q 'listening on' socat.log
  port=$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' socat.log)
  "$tools/proa-journal" --backend "$backend" --strict log <"/dev/tcp/127.0.0.1/$port" >acks 2>err &
  client=$!
  exec 5>feed
  printf 'one\nhalf of' >&5
  wait_for has_lines acks 1
  kill -KILL $peer  # as it never says goodbye, its end is a reset
  status=0
  wait $client || status=$?
  [ $status -eq 1 ]
  grep -q 'standard input: Connection reset' err
  [ "$(verify log)" -eq 1 ]
}

# The number of one that is closed must not become that of the ring, or of the journal.
closed_descriptors() {
  timeout 120 "$tools/proa-journal" --backend "$backend" --strict log <&-
  timeout 120 "$tools/proa-journal" --backend "$backend" --strict log <&- >&- 2>&-
  echo one | timeout 120 "$tools/proa-journal" --backend "$backend" --strict log >&-
  echo two | timeout 120 "$tools/proa-journal" --backend "$backend" --strict log 2>&- >acks
  [ "$(cat acks)" = 2 ]
  [ "$(verify log)" -eq 2 ]
}

one_writer() {
  mkfifo feed
  journal log <feed >acks &
  exec 5>feed
  echo one >&5
  wait_for has_lines acks 1
  local status=0
  echo lost | journal log >acks.other 2>err || status=$?
  [ $status -eq 1 ]
  grep -q '^proa-journal: log: .*another' err
  [ ! -s acks.other ]
  [ "$(verify log)" -eq 1 ]
  echo two >&5
  exec 5>&-
  wait $!
  [ "$(cat acks)" = $'1\n2' ]
  [ "$(verify log)" -eq 2 ]
  echo three | journal log >acks
  [ "$(cat acks)" = 3 ]
}

failures() {
  local status=0
  echo line | journal /dev/full >acks 2>err || status=$?
  [ $status -eq 1 ]
  status=0
  echo line | journal no/such/folder 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'No such file' err
  status=0
  echo line | journal log >/dev/full 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard output: No space left' err
  status=0
  journal log </dev/zero 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'longer than a mebibyte' err
  status=0
  journal 2>err || status=$?
  [ $status -eq 2 ]
  status=0
  verify no-log 2>err || status=$?
  [ $status -eq 1 ]
}

check "appends and acknowledges each line" appends
check "goes on behind the last intact record" damage
check "150 times killed, no acknowledged record is lost" killed 1 150
check "standard input that breaks off is a failure" broken_input
check "standard input, output or errors closed" closed_descriptors
check "a second process cannot append to it meanwhile" one_writer
check "failures are named" failures
finish
