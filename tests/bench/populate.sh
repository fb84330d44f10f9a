#!/usr/bin/env bash
# Makes COUNT network namespaces with chaos-like state, each held by a process, and prints the holders' pids, one a line, as they come.
# The holders end when this script's standard input does: whoever asked for them cannot leave them behind.
# Needs root and Debian's iproute2, iptables and ipset; nothing outside the new namespaces changes.
#
#   populate.sh KIND COUNT      KIND: legacy | nft | idle | declared
#
# A loaded namespace has two hash:net sets of 20 members; CHAOS-INPUT and CHAOS-OUTPUT, called from INPUT and OUTPUT, with two DROP
# rules each that match a set; and tbf as lo's root qdisc. An idle one has lo up and nothing else. A declared one has what Chaos Mesh makes of
# a partition from 20 pods and a bandwidth limit on lo, so that every part of it can be held against an object.
set -euo pipefail
kind=${1:?KIND: legacy, nft, idle or declared} count=${2:?COUNT}
case $kind in
  legacy | declared) restore=iptables-legacy-restore ;;
  nft) restore=iptables-nft-restore ;;
  idle) restore= ;;
  *) echo "populate.sh: $kind is not legacy, nft, idle or declared" >&2; exit 2 ;;
esac

sets=$(for name in CHAOSA CHAOSB; do
  echo "create $name hash:net family inet"
  for number in {1..20}; do echo "add $name 10.$number.0.0/24"; done
done)
rules='*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:CHAOS-INPUT - [0:0]
:CHAOS-OUTPUT - [0:0]
-A INPUT -j CHAOS-INPUT
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-INPUT -m set --match-set CHAOSA src -j DROP
-A CHAOS-INPUT -m set --match-set CHAOSB src -j DROP
-A CHAOS-OUTPUT -m set --match-set CHAOSA dst -j DROP
-A CHAOS-OUTPUT -m set --match-set CHAOSB dst -j DROP
COMMIT'
shape='rate 100mbit burst 32k latency 400ms'
if [ "$kind" = declared ]; then
  sets=$(echo "create cut-w_c356d36a67f5a_net_tgt hash:net family inet"
    for number in {1..20}; do echo "add cut-w_c356d36a67f5a_net_tgt 10.89.0.$number"; done
    echo "create cut-w_c356d36a6_netport_tgt hash:net,port family inet
create cut-w_c356d36a67f5a_set_tgt list:set size 8
add cut-w_c356d36a67f5a_set_tgt cut-w_c356d36a67f5a_net_tgt
add cut-w_c356d36a67f5a_set_tgt cut-w_c356d36a6_netport_tgt")
  rules='*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:CHAOS-INPUT - [0:0]
:CHAOS-OUTPUT - [0:0]
:INPUT/cut-w_c356d36a67f5a0_ - [0:0]
:OUTPUT/cut-w_c356d36a67f5a_ - [0:0]
-A INPUT -j CHAOS-INPUT
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-INPUT -j INPUT/cut-w_c356d36a67f5a0_
-A CHAOS-OUTPUT -j OUTPUT/cut-w_c356d36a67f5a_
-A INPUT/cut-w_c356d36a67f5a0_ -i lo -m set --match-set cut-w_c356d36a67f5a_set_tgt src,dst -j DROP
-A OUTPUT/cut-w_c356d36a67f5a_ -o lo -m set --match-set cut-w_c356d36a67f5a_set_tgt dst,dst -j DROP
COMMIT'
  shape='rate 8mbit burst 10000 limit 20971520'
fi
export restore sets rules shape

exec 3<&0
for ((made = 0; made < count; made++)); do
  # The pid is printed once the state is there. The loop waits for it, so that at most one is being made.
  exec 4< <(exec unshare --net bash -euc '
    ip link set lo up
    if [ -n "$restore" ]; then
      tc qdisc add dev lo root handle 1: tbf $shape
      ipset restore <<<"$sets"
      "$restore" <<<"$rules"
    fi
    echo $$
    exec cat <&3 >/dev/null 2>&1')
  read -r pid <&4 && echo "$pid"
  exec 4<&-
done
