//! Facts → report. Pure.

use super::super::figures::{bytes, counted};
use super::super::scrapers;
use super::super::words::{plain, span};
use super::rule::missing_rights;
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
    lines.push(journal(facts));
    lines.push(scrapes(facts));
    let well = lines.iter().all(|line| line.mark != Mark::Bad);
    Report { version: env!("CARGO_PKG_VERSION").to_owned(), role: facts.role.to_owned(), at: facts.at, well, lines }
}

fn good(about: &str, found: impl Into<String>) -> Line {
    Line { about: about.to_owned(), mark: Mark::Good, found: found.into(), remedy: String::new(), rule: None }
}

fn bad(about: &str, found: impl Into<String>, remedy: &str) -> Line {
    Line { mark: Mark::Bad, remedy: remedy.to_owned(), ..good(about, found) }
}

fn unsure(about: &str, found: impl Into<String>, remedy: &str) -> Line {
    Line { mark: Mark::Unsure, remedy: remedy.to_owned(), ..good(about, found) }
}

fn ago(facts: &Facts, at: Timestamp) -> String {
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
    match &facts.groups {
        Some(groups) if groups.is_empty() => {
            out.push(bad(
                "kinds",
                "no chaos tool's kinds are installed in this cluster",
                "install Chaos Mesh, or is this the wrong cluster?",
            ));
        }
        Some(groups) => out.extend(groups.iter().map(|group| {
            let versions: Vec<_> = group.versions.iter().map(|version| plain(version)).collect();
            good("kinds", format!("{} {} is installed", plain(&group.name), versions.join(", ")))
        })),
        None => {}
    }
    let installed = facts.groups.as_ref().is_none_or(|groups| !groups.is_empty());
    if installed && missing().next().is_some() {
        let found = format!("not installed: {}", list(missing()));
        out.push(unsure("kinds", found, "older and newer releases lack some; else install the missing definitions"));
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
    let down = |watch: &&WatchNow| !watch.up && !matches!(watch.reason.as_str(), "missing" | "forbidden");
    let mut reasons: Vec<_> = watches.iter().filter(down).map(|watch| watch.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let names = list(watches.iter().filter(down).filter(|watch| watch.reason == reason));
        out.push(match reason {
            "" => unsure("watches", format!("not listed yet: {names}"), "wait; a large list takes a while"),
            "unreachable" => bad(
                "watches",
                format!("the API server cannot be reached for {names}"),
                "is it up, and is the network open to it? see the log",
            ),
            "unauthorized" => {
                bad("watches", format!("the API server does not know us, for {names}"), "is the service account's token mounted and valid?")
            }
            other => bad("watches", format!("{}: {names}", plain(other)), "see the log"),
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
    let journal = &facts.journal;
    let size = journal.bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
    if !journal.failing.is_empty() {
        let found = format!("the journal cannot be written: {}{size}", plain(&journal.failing));
        return bad("journal", found, "make room on its disk; nothing that happens now is lost while the objects are there");
    }
    let last = journal.committed_at.map_or_else(|| ", nothing stored yet".to_owned(), |at| format!(", last written {}", ago(facts, at)));
    let past =
        if journal.failures > 0 { format!(", {} failed before", counted(journal.failures as usize, "write")) } else { String::new() };
    if journal.folder.is_empty() && facts.role != "replay" {
        return unsure(
            "journal",
            format!("the journal is temporary{size}{last}"),
            "name a folder on a disk that stays, else history ends with the process",
        );
    }
    let place = if journal.folder.is_empty() { "temporary".to_owned() } else { format!("in {}", plain(&journal.folder)) };
    good("journal", format!("the journal is {place}{size}{last}{past}"))
}

fn scrapes(facts: &Facts) -> Line {
    let steady: Vec<_> = scrapers::steady(&facts.scrapers, facts.at).collect();
    let name = |scraper: &&scrapers::Scraper| format!("{} from {}", plain(&scraper.agent), scraper.peer.ip());
    match steady.as_slice() {
        [] if facts.scrapers.is_empty() => unsure("scrapes", "nobody has scraped /metrics", "add this instance to Prometheus' targets"),
        [] => unsure("scrapes", "nobody scrapes /metrics regularly", "is this instance among Prometheus' targets?"),
        [one] => good("scrapes", format!("/metrics is scraped by {}, last {}", name(&one), ago(facts, one.last_at))),
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
            groups: Some(vec![Group { name: "chaos-mesh.org".into(), versions: vec!["v1alpha1".into()] }]),
            watches: vec![WatchNow { last_change_at: Some(at(990)), ..watch("networkchaos", "up") }, watch("podchaos", "up")],
            peers: Some(vec![Peer {
                what: "dashboard".into(),
                address: "10.0.0.2:2333".into(),
                up: true,
                reason: String::new(),
                sampled_at: Some(at(990)),
            }]),
            nodes: Some(vec![Node { name: "n1".into(), connected: true }]),
            journal: Journal { folder: "/data".into(), bytes: Some(1 << 20), committed_at: Some(at(995)), ..Journal::default() },
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
                "✔ chaos-mesh.org v1alpha1 is installed",
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
    fn what_does_not_work_is_said_with_its_remedy() {
        let mut facts = healthy();
        facts.watches = vec![
            watch("networkchaos", "forbidden"),
            watch("podchaos", "unreachable"),
            watch("iochaos", ""),
            watch("blockchaos", "missing"),
        ];
        facts.watches[1].undecodable = 3;
        facts.journal.failing = "database or disk is full".into();
        facts.nodes = Some(vec![Node { name: "n1".into(), connected: true }, Node { name: "n2".into(), connected: false }]);
        facts.peers = Some(vec![Peer { what: "dns".into(), address: "a".into(), up: false, reason: "refused".into(), sampled_at: None }]);
        facts.scrapers.push(scraper(4001, 30, 980));
        let report = report(&facts);
        assert!(!report.well && report.lines.iter().all(|line| line.mark == Mark::Good || !line.remedy.is_empty()), "{report:#?}");
        let told = told(&facts);
        for wanted in [
            "? not installed: blockchaos",
            "? not listed yet: iochaos",
            "✘ the API server cannot be reached for podchaos",
            "✘ 3 objects could not be understood: podchaos",
            "✘ no right to list and watch networkchaos",
            "✔ no change was seen since the start 16 min 40 s ago",
            "✘ dns at a does not answer: refused",
            "✘ 1 of 2 nodes not covered: n2",
            "✘ the journal cannot be written: database or disk is full, 1 MiB",
            "? /metrics is scraped 2 times over: Prometheus/3.8 from 10.0.0.1; Prometheus/3.8 from 10.0.0.1",
        ] {
            assert!(told.iter().any(|line| line == wanted), "{wanted} is not in {told:#?}");
        }
    }

    #[test]
    fn a_cluster_without_a_chaos_tool_says_so_once() {
        let facts = Facts { groups: Some(vec![]), watches: vec![watch("podchaos", "missing")], ..healthy() };
        let told = told(&facts);
        assert_eq!(told.iter().filter(|line| line.contains("install")).count(), 1, "{told:#?}");
        let alone = Facts { role: "replay", at: at(1000), ..Facts::default() };
        assert_eq!(report(&alone).lines.iter().map(|line| line.mark).collect::<Vec<_>>(), [Mark::Good, Mark::Unsure]);
    }
}
