//! Legacy xtables against `iptables-legacy-save -c` and `ip6tables-legacy-save -c`: the whole text, line by line.

use super::kit::netns::Netns;
use super::support::{all_saved, feed, look, send, tool_saved};
use chaoscope::node::iptables::{Backend, Family};

/// Sets that the rules below match.
pub const SETS: &str = "
create web-s_5e00029ea14a1_net_tgt hash:net
add web-s_5e00029ea14a1_net_tgt 127.0.0.2
create web-s_5e00029ea_netport_tgt hash:net,port
add web-s_5e00029ea_netport_tgt 127.0.0.3,udp:7
create web-s_5e00029ea14a1_set_tgt list:set
add web-s_5e00029ea14a1_set_tgt web-s_5e00029ea14a1_net_tgt
add web-s_5e00029ea14a1_set_tgt web-s_5e00029ea_netport_tgt
create web-s_5e00029ea14_net_netgt hash:net
create six hash:net family inet6
add six ::2/128
";

/// Every shape chaos tools write, and the plain ones people do; the same for both back ends.
pub const FILTER: &str = "
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:CHAOS-INPUT -
:CHAOS-OUTPUT -
:EMPTY -
:INPUT/web-s_5e00029ea14a1_ -
:OUTPUT/web-s_5e00029ea14a1_ -
:TC-TABLES-0 -
:UNUSED -
-A INPUT -j CHAOS-INPUT
-A INPUT -s 10.1.2.3/32 -d 10.0.0.0/8 -i eth0 -p tcp -m tcp --sport 1024:65535 --dport 80 -j DROP
-A INPUT ! -s 10.0.0.0/9 ! -d 172.16.0.0/12 ! -i eth+ ! -p tcp -j ACCEPT
-A INPUT -i lo+ -p udp -m udp --dport 9 -j ACCEPT
-A INPUT -p tcp -m tcp ! --sport 5:6 ! --dport 7 -j DROP
-A INPUT -p udp -m udp ! --sport 5:6 ! --dport 53 -j RETURN
-A INPUT -p udp -m udp --sport 0:1023 -g EMPTY
-A INPUT -p tcp -m tcp --sport 1024:65535 --dport 7000:7010 -j DROP
-A INPUT -p sctp -j ACCEPT
-A INPUT -p 200 -j ACCEPT
-A INPUT -s 10.0.0.1/255.0.0.255 -j DROP
-A INPUT -p icmp
-A FORWARD -i eth0 -o eth1 -j REJECT --reject-with icmp-host-prohibited
-A FORWARD -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -m state --state NEW,RELATED,ESTABLISHED -p tcp -m tcp --dport 6443 -j DROP
-A OUTPUT -p tcp -m state --state INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED -m tcp --dport 6443 -j DROP
-A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j CHAOS-OUTPUT
-A OUTPUT -m conntrack ! --ctstate INVALID -j CHAOS-OUTPUT
-A OUTPUT -m conntrack --ctstate INVALID,UNTRACKED,SNAT,DNAT -j CHAOS-OUTPUT
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-INPUT -j INPUT/web-s_5e00029ea14a1_
-A CHAOS-OUTPUT -j OUTPUT/web-s_5e00029ea14a1_
-A CHAOS-OUTPUT -j TC-TABLES-0
-A INPUT/web-s_5e00029ea14a1_ -m set --match-set web-s_5e00029ea14a1_set_tgt src,src -j DROP
-A OUTPUT/web-s_5e00029ea14a1_ -o eth0 -m set --match-set web-s_5e00029ea14a1_set_tgt dst,dst -j DROP
-A OUTPUT/web-s_5e00029ea14a1_ -m set --match-set web-s_5e00029ea14a1_set_tgt dst,dst -j DROP
-A OUTPUT/web-s_5e00029ea14a1_ -m set ! --match-set web-s_5e00029ea14a1_net_tgt src -j RETURN
-A OUTPUT/web-s_5e00029ea14a1_ -m set --match-set web-s_5e00029ea_netport_tgt src,dst -j RETURN
-A TC-TABLES-0 -o eth0 -m set --match-set web-s_5e00029ea14_net_netgt dst -j CLASSIFY --set-class 0001:0004
-A TC-TABLES-0 -o eth0 -j CLASSIFY --set-class 0001:0010
-A UNUSED -m set --match-set web-s_5e00029ea14a1_net_tgt dst -j DROP
-A UNUSED -j RETURN
-A UNUSED -j RETURN
COMMIT
";

