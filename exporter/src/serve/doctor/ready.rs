//! `/readyz`: whether the first answer would be whole. Pure; in the style of kube-apiserver's page of the same name.
//!
//! Only what will come is waited for: a kind that is not installed or may not be seen costs only itself, and a journal that cannot be written
//! leaves metrics and what is known as they are. Both are said.

use super::super::words::plain;
use super::Facts;
use crate::cluster::now::WatchNow;
use std::fmt::Write as _;

/// Whether it is ready, and the page that says why.
pub(in super::super) fn readiness(facts: &Facts) -> (bool, String) {
    let mut out = String::from("[+]ping ok\n");
    let mut ready = facts.pending.is_empty();
    if !ready {
        let _ = writeln!(out, "[-]start failed: {}", plain(&facts.pending));
    }
    let _ = match facts.journal.failing.as_str() {
        "" => writeln!(out, "[+]journal ok"),
        reason => writeln!(out, "[!]journal not waited for: {}", plain(reason)),
    };
    for watch in &facts.watches {
        let (sign, text) = state(watch);
        ready &= sign != '-';
        let namespace = if watch.namespace.is_empty() { String::new() } else { format!(" in {}", plain(&watch.namespace)) };
        let _ = writeln!(out, "[{sign}]watch {}{namespace} {text}", watch.resource);
    }
    let _ = writeln!(out, "readyz check {}", if ready { "passed" } else { "failed" });
    (ready, out)
}

/// A watch that was listed once has shown what there is; that it is down now makes nobody's answer less whole than it was.
fn state(watch: &WatchNow) -> (char, String) {
    match watch.reason.as_str() {
        _ if watch.up => ('+', "ok".to_owned()),
        "missing" => ('!', "not waited for: there is no such kind".to_owned()),
        "forbidden" => ('!', "not waited for: no right to list and watch it".to_owned()),
        reason if watch.listed_at.is_some() => ('!', format!("listed before, and down now: {}", plain(reason))),
        "" => ('-', "failed: not listed yet".to_owned()),
        reason => ('-', format!("failed: {}", plain(reason))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn watch(resource: &'static str, up: bool, reason: &str) -> WatchNow {
        WatchNow { resource, up, reason: reason.into(), ..WatchNow::default() }
    }

    #[test]
    fn only_what_will_come_is_waited_for() {
        let mut facts = Facts {
            watches: vec![watch("podchaos", true, ""), watch("iochaos", false, "missing"), watch("pods", false, "forbidden")],
            ..Facts::default()
        };
        facts.watches[2].namespace = "shop".into();
        facts.journal.failing = "disk\nfull".into();
        let page = "[+]ping ok\n[!]journal not waited for: disk\u{fffd}full\n[+]watch podchaos ok\n\
            [!]watch iochaos not waited for: there is no such kind\n[!]watch pods in shop not waited for: no right to list and watch it\n\
            readyz check passed\n";
        assert_eq!(readiness(&facts), (true, page.to_owned()));

        facts.watches.push(watch("networkchaos", false, "unreachable"));
        let (ready, page) = readiness(&facts);
        assert!(
            !ready && page.contains("[-]watch networkchaos failed: unreachable\n") && page.ends_with("readyz check failed\n"),
            "{page}"
        );
        facts.watches[3].listed_at = Some(Timestamp::UNIX_EPOCH);
        assert!(readiness(&facts).0, "a watch that is lost for a while");

        let replay = Facts { pending: "reading the recording".into(), ..Facts::default() };
        assert!(!readiness(&replay).0 && readiness(&Facts::default()).0);
    }
}
