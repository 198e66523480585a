#!/usr/bin/env bash
# proa-serve with curl, and with requests that no client would make.
. "$(dirname "$0")/lib.sh"
need curl cmp

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
  "$tools/proa-serve" --backend "$backend" --strict --listen 127.0.0.1:0 "$@" site >serve.log &
  pid=$!
  wait_for has_lines serve.log 1
  port=$(sed -n 's/^listening on 127.0.0.1:\([0-9]*\) .*$/\1/p' serve.log)
  url=http://127.0.0.1:$port
}

stop_serve() {
  kill -TERM "$pid"
  wait "$pid"
}

get() { timeout 120 curl -sS --path-as-is "$@"; }
# status OPTION... URL: the status, past the body.
status() { get -o body -w '%{http_code}' "$@"; }
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
  get "$url/big" >out
  cmp site/big out
  get --limit-rate 20M "$url/big" >out
  cmp site/big out
  rm site/big out
  stop_serve
}

many_at_once() {
  start_serve
  random_bytes 3000000 >site/big
  local before i clients=()
  before=$(descriptors "$pid")
  for i in {1..30}; do
    get "$url/big" >"out.$i" &
    clients+=($!)
  done
  for i in "${!clients[@]}"; do
    wait "${clients[$i]}"
    cmp site/big "out.$((i + 1))"
  done
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
  is "$(status "$url/sub")" 404
  is "$(status "$url/link")" 404
  is "$(status -X DELETE "$url/hello")" 405
  is "$(status -T site/hello "$url/new")" 405
  is "$(status -H "Long: $(head -c 9000 /dev/zero | tr '\0' x)" "$url/hello")" 431
  is "$(say 'nonsense\r\n\r\n' | head -n 1)" $'HTTP/1.1 400 Bad Request\r'
  is "$(say 'GET /hello HTTP/1.1\r\n\r\n' | head -n 1)" $'HTTP/1.1 400 Bad Request\r'
  is "$(say 'GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n' | head -n 1)" $'HTTP/1.1 400 Bad Request\r'
  is "$(say 'GET /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n' | head -n 1)" \
    $'HTTP/1.1 400 Bad Request\r'
  is "$(get "$url/hello")" "hello there"
  stop_serve
}

# What a proxy in front could read otherwise than we do.
smuggling() {
  start_serve --writable
  local bad
  for bad in 'Transfer-Encoding\x0b: chunked' 'X: a\nContent-Length: 5' \
    'Content-Length\0: 5' 'X: a\rContent-Length: 5' 'X: a\0b' 'X: a\x7f' 'Content-Length : 5' 'Content@Length: 5' \
    ' Content-Length: 5' ': 5' 'Content-L\xe4ngth: 5' 'Content-Length: 5\r\nContent-Length: 6' \
    'Content-Length: 18446744073709551615' 'Content-Length: 9223372036854775808' 'Content-Length: +5' \
    'Content-Length: 5, 5'; do
    echo "$bad"
    is "$(say "GET /hello HTTP/1.1\r\nHost: x\r\n$bad\r\n\r\nGET /hello HTTP/1.0\r\n\r\n" | head -n 1)" \
      $'HTTP/1.1 400 Bad Request\r'
  done
  for bad in 'GET /hello\n HTTP/1.1' 'GET /hel\rlo HTTP/1.1' 'GET\t/hello HTTP/1.1' 'G(T /hello HTTP/1.1' \
    'GET /hello HTTP/1.1\nX: HTTP/1.1' '\x01GET /hello HTTP/1.1'; do
    echo "$bad"
    is "$(say "$bad\r\nHost: x\r\n\r\n" | head -n 1)" $'HTTP/1.1 400 Bad Request\r'
  done
  is "$(get -H $'X: a\tb \xe4' -H "!#\$%&'*+-.^_\`|~9: x" "$url/hello")" "hello there"
  stop_serve
}

# Nothing of the file is lost to a length that none has.
impossible_length() {
  start_serve --writable
  local length
  for length in 18446744073709551615 9223372036854775808; do
    is "$(say "PUT /hello HTTP/1.1\r\nHost: x\r\nContent-Length: $length\r\n\r\n" | head -n 1)" \
      $'HTTP/1.1 400 Bad Request\r'
    is "$(cat site/hello)" "hello there"
  done
  stop_serve
}

escapes() {
  start_serve
  local path
  for path in /../secret /sub/../../secret /%2e%2e/secret /..%2fsecret /sub/%2E./../secret /.. /hello%00 /%zz; do
    echo "$path"
    is "$(status "$url$path")" 400
    if grep -q 'not for you' body; then return 1; fi
  done
  for path in "//$PWD/secret" "/%2f$PWD/secret" /link; do
    echo "$path"
    is "$(status "$url$path")" 404
  done
  stop_serve
}

idle() {
  start_serve --idle 0.3
  is "$(say '')" ""
  is "$(say 'GET /hello')" ""
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
  is "$(timeout 120 cat <&5 || echo "still there")" ""
  exec 5>&-
  stop_serve
}

uploads() {
  start_serve --writable
  random_bytes 30000000 >in
  is "$(status -T in "$url/new")" 204
  cmp in site/new
  echo shorter >in
  is "$(status -T in "$url/new")" 204
  cmp in site/new
  is "$(status -X PUT -H 'Content-Length: 0' "$url/nothing")" 204
  [ -f site/nothing ]
  is "$(status -T in "$url/sub/../../secret")" 400
  is "$(status -T in "$url/none/new")" 404
  is "$(status -T in "$url/link")" 404
  is "$(cat secret)" "not for you"
  # A body and the next request in one packet.
  say 'PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345GET /a HTTP/1.0\r\n\r\n' >out
  is "$(cat site/a)" 12345
  grep -q 12345 out
  stop_serve
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
check "what is no request, or not to be had" refusals
check "heads that others could read otherwise" smuggling
check "a length that no file has empties none" impossible_length
check "no path leads out of the directory" escapes
check "idle connections are closed" idle
check "a head that trickles in is not waited for" trickle
check "uploads" uploads
check "clients that go away, and an end that lets a slow one finish" broken_off
finish
