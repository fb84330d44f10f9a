//! Looking changes nothing: tables, sets and counters stay as they were, no namespace is held, the thread comes home.

use super::kit::netns::Netns;
use super::kit::process::until;
use super::legacy::{FILTER, SETS, traffic};
use super::support::{feed, later, look, place, plan};
use chaoscope::node::visit::Visitor;
use chaoscope::node::visits::visit_all;
use std::fs;

/// How often a namespace is read in these tests.
const TIMES: usize = 9;

/// Everything a reader could leave behind, as the kernel's own files and tools tell it.
fn state(netns: &Netns) -> String {
    let names =
        "for file in ip_tables_names ip6_tables_names arp_tables_names; do echo \"$file\"; cat /proc/thread-self/net/$file || true; done";
    let tools = "echo rules; nft list ruleset; echo sets; ipset save; echo qdiscs; tc qdisc show";
    netns.script(&format!("{names}; {tools}"))
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, nftables, ipset and iproute2: run by make test"]
fn a_fresh_namespace_stays_empty() {
    let netns = Netns::new();
    let before = state(&netns);
    let empty = "ip_tables_names\nip6_tables_names\narp_tables_names\nrules\nsets\nqdiscs\nqdisc noqueue 0: dev lo root refcnt 2 \n";
    assert_eq!(before, empty);
    for _ in 0..TIMES {
        let reading = look(&netns);
        assert_eq!(reading.errors().count(), 0, "{reading:?}");
        assert_eq!((reading.tables().count(), reading.sets), (0, Ok(Vec::new())));
    }
    assert_eq!(state(&netns), before);
    // That it shows: a tool that asks for a table makes it.
    netns.run(&["iptables-legacy", "-t", "raw", "-L"]);
    assert_ne!(state(&netns), before);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, nftables, iptables and ipset: run by make test"]
fn rules_sets_and_their_counters_stay_as_they_were() {
    let netns = Netns::new();
    feed(&netns, "ipset restore", SETS);
    feed(&netns, "iptables-legacy-restore", FILTER);
    feed(&netns, "iptables-nft-restore", FILTER);
    traffic(&netns);
    let state = || {
        netns.script("iptables-legacy-save -c | grep -v '^#'; iptables-nft-save -c | grep -v '^#'; ipset save; cat /proc/thread-self/net/ip_tables_names")
    };
    let before = state();
    assert!(before.contains("[12:348]"), "{before}");
    for _ in 0..TIMES {
        assert_eq!(look(&netns).tables().count(), 2);
    }
    assert_eq!(state(), before);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iptables and iproute2: run by make test"]
fn a_visited_namespace_goes_with_its_holder() {
    let (visited, witness) = (Netns::new(), Netns::new());
    feed(&visited, "iptables-legacy-restore", FILTER.split("-A ").next().map(|head| format!("{head}COMMIT")).as_deref().expect("a table"));
    let pid = witness.pid().to_string();
    visited.run(&["ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", &pid]);
    let there = || witness.try_run(&["ip", "link", "show", "far"]).status.success();
    // Many threads, as in a sweep; this program goes on running.
    let places = vec![place(&visited.path()); 20];
    let visits = visit_all(&places, 4, plan(), later());
    assert!(visits.iter().flatten().all(|visit| visit.reading.is_ok()) && visits.iter().flatten().count() == 20);
    assert!(there());
    drop(visited);
    until(|| (!there()).then_some(()), || "the namespace's other device goes with it".to_owned());
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn the_thread_comes_home() {
    let netns = Netns::new();
    let own = || fs::read_link("/proc/thread-self/ns/net").expect("a thread has a namespace");
    let (home, process) = (own(), fs::read_link("/proc/self/ns/net").expect("so has the process"));
    std::thread::scope(|scope| {
        let traveller = scope.spawn(|| {
            let mut visitor = Visitor::new(plan()).expect("a visitor");
            let place = place(&netns.path());
            visitor.visit(&place.paths[0], place.id).expect("the namespace can be entered");
            assert_eq!(own().display().to_string(), format!("net:[{}]", netns.inode()));
            drop(visitor);
            assert_eq!(own(), home);
        });
        traveller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    look(&netns);
    assert_eq!((own(), fs::read_link("/proc/self/ns/net").expect("so has the process")), (home, process));
}
