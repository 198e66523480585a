#!/usr/bin/env bash
# Answers come from the address that was asked: in a network with several addresses, which this script makes.
if [ "${PROA_OWN_NETWORK:-}" != yes ] && unshare -n true 2>/dev/null; then
  exec env PROA_OWN_NETWORK=yes unshare -n "$0" "$@"
fi
. "$(dirname "$0")/lib.sh"
need unshare ip dig socat

network() {
  [ "${PROA_OWN_NETWORK:-}" = yes ] || skip "no network namespace: unshare(1) failed"
  ip link set lo up
  local address
  for address in 10.77.0.1/32 10.77.0.2/32 fd77::1/128 fd77::2/128; do
    ip address show dev lo | grep -qF "${address%/*}/" || ip address add "$address" dev lo
  done
}

# Both clients are connected to the address that they ask: what comes from another one is not theirs. They ask from the
# other address, which the routes would answer from.
of_four=('10.77.0.1 10.77.0.2' '10.77.0.2 10.77.0.1')
of_six=('fd77::1 fd77::2' 'fd77::2 fd77::1')

dns() {
  network
  start_server proa-dns 2 --listen=0.0.0.0:0 --listen='[::]:0' --record a.test=192.0.2.1
  local pair of
  for pair in "${of_four[@]}"; do
    # shellcheck disable=SC2086
    for of in 0 1; do asks "$(port_of "${addresses[$of]}")" $pair; done
  done
  # shellcheck disable=SC2086
  for pair in "${of_six[@]}"; do asks "$(port_of "${addresses[1]}")" $pair; done
  stop_server
}
# asks PORT FROM ADDRESS
asks() {
  echo "$*"
  dig "@$3" -b "$2" -p "$1" +time=5 +tries=1 +notcp +short a.test | grep -qx 192.0.2.1
  dig "@$3" -b "$2" -p "$1" +time=5 +tries=1 +tcp +short a.test | grep -qx 192.0.2.1
}

echoes() {
  network
  start_echo udp:0.0.0.0:0 'udp:[::]:0'
  local pair of
  for pair in "${of_four[@]}"; do
    # shellcheck disable=SC2086
    for of in 0 1; do says_hello 4 "$(port_of "${addresses[$of]}")" $pair; done
  done
  # shellcheck disable=SC2086
  for pair in "${of_six[@]}"; do says_hello 6 "$(port_of "${addresses[1]}")" $pair; done
  stop_echo
}
# says_hello FAMILY PORT FROM ADDRESS
says_hello() {
  local to=$4 from=$3
  if [ "$1" = 6 ]; then to="[$4]" from="[$3]"; fi
  echo "$*"
  echo "hello $4" | timeout 120 socat -t 5 - "UDP$1:$to:$2,bind=$from,shut-null,null-eof" | grep -qx "hello $4"
}

check "proa-dns answers from the address that was asked" dns
check "proa-echo answers from the address that was asked" echoes
finish