/// The other tables.
pub const OTHERS: &str = "
*mangle
:PREROUTING ACCEPT
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:DIVERT -
-A PREROUTING -p tcp -m socket -j DIVERT
-A PREROUTING -p tcp -m socket --transparent --nowildcard -j DIVERT
-A PREROUTING -p tcp -j TPROXY --on-port 58080 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1
-A OUTPUT -p udp -j MARK --set-xmark 0x1/0xffffffff
-A DIVERT -j MARK --set-xmark 0x10/0xff
-A DIVERT -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A OUTPUT -d 127.0.0.1/32 -p udp -m udp --dport 9 -j RETURN
-A POSTROUTING -o lo -j ACCEPT
COMMIT
*raw
:PREROUTING ACCEPT
:OUTPUT DROP
-A OUTPUT -o lo -j ACCEPT
COMMIT
";

/// The same for IPv6.
pub const SIX: &str = "
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT DROP
:CHAOS-OUTPUT -
-A INPUT -s fe80::/10 -i lo -p ipv6-icmp -j ACCEPT
-A INPUT -s 2001:db8::1/128 -d 2001:db8::/33 ! -p udp -j DROP
-A INPUT ! -s ::1/128 -d ::/1 -p udp -m udp --dport 9 -j DROP
-A OUTPUT -j CHAOS-OUTPUT
-A OUTPUT -o lo -p udp -m udp --dport 9 -j ACCEPT
-A CHAOS-OUTPUT -m set --match-set six dst -j DROP
-A CHAOS-OUTPUT -p tcp -m tcp --dport 80:90 -g EMPTY
COMMIT
*mangle
:PREROUTING ACCEPT
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A OUTPUT -j MARK --set-xmark 0x2/0xffffffff
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
-A POSTROUTING -o lo -j ACCEPT
COMMIT
*raw
:PREROUTING ACCEPT
:OUTPUT ACCEPT
-A OUTPUT ! -d ff00::/8 -j ACCEPT
COMMIT
";

/// Traffic that some of the rules count: each address meets another one.
pub fn traffic(netns: &Netns) {
    for (to, count) in [("127.0.0.1:9", 3), ("127.0.0.2:9", 5), ("127.0.0.3:7", 7), ("127.0.0.3:8", 11), ("[::1]:9", 13), ("[::2]:9", 17)] {
        send(netns, to, count);
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iptables and ipset: run by make test"]
fn legacy_tables_read_as_iptables_legacy_save_prints_them() {
    let netns = Netns::new();
    netns.run(&["ip", "-6", "route", "add", "::2/128", "dev", "lo"]);
    feed(&netns, "ipset restore", SETS);
    feed(&netns, "iptables-legacy-restore", &format!("{}\n{}", FILTER.trim(), OTHERS.trim()));
    feed(&netns, "ip6tables-legacy-restore", &SIX.replace(":CHAOS-OUTPUT -", ":CHAOS-OUTPUT -\n:EMPTY -"));
    traffic(&netns);

    let legacy = look(&netns).legacy.expect("legacy tables");
    let text = netns.run(&["iptables-legacy-save", "-c"]);
    assert_eq!(all_saved(&legacy, Family::Ipv4), tool_saved(&text));
    let text6 = netns.run(&["ip6tables-legacy-save", "-c"]);
    assert_eq!(all_saved(&legacy, Family::Ipv6), tool_saved(&text6));
    // What was compared is what was meant to be: all tables, and rules that did count.
    assert_eq!(tool_saved(&text).len() + tool_saved(&text6).len(), 8, "{text}{text6}");
    for line in ["[12:348] -A OUTPUT/web-s_5e00029ea14a1_ -m set --match-set web-s_5e00029ea14a1_set_tgt dst,dst -j DROP", "[13:"] {
        assert!(text.contains(line) || text6.contains(line), "{line} in {text}{text6}");
    }
    assert!(legacy.iter().all(|table| table.backend == Backend::Legacy));
}
