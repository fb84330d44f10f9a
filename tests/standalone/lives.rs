//! Several lives of the program over one journal: restarts, kills, lost privileges, a journal that is deleted.

use crate::kit::netns::Netns;
use crate::kit::process::until;
use crate::program::Standalone;
use crate::shaping::{NONE, TBF};
use chaoscope_model::run::Outcome;

/// Root, but without `CAP_NET_ADMIN`: traffic control can be read, packet filters cannot.
const WITHOUT_NET_ADMIN: &[&str] = &["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
/// Root, but without `CAP_SYS_ADMIN`: no namespace can be entered.
const WITHOUT_SYS_ADMIN: &[&str] = &["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];

/// Root without any capability, as an ordinary user is.
const WITHOUT_ANY: &[&str] = &["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

#[test]
#[ignore = "needs root and iproute2: run by make test"]
fn what_is_there_at_the_start_is_baseline_and_goes_on_after_a_restart() {
    let lab = Netns::new();
    let name = lab.inode().to_string();
    lab.run(&TBF);
    let mut it = Standalone::start();
    it.tells(1, "Found", &name);
    it.stop();
    let first = it.run(&name);
    assert!(first.baseline && first.is_open() && first.injected_at.is_none(), "{first:#?}");
    it.again(&[]);
    it.looks();
    lab.run(&NONE);
    it.tells(1, "Recovered", &name);
    it.stop();
    let run = it.run(&name);
    assert_eq!((run.id, run.started_at, run.outcome), (first.id, first.started_at, Some(Outcome::Recovered)));
    assert_eq!(it.reasons(&name), ["Found", "Recovered"]);
}

#[test]
#[ignore = "needs root and iproute2: run by make test"]
fn a_kill_loses_nothing_that_was_told_and_what_ended_meanwhile_is_lost() {
    let [stays, goes] = [Netns::new(), Netns::new()];
    let [stays_as, goes_as] = [&stays, &goes].map(|netns| netns.inode().to_string());
    let mut it = Standalone::start();
    it.looks();
    for (netns, name) in [(&stays, &stays_as), (&goes, &goes_as)] {
        netns.run(&TBF);
        it.tells(1, "Applied", name);
    }
    it.kill();
    let before = [&stays_as, &goes_as].map(|name| it.run(name));
    goes.run(&NONE);
    for _ in 0..3 {
        it.again(&[]);
        it.kill();
    }
    it.again(&[]);
    it.looks(); // it may have been lost in one of the short lives already, before that could log it
    it.stop();
    let after = [&stays_as, &goes_as].map(|name| it.run(name));
    assert_eq!(after[0], before[0], "as if nothing had been");
    assert_eq!((&after[1].id, after[1].outcome), (&before[1].id, Some(Outcome::Lost)));
    assert!(after[1].ended_after >= Some(after[1].started_at) && after[1].ended_after < after[1].ended_at, "{:#?}", after[1]);
}

#[test]
#[ignore = "needs root, iptables and setpriv: run by make test"]
fn a_failed_read_ends_nothing() {
    let pod = Netns::new();
    let name = pod.inode().to_string();
    let mut it = Standalone::start();
    it.looks();
    pod.run(&TBF);
    pod.script("iptables-legacy -w -N CHAOS-INPUT; iptables-legacy -w -A INPUT -j CHAOS-INPUT; iptables-legacy -w -A CHAOS-INPUT -j DROP");
    it.tells(2, "Applied", &name);
    it.stop();
    // No namespace can be entered: nothing is known.
    it.again(WITHOUT_SYS_ADMIN);
    pod.script("iptables-legacy -w -F CHAOS-INPUT");
    it.looks();
    it.stop();
    assert_eq!(it.runs(&name).iter().filter(|run| run.is_open()).count(), 2);
    // The tbf is seen to be gone, the rule cannot be seen.
    it.again(WITHOUT_NET_ADMIN);
    pod.run(&NONE);
    it.looks();
    it.stop();
    let open: Vec<_> = it.runs(&name).into_iter().filter(chaoscope_model::run::Run::is_open).map(|run| run.kind).collect();
    assert_eq!(open, ["drop"]);
    // With all rights again it is gone, and nobody saw when.
    it.again(&[]);
    it.looks();
    it.stop();
    let drop = it.runs(&name).into_iter().find(|run| run.kind == "drop").unwrap();
    assert_eq!(drop.outcome, Some(Outcome::Lost));
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_scrape_takes_a_young_sweep_and_the_hosts_own_namespace_is_left_out() {
    let mut it = Standalone::start_with(&["--sweep.interval=1h"]);
    let first = it.metric("chaoscope_netns_visited");
    let _new = Netns::new();
    assert_eq!(it.metric("chaoscope_netns_visited"), first, "the sweep of the timer is young enough for three intervals");
    assert!(it.metric("chaoscope_netns_skipped{reason=\"host_network\"}").ends_with(" 1"));
    it.stop();
}

#[test]
#[ignore = "needs root: run by make test"]
fn one_journal_has_one_owner_and_other_hosts_see_nothing_by_mistake() {
    let mut it = Standalone::start();
    let second = it.fails("127.0.0.1:0");
    assert!(second.1 == Some(1) && second.0.contains("in use by process"), "{second:?}");
    it.stop();
    let open = it.fails("0.0.0.0:0");
    assert!(open.1 == Some(2) && open.0.contains("--api.allow-anonymous"), "{open:?}");
}

#[test]
#[ignore = "needs root: run by make test"]
fn without_rights_it_is_not_well_and_says_what_would_mend_it() {
    let mut it = Standalone::start();
    it.stop();
    it.again(WITHOUT_ANY);
    it.says(1, &["Cannot see everything: network namespaces cannot be entered"]);
    let swept = || Some(it.doctor()).filter(|(_, lines)| lines.iter().any(|(_, found, _)| found.starts_with("this host was swept ")));
    let (well, lines) = until(swept, || format!("{:?}", it.doctor()));
    assert!(!well, "{lines:#?}");
    for (found, capability) in [
        ("network namespaces cannot be entered", "CAP_SYS_ADMIN"),
        ("ipsets and packet filter rules cannot be read", "CAP_NET_ADMIN"),
        ("namespaces and mounts of processes of other users cannot be seen", "CAP_SYS_PTRACE"),
    ] {
        let said = |(mark, what, remedy): &(String, String, String)| mark == "bad" && what == found && remedy.contains(capability);
        assert!(lines.iter().any(said), "{found}: {lines:#?}");
    }
    let page = it.get("/");
    assert!(page.contains("Not well") && page.contains("network namespaces cannot be entered") && !page.contains("within a few seconds"));
    it.stop();
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_journal_deleted_under_it_is_said() {
    let mut it = Standalone::start();
    assert!(it.metric("chaoscope_journal_failing").ends_with(" 0"));
    std::fs::remove_dir_all(it.journal_folder()).unwrap();
    it.says(1, &["journal.sqlite was deleted or moved while it was open"]);
    let (well, lines) = until(|| Some(it.doctor()).filter(|(well, _)| !well), || format!("{:?}", it.doctor()));
    let said =
        |(mark, found, remedy): &(String, String, String)| mark == "bad" && found.contains("was deleted") && remedy.contains("restart");
    assert!(!well && lines.iter().any(said), "{lines:#?}");
    assert!(it.metric("chaoscope_journal_failing").ends_with(" 1"));
    it.stop();
    it.again(&[]);
    assert!(it.metric("chaoscope_journal_failing").ends_with(" 0"), "a new one");
}
