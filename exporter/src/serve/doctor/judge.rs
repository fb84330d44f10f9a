//! Facts → report. Pure.

use super::super::figures::{bytes, counted};
use super::super::scrapers;
use super::super::words::{plain, span};
use super::rule::missing_rights;
use super::sweeps::sweeps;
use super::{Facts, Line, Mark, Report};
use crate::cluster::now::WatchNow;
use jiff::Timestamp;

/// Peers that did not answer for so long are not only late.
const OLD_SAMPLE: jiff::SignedDuration = jiff::SignedDuration::from_mins(15);

/// What of it works, and what would mend the rest.
pub fn report(facts: &Facts) -> Report {
    let mut lines = Vec::new();
    if !facts.pending.is_empty() {
        lines.push(unsure("changes", plain(&facts.pending), "wait until it is done"));
    }
    lines.extend(kinds(facts));
    lines.extend(watches(&facts.watches));
    lines.extend(missing_rights(&facts.watches));
    lines.extend(last_change(facts));
    lines.extend(peers(facts));
    lines.extend(nodes(facts));
    lines.extend(sweeps(facts));
    lines.push(journal(facts));
    lines.push(scrapes(facts));
    let well = lines.iter().all(|line| line.mark != Mark::Bad);
    Report { version: env!("CARGO_PKG_VERSION").to_owned(), role: facts.role.to_owned(), at: facts.at, well, lines }
}

pub(super) fn good(about: &str, found: impl Into<String>) -> Line {
    Line { about: about.to_owned(), mark: Mark::Good, found: found.into(), remedy: String::new(), rule: None }
}

pub(super) fn bad(about: &str, found: impl Into<String>, remedy: &str) -> Line {
    Line { mark: Mark::Bad, remedy: remedy.to_owned(), ..good(about, found) }
}

pub(super) fn unsure(about: &str, found: impl Into<String>, remedy: &str) -> Line {
    Line { mark: Mark::Unsure, remedy: remedy.to_owned(), ..good(about, found) }
}

pub(super) fn ago(facts: &Facts, at: Timestamp) -> String {
    format!("{} ago", span(facts.at.duration_since(at)))
}

fn list<'a>(names: impl Iterator<Item = &'a WatchNow>) -> String {
    let name = |watch: &WatchNow| match watch.namespace.as_str() {
        "" => watch.resource.to_owned(),
        namespace => format!("{} in {}", watch.resource, plain(namespace)),
    };
    names.map(name).collect::<Vec<_>>().join(", ")
}

fn kinds(facts: &Facts) -> Vec<Line> {
    let missing = || facts.watches.iter().filter(|watch| watch.reason == "missing");
    let mut out = Vec::new();
    let groups = facts.groups.as_deref().unwrap_or(&[]);
    let (there, not): (Vec<_>, Vec<_>) = groups.iter().partition(|group| !group.served.is_empty());
    for group in &there {
        let served = group.served.iter().map(|served| format!("{} ({})", plain(&served.version), counted(served.plurals.len(), "kind")));
        out.push(good("kinds", format!("{} is installed: {}", plain(&group.name), served.collect::<Vec<_>>().join(", "))));
    }
    if !groups.is_empty() && there.is_empty() {
        let names: Vec<_> = not.iter().map(|group| plain(&group.name)).collect();
        let found = format!("no chaos tool's kinds are installed in this cluster ({})", names.join(", "));
        out.push(bad("kinds", found, "install Chaos Mesh, or is this the wrong cluster?"));
    } else if missing().next().is_some() {
        let found = format!("not installed: {}", list(missing()));
        out.push(unsure("kinds", found, "older and newer releases lack some; else install the missing definitions"));
    }
    let scoped = || facts.watches.iter().filter(|watch| watch.reason == "cluster_scoped");
    if scoped().next().is_some() {
        let found = format!("not watched, for they belong to no namespace: {}", list(scoped()));
        out.push(good("kinds", found));
    }
    out
}

