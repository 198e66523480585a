#!/usr/bin/env bash
# proa-dns asked by dig, and given what no client would send.
. "$(dirname "$0")/lib.sh"
need dig nc socat od dd cmp

start_dns() {
  cat >records <<'EOT'
# a comment

file.test=192.0.2.9
EOT
  local i many=()
  for i in {1..60}; do many+=("--record=many.test=192.0.2.$i"); done
  start_server proa-dns 2 --listen=127.0.0.1:0 --listen='[::1]:0' --file records \
    --record a.test=192.0.2.1 --record a.test=192.0.2.2 --record a.test=2001:db8::1 --record 'a.test=txt:some text' \
    --record www.Deep.test.=192.0.2.3 "--record=long.test=txt:$(printf '%0300d' 7)" "${many[@]}"
  port=$(port_of "${addresses[0]}")
  port6=$(port_of "${addresses[1]}")
}

# ask ARGUMENTS OF DIG...: over IPv4. Exit status 9: no answer came.
ask() { dig @127.0.0.1 -p "$port" +time=10 +tries=1 +notcp "$@" | tee dig.log; }
ask6() { dig @::1 -p "$port6" +time=10 +tries=1 +notcp "$@"; }

# says TEXT ARGUMENTS OF DIG...
says() {
  local text=$1
  shift
  ask "$@" >/dev/null
  cat dig.log
  grep -qF -- "$text" dig.log
  ! grep -qi 'malformed\|got bad\|extra bytes\|mismatch' dig.log
}

records() {
  start_dns
  ask +short a.test A | sort | tr '\n' ' ' | grep -qx '192.0.2.1 192.0.2.2 '
  ask +short a.test AAAA | grep -qx 2001:db8::1
  ask +short a.test TXT | grep -qx '"some text"'
  ask +short file.test | grep -qx 192.0.2.9
  ask +short A.TEST AAAA | grep -qx 2001:db8::1
  ask +short WWW.deep.TEST | grep -qx 192.0.2.3
  ask +short long.test TXT | tr -d '" ' | grep -qx "$(printf '%0300d' 7)"
  says 'ANSWER: 4' a.test ANY
  says 'flags: qr aa rd;' a.test
  says 'flags: qr aa;' +norecurse a.test
  ask6 +short a.test AAAA | grep -qx 2001:db8::1
  ask6 nothing.test | grep -q 'status: NXDOMAIN'
  stop_server
}

no_records() {
  start_dns
  says 'status: NXDOMAIN' nothing.test
  says 'status: NXDOMAIN' x.a.test
  says 'status: NXDOMAIN' "$(printf '%063d.%063d.%063d.%061d' 0 0 0 0)"
  says 'status: NOERROR' a.test MX
  grep -q 'ANSWER: 0' dig.log
  says 'status: NOERROR' deep.test  # there is a name below it
  grep -q 'ANSWER: 0' dig.log
  says 'status: REFUSED' a.test CH
  says 'status: NOTIMP' +opcode=status +noedns a.test
  stop_server
}

# 30 of the 60 fit in 512 bytes.
truncation() {
  start_dns
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 30' +ignore many.test
  [ "$(grep -c '192\.0\.2\.' dig.log)" -eq 30 ]
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 1' a.test AAAA
  stop_server
}

many_at_once() {
  start_dns
  local i clients=()
  for i in {1..20}; do printf '%s\n' 'a.test AAAA' 'file.test A' 'nothing.test A'; done >questions
  for i in {1..8}; do
    # dig lets ports be reused, so that the system may give two of them the same: one address for each.
    dig @127.0.0.1 -b "127.0.0.$((i + 1))" -p "$port" +time=10 +tries=1 +short -f questions >"out.$i" &
    clients+=($!)
  done
  for i in "${clients[@]}"; do wait "$i"; done
  for i in {1..20}; do printf '%s\n' 2001:db8::1 192.0.2.9; done >wanted
  for i in {1..8}; do cmp wanted "out.$i"; done
  stop_server
}

# answer BYTES: what comes back for them, in hexadecimal; the bytes as printf takes them.
answer() {
  printf "$1" >packet
  exec 5<>"/dev/udp/127.0.0.1/$port"
  cat packet >&5
  timeout 120 dd bs=2000 count=1 status=none <&5 | od -An -v -tx1 | tr -d ' \n'
  exec 5>&-
}
# is WHAT IT SHOULD BE, IN HEXADECIMAL, BYTES
is() {
  local got
  got=$(answer "$2")
  echo "$got for $2"
  [ "$got" = "$1" ]
}

