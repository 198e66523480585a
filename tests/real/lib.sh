# Sourced by the scripts of this folder. Gives them TAP, a folder of their own, time limits, and servers that
# are stopped when a case ends. Arguments of every script: folder of the tools, backend, [--require].
# shellcheck shell=bash
set -u
tools=$1 backend=$2
shift 2
required=false
if [ -n "${CI:-}" ] && [ "${CI:-}" != false ]; then required=true; fi
for argument; do
  if [ "$argument" = --require ]; then required=true; fi
done

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
cases=0 failed=0

# need PROGRAM...: without them nothing here can run; a failure where everything has to.
need() {
  local program
  for program; do
    if command -v "$program" >/dev/null; then continue; fi
    if $required; then
      echo "not ok 1 - real: $program is required and not installed"
      echo 1..1
      exit 1
    fi
    echo "1..0 # SKIP $program is not installed"
    exit 0
  done
}

# check NAME COMMAND...: one case, in a shell and a folder of its own; the first command that fails ends it.
check() {
  local name=$1 status
  shift
  cases=$((cases + 1))
  mkdir "$work/case.$cases"
  (
    cd "$work/case.$cases" || exit 1
    trap 'stop_jobs' EXIT
    set -e
    "$@"
  ) >case.log 2>&1 </dev/null
  status=$?
  rm -rf "$work/case.$cases"
  if [ $status -eq 0 ]; then
    echo "ok $cases - real: $backend: $name"
  elif [ $status -eq 77 ] && ! $required; then
    echo "ok $cases - real: $backend: $name # SKIP $(tail -n 1 case.log)"
  else
    echo "not ok $cases - real: $backend: $name"
    sed 's/^/# /' case.log
    echo "# exit status $status"
    failed=1
  fi
}

finish() {
  echo "1..$cases"
  exit $failed
}

stop_jobs() {
  set +e
  local signal
  for signal in TERM KILL; do  # timeout(1) passes the first one on
    if [ -z "$(jobs -pr)" ]; then break; fi
    # shellcheck disable=SC2046
    kill -$signal $(jobs -pr)
    sleep 0.2
  done
  wait
}

# wait_for COMMAND...: until it succeeds; fails after 120 s.
wait_for() {
  local end=$((SECONDS + 120))
  until "$@"; do
    if [ $SECONDS -ge $end ]; then
      echo "waited in vain for: $*"
      return 1
    fi
    sleep 0.02
  done
}

# skip WHY: of one case; a failure where everything has to run.
skip() {
  echo "$*"
  exit 77
}

has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
ended() { ! kill -0 "$1" 2>/dev/null; }
descriptors() { find "/proc/$1/fd" -mindepth 1 | wc -l; }
has_descriptors() { [ "$(descriptors "$1")" -eq "$2" ]; }

# It has written something, and cannot go on.
stalled() {
  local before
  before=$(written "$1")
  sleep 0.2
  [ "$before" -gt 0 ] && [ "$before" -eq "$(written "$1")" ]
}
written() { sed -n 's/^wchar: //p' "/proc/$1/io"; }

# start_server TOOL COUNT ARGUMENTS...: waits until it listens on COUNT addresses; sets `pid`, and `addresses` with the
# ports that the system chose.
start_server() {
  local tool=$1 count=$2
  shift 2
  : >server.log
  "$tools/$tool" --backend "$backend" --strict "$@" >server.log &
  pid=$!
  wait_for has_lines server.log "$count"
  mapfile -t addresses < <(sed -n 's/^listening on \(.*\) (.*)$/\1/p' server.log)
}

# start_echo ADDRESS...
start_echo() { start_server proa-echo $# "${@/#/--listen=}"; }

# stop_server: it must end cleanly when asked to.
stop_server() {
  kill -TERM "$pid"
  wait "$pid"
}
stop_echo() { stop_server; }

# to_socat ADDRESS: in the words of socat.
to_socat() {
  case $1 in
    unix:@*) echo "ABSTRACT-CONNECT:${1#unix:@}" ;;
    unix:*) echo "UNIX-CONNECT:${1#unix:}" ;;
    udp:unix:*) echo "UNIX-SENDTO:${1#udp:unix:},bind=client.$BASHPID" ;;
    udp:*) echo "UDP:${1#udp:}" ;;
    *) echo "TCP:$1" ;;
  esac
}

port_of() { echo "${1##*:}"; }
random_bytes() { head -c "$1" /dev/urandom; }

# answers_of_last PORT COMMAND: the server $pid, which SIGSTOP keeps from reading, finds what COMMAND writes (each write a
# datagram), and the signal to end, together. What it answers is in the file out.
answers_of_last() {
  exec 5<>"/dev/udp/127.0.0.1/$1"
  kill -STOP "$pid"
  "$2" >&5
  kill -TERM "$pid"
  kill -CONT "$pid"
  wait "$pid"
  # All answers have come by now. dd ends, with an error, when there are no more.
  timeout 120 dd bs=512 iflag=nonblock status=none <&5 >out || :
  exec 5>&-
}
