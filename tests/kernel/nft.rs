//! `nf_tables` against `iptables-nft-save -c`, and native tables against what `nft` was told.

use super::kit::netns::Netns;
use super::legacy::{FILTER, OTHERS, SETS, SIX, traffic};
use super::support::{all_saved, feed, look, send, tool_saved};
use chaoscope::node::iptables::{Counters, Family, Table, Verdict};

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iptables and ipset: run by make test"]
fn iptables_nft_rules_read_as_iptables_nft_save_prints_them() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", SETS);
    feed(&netns, "iptables-nft-restore", &format!("{}\n{}", FILTER.trim(), OTHERS.trim()));
    traffic(&netns);

    let nft = look(&netns).nft.expect("nf_tables");
    let text = netns.run(&["iptables-nft-save", "-c"]);
    let (ours, theirs) = (all_saved(&nft, Family::Ipv4), tool_saved(&text));
    assert_eq!(ours, theirs);
    assert_eq!(tool_saved(&text).len(), 4, "{text}");
    assert!(
        text.contains("[12:348] -A OUTPUT/web-s_5e00029ea14a1_ -m set --match-set web-s_5e00029ea14a1_set_tgt dst,dst -j DROP"),
        "{text}"
    );
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iptables and ipset: run by make test"]
fn ip6tables_nft_rules_keep_their_identity_while_their_counters_grow() {
    let netns = Netns::new();
    netns.run(&["ip", "-6", "route", "add", "::2/128", "dev", "lo"]);
    feed(&netns, "ipset restore", SETS);
    feed(&netns, "ip6tables-nft-restore", &SIX.replace(":CHAOS-OUTPUT -", ":CHAOS-OUTPUT -\n:EMPTY -"));
    let before = look(&netns).nft.expect("nf_tables");
    traffic(&netns);
    let after = look(&netns).nft.expect("nf_tables");
    assert_eq!(texts(&before), texts(&after));

    // Chains, policies, counters and verdicts are the tool's, whatever a rule is called.
    let (ours, theirs) = (all_saved(&after, Family::Ipv6), tool_saved(&netns.run(&["ip6tables-nft-save", "-c"])));
    assert_eq!(ours.len(), 4);
    let ends = |lines: &[Vec<String>]| lines.iter().flatten().map(|line| frame(line)).collect::<Vec<_>>();
    assert_eq!(ends(&ours), ends(&theirs));
    // Rules without an address are printed whole.
    let line = "[17:833] -A CHAOS-OUTPUT -m set --match-set six dst -j DROP".to_owned();
    assert!(ours.concat().contains(&line) && theirs.concat().contains(&line), "{ours:#?}");
}

/// Counters, chain and verdict of a line; the target's own arguments are left out with the rest.
fn frame(line: &str) -> (String, String) {
    if !line.starts_with('[') {
        return (line.to_owned(), String::new());
    }
    let words: Vec<_> = line.split(' ').collect();
    let verdict = words.iter().position(|word| *word == "-j" || *word == "-g").map_or(String::new(), |at| words[at..at + 2].join(" "));
    (words[..3].join(" "), verdict)
}

/// Every rule's text, in order.
fn texts(tables: &[Table]) -> Vec<String> {
    tables.iter().flat_map(|table| &table.chains).flat_map(|chain| &chain.rules).map(ToString::to_string).collect()
}

/// Tables as `nft` itself writes them: every family, sets, maps, counters there and not.
const NATIVE: &str = "
table inet house {
  set door { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }
  map rooms { type inet_service : verdict; elements = { 22 : jump upstairs, 80 : drop } }
  chain input { type filter hook input priority 0; policy drop;
    iifname lo udp dport 9 counter accept
    ip saddr @door drop
    tcp dport vmap @rooms
    ct state established,related accept
    limit rate 5/second accept
    quota over 30 bytes drop
    jump downstairs
  }
  chain upstairs { counter accept; }
  chain downstairs { counter goto cellar; }
  chain cellar { return; }
  chain attic { }
}
table inet plain {
  chain output { type filter hook output priority 10; jump used; }
  chain used { accept; }
  chain unused { drop; }
}
table arp lamp { chain in { type filter hook input priority 0; arp operation request counter drop;
}
}
table bridge moat { chain forward { type filter hook forward priority 0; policy accept; ether type ip counter accept;
}
}
table netdev gate { chain ingress { type filter hook ingress device lo priority 0; policy accept; udp dport 9 counter;
}
}
table ip6 hill { chain output { type filter hook output priority 0; udp dport 9 counter reject;
}
}
table ip inline {
  chain input { type filter hook input priority 0; udp dport vmap { 1 : drop, 2 : goto other }; }
  chain other { }
}
";

