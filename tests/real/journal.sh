#!/usr/bin/env bash
# proa-journal: what it appends, cuts off and refuses (journal_faults.py: disks that fail, and kill). Arguments: as all,
# and failing_read behind the backend.
. "$(dirname "$0")/lib.sh"
failing_read=${1:?}
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

# A record whose end is missing was not acknowledged: it is cut off, and the user hears of that.
torn() {
  seq 100 | journal log >acks
  local whole
  whole=$(stat -c %s log)
  truncate -s -1 log
  [ "$(verify log 2>err)" -eq 99 ]
  grep -q "^proa-journal: log: offset $((whole - 19)): .* torn .*18 bytes" err
  [ "$(stat -c %s log)" -eq $((whole - 1)) ]
  echo again | journal log >acks 2>err
  [ "$(cat acks)" -eq 100 ]
  grep -q "^proa-journal: log: offset $((whole - 19)): .* torn .*18 bytes" err
  [ "$(verify log)" -eq 100 ]
  # What was cut off comes back in no shape: the journal is as long as its records.
  [ "$(stat -c %s log)" -eq $((whole + 2)) ]
}

# When the power fails, a file may have got longer and not been filled.
zeros() {
  echo one | journal log >acks
  local record end
  for record in two "$(printf '%03000d' 1)"; do
    end=$(stat -c %s log)
    echo "$record" | journal log >acks
    truncate -s "-$((${#record} / 2))" log
    if [ "$record" = two ]; then truncate -s "$end" log; fi
    truncate -s $((end + 16 + ${#record})) log
    [ "$(verify log 2>err)" -eq 1 ]
    echo again | journal log >acks 2>err
    grep -q "^proa-journal: log: offset $end: .* torn .* $((16 + ${#record})) bytes" err
    [ "$(cat acks)" -eq 2 ]
    [ "$(verify log)" -eq 2 ]
    truncate -s "$end" log
  done
}

# refuses OFFSET WORDS COMMAND...: to append fails with a message of these words, and the file stays as it is.
refuses() {
  local offset=$1 words=$2 status=0
  shift 2
  cp log before
  echo more | "$@" --backend "$backend" --strict log >acks 2>err || status=$?
  cat err
  [ $status -eq 1 ]
  [ ! -s acks ]
  grep -q "^proa-journal: log: offset $offset: .*$words" err
  cmp log before
}

# Record 3 of 100, which begins at byte 36, is damaged: in its length, checksum, number, text, as a whole.
damage() {
  seq -f '%02g' 100 | journal log >acks  # 18 bytes each
  cp log whole
  local where length
  for where in 36:1 39:1 40:1 44:1 51:1 53:1 36:18 36:30; do
    cp whole log
    length=${where#*:}
    printf "%${length}s" | tr ' ' '\377' | dd of=log bs=1 seek="${where%:*}" conv=notrunc status=none
    echo "damage: $where"
    refuses 36 'record 3 .*intact record [45] .*offset' "$tools/proa-journal"
    [ "$(verify log 2>err || echo "status $?")" = $'2\nstatus 1' ]
    grep -q '^proa-journal: log: offset 36: record 3 ' err
  done
  # The length of the last one, all of whose bytes are there.
  for where in 1782:377 1783:1 1784:10; do
    cp whole log
    printf "\\${where#*:}" | dd of=log bs=1 seek="${where%:*}" conv=notrunc status=none
    echo "damage: $where"
    refuses 1782 'record 100 .*\(length\|end is there\)' "$tools/proa-journal"
  done
  # Records that are missing, and bytes that were put between two.
  { head -c 36 whole && tail -c +55 whole; } >log
  refuses 36 'record 3 .*intact record 4 .*offset 36' "$tools/proa-journal"
  { head -c 36 whole && tail -c 19 whole; } >log
  refuses 36 'record 3 .*intact record 100 .*offset 36' "$tools/proa-journal"
  { head -c 36 whole && printf abc && tail -c +37 whole; } >log
  refuses 36 'record 3 .*intact record 3 .*offset 39' "$tools/proa-journal"
  # The last record: nothing follows, and nothing is missing.
  for where in 1785 1786 1790 1800; do
    cp whole log
    printf '\377' | dd of=log bs=1 seek="$where" conv=notrunc status=none
    refuses 1782 'record 100 has a wrong' "$tools/proa-journal"
  done
  # Far behind the damage, and across what is read at once.
  cp whole log
  lines 5000 | journal log >acks
  dd if=/dev/urandom of=log bs=1000 seek=1 count=5000 conv=notrunc status=none
  refuses 990 'record 56 .*intact record' "$tools/proa-journal"
}

# What cannot be read is not gone.
unreadable() {
  lines 5000 | journal log >acks
  [ "$(stat -c %s log)" -gt 4000000 ]
  refuses '[0-9]*' 'Input/output error' "$failing_read" 3000000 "$tools/proa-journal"
  local status=0
  "$failing_read" 3000000 "$tools/proa-journal" --verify log >found 2>err || status=$?
  [ $status -eq 1 ]
  grep -q '^proa-journal: log: offset [0-9]*: Input/output error' err
  [ "$(verify log)" -eq 5000 ]
}

has_open() { find "/proc/$1/fd" -lname "$2" 2>/dev/null | grep -q .; }

# renamed COMMAND...: runs the command while a second process waits for the journal; what the first one acknowledged
# stays, and the second one says that the file is another one.
renamed() {
  mkfifo feed
  "$tools/proa-journal" --backend "$backend" --strict log <feed >acks &
  local status=0 first=$! second
  exec 5>feed
  seq 100 >&5
  wait_for has_lines acks 100
  cp log before
  echo lost | "$tools/proa-journal" --backend "$backend" --strict log >acks.other 2>err 5>&- &
  second=$!
  wait_for has_open $second "$(pwd -P)/log"
  kill -STOP $second
  mv log log.1
  "$@"
  exec 5>&-
  wait $first
  kill -CONT $second
  wait $second || status=$?
  cat err
  [ $status -eq 1 ]
  grep -q '^proa-journal: log: .*renamed or replaced' err
  [ ! -s acks.other ]
  cmp log.1 before
  [ "$(verify log.1)" -eq 100 ]
}
replaced() { renamed cp log.1 log; cmp log before; }

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
check "cuts off a torn record, and says so" torn
check "cuts off what the file system had not written" zeros
check "refuses a journal that is damaged" damage
check "refuses a journal that cannot be read" unreadable
check "refuses a journal that was renamed while it waited" renamed true
check "refuses a journal that was replaced while it waited" replaced
check "standard input that breaks off is a failure" broken_input
check "standard input, output or errors closed" closed_descriptors
check "a second process cannot append to it meanwhile" one_writer
check "failures are named" failures
finish
