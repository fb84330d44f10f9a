//! What changes or goes while it is read, and what is much larger than usual.

use super::kit::netns::Netns;
use super::kit::process::{Running, until};
use super::support::{all_saved, feed, look, place, saved, send, tool_saved, visit};
use chaoscope::node::error::ReadError;
use chaoscope::node::ipset::Set;
use chaoscope::node::iptables::{Counters, Family, Table};
use chaoscope::node::tc::Tc;
use chaoscope::node::visit::Reading;
use chaoscope::node::visits::Place;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// How often a state is read while somebody rewrites it.
const TIMES: usize = 200;
/// More rules than anybody has in one pod.
const MANY: usize = 10_000;

fn gone(place: &Place) {
    let outcome = visit(place);
    assert!(matches!(outcome, Err(ReadError::Gone { .. })), "{outcome:?}");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_namespace_gone_between_listing_and_visit_is_gone() {
    let netns = Netns::new();
    let place = place(&netns.path());
    visit(&place).expect("it is still there");
    drop(netns);
    gone(&place);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_zombie_has_no_namespace() {
    let mut holder = Command::new("unshare").args(["--net", "sleep", "600"]).stdin(Stdio::null()).spawn().expect("unshare starts");
    let path = Path::new("/proc").join(holder.id().to_string());
    let ours = fs::read_link("/proc/self/ns/net").expect("ours");
    until(|| (fs::read_link(path.join("ns/net")).ok()? != ours).then_some(()), || "unshare makes a namespace".to_owned());
    let place = place(&path.join("ns/net"));
    holder.kill().expect("it runs");
    let state = || fs::read_to_string(path.join("stat")).expect("nobody has waited for it");
    until(|| state().contains(") Z ").then_some(()), || format!("a zombie: {}", state()));
    gone(&place);
    holder.wait().expect("our child");
    gone(&place);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_path_that_leads_elsewhere_now_is_gone_and_the_next_one_is_tried() {
    let (one, other) = (Netns::new(), Netns::new());
    other.run(&["ip", "link", "add", "here", "type", "veth", "peer", "name", "there"]);
    other.run(&["tc", "qdisc", "add", "dev", "here", "root", "handle", "1:", "pfifo"]);
    let id = place(&other.path()).id;
    gone(&Place { id, paths: vec![one.path()] });
    gone(&Place { id, paths: Vec::new() });
    let reading = visit(&Place { id, paths: vec!["/proc/0/ns/net".into(), one.path(), other.path()] }).expect("the last way in");
    assert!(reading.tc.expect("tc").qdiscs.iter().any(|it| it.device == "here"));
}

/// Reads while `script` runs round and round inside, until every one of `states` was seen, and [`TIMES`] times at least. What is not one of
/// the states fails the test; to be interrupted is allowed.
fn watch<T>(netns: &Netns, script: &str, states: &[String], read: impl Fn(Reading) -> Result<T, ReadError>, show: impl Fn(&T) -> String) {
    let seen: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let (mut times, mut interrupted) = (0, 0);
    let mut writer = Running::start(netns.command(&["sh", "-euc", &format!("while :; do\n{script}\ndone")]).stdout(Stdio::null()));
    until(
        || {
            assert!(!writer.has_ended(), "the writer has failed");
            for _ in 0..TIMES {
                times += 1;
                match read(look(netns)) {
                    Ok(value) => *seen.borrow_mut().entry(show(&value)).or_default() += 1,
                    Err(ReadError::Interrupted(_)) => interrupted += 1,
                    Err(error) => panic!("{error}: {error:?}"),
                }
            }
            states.iter().all(|state| seen.borrow().contains_key(state)).then_some(())
        },
        || format!("all of {states:#?} seen, only {:#?}", seen.borrow()),
    );
    let seen = seen.into_inner();
    let torn: Vec<_> = seen.keys().filter(|state| !states.contains(state)).collect();
    assert!(torn.is_empty(), "never written: {torn:#?}, of {times} readings, {interrupted} interrupted");
    assert!(interrupted * 2 < times, "{interrupted} of {times} readings were interrupted");
}

/// Two rule sets whose tables have the same size and the same entries in other places.
const ONE: &str = "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT DROP\n:A -\n-A INPUT -j DROP\n-A A -j ACCEPT\nCOMMIT";
const OTHER: &str = "*filter\n:INPUT DROP\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:B -\n-A OUTPUT -j ACCEPT\n-A B -j DROP\nCOMMIT";

/// A table's text without counters.
fn text(tables: &[Table]) -> String {
    let strip = |line: String| line.split_once("] ").map_or(line.clone(), |(_, rest)| rest.to_owned());
    tables.iter().flat_map(saved).map(strip).collect::<Vec<_>>().join("\n")
}

/// As [`text`] gives it.
fn written(restore: &str) -> String {
    restore.replace("\nCOMMIT", "")
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iptables: run by make test"]
fn legacy_rules_are_of_one_moment() {
    let netns = Netns::new();
    feed(&netns, "iptables-legacy-restore", ONE);
    let script = format!("iptables-legacy-restore <<'END'\n{OTHER}\nEND\niptables-legacy-restore <<'END'\n{ONE}\nEND");
    watch(&netns, &script, &[written(ONE), written(OTHER)], |reading| reading.legacy, |tables| text(tables));
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, nftables and iptables: run by make test"]
fn nft_rules_are_of_one_moment() {
    let netns = Netns::new();
    feed(&netns, "iptables-nft-restore", ONE);
    // Flushed by one transaction, and written anew by one.
    let script =
        format!("iptables-nft-restore <<'END'\n{OTHER}\nEND\nnft delete table ip filter\niptables-nft-restore <<'END'\n{ONE}\nEND");
    watch(&netns, &script, &[written(ONE), written(OTHER), String::new()], |reading| reading.nft, |tables| text(tables));
}

/// A set with its members, which are as many as the kernel says.
fn set(set: &Set) -> String {
    let mut list = set.list.clone();
    list.sort();
    assert_eq!(set.members, Some(list.len() as u64), "{set:?}");
    format!("{} {}", set.name, list.join(" "))
}

const TWO_SETS: &str = "create a hash:ip\ncreate b hash:ip\nadd a 10.0.0.1\nadd b 10.0.0.2\nadd b 10.0.0.3";

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn a_set_is_of_one_moment() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", TWO_SETS);
    // The kernel answers set by set, so that two sets may be of different moments. While it does, that set refuses to be swapped or
    // renamed (EBUSY), whoever lists it.
    for name in ["a", "b"] {
        let states = ["10.0.0.1", "10.0.0.2 10.0.0.3"].map(|members| format!("{name} {members}"));
        let show = |sets: &Vec<Set>| sets.iter().filter(|it| it.name == name).map(set).collect::<Vec<_>>().join(", ");
        watch(&netns, "ipset swap a b || true", &states, |reading| reading.sets, show);
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn sets_that_are_renamed_are_not_mixed_up() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", TWO_SETS);
    let names = [["a", "b"], ["c", "b"], ["c", "a"], ["b", "a"], ["b", "c"], ["a", "c"]];
    let states = names.map(|[one, other]| format!("{one} 10.0.0.1, {other} 10.0.0.2 10.0.0.3"));
    let show = |sets: &Vec<Set>| sets.iter().map(set).collect::<Vec<_>>().join(", ");
    watch(
        &netns,
        "for pair in 'a c' 'b a' 'c b'; do until ipset rename $pair 2>/dev/null; do :; done; done",
        &states,
        |reading| reading.sets,
        show,
    );
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iproute2: run by make test"]
fn classes_and_filters_belong_to_the_qdiscs_they_are_shown_with() {
    let netns = Netns::new();
    let show = |tc: &Tc| {
        let qdiscs = tc.qdiscs.iter().filter(|it| !it.is_default()).map(|it| format!("{} {}", it.kind, it.handle));
        let classes = tc.classes.iter().map(|it| format!("class {}", it.handle));
        qdiscs.chain(classes).chain(tc.filters.iter().map(|it| format!("filter {}", it.parent))).collect::<Vec<_>>().join(", ")
    };
    let script = "tc qdisc add dev lo root handle 1: htb default 1
        tc class add dev lo parent 1: classid 1:1 htb rate 1gbit
        tc qdisc add dev lo parent 1:1 handle 2: pfifo
        tc qdisc del dev lo root
        tc qdisc add dev lo root handle 3: tbf rate 1gbit burst 100kb limit 100000
        tc qdisc del dev lo root";
    let states = ["", "htb 1:", "htb 1:, class 1:1", "htb 1:, pfifo 2:, class 1:1", "tbf 3:"].map(str::to_owned);
    watch(&netns, script, &states, |reading| reading.tc, show);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iproute2: run by make test"]
fn devices_that_come_and_go_take_only_their_own_qdiscs_along() {
    let netns = Netns::new();
    netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "pfifo"]);
    let show = |tc: &Tc| {
        let ours = tc.qdiscs.iter().filter(|it| !it.is_default());
        ours.map(|it| format!("{} {}", it.device, it.handle)).collect::<Vec<_>>().join(", ")
    };
    let script = "ip link add x type veth peer name y; tc qdisc add dev x root handle 2: pfifo; ip link del x";
    watch(&netns, script, &["lo 1:".to_owned(), "lo 1:, x 2:".to_owned()], |reading| reading.tc, show);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iptables: run by make test"]
fn ten_thousand_rules_in_one_chain_are_read_whole() {
    let netns = Netns::new();
    let mut rules = String::from("*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n:MANY -\n-A OUTPUT -j MANY\n");
    for number in 1..MANY {
        let _ = writeln!(rules, "-A MANY -d 10.{}.{}.{}/32 -j DROP", number >> 16, number >> 8 & 0xff, number & 0xff);
    }
    rules.push_str("-A MANY -d 127.0.0.1/32 -p udp -m udp --dport 9 -j RETURN\nCOMMIT\n");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), &rules).expect("a file");
    for tool in ["legacy", "nft"] {
        netns.run(&[&format!("iptables-{tool}-restore"), file.path().to_str().expect("a plain path")]);
    }
    send(&netns, "127.0.0.1:9", 6);
    let reading = look(&netns);
    for (tables, tool) in [(reading.legacy, "legacy"), (reading.nft, "nft")] {
        let tables = tables.expect("tables");
        let many = tables[0].chains.iter().find(|chain| chain.name == "MANY").expect("the chain");
        assert_eq!(many.rules.len(), MANY, "{tool}");
        assert_eq!(many.rules[MANY - 1].counters, Some(Counters { packets: 6, bytes: 174 }), "{tool}");
        let theirs = tool_saved(&netns.run(&[&format!("iptables-{tool}-save"), "-c"]));
        assert!(all_saved(&tables, Family::Ipv4) == theirs, "{tool}: not as saved");
    }
}

/// Matches and targets that are not printed as `iptables-save` does.
const UNKNOWN: [&str; 12] = [
    "-m limit --limit 5/sec -j ACCEPT",
    "-m limit --limit 6/sec -j ACCEPT",
    "-m statistic --mode random --probability 0.5 -j DROP",
    "-m statistic --mode nth --every 3 --packet 0 -j DROP",
    "-p udp -m multiport --dports 1,2 -j DROP",
    "-m owner --uid-owner 5 -j DROP",
    "-m length --length 5 -j DROP",
    "-m string --string a --algo bm -j DROP",
    "-m quota --quota 1000000 -j ACCEPT",
    "-m hashlimit --hashlimit-above 5/sec --hashlimit-name x -j DROP",
    "-j LOG --log-prefix chaos",
    "-p tcp -m tcp --syn -j REJECT --reject-with tcp-reset",
];

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iptables: run by make test"]
fn unknown_matches_and_targets_have_an_identity_that_stays() {
    for tool in ["iptables-legacy", "iptables-nft"] {
        let netns = Netns::new();
        for rule in UNKNOWN {
            let words: Vec<_> = [tool, "-A", "OUTPUT"].into_iter().chain(rule.split(' ')).collect();
            netns.run(&words);
        }
        let read = || {
            let reading = look(&netns);
            let rules: Vec<_> = reading.tables().flat_map(|table| table.chains.clone()).flat_map(|chain| chain.rules).collect();
            let counted: u64 = rules.iter().filter_map(|rule| rule.counters).map(|count| count.packets).sum();
            (rules.iter().map(ToString::to_string).collect::<Vec<_>>(), counted)
        };
        let (before, none) = read();
        send(&netns, "127.0.0.1:9", 40);
        let (after, some) = read();
        assert_eq!(before, after, "{tool}");
        assert!(none == 0 && some > 0, "{tool}: {none} {some}");
        let mut distinct = after.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), UNKNOWN.len(), "{tool}: {after:#?}");
    }
}
