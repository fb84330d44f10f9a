#!/bin/bash
# Builds the traffic control trees chaos tools write, in named network namespaces, then runs a command among them.
# For the inside of user-mode-linux; kernels of container hosts often have no netem, prio or sfq:
#
#   tests/uml/run.sh tests/uml/netem.sh COMMAND [ARGUMENT…]
#
#   shapes       one device per line of the table below, with that qdisc as its root, handle 1:
#   chain        two netem, one below the other: what Chaos Mesh makes of two experiments without targets
#   chaos-mesh   prio, sfq and netem for two experiments with targets; ipsets and legacy rules that choose the band
#   krkn         htb and netem in both directions, by redirecting what comes in to ifb0
#
# Devices are dummies, which take packets and forget them. Nothing is sent but the datagrams at the end, so that counters
# stand still while the command compares. What was built is printed only if something fails. A fork costs 60 ms in there,
# hence the batches. To add a shape: one line in the table.
set -euo pipefail
export PATH="$PATH:/usr/sbin:/sbin"

# Device, then its root qdisc. Each has values no other has, so that a mix-up shows.
# dup-alone: tc 6.1 forgets its 1 %, it sends correlations only where delay, loss, corrupt or reorder has one, too.
# long, longer: 32 bits hold 4.29 s of nanoseconds and 274 s of the kernel's 64 ns ticks. Linux cuts jitter at 2.15 s.
shapes='
delay       netem delay 75ms
jitter      netem delay 200ms 30ms 25.000000
loss        netem loss 30.000000 10.000000
gemodel     netem loss gemodel 1% 10% 70% 0.1%
states      netem loss state 5% 20% 40% 60% 1%
dup         netem duplicate 50.000000
dup-alone   netem duplicate 3.000000 1.000000
corrupt     netem corrupt 2.000000 4.000000
correlated  netem delay 11ms 1ms 7% loss 2% 3% duplicate 4% 5% corrupt 6% 8%
reorder     netem delay 100ms reorder 25.000000 50.000000 gap 5
rate        netem rate 10mbit 20 100 5 limit 777
rate64      netem rate 40gbit
slot        netem slot 800us 1ms packets 32 bytes 64k
long        netem delay 5s 4500ms
longer      netem delay 250s
mixed       netem delay 20ms 2ms loss 5.000000 duplicate 3.000000 1.000000 corrupt 2.000000 rate 10mbps ecn
nothing     netem
tbf         tbf rate 1mbps burst 10000 limit 20971520
tbf-peak    tbf rate 1mbit burst 5kb latency 70ms peakrate 2mbit mtu 1540
tbf-rate64  tbf rate 40gbit burst 128kb limit 1000000
'

log=$(mktemp)
exec 3>&2 2>>"$log" # from here on, stderr is kept back
tell() {
  local code=$?
  exec 2>&3
  [ "$code" -ne 0 ] || return 0
  {
    echo "--- netem.sh: exit code $code after building this:"
    cat "$log"
    ip -all netns exec tc -s qdisc show
  } >&2
}
trap tell EXIT

# batch TOOL NAMESPACE: its commands, one a line, come from standard input.
batch() {
  tee -a "$log" | "$1" -n "$2" -batch - >&2
}

# devices NAMESPACE DEVICE…: makes both; the Nth device is 10.88.N.1/24.
devices() {
  local device number=0 name=$1
  shift
  ip netns add "$name"
  for device in "$@"; do
    number=$((number + 1))
    echo "link add name $device type dummy"
    echo "address add 10.88.$number.1/24 dev $device"
    echo "link set $device up"
  done | batch ip "$name"
}

