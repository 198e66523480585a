#!/usr/bin/env bash
# proa-dns asked by dig, and given what no client would send.
. "$(dirname "$0")/lib.sh"
need dig nc socat od dd cmp ss awk

# start_dns [OPTION]...
start_dns() {
  cat >records <<'EOT'
# a comment

file.test=192.0.2.9
EOT
  local i many=()
  for i in {1..60}; do many+=("--record=many.test=192.0.2.$i"); done
  for i in {1..200}; do many+=("--record=huge.test=192.0.2.$i"); done
  start_server proa-dns 2 --listen=127.0.0.1:0 --listen='[::1]:0' --file records \
    --record a.test=192.0.2.1 --record a.test=192.0.2.2 --record a.test=2001:db8::1 --record 'a.test=txt:some text' \
    --record www.Deep.test.=192.0.2.3 "$@" "--record=long.test=txt:$(printf '%0300d' 7)" "${many[@]}"
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

# 30 of the 60 fit in 512 bytes, or 29 and the record of EDNS.
truncation() {
  start_dns
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 30,' +ignore +noedns many.test
  [ "$(grep -c '192\.0\.2\.' dig.log)" -eq 30 ]
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 29, AUTHORITY: 0, ADDITIONAL: 1' +ignore +bufsize=512 many.test
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 29,' +ignore +bufsize=100 many.test
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 35,' +ignore +bufsize=600 many.test
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 60,' many.test
  # No more than 1232 bytes, whatever the client takes.
  says 'flags: qr aa tc rd; QUERY: 1, ANSWER: 74,' +ignore +bufsize=4096 huge.test
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 1,' a.test AAAA
  # dig asks again over TCP.
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 200,' huge.test
  grep -q 'retrying in TCP mode' dig.log
  stop_server
}

edns() {
  start_dns
  says 'EDNS: version: 0, flags:; udp: 1232' a.test
  says 'EDNS: version: 0, flags: do; udp: 1232' +dnssec a.test
  says 'EDNS: version: 0, flags:; udp: 1232' nothing.test
  says 'EDNS: version: 0, flags:; udp: 1232' a.test CH
  says 'EDNS: version: 0, flags:; udp: 1232' +ednsopt=65001:0102030405 +cookie +nsid +subnet=192.0.2.0/24 a.test
  says 'ANSWER: 2,' +ednsflags=0x7fff a.test
  ask +noedns a.test
  ! grep -q EDNS dig.log
  says 'status: BADVERS' +edns=1 +noednsneg a.test
  says 'ANSWER: 0,' +edns=77 +noednsneg a.test
  grep -q 'EDNS: version: 0, flags:; udp: 1232' dig.log
  stop_server
}

over_tcp() {
  start_dns
  ask +tcp +short a.test A | sort | tr '\n' ' ' | grep -qx '192.0.2.1 192.0.2.2 '
  ask6 +tcp +short a.test AAAA | grep -qx 2001:db8::1
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 200,' +tcp +bufsize=512 huge.test
  says 'flags: qr aa rd; QUERY: 1, ANSWER: 60,' +tcp +noedns many.test
  says 'status: NXDOMAIN' +tcp nothing.test
  says 'status: BADVERS' +tcp +edns=1 +noednsneg a.test
  stop_server
}

# Twenty questions on one connection: dig waits for each answer, then all at once.
one_connection() {
  start_dns
  local i
  for i in {1..10}; do printf '%s\n' 'a.test AAAA' 'file.test A'; done >questions
  ask +tcp +keepopen +short -f questions >out
  for i in {1..10}; do printf '%s\n' 2001:db8::1 192.0.2.9; done >wanted
  cmp wanted out
  pipelined | timeout 120 socat -t 20 - "TCP:127.0.0.1:$port" | od -An -v -tx1 | tr -d ' \n' >out
  for i in {10..29}; do printf '0013%s34850300010000000000000161%s' "$i" 0000010001; done >wanted
  cmp wanted out
  stop_server
}
pipelined() {
  local i
  for i in {10..29}; do printf '\x00\x13\x'"$i"'\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01'; done
}

# They come back in order although the client sends all before it reads: 2,000 answers of 3 KB.
slow_reader() {
  start_dns
  local i number
  for i in {1..2000}; do
    printf -v number '\\x%02x\\x%02x' $((i / 256)) $((i % 256))
    # shellcheck disable=SC2059
    printf '\x00\x1b'"$number"'\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04huge\x04test\x00\x00\x01\x00\x01'
  done >in
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  cat in >&5 &
  local writer=$!
  wait_for has_unread_answers
  timeout 120 head -c $((2000 * (2 + 27 + 200 * 16))) <&5 >out
  wait "$writer"
  exec 5>&-
  for i in 1 2 1000 1999 2000; do
    [ "$(tail -c +$(((i - 1) * 3229 + 3)) out | head -c 2 | od -An -tu1 | tr -d '\n')" = "$(printf ' %3d %3d' $((i / 256)) $((i % 256)))" ]
  done
  stop_server
}
has_unread_answers() { [ "$(ss -Htn dst "127.0.0.1:$port" | awk '{ print $2 }')" -gt 50000 ]; }

# Byte by byte, and with a length that is split.
in_pieces() {
  start_dns
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  local byte
  for byte in 00 13 12 34 01 00 00 01 00 00 00 00 00 00 01 61 00 00 01 00 01 00; do printf '\x'"$byte" >&5; done
  [ "$(timeout 120 head -c 21 <&5 | od -An -v -tx1 | tr -d ' \n')" = 0013123485030001000000000000016100"00010001" ]
  printf '\x13\x56\x78\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01' >&5
  [ "$(timeout 120 head -c 4 <&5 | od -An -v -tx1 | tr -d ' \n')" = 00135678 ]
  exec 5>&-
  stop_server
}

# ends BYTES: the server ends a connection on which they come.
ends() {
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  # shellcheck disable=SC2059
  printf "$1" >&5
  [ -z "$(timeout 120 cat <&5)" ]
  exec 5>&-
}

connections_that_end() {
  start_dns --timeout 0.2
  ends ''
  ends '\x00'
  ends '\x00\x13\x12\x34'
  stop_server
  start_dns
  ends '\x00\x00'
  ends '\x00\x0b12345678901'
  random_bytes 100000 | timeout 120 socat -t 20 - "TCP:127.0.0.1:$port" >out || true
  ask +tcp +short a.test AAAA | grep -qx 2001:db8::1
  stop_server
}

# A byte each 50 ms keeps a connection from being idle, but not longer than a question may take.
trickle() {
  start_dns --timeout 0.5
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  { printf '\x00\xff' && while sleep 0.05; do printf x || break; done; } >&5 2>/dev/null &
  local writer=$!
  timeout 120 cat <&5 >out || true
  exec 5>&-
  wait $writer || true
  [ ! -s out ]
  stop_server
}

# The second connection is served when the first one has ended.
connection_limit() {
  start_dns --limit 1 --timeout 1
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  printf '\x00\x13\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01' >&5
  [ "$(timeout 120 head -c 21 <&5 | od -An -v -tx1 | tr -d ' \n' | head -c 8)" = 00131234 ]
  ask +tcp +short a.test AAAA | grep -qx 2001:db8::1
  [ -z "$(timeout 120 cat <&5)" ]
  exec 5>&-
  stop_server
}

# An open connection holds up no end.
end_with_a_connection() {
  start_dns
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  printf '\x00\x13\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01' >&5
  kill -TERM "$pid"
  [ "$(timeout 120 cat <&5 | head -c 4 | od -An -v -tx1 | tr -d ' \n')" = 00131234 ]
  exec 5>&-
  wait "$pid"
}

# SIGUSR1 tells of each.
threads() {
  start_dns --threads 3 --buffers 16 --backlog 64 2>errors
  local i
  for i in {1..20}; do
    ask +short a.test AAAA | grep -qx 2001:db8::1
    ask6 +tcp +short a.test AAAA | grep -qx 2001:db8::1
  done
  kill -USR1 "$pid"
  wait_for has_lines errors 3
  cat errors
  [ "$(grep -c "^thread [012], $backend: live [0-9]*, submitted [1-9]" errors)" -eq 3 ]
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

hundred_questions() {
  local i
  for i in {1..100}; do printf '\0\1\1\0\0\1\0\0\0\0\0\0\4file\4test\0\0\1\0\1'; done
}
told_to_end_with_questions() {
  start_dns
  answers_of_last "$port" hundred_questions
  [ "$(wc -c <out)" -eq $((100 * (27 + 16))) ]  # the question, and one record
}

# SIGSTOP keeps it from reading.
drops() {
  start_dns --receive-buffer 4096 2>err
  kill -STOP "$pid"
  exec 5<>"/dev/udp/127.0.0.1/$port"
  local i
  for i in {1..200}; do echo "$i" >&5; done
  kill -CONT "$pid"
  exec 5>&-
  ask +short a.test AAAA | grep -qx 2001:db8::1
  stop_server
  grep -qE '^proa-dns: 127\.0\.0\.1:[0-9]+: [0-9]+ datagrams were dropped \(--receive-buffer\)$' err
  start_dns --receive-buffer 1000000 2>err
  ask +short a.test AAAA | grep -qx 2001:db8::1
  stop_server
  [ ! -s err ]
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
  local two='\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00' question='\x01a\x00\x00\x01\x00\x01'
  local opt='\x00\x00\x29\x04\xd0\x00\x00\x00\x00'
  is 123485030001000000000001"016100"00010001"00002904d00000000000"'00' "$two\x01$question$opt"'\x00\x00'
  is $error "$two\x01$question"                                 # the record is missing
  is $error "$two\x01$question$opt"                             # its length is
  is $error "$two\x01$question$opt"'\x00\x01'                   # its data are
  is $error "$two\x02$question$opt"'\x00\x00'"$opt"'\x00\x00'   # two of EDNS
  is $error "$two\x01$question"'\x01a'"$opt"'\x00\x00'          # of another name than the root
  is $error "$two\x01$question"'\xc0'                           # half a pointer
  is $error "$two\x01$question$opt"'\x00\x03\x00\x0a\x00'       # half an option
  is $error "$two\x01$question$opt"'\x00\x05\x00\x0a\x00\x02x'  # whose data are short
  is $error '\x12\x34\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00'"$question$opt"'\x00\x00'  # among the answers
  # Records of other kinds do not count, and their names may point.
  is 123485030001000000000000"016100"00010001 "$two\x01$question"'\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04abcd'
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
    "--listen a.test:53 --record a.test=192.0.2.1" "--nonsense" "--listen unix:sock --record a.test=192.0.2.1" \
    "--timeout 0" "--limit 0" "--limit x" "--threads 0" "--buffers 1" "--backlog 0" "--receive-buffer 0" "--receive-buffer 99999999999" "--receive-buffer 1k"; do
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
check "EDNS" edns
check "over TCP" over_tcp
check "many questions on one connection" one_connection
check "answers that are not read hold questions back" slow_reader
check "questions that come in pieces" in_pieces
check "connections that end" connections_that_end
check "a question that trickles in" trickle
check "as many connections as allowed" connection_limit
check "a connection holds up no end" end_with_a_connection
check "several threads" threads
check "eight digs at once" many_at_once
check "questions that are none" format_errors
check "what is not answered" unanswered
check "garbage" garbage
check "datagrams that find no room are told" drops
check "questions that came before the signal to end are answered" told_to_end_with_questions
check "bad usage and failures are named" bad_usage
finish
