#!/usr/bin/env bash
# Sockets that a service manager has opened (sd_listen_fds(3)). Arguments: folder of the tools, backend, the
# program activate, [--require].
. "$(dirname "$0")/lib.sh"
need socat curl cmp ss
activate=$1

# start_activated COUNT SOCKET... -- TOOL ARGUMENTS...: as start_server, but with sockets that are there already.
start_activated() {
  local count=$1 sockets=()
  shift
  while [ "$1" != -- ]; do
    sockets+=("$1")
    shift
  done
  local tool=$2
  shift 2
  : >server.log
  "$activate" "${sockets[@]}" -- "$tools/$tool" --backend "$backend" --strict "$@" >server.log &
  pid=$!
  wait_for has_lines server.log "$count"
  mapfile -t addresses < <(sed -n 's/^listening on \(.*\) (.*)$/\1/p' server.log)
}

# echoes ADDRESS: what goes there comes back.
echoes() {
  random_bytes "${2:-100000}" >in
  timeout 120 socat -t 60 - "$(to_socat "$1")" <in >out
  cmp in out
}

echoes_datagram() {
  echo "hello $1" >in
  timeout 120 socat -t 2 - "$(to_socat "$1")" <in >out
  cmp in out
}

serves_all_kinds() {
  start_activated 4 tcp unix:here.sock udp udp:unix:datagrams.sock -- proa-echo
  [ "${addresses[1]}" = unix:here.sock ]
  [ "${addresses[3]}" = udp:unix:datagrams.sock ]
  echoes "${addresses[0]}"
  echoes "${addresses[0]}"
  echoes "${addresses[1]}"
  echoes_datagram "${addresses[2]}"
  echoes_datagram "${addresses[3]}"
  # None is left in blocking mode, and each has the number under which it came.
  for number in 3 4 5 6; do
    flags=$(sed -n 's/^flags:\t*//p' "/proc/$pid/fdinfo/$number")
    [ $((flags & 04000)) -ne 0 ]
    [ $((flags & 02000000)) -ne 0 ]
  done
  stop_server
  # Its path is not the server's to remove.
  [ -S here.sock ]
}

listens_elsewhere_too() {
  start_activated 2 tcp -- proa-echo --listen 127.0.0.1:0
  echoes "${addresses[0]}"
  echoes "${addresses[1]}"
  stop_server
}

serves_files() {
  mkdir files
  random_bytes 300000 >files/one
  start_activated 2 web=tcp local=unix:web.sock -- proa-serve files
  timeout 120 curl -sSf -o out "http://${addresses[0]}/one"
  cmp out files/one
  timeout 120 curl -sSf --unix-socket web.sock -o out http://localhost/one
  cmp out files/one
  stop_server
}

# refused TEXT COMMAND...: it ends with status 1, and says so.
refused() {
  local text=$1 status=0
  shift
  timeout 120 "$@" >out 2>err || status=$?
  cat err
  [ $status -eq 1 ]
  grep -qF -- "$text" err
}

refuses_what_it_cannot_serve() {
  refused 'descriptor 4 (odd) is no socket that this program serves' \
    "$activate" web=tcp odd=udp -- "$tools/proa-serve" --backend "$backend" .
  refused 'descriptor 3 (unknown) is no socket that this program serves' \
    "$activate" pipe -- "$tools/proa-echo" --backend "$backend"
  refused 'LISTEN_FDS is "many"' bash -c 'LISTEN_PID=$$ LISTEN_FDS=many exec "$@"' - "$tools/proa-echo"
  refused 'descriptor 9 of LISTEN_FDS=7 is not open' \
    bash -c 'exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 8<&3 9<&-; LISTEN_PID=$$ LISTEN_FDS=7 exec "$@"' - "$tools/proa-echo"
}

# They are another process's: as if there were none.
heeds_the_process() {
  local status=0
  LISTEN_PID=1 LISTEN_FDS=1 timeout 120 "$tools/proa-echo" >out 2>err || status=$?
  cat err
  [ $status -eq 2 ]
  grep -qF 'no address to listen on' err
}

# socket-activate runs the server when the first client comes.
serves_for_systemd() {
  if ! command -v systemd-socket-activate >/dev/null; then skip "systemd-socket-activate is not installed"; fi
  systemd-socket-activate -l "$PWD/systemd.sock" --fdname=mine \
    "$tools/proa-echo" --backend "$backend" --strict >server.log 2>activate.log &
  pid=$!
  wait_for test -S systemd.sock
  echoes unix:systemd.sock
  grep -q '^listening on unix:.*systemd.sock' server.log
  echoes unix:systemd.sock
  stop_server
}

check "it serves sockets of each kind that a manager passes" serves_all_kinds
check "it listens elsewhere too" listens_elsewhere_too
check "proa-serve serves sockets that a manager passes" serves_files
check "what cannot be served is named" refuses_what_it_cannot_serve
check "what is meant for another process is none of its business" heeds_the_process
check "systemd-socket-activate starts it" serves_for_systemd
finish
