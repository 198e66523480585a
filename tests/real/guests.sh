#!/usr/bin/env bash
# The programs of examples/: curl, c-ares and libpq inside run(), with servers to talk to. One more argument: their folder.
. "$(dirname "$0")/lib.sh"
examples=$1
export PROA_BACKEND=$backend

start_site() {
  mkdir site
  head -c 1000 /dev/urandom >site/small
  head -c 3000000 /dev/urandom >site/large
  start_server proa-serve 1 --listen 127.0.0.1:0 site
  url=http://${addresses[0]}
}

fetches() {
  start_site
  local urls=() i
  for i in {1..20}; do urls+=("$url/small" "$url/large"); done
  timeout 300 "$examples/fetch_with_curl" "${urls[@]}" >fetched
  cat fetched
  [ "$(grep -c 'small: No error, 1000 bytes' fetched)" -eq 20 ]
  [ "$(grep -c 'large: No error, 3000000 bytes' fetched)" -eq 20 ]
}

# Nobody listens on port 1.
fails_to_fetch() {
  start_site
  ! timeout 300 "$examples/fetch_with_curl" http://127.0.0.1:1/ "$url/small" >fetched
  cat fetched
  grep -q '127.0.0.1:1/: Couldn.t connect to server' fetched
  grep -q 'small: No error, 1000 bytes' fetched
}

# So many addresses take TCP.
resolves() {
  local i many=()
  for i in {1..200}; do many+=("--record=many.test=192.0.2.$i"); done
  start_server proa-dns 1 --listen=127.0.0.1:0 --record one.test=192.0.2.1 --record one.test=2001:db8::1 "${many[@]}"
  timeout 300 "$examples/resolve_with_c_ares" "${addresses[0]}" one.test many.test >resolved
  cat resolved
  grep -qx 'one.test: 192.0.2.1' resolved
  grep -qx 'one.test: 2001:db8::1' resolved
  [ "$(grep -c '^many.test: 192.0.2.' resolved)" -eq 200 ]
  ! timeout 300 "$examples/resolve_with_c_ares" "${addresses[0]}" none.test >resolved
  grep -q '^none.test: ' resolved
}

as_nobody() {
  if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; fi
}

queries() {
  local bin
  bin=$(find /usr/lib/postgresql /usr/local/pgsql -name initdb -print -quit 2>/dev/null)
  bin=${bin%/initdb}
  mkdir data
  chmod 700 data
  chmod 755 "$work" .
  if [ "$(id -u)" -eq 0 ]; then chown 65534:65534 data; fi
  as_nobody "$bin/initdb" -D data/db -U proa -A trust -N --locale C -E UTF8 >initdb.log
  as_nobody "$bin/postgres" -D data/db -k "$PWD/data" -c listen_addresses= -c fsync=off >postgres.log 2>&1 &
  local where="host=$PWD/data user=proa dbname=postgres"
  wait_for grep -q 'ready to accept connections' postgres.log
  timeout 300 "$examples/query_with_libpq" "$where" 'select 6 * 7, null, $$a$$' \
    'select generate_series(1, 20000)' "select length('$(printf '%0100000d' 7)')" >rows
  head -n 1 rows | cat -A
  [ "$(head -n 1 rows)" = $'42\t\ta' ]
  [ "$(wc -l <rows)" -eq 20002 ]
  [ "$(tail -n 1 rows)" = 100000 ]
  ! timeout 300 "$examples/query_with_libpq" "$where" 'select nothing' >rows
  grep -q 'column "nothing" does not exist' rows
  ! timeout 300 "$examples/query_with_libpq" "$where port=1" 'select 1' 2>errors
  grep -q 'No such file or directory' errors
  # The second address has a socket of its own with the number of the first. To wait for it costs no CPU.
  local TIMEFORMAT='%U %S'
  { time timeout 300 "$examples/query_with_libpq" "host=127.0.0.1,$PWD/data port=1,5432 user=proa dbname=postgres" \
    'select pg_sleep(2)' >rows; } 2>used
  cat used
  awk '{ exit !($1 + $2 < 0.5) }' used
}

if [ -x "$examples/fetch_with_curl" ]; then
  check "curl fetches forty files at once" fetches
  check "curl tells what it cannot fetch, and fetches the rest" fails_to_fetch
fi
if [ -x "$examples/resolve_with_c_ares" ]; then
  check "c-ares resolves over UDP and TCP" resolves
fi
if [ -x "$examples/query_with_libpq" ] && [ -n "$(find /usr/lib/postgresql /usr/local/pgsql -name initdb 2>/dev/null)" ]; then
  check "libpq queries PostgreSQL" queries
fi
finish
