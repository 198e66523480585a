#!/usr/bin/env bash
# proa-serve with curl, ab and wrk; serve_http.py asks what the RFCs want.
. "$(dirname "$0")/lib.sh"
need curl cmp ab wrk

# start_serve OPTION...: a site, and a server of it at `url`.
start_serve() {
  mkdir -p site/sub
  echo "hello there" >site/hello
  echo "at home" >site/index.html
  echo "spaces" >"site/sub/a b"
  : >site/empty
  echo "not for you" >secret
  ln -s ../secret site/link
  : >serve.log
  "$tools/proa-serve" --backend "$backend" --strict --listen 127.0.0.1:0 "$@" site >serve.log 2>serve.errors &
  pid=$!
  wait_for has_lines serve.log 1
  port=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) .*$/\1/p' serve.log)
  url=http://127.0.0.1:$port
}

stop_serve() {
  kill -TERM "$pid"
  wait "$pid" || { cat serve.errors && return 1; }
  ! grep -v '^thread' serve.errors  # it complains of nothing
}

get() { timeout 120 curl -sS --path-as-is "$@"; }
# status OPTION... URL: the status, past the body.
status() { get -o body -w '%{http_code}' "$@"; }
# whole FILE COMMAND...: the command, `get` or another one, fetches all of a file of the site.
whole() {
  local file=$1 out
  shift
  out=$(mktemp out.XXXXXX)
  "$@" "$url/$file" >"$out"
  cmp "site/$file" "$out"
  rm "$out"
}
# whole_at_once COUNT FILE COMMAND...: so many of them at the same time.
whole_at_once() {
  local i client clients=()
  for ((i = 0; i < $1; ++i)); do
    whole "${@:2}" &
    clients+=($!)
  done
  for client in "${clients[@]}"; do wait "$client"; done
}
is() { [ "$1" = "$2" ] || { echo "\"$1\" is not \"$2\""; return 1; }; }
# say TEXT: what the server sends until it closes.
say() {
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  printf "$1" >&5
  timeout 120 cat <&5
  exec 5>&-
}

small_files() {
  start_serve
  is "$(get "$url/hello")" "hello there"
  is "$(get "$url/sub/a%20b?query")" spaces
  is "$(get "$url/")" "at home"
  is "$(get -w '%{size_download}' "$url/empty")" 0
  stop_serve
}

big_file() {
  start_serve
  random_bytes 67108864 >site/big
  whole big get
  whole big get --limit-rate 20M
  rm site/big
  stop_serve
}

many_at_once() {
  start_serve
  random_bytes 3000000 >site/big
  local before
  before=$(descriptors "$pid")
  whole_at_once 30 big get
  wait_for has_descriptors "$pid" "$before"
  stop_serve
}

one_connection() {
  start_serve
  random_bytes 1000000 >site/big
  is "$(get -w '%{num_connects} ' -o 1 "$url/hello" -o 2 "$url/big" -o 3 "$url/none" -o 4 "$url/empty" \
    -o 5 "$url/hello")" "1 0 0 0 0 "
  cmp site/hello 1
  cmp site/big 2
  cmp site/hello 5
  stop_serve
}

# All requests in one packet; the answers come in their order.
pipelined() {
  start_serve
  local ask='GET /hello HTTP/1.1\r\nHost: x\r\n\r\n'
  say "${ask}HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n$ask${ask%\\r\\n}Connection: close\r\n\r\n" >out
  is "$(grep -c '^HTTP/1.1 200 OK' out)" 4
  is "$(grep -c '^hello there' out)" 3
  is "$(grep -c '^Content-Length: 12' out)" 4
  stop_serve
}

head_only() {
  start_serve
  get -I "$url/hello" >out
  grep -q '^HTTP/1.1 200' out
  grep -q '^Content-Length: 12' out
  is "$(status -I "$url/none")" 404
  stop_serve
}

refusals() {
  start_serve
  is "$(status "$url/none")" 404
  is "$(status "$url/sub/../../secret")" 400
  is "$(status "$url/link")" 404
  is "$(status -X DELETE "$url/hello")" 405
  is "$(status -T site/hello "$url/new")" 405
  is "$(status -H "Long: $(head -c 20000 /dev/zero | tr '\0' x)" "$url/hello")" 431
  is "$(get "$url/hello")" "hello there"
  stop_serve
}