fn watches(watches: &[WatchNow]) -> Vec<Line> {
    let mut out = Vec::new();
    let up: Vec<_> = watches.iter().filter(|watch| watch.up).collect();
    if !up.is_empty() {
        let objects: u64 = up.iter().map(|watch| watch.objects).sum();
        let objects = usize::try_from(objects).unwrap_or(usize::MAX);
        out.push(good(
            "watches",
            format!("{} up, with {}", counted(up.len(), "watch").replace("watchs", "watches"), counted(objects, "object")),
        ));
    }
    let down = |watch: &&WatchNow| !watch.up && !matches!(watch.reason.as_str(), "missing" | "forbidden" | "cluster_scoped");
    let mut reasons: Vec<_> = watches.iter().filter(down).map(|watch| watch.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let those = || watches.iter().filter(down).filter(|watch| watch.reason == reason);
        let message = those()
            .map(|watch| watch.message.as_str())
            .find(|message| !message.is_empty())
            .map_or_else(String::new, |message| format!(" ({})", plain(message)));
        let names = list(those());
        out.push(match reason {
            "" | "starting" => unsure("watches", format!("not listed yet: {names}"), "wait; a large list takes a while"),
            "expired" => unsure("watches", format!("being listed anew: {names}"), "wait; nothing is lost"),
            "throttled" => unsure("watches", format!("the API server asks us to wait for {names}{message}"), "wait; it is busy"),
            "unreachable" => {
                bad("watches", format!("the API server cannot be reached for {names}{message}"), "is it up, and is the network open to it?")
            }
            "unauthorized" => bad(
                "watches",
                format!("the API server does not know us, for {names}{message}"),
                "is the service account's token mounted and valid?",
            ),
            other => bad("watches", format!("{}: {names}{message}", plain(other)), "see the log"),
        });
    }
    let undecodable: u64 = watches.iter().map(|watch| watch.undecodable).sum();
    if undecodable > 0 {
        let which = list(watches.iter().filter(|watch| watch.undecodable > 0));
        out.push(bad(
            "watches",
            format!("{undecodable} objects could not be understood: {which}"),
            "the log names them; please report them",
        ));
    }
    out
}

fn last_change(facts: &Facts) -> Option<Line> {
    if facts.watches.is_empty() {
        return None;
    }
    let last = facts.watches.iter().filter_map(|watch| watch.last_change_at).max();
    Some(match last {
        Some(at) => good("changes", format!("the last change was seen {}", ago(facts, at))),
        None => good("changes", format!("no change was seen since the start {}", ago(facts, facts.since))),
    })
}

fn peers(facts: &Facts) -> Vec<Line> {
    let Some(peers) = &facts.peers else { return Vec::new() };
    if peers.is_empty() {
        return vec![unsure("peers", "no component of a chaos tool was found to be asked for its metrics", "give its address with --peer")];
    }
    let line = |peer: &super::Peer| {
        let name = format!("{} at {}", plain(&peer.what), plain(&peer.address));
        let old = peer.sampled_at.is_none_or(|at| facts.at.duration_since(at) > OLD_SAMPLE);
        match (peer.up, old) {
            (true, false) => good("peers", format!("{name} answers")),
            (true, true) => unsure("peers", format!("{name} has not been asked lately"), "see the log"),
            (false, _) => {
                bad("peers", format!("{name} does not answer: {}", plain(&peer.reason)), "is it running, and is its port open to us?")
            }
        }
    };
    peers.iter().map(line).collect()
}

fn nodes(facts: &Facts) -> Option<Line> {
    let nodes = facts.nodes.as_ref()?;
    let apart: Vec<_> = nodes.iter().filter(|node| !node.connected).map(|node| plain(&node.name)).collect();
    let all = counted(nodes.len(), "node");
    Some(match (nodes.len(), apart.len()) {
        (0, _) => unsure("nodes", "no node reports what is in its kernel", "run the node role on them, with --cluster.url"),
        (_, 0) => good("nodes", format!("{all} covered")),
        (_, missing) => {
            let shown = if missing > 5 { format!("{}, …", apart[..5].join(", ")) } else { apart.join(", ") };
            bad(
                "nodes",
                format!("{missing} of {all} not covered: {shown}"),
                "is the node role running there, and is its --cluster.url right?",
            )
        }
    })
}