# send NAMESPACE NUMBER:COUNT…: COUNT datagrams leave by the Nth device, 43 bytes each (Ethernet 14, IP 20, UDP 8, data 1).
send() {
  ip netns exec "$1" bash -ec '
    for pair in "${@:2}"; do
      for ((i = 0; i < ${pair#*:}; i++)); do printf x >/dev/udp/10.88.${pair%:*}.9/9; done
    done' send "$@"
}

# IPv6 would send packets of its own as soon as anybody opens a socket of that family.
"$(</proc/sys/kernel/modprobe)" ipv6 disable_ipv6=1

mapfile -t names < <(awk 'NF { print $1 }' <<<"$shapes")
devices shapes "${names[@]}"
awk 'NF { device = $1; $1 = ""; print "qdisc add dev " device " root handle 1:" $0 }' <<<"$shapes" | batch tc shapes

devices chain eth0
batch tc chain <<'end'
qdisc add dev eth0 root handle 1: netem delay 10ms
qdisc add dev eth0 parent 1: handle 2: netem loss 1.000000
end

devices chaos-mesh eth0
batch tc chaos-mesh <<'end'
qdisc add dev eth0 root handle 1: prio bands 5 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1
qdisc add dev eth0 parent 1:1 handle 2: sfq
qdisc add dev eth0 parent 1:2 handle 3: sfq
qdisc add dev eth0 parent 1:3 handle 4: sfq
qdisc add dev eth0 parent 1:4 handle 5: netem delay 75ms
qdisc add dev eth0 parent 1:5 handle 6: netem loss 40.000000
end
ip netns exec chaos-mesh ipset restore >&2 <<'end'
create slow-_3c4623849a4_net_netgtold hash:net
add slow-_3c4623849a4_net_netgtold 10.88.1.0/28
rename slow-_3c4623849a4_net_netgtold slow-_3c4623849a4_net_netgt
create slow-_3c46238_netport_netgtold hash:net,port
add slow-_3c46238_netport_netgtold 203.0.113.7/32,443
rename slow-_3c46238_netport_netgtold slow-_3c46238_netport_netgt
create slow-_3c4623849a4_set_netgtold list:set
add slow-_3c4623849a4_set_netgtold slow-_3c4623849a4_net_netgt
add slow-_3c4623849a4_set_netgtold slow-_3c46238_netport_netgt
rename slow-_3c4623849a4_set_netgtold slow-_3c4623849a4_set_netgt
create loss-_71b8f0aa913_net_netgt hash:net
add loss-_71b8f0aa913_net_netgt 10.89.0.0/16
end
ip netns exec chaos-mesh iptables-legacy-restore >&2 <<'end'
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:CHAOS-INPUT -
:CHAOS-OUTPUT -
:TC-TABLES-0 -
:TC-TABLES-1 -
-A INPUT -j CHAOS-INPUT
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-OUTPUT -j TC-TABLES-0
-A CHAOS-OUTPUT -j TC-TABLES-1
-A TC-TABLES-0 -o eth0 -m set --match-set slow-_3c4623849a4_set_netgt dst,dst -j CLASSIFY --set-class 1:4
-A TC-TABLES-1 -o eth0 -m set --match-set loss-_71b8f0aa913_net_netgt dst,dst -j CLASSIFY --set-class 1:5
COMMIT
end

devices krkn eth0
batch ip krkn <<'end'
link add name ifb0 type ifb
link set ifb0 up
end
batch tc krkn <<'end'
qdisc add dev eth0 root handle 100: htb default 1
class add dev eth0 parent 100: classid 100:1 htb rate 100mbit
qdisc add dev eth0 parent 100:1 handle 101: netem delay 50ms loss 10%
qdisc add dev eth0 handle ffff: ingress
filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0
qdisc add dev ifb0 root handle 100: htb default 1
class add dev ifb0 parent 100: classid 100:1 htb rate 100mbit
qdisc add dev ifb0 parent 100:1 handle 101: netem delay 50ms loss 10%
end

# 3 loses about a third, 6 doubles about half, 15 keeps its seven in the backlog for 250 s, 18 passes nine.
send shapes 3:20 6:20 15:7 18:9
send chaos-mesh 1:5
send krkn 1:11
sleep 0.3 # the longest delay they meet is 75 ms, that of 15 aside

exec 2>&3
"$@"
