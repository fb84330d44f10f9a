# Chaos-like state in the network namespace this is sourced in, for recording seeds. Needs iproute2, iptables and ipset of Debian.
ip link set lo up
ip link add ifb0 type ifb && ip link set ifb0 up
tc qdisc add dev lo root handle 1: htb default 10
tc class add dev lo parent 1: classid 1:10 htb rate 10mbit ceil 20mbit
tc qdisc add dev lo parent 1:10 handle 10: tbf rate 1mbit burst 32k latency 400ms
tc filter add dev lo parent 1: protocol ip prio 5 u32 match ip dst 10.0.0.0/8 flowid 1:10 action mirred egress redirect dev ifb0 || true
tc qdisc add dev lo handle ffff: ingress || true
for set in 'a hash:net family inet' 'b hash:ip,port' 'c hash:net,port family inet6' 'd list:set'; do ipset create $set || true; done
ipset add a 10.1.0.0/16; ipset add a 10.2.3.0/24; ipset add b 10.1.1.1,tcp:80 || true; ipset add c fd00::/64,udp:53 || true; ipset add d a || true
for tool in iptables-legacy ip6tables-legacy iptables-nft ip6tables-nft; do
  $tool -N CHAOS-INPUT; $tool -A INPUT -j CHAOS-INPUT
  $tool -A CHAOS-INPUT -p tcp --dport 80 -j DROP || true
  $tool -A CHAOS-INPUT -i eth0 -p udp -m multiport --dports 1,2 -j REJECT || true
  $tool -t mangle -A OUTPUT -o lo -j MARK --set-mark 3 || true
  $tool -A OUTPUT -j CLASSIFY --set-class 1:4 || true
done
iptables-legacy -A CHAOS-INPUT -m set --match-set a src -j DROP
iptables-nft -A CHAOS-INPUT -m set --match-set a src,dst -j RETURN || true