format_errors() {
  start_dns
  local one='\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00' error=123481010000000000000000
  is $error "$one"                                        # no question
  is $error "$one"'\x01a'                                 # it ends in a name
  is $error "$one"'\x3fa'                                 # in a label
  is $error "$one"'\x01a\x00'                             # before the type
  is $error "$one"'\x01a\x00\x00\x01\x00'                 # in the class
  is $error "$one"'\x01a\xc0\x0c\x00\x01\x00\x01'         # a pointer to itself
  is $error "$one"'\xc0\x00\x00\x01\x00\x01'              # a pointer to the header
  is $error "$one"'\xff\xff\x00\x01\x00\x01'              # beyond the end
  is $error "$one\x40$(printf '%064d' 1)"'\x00\x00\x01\x00\x01'   # a label of 64 bytes
  is $error "$one\xc0$(printf '%0192d' 1)"'\x00\x00\x01\x00\x01'  # a pointer that could be a length
  is $error "$one$(printf '\\x3f%063d' 1 2 3 4)"'\x00\x00\x01\x00\x01'                # a name of 257 bytes
  is $error '\x12\x34\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01'  # says 0 questions
  is $error '\x12\x34\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01'  # says 2
  is $error '\x12\x34\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x00\x00\x01\x00\x01'  # says 65535
  is 1234a1040000000000000000 '\x12\x34\x21\x00\x00\x01\x00\x00\x00\x00\x00\x00'  # another kind of query
  # The root, a letter in upper case, and bytes behind the question, which do not count.
  is 12348500000100000000000000000100'01' "$one"'\x00\x00\x01\x00\x01'
  is 123485030001000000000000"014100"00010001 "$one"'\x01A\x00\x00\x01\x00\x01'
  is 123485030001000000000000"016100"00010001 "$one"'\x01a\x00\x00\x01\x00\x01garbage'
  stop_server
}

# Nothing is said to those: the next answer is that to the question behind them.
unanswered() {
  start_dns
  exec 5<>"/dev/udp/127.0.0.1/$port"
  local size
  for size in 1 2 11; do head -c $size /dev/zero >&5; done
  timeout 120 socat -u /dev/null "UDP:127.0.0.1:$port,shut-null"
  printf '\x12\x34\x81\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01' >&5  # an answer
  printf '\x56\x78\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01' >packet
  cat packet >&5
  [ "$(timeout 120 dd bs=2000 count=1 status=none <&5 | od -An -tx1 | head -c 6)" = ' 56 78' ]
  exec 5>&-
  stop_server
}

garbage() {
  start_dns
  local i to
  for i in {1..300}; do
    to=127.0.0.1/$port
    if [ $((i % 2)) -eq 0 ]; then to=::1/$port6; fi
    exec 5<>"/dev/udp/$to"
    { printf '\x00\x00\x01\x00\x00\x01' && random_bytes $((RANDOM % 400)); } >packet
    if [ $((i % 3)) -eq 0 ]; then random_bytes $((RANDOM % 40)) >packet; fi
    cat packet >&5
    exec 5>&-
  done
  random_bytes 9000 | timeout 120 nc -u -q 0 127.0.0.1 "$port"
  random_bytes 60000 | timeout 120 socat -b 60000 -t 0 - "UDP:127.0.0.1:$port"
  ask +short a.test AAAA | grep -qx 2001:db8::1
  ask6 +short a.test AAAA | grep -qx 2001:db8::1
  stop_server
}

bad_usage() {
  local bad status
  for bad in "" "--listen 127.0.0.1:0" "--record a.test=192.0.2.1" "--listen 127.0.0.1:0 --record a.test" \
    "--listen 127.0.0.1:0 --record a.test=nonsense" "--listen 127.0.0.1:0 --record a..test=192.0.2.1" \
    "--listen 127.0.0.1:0 --record =192.0.2.1" "--listen 127.0.0.1:0 --record $(printf '%064d' 0)=192.0.2.1" \
    "--listen a.test:53 --record a.test=192.0.2.1" "--nonsense"; do
    status=0
    # shellcheck disable=SC2086
    timeout 120 "$tools/proa-dns" --backend "$backend" $bad 2>err || status=$?
    cat err
    [ $status -eq 2 ]
  done
  status=0
  timeout 120 "$tools/proa-dns" --listen 127.0.0.1:0 --file no/such 2>err || status=$?
  [ $status -eq 1 ]
  grep -q 'no/such' err
  start_dns
  status=0
  timeout 120 "$tools/proa-dns" --listen "${addresses[0]}" --file records 2>err || status=$?
  [ $status -eq 1 ]
  grep -qF "${addresses[0]}" err
  stop_server
}

check "A, AAAA and TXT records, over IPv4 and IPv6" records
check "names and records that are not there" no_records
check "answers that are too long" truncation
check "eight digs at once" many_at_once
check "questions that are none" format_errors
check "what is not answered" unanswered
check "garbage" garbage
check "bad usage and failures are named" bad_usage
finish