# Silence in the middle of a head is told; between requests it is not.
idle() {
  start_serve --idle 0.3
  is "$(say '')" ""
  is "$(say '\r\n')" ""
  is "$(say 'GET /hello' | head -n 1)" $'HTTP/1.1 408 Request Timeout\r'
  stop_serve
}

# As long as it takes more, a byte is sent ten times a second; never silent for as long as is allowed.
trickle() {
  start_serve --idle 1
  exec 5<>"/dev/tcp/127.0.0.1/$port"
  {
    printf 'GET /hello HTTP/1.1\r\nX: '
    while printf x; do sleep 0.1; done
  } >&5 2>/dev/null &
  is "$(timeout 120 head -n 1 <&5)" $'HTTP/1.1 408 Request Timeout\r'
  exec 5>&-
  stop_serve
}

uploads() {
  start_serve --writable
  random_bytes 30000000 >in
  is "$(status -T in "$url/new")" 201
  cmp in site/new
  is "$(status -T - "$url/new" <in)" 204  # of unknown length
  cmp in site/new
  echo shorter >in
  is "$(status -T in "$url/new")" 204
  cmp in site/new
  is "$(status -X PUT -H 'Content-Length: 0' "$url/nothing")" 201
  [ -f site/nothing ]
  is "$(status -C 4 -T in "$url/new")" 400  # curl sends the rest only
  cmp in site/new
  is "$(status -T in "$url/sub/../../secret")" 400
  is "$(status -T in "$url/none/new")" 404
  is "$(status -T in "$url/link")" 409
  is "$(cat secret)" "not for you"
  stop_serve
}

# Whoever reads sees the old file until the new one is whole; an upload that breaks off leaves nothing.
broken_uploads() {
  start_serve --writable
  random_bytes 3000000 >in
  local how
  for how in 'X: y' 'Transfer-Encoding: chunked'; do
    timeout 120 curl -sS --limit-rate 1M -H "$how" -T in "$url/hello" &
    wait_for uploading
    is "$(get "$url/hello")" "hello there"
    kill $!
    wait $! || :
    wait_for nothing_uploading
    is "$(get "$url/hello")" "hello there"
  done
  timeout 120 curl -sS --limit-rate 1M -T in "$url/hello" &
  wait_for uploading
  kill -TERM "$pid"
  kill -TERM "$pid"  # at once
  wait "$pid"
  nothing_uploading
  wait
}
uploading() { compgen -G 'site/.proa-upload-*' >/dev/null; }
nothing_uploading() { ! uploading; }

# A download that broke off goes on where it stopped, and begins again when the file is another one.
resumed() {
  start_serve
  random_bytes 3000000 >site/big
  head -c 1234567 site/big >out
  is "$(get -C - -o out -w '%{http_code} %{size_download}' "$url/big")" "206 1765433"
  cmp site/big out
  is "$(get -r 0-1,4-5 "$url/hello" | grep -c '^Content-Range: bytes')" 2
  local tag
  tag=$(get -I "$url/big" | sed -n 's/^ETag: \(.*\)\r$/\1/p')
  is "$(status -H "If-None-Match: $tag" "$url/big")" 304
  is "$(status -z site/big "$url/big")" 304
  is "$(status -r 5-9 -H "If-Range: $tag" "$url/big")" 206
  echo other >site/big
  is "$(status -r 5-9 -H "If-Range: $tag" "$url/big")" 200
  stop_serve
}

# Clients that measure: ab speaks HTTP/1.0, with Connection: Keep-Alive or without; wrk pipelines nothing.
measured() {
  start_serve
  random_bytes 100000 >site/big
  local options
  for options in '' -k; do
    # shellcheck disable=SC2086
    timeout 120 ab -q $options -n 200 -c 8 "$url/big" >out
    grep -q '^Complete requests: *200$' out
    grep -q '^Failed requests: *0$' out
    grep -q '^Keep-Alive requests:' out || [ -z "$options" ]
  done
  is "$(sed -n 's/^Keep-Alive requests: *//p' out)" 200
  timeout 120 wrk -t 1 -c 8 -d 1s "$url/hello" >out
  if grep -E 'Socket errors|Non-2xx' out; then return 1; fi
  grep -q 'requests in' out
  stop_serve
}