#[test]
#[ignore = "needs CAP_SYS_ADMIN and nftables: run by make test"]
fn native_tables_of_every_family_are_read() {
    let netns = Netns::new();
    feed(&netns, "nft -f -", NATIVE);
    let tables = look(&netns).nft.expect("nf_tables");
    let shown: Vec<_> = tables.iter().map(|table| (table.family, table.name.as_str(), table.chains.len())).collect();
    let expected = [
        (Family::Ipv4, "inline", 2),
        (Family::Inet, "house", 5),
        (Family::Inet, "plain", 3),
        (Family::Arp, "lamp", 1),
        (Family::Bridge, "moat", 1),
        (Family::Netdev, "gate", 1),
        (Family::Ipv6, "hill", 1),
    ];
    assert_eq!(sorted(shown), sorted(expected.to_vec()));

    let find = |name: &str| tables.iter().find(|table| table.name == name).expect("the table is there");
    let chains = |name: &str| {
        let chains = find(name).chains.iter();
        chains.map(|chain| (chain.name.clone(), chain.policy, chain.hooked, chain.reachable, chain.rules.len())).collect::<Vec<_>>()
    };
    let row = |name: &str, policy, hooked, reachable, rules| (name.to_owned(), policy, hooked, reachable, rules);
    // The map may lead anywhere, so only what is reached without it is known.
    assert_eq!(
        chains("house"),
        [
            row("input", "DROP", true, Some(true), 7),
            row("upstairs", "-", false, None, 1),
            row("downstairs", "-", false, Some(true), 1),
            row("cellar", "-", false, Some(true), 1),
            row("attic", "-", false, None, 0)
        ]
    );
    assert_eq!(
        chains("plain"),
        [row("output", "ACCEPT", true, Some(true), 1), row("used", "-", false, Some(true), 1), row("unused", "-", false, Some(false), 1)]
    );
    assert_eq!(chains("inline")[1], row("other", "-", false, None, 0));
    let rules = &find("house").chains[0].rules;
    assert_eq!(rules[0].to_string(), "-i lo -p udp -m udp --dport 9 -j ACCEPT");
    assert!(rules.iter().skip(1).all(|rule| rule.counters.is_none()), "{rules:#?}");
    assert_eq!(rules[1].verdict, Verdict::Drop);
    assert_eq!(rules[6].verdict, Verdict::Jump("downstairs".to_owned()));
    assert_eq!(find("hill").chains[0].rules[0].verdict, Verdict::Target("REJECT".to_owned()));
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and nftables: run by make test"]
fn native_rules_count_as_nft_says_and_keep_their_identity() {
    let netns = Netns::new();
    feed(&netns, "nft -f -", NATIVE);
    let before = look(&netns).nft.expect("nf_tables");
    send(&netns, "127.0.0.1:9", 4);
    let after = look(&netns).nft.expect("nf_tables");
    assert_eq!(texts(&before), texts(&after));
    let native: Vec<_> = sorted(texts(&after).into_iter().filter(|text| text.starts_with("nft ")).collect());
    assert!(native.windows(2).all(|pair| pair[0] != pair[1]) && native.len() == 9, "{native:#?}");

    let document: serde_json::Value = serde_json::from_str(&netns.run(&["nft", "-j", "list", "ruleset"])).expect("nft prints JSON");
    let rules = document["nftables"].as_array().expect("a list").iter().filter_map(|object| object.get("rule"));
    let theirs = rules.map(|rule| {
        let counter = rule["expr"].as_array().expect("a list").iter().find_map(|expression| expression.get("counter"));
        let count = counter.map(|count| Counters { packets: count["packets"].as_u64().unwrap(), bytes: count["bytes"].as_u64().unwrap() });
        (rule["table"].as_str().unwrap().to_owned(), rule["chain"].as_str().unwrap().to_owned(), count)
    });
    let ours = after.iter().flat_map(|table| {
        let chains = table.chains.iter();
        chains.flat_map(|chain| chain.rules.iter().map(|rule| (table.name.clone(), chain.name.clone(), rule.counters)))
    });
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.collect(), theirs.collect());
    let by_place = |list: &[(String, String, Option<Counters>)]| {
        let mut list = list.to_vec();
        list.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
        list
    };
    assert_eq!(by_place(&ours), by_place(&theirs));
    assert!(ours.contains(&("house".into(), "input".into(), Some(Counters { packets: 4, bytes: 116 }))), "{ours:#?}");
    assert!(ours.contains(&("gate".into(), "ingress".into(), Some(Counters { packets: 4, bytes: 116 }))), "{ours:#?}");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and nftables: run by make test"]
fn a_dormant_table_is_out_of_reach_until_it_wakes() {
    let netns = Netns::new();
    feed(&netns, "nft -f -", NATIVE);
    let read = || {
        let tables = look(&netns).nft.expect("nf_tables");
        let reached = |name: &str| tables.iter().find(|it| it.name == name).expect("it").chains.iter().map(|it| it.reachable).collect();
        let both: [Vec<_>; 2] = ["plain", "hill"].map(reached);
        both
    };
    let awake = [vec![Some(true), Some(true), Some(false)], vec![Some(true)]];
    assert_eq!(read(), awake);
    feed(&netns, "nft -f -", "table inet plain { flags dormant;\n}");
    assert_eq!(read(), [vec![Some(false); 3], vec![Some(true)]]);
    feed(&netns, "nft -f -", "table inet plain { }");
    assert_eq!(read(), awake);
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list
}
