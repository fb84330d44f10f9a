//! IP sets against `ipset save` and `ipset list`.

use super::kit::netns::Netns;
use super::support::{feed, look};
use chaoscope::node::ipset::Set;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

const SAVED: &str = "
create addresses hash:ip
add addresses 10.0.0.1
add addresses 10.0.0.2
create networks hash:net
add networks 10.0.0.0/8
add networks 192.0.2.1
create ports hash:ip,port
add ports 10.0.0.1,tcp:80
add ports 10.0.0.1,udp:53
add ports 10.0.0.1,sctp:7
create netports hash:net,port
add netports 10.1.0.0/16,tcp:443
add netports 203.0.113.7,udp:9
create all list:set
add all addresses
add all networks
create six hash:ip family inet6
add six 2001:db8::1
create sixnets hash:net family inet6
add sixnets 2001:db8::/32
add sixnets 2001:db8::7
create empty hash:net
create exactly-thirty-one-bytes-long-x hash:ip
";

/// Members by set as `ipset save` prints them, sorted; what follows a member (timeout and so on) is left out.
fn theirs(netns: &Netns) -> Vec<(String, String, Vec<String>)> {
    let mut out: Vec<(String, String, Vec<String>)> = Vec::new();
    for line in netns.run(&["ipset", "save"]).lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["create", name, kind, ..] => out.push((name.to_owned(), kind.to_owned(), Vec::new())),
            ["add", name, member, ..] => out.iter_mut().find(|set| set.0 == name).expect("created before").2.push(member.to_owned()),
            _ => panic!("not a line of ipset save: {line}"),
        }
    }
    sort(out)
}

fn ours(sets: &[Set]) -> Vec<(String, String, Vec<String>)> {
    sort(sets.iter().map(|set| (set.name.clone(), set.kind.clone(), set.list.clone())).collect())
}

fn sort(mut sets: Vec<(String, String, Vec<String>)>) -> Vec<(String, String, Vec<String>)> {
    for (.., members) in &mut sets {
        members.sort();
    }
    sets.sort();
    sets
}

fn sets(netns: &Netns) -> Vec<Set> {
    look(netns).sets.expect("sets")
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn sets_and_their_members_read_as_ipset_save_prints_them() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", SAVED);
    let sets = sets(&netns);
    assert_eq!(ours(&sets), theirs(&netns));
    assert_eq!(sets.len(), 9);
    for set in &sets {
        assert_eq!(set.members, Some(set.list.len() as u64), "{set:?}");
        let listed = netns.run(&["ipset", "list", "-terse", &set.name]);
        let field = |label: &str| listed.lines().find_map(|line| line.strip_prefix(label)).expect("ipset prints it").parse().ok();
        assert_eq!((set.members, set.references), (field("Number of entries: "), field("References: ")), "{listed}");
        let family = if set.name.starts_with("six") {
            "inet6"
        } else if set.kind == "list:set" {
            ""
        } else {
            "inet"
        };
        assert_eq!(set.family, family, "{set:?}");
    }
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn expired_members_are_not_counted() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", "create brief hash:ip timeout 1\nadd brief 10.0.0.1\nadd brief 10.0.0.2\nadd brief 10.0.0.3 timeout 0");
    super::kit::process::until(
        || (netns.run(&["ipset", "save", "brief"]).lines().count() == 2).then_some(()),
        || "two members expire after a second".to_owned(),
    );
    let sets = sets(&netns);
    assert_eq!((sets[0].members, sets[0].list.as_slice()), (Some(1), ["10.0.0.3".to_owned()].as_slice()));
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iptables and ipset: run by make test"]
fn a_rule_names_the_set_it_matches_after_swap_rename_and_destroy() {
    let netns = Netns::new();
    feed(
        &netns,
        "ipset restore",
        "create first hash:net\ncreate goner hash:net\ncreate one hash:net\ncreate other hash:net\nadd other 10.0.0.0/8",
    );
    netns.run(&["iptables-legacy", "-A", "INPUT", "-m", "set", "--match-set", "one", "src", "-j", "DROP"]);
    netns.run(&["iptables-nft", "-A", "INPUT", "-m", "set", "--match-set", "other", "src", "-j", "DROP"]);
    let same = |step: &str| {
        let reading = look(&netns);
        for (tables, tool) in [(&reading.legacy, "iptables-legacy-save"), (&reading.nft, "iptables-nft-save")] {
            let saved = netns.run(&[tool]);
            let theirs = saved.lines().find_map(|line| line.strip_prefix("-A INPUT ")).expect("the rule");
            let ours = tables.as_ref().expect("tables")[0].chains.iter().find_map(|chain| chain.rules.first()).expect("the rule");
            assert_eq!(ours.to_string(), theirs, "after {step}");
        }
        assert_eq!(ours(reading.sets.as_ref().expect("sets")), theirs(&netns), "after {step}");
    };
    same("making");
    // A swap exchanges the indices, so rules keep their members' set; a rename needs a set nobody uses, hence the rules go last.
    netns.run(&["ipset", "swap", "one", "other"]);
    same("swapping");
    netns.run(&["ipset", "destroy", "goner"]);
    netns.run(&["ipset", "create", "newcomer", "hash:ip"]);
    same("destroying and reusing a number");
    netns.run(&["ipset", "rename", "first", "renamed"]);
    same("renaming");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn fifty_thousand_members_are_counted_and_listed() {
    let netns = Netns::new();
    let mut text = String::from("create many hash:ip maxelem 100000\n");
    for number in 0..50_000_u32 {
        let _ = writeln!(text, "add many 10.{}.{}.{}", number >> 16, number >> 8 & 0xff, number & 0xff);
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file");
    netns.run(&["ipset", "restore", "-file", file.path().to_str().expect("a plain path")]);
    let sets = sets(&netns);
    assert_eq!((sets.len(), sets[0].members, sets[0].list.len()), (1, Some(50_000), 50_000));
    assert_eq!(ours(&sets), theirs(&netns));
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and ipset: run by make test"]
fn names_with_odd_bytes_stay_apart() {
    let netns = Netns::new();
    for name in ["a b", "a\"b", "a\\b", "ä", "{}", "x\ny"] {
        netns.run(&["ipset", "create", name, "hash:ip"]);
    }
    let raw = netns.command(&["ipset", "create"]).arg(OsStr::from_bytes(b"\xff\x01")).arg("hash:ip").output();
    assert!(raw.expect("ipset starts").status.success());
    let mut names: Vec<_> = sets(&netns).into_iter().map(|set| set.name).collect();
    names.sort();
    assert_eq!(names, ["\\xff\\u{1}", "a b", "a\"b", "a\\\\b", "x\\ny", "{}", "ä"]);
}
