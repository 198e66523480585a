#!/usr/bin/env bash
# proa-cat with datagrams, against socat and proa-echo. Standard input stays open until all has come back, since a
# silence alone says nothing on a busy machine.
. "$(dirname "$0")/lib.sh"
need socat cmp

cat_tool() { timeout 120 "$tools/proa-cat" --backend "$backend" --strict "$@"; }

# there_and_back ADDRESS: 20 datagrams, one behind the other.
there_and_back() {
  mkfifo keys
  exec 5<>keys
  cat_tool --udp --wait 0.1 "$1" <keys >out 5>&- &
  local client=$! i
  exec 6>keys 5>&-
  : >in
  for i in {1..20}; do
    random_bytes $((i * 50)) | tee -a in >&6
    wait_for cmp -s in out
  done
  exec 6>&-
  wait $client
  cmp in out
  rm keys
}

socat_echo() {
  timeout 120 socat -d -d "$1" PIPE 2>socat.log &
  wait_for grep -q 'listening on' socat.log
  there_and_back "$2:$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' socat.log)"
}

own_echo() {
  start_echo udp:127.0.0.1:0 'udp:[::1]:0' udp:unix:echo.sock "udp:unix:@proa-udp-$$-$backend"
  for address in "${addresses[@]}"; do
    echo "$address"
    there_and_back "${address#udp:}"
  done
  stop_echo
}

# A read of a file is a datagram of its size, if that is no more than a datagram can have.
a_file() {
  start_echo udp:127.0.0.1:0 udp:unix:echo.sock
  for address in "${addresses[@]}"; do
    for size in 1 65507 100000; do
      echo "$address $size"
      random_bytes $size >in
      "$tools/proa-cat" --backend "$backend" -u -w 60 "${address#udp:}" <in >out &
      wait_for cmp -s in out
      kill $!
    done
  done
  cat_tool -u -w 0.1 "${addresses[0]#udp:}" </dev/null >out
  [ ! -s out ]
  cat_tool -u -w 0.1 "${addresses[0]#udp:}" <&- >out
  [ ! -s out ]
  stop_echo
}

# What comes puts the end off: the peer takes longer for all of its answers than --wait, and less for each, unless the
# machine is too busy for that; hence some tries.
late_answers() {
  printf '%s\n' 1 2 3 4 5 6 >wanted
  local try server
  for try in 1 2 3 4 5 6; do
    echo "try $try"
    timeout 120 socat -d -d UDP-LISTEN:0,bind=127.0.0.1 \
      SYSTEM:'read x; for i in 1 2 3 4 5 6; do sleep 0.4; echo $i; done' 2>socat.log &
    server=$!
    wait_for grep -q 'listening on' socat.log
    echo begin | cat_tool --udp --wait 1.5 \
      "127.0.0.1:$(sed -n 's/.*listening on.*:\([0-9]*\)$/\1/p' socat.log)" >out
    if cmp wanted out; then return; fi
    kill $server || :
  done
  return 1
}

# Nobody is there for the first ones; that is told once, and the later ones arrive.
refused() {
  start_echo udp:127.0.0.1:0
  local address=${addresses[0]} status=0
  stop_echo
  mkfifo keys
  exec 5<>keys
  cat_tool --udp --wait 0.1 "${address#udp:}" <keys >out 2>err 5>&- &
  local client=$!
  exec 6>keys 5>&-
  echo early >&6
  wait_for grep -q 'Connection refused' err
  echo early >&6
  start_echo "$address" 6>&-
  wait_for send_and_receive
  exec 6>&-
  wait $client || status=$?
  cat err
  [ $status -eq 1 ]
  [ "$(grep -c . err)" -eq 1 ]
  stop_echo
}
send_and_receive() { echo late >&6 && grep -qx late out; }

failures() {
  local bad status=0
  cat_tool --udp unix:nothing.sock </dev/null 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'unix:nothing.sock: No such file' err
  for bad in "-u" "-u udp:127.0.0.1:7" "-ul 127.0.0.1:7" "-u -t 1 127.0.0.1:7" "-w 1 127.0.0.1:7" "-u -w 0 127.0.0.1:7"; do
    status=0
    # shellcheck disable=SC2086
    cat_tool $bad </dev/null 2>err || status=$?
    cat err
    [ $status -eq 2 ]
  done
  start_echo udp:127.0.0.1:0
  status=0
  echo full | cat_tool -u -w 20 "${addresses[0]#udp:}" >/dev/full 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard output: No space left' err
  status=0
  cat_tool -u "${addresses[0]#udp:}" </ 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'standard input: Is a directory' err
  stop_echo
}

check "socat's echo over UDP" socat_echo UDP-LISTEN:0,bind=127.0.0.1 127.0.0.1
check "socat's echo over UDP6" socat_echo 'UDP6-LISTEN:0,bind=[::1]' '[::1]'
check "proa-echo on every kind of address" own_echo
check "a file, and nothing" a_file
check "answers put the end off" late_answers
check "refused once, and on" refused
check "failures are named" failures
finish