# Each thread has a proactor of its own and takes its share of the connections; SIGUSR1 tells of each.
threads() {
  start_serve --threads 3 --workers 1 --buffers 16 --backlog 64 --writable
  whole_at_once 20 hello get
  kill -USR1 "$pid"
  wait_for has_lines serve.errors 3
  is "$(grep -c "^thread [0-2], $backend: live 0, submitted [0-9]*, completed" serve.errors)" 3
  # A thread is busy with a slow client.
  random_bytes 30000000 >site/big
  get --limit-rate 1M "$url/big" >out &
  wait_for test -s out
  kill -TERM "$pid"
  kill -TERM "$pid"
  wait "$pid"
}

# At the limit, who is idle makes room; while nobody is, the next one waits until an answer was given.
limited() {
  start_serve --limit 2 --idle 100
  random_bytes 3000000 >site/big
  local i
  for i in 6 7; do
    eval "exec $i<>/dev/tcp/127.0.0.1/$port"
    printf 'GET /hello HTTP/1.1\r\nHost: x\r\n\r\n' >&$i
    timeout 50 head -n 1 <&$i
  done
  is "$(timeout 50 curl -sS "$url/hello")" "hello there"
  exec 6>&- 7>&-
  whole_at_once 6 big timeout 50 curl -sS --limit-rate 10M
  stop_serve
}

# With few descriptors, each connection that is taken has one left for its file.
few_descriptors() {
  ulimit -n 60
  start_serve
  random_bytes 3000000 >site/big
  whole_at_once 40 big get --limit-rate 4M
  stop_serve
}

options() {
  mkdir site
  local bad
  for bad in '--limit 0' '--limit x' '--limit 1000000000' '--threads 0' '--backlog -1' '--workers 1.5' '--buffers 1' \
    '--idle 0' '--limit 1 --threads 2' '--access-log /'; do
    echo "$bad"
    # shellcheck disable=SC2086
    "$tools/proa-serve" --listen 127.0.0.1:0 $bad site 2>errors && return 1
    grep -qF -e "$(sed 's/^--[a-z-]* \([^ ]*\).*/\1/' <<<"$bad")" errors
  done
}

logged() {
  start_serve --access-log log
  get "$url/hello?q" -A 'agent "x"' -e from >out
  status "$url/none" >out
  is "$(say 'GET /\x01 HTTP/1.1\r\n\r\n' | head -n 1)" $'HTTP/1.1 400 Bad Request\r'
  stop_serve
  cat log
  is "$(wc -l <log)" 3
  grep -qE '^127\.0\.0\.1 - - \[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} \+0000\] "GET /hello\?q HTTP/1\.1" 200 12 "from" "agent \\x22x\\x22"$' log
  grep -q '"GET /none HTTP/1.1" 404 ' log
}

# A client that goes away, and the end of the server while one is slow.
broken_off() {
  start_serve
  random_bytes 30000000 >site/big
  local before i
  before=$(descriptors "$pid")
  for i in {1..10}; do
    get --max-time 0.05 --limit-rate 1M "$url/big" >out || :
  done
  wait_for has_descriptors "$pid" "$before"
  rm out
  get --limit-rate 15M "$url/big" >out &
  local client=$!
  wait_for test -s out
  kill -TERM "$pid"
  wait $client
  cmp site/big out
  wait "$pid"
}

check "small files, queries, escapes, index.html" small_files
check "64 MiB, fast and slowly" big_file
check "thirty clients at once" many_at_once
check "several requests on one connection" one_connection
check "requests that do not wait for each other" pipelined
check "HEAD" head_only
check "what is not to be had" refusals
check "idle connections are closed" idle
check "a head that trickles in is not waited for" trickle
check "uploads" uploads
check "uploads that break off" broken_uploads
check "downloads that go on where they stopped" resumed
check "ab and wrk" measured
check "threads" threads
check "a limit on connections" limited
check "few descriptors" few_descriptors
check "bad options" options
check "the access log" logged
check "clients that go away, and an end that lets a slow one finish" broken_off
finish