fn journal(facts: &Facts) -> Line {
    let (folder, status) = (plain(&facts.journal.folder), &facts.journal.status);
    let size = format!(", {}", bytes(status.bytes));
    if !status.fault.is_empty() {
        return bad("journal", format!("the journal is lost with this process: {}", plain(&status.fault)), "restart: a new one is made");
    }
    if status.failing {
        let found = format!("the journal cannot be written{size}: {} waiting, {} dropped", counted_changes(status.pending), status.dropped);
        return bad("journal", found, "make room on its disk, and see the log; what happened meanwhile is read from the objects again");
    }
    let last = status
        .last_commit_at
        .map_or_else(|| ", nothing stored since the start".to_owned(), |at| format!(", last written {}", ago(facts, at)));
    if status.dropped + status.refused > 0 {
        let found = format!("the journal lacks {}{size}{last}", counted_changes(status.dropped + status.refused));
        return unsure("journal", found, "the disk failed for long, or they could not be stored: see the log");
    }
    let past = if status.failures > 0 {
        format!(", {} failed before", counted(usize::try_from(status.failures).unwrap_or(usize::MAX), "write"))
    } else {
        String::new()
    };
    match (folder.is_empty(), facts.role) {
        (true, "replay") => good("journal", format!("the journal is temporary{size}{last}")),
        (true, _) => unsure(
            "journal",
            format!("the journal is temporary{size}{last}{past}"),
            "name a folder on a disk that stays, else history ends with the process",
        ),
        (false, _) => good("journal", format!("the journal is in {folder}{size}{last}{past}")),
    }
}

fn counted_changes(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "change")
}

fn scrapes(facts: &Facts) -> Line {
    let steady: Vec<_> = scrapers::steady(&facts.scrapers, facts.at).collect();
    let name = |scraper: &&scrapers::Scraper| format!("{} from {}", plain(&scraper.agent), scraper.peer.ip());
    match steady.as_slice() {
        [] if facts.scrapers.is_empty() => unsure("scrapes", "nobody has scraped /metrics", "add this instance to Prometheus' targets"),
        [] => unsure("scrapes", "nobody scrapes /metrics regularly", "is this instance among Prometheus' targets?"),
        [one] => good("scrapes", format!("/metrics is scraped by {}, last {}", name(one), ago(facts, one.last_at))),
        many => {
            let names: Vec<_> = many.iter().map(name).collect();
            unsure(
                "scrapes",
                format!("/metrics is scraped {} times over: {}", many.len(), names.join("; ")),
                "fine for two Prometheus servers; where two jobs of one scrape it, every sum counts double: drop one of them",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Group, Journal, Node, Peer, Scraper};
    use super::*;
    use crate::cluster::discover::Served;
    use crate::journal::Status;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn watch(resource: &'static str, reason: &str) -> WatchNow {
        let up = reason == "up";
        WatchNow { resource, up, reason: if up { String::new() } else { reason.to_owned() }, objects: 2, ..WatchNow::default() }
    }

    fn scraper(port: u16, scrapes: u64, last: i64) -> Scraper {
        Scraper { agent: "Prometheus/3.8".into(), peer: ([10, 0, 0, 1], port).into(), scrapes, first_at: at(0), last_at: at(last) }
    }

    fn healthy() -> Facts {
        Facts {
            role: "cluster",
            at: at(1000),
            groups: Some(vec![Group {
                name: "chaos-mesh.org".into(),
                served: vec![Served { version: "v1alpha1".into(), plurals: vec!["podchaos".into()] }],
            }]),
            watches: vec![WatchNow { last_change_at: Some(at(990)), ..watch("networkchaos", "up") }, watch("podchaos", "up")],
            peers: Some(vec![Peer {
                what: "dashboard".into(),
                address: "10.0.0.2:2333".into(),
                up: true,
                reason: String::new(),
                sampled_at: Some(at(990)),
            }]),
            nodes: Some(vec![Node { name: "n1".into(), connected: true }]),
            journal: Journal {
                folder: "/data".into(),
                status: Status { bytes: 1 << 20, last_commit_at: Some(at(995)), ..Status::default() },
            },
            scrapers: vec![scraper(4000, 30, 990)],
            ..Facts::default()
        }
    }

    fn told(facts: &Facts) -> Vec<String> {
        report(facts).lines.iter().map(|line| format!("{} {}", line.mark.sign(), line.found)).collect()
    }

    #[test]
    fn what_works_is_said_and_nothing_is_to_mend() {
        let report = report(&healthy());
        assert!(report.well && report.lines.iter().all(|line| line.remedy.is_empty()), "{report:#?}");
        assert_eq!(
            told(&healthy()),
            [
                "✔ chaos-mesh.org is installed: v1alpha1 (1 kind)",
                "✔ 2 watches up, with 4 objects",
                "✔ the last change was seen 10 s ago",
                "✔ dashboard at 10.0.0.2:2333 answers",
                "✔ 1 node covered",
                "✔ the journal is in /data, 1 MiB, last written 5 s ago",
                "✔ /metrics is scraped by Prometheus/3.8 from 10.0.0.1, last 10 s ago",
            ]
        );
    }

    #[test]
    fn a_journal_that_was_deleted_is_said() {
        let mut facts = healthy();
        (facts.journal.status.failing, facts.journal.status.fault) = (true, "/data/journal.sqlite was deleted".into());
        let line = journal(&facts);
        assert_eq!(
            (line.mark, line.found.as_str()),
            (Mark::Bad, "the journal is lost with this process: /data/journal.sqlite was deleted")
        );
        assert!(line.remedy.starts_with("restart"));
    }

    #[test]
    fn what_does_not_work_is_said_with_its_remedy() {
        let mut facts = healthy();
        facts.watches = vec![
            watch("networkchaos", "forbidden"),
            watch("podchaos", "unreachable"),
            watch("iochaos", ""),
            watch("blockchaos", "missing"),
        ];
        facts.watches[1].undecodable = 3;
        (facts.journal.status.failing, facts.journal.status.pending) = (true, 1);
        facts.watches[1].message = "refused".into();
        facts.nodes = Some(vec![Node { name: "n1".into(), connected: true }, Node { name: "n2".into(), connected: false }]);
        facts.peers = Some(vec![Peer { what: "dns".into(), address: "a".into(), up: false, reason: "refused".into(), sampled_at: None }]);
        facts.scrapers.push(scraper(4001, 30, 980));
        let report = report(&facts);
        assert!(!report.well && report.lines.iter().all(|line| line.mark == Mark::Good || !line.remedy.is_empty()), "{report:#?}");
        let told = told(&facts);
        for wanted in [
            "? not installed: blockchaos",
            "? not listed yet: iochaos",
            "✘ the API server cannot be reached for podchaos (refused)",
            "✘ 3 objects could not be understood: podchaos",
            "✘ no right to list and watch networkchaos",
            "✔ no change was seen since the start 16 min 40 s ago",
            "✘ dns at a does not answer: refused",
            "✘ 1 of 2 nodes not covered: n2",
            "✘ the journal cannot be written, 1 MiB: 1 change waiting, 0 dropped",
            "? /metrics is scraped 2 times over: Prometheus/3.8 from 10.0.0.1; Prometheus/3.8 from 10.0.0.1",
        ] {
            assert!(told.iter().any(|line| line == wanted), "{wanted} is not in {told:#?}");
        }
    }

    #[test]
    fn a_cluster_without_a_chaos_tool_says_so_once() {
        let facts = Facts {
            groups: Some(vec![Group { name: "chaos-mesh.org".into(), served: vec![] }]),
            watches: vec![watch("podchaos", "missing")],
            ..healthy()
        };
        let told = told(&facts);
        assert_eq!(told.iter().filter(|line| line.contains("install")).count(), 1, "{told:#?}");
        let alone = Facts { role: "replay", at: at(1000), ..Facts::default() };
        assert_eq!(report(&alone).lines.iter().map(|line| line.mark).collect::<Vec<_>>(), [Mark::Good, Mark::Unsure]);
    }
}
