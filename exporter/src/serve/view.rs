//! A sweep in words: what the status page and the snapshot table show. Pure.
//!
//! To show one more thing: a field here, a line in `templates/status.html` and one in `snapshot`.

use super::figures::{bytes, duration, percent, rate};
use crate::node::mounts::ResolvConf;
use crate::node::sweep::{Fate, Files, Observed, Skip, Sweep};
use crate::node::tc::filter::Filter;
use crate::node::tc::options::{Netem, Options};
use crate::node::tc::{Qdisc, Tc};
use crate::scrape::Seen;
use crate::tools;
use crate::verdict::{Finding, drops_by_policy, filter_tool, is_chaos_rule, qdisc_tool};
use chaoscope_model::{Effect, Tool};
use std::time::Duration;

/// One namespace worth showing.
pub(super) struct Pod {
    pub(super) title: String,
    /// Pod uid, inode and containers, on one line.
    pub(super) about: String,
    pub(super) took: String,
    pub(super) effective: bool,
    pub(super) qdiscs: Vec<QdiscRow>,
    pub(super) filters: Vec<FilterRow>,
    pub(super) sets: Vec<SetRow>,
    pub(super) rules: Vec<RuleRow>,
    pub(super) helpers: Vec<String>,
    pub(super) mounts: Vec<String>,
    pub(super) errors: Vec<ErrorRow>,
}

pub(super) struct QdiscRow {
    pub(super) device: String,
    pub(super) place: String,
    pub(super) parameters: String,
    pub(super) counters: String,
    pub(super) tool: String,
}

/// A redirect, which has no counters of its own.
pub(super) struct FilterRow {
    pub(super) device: String,
    pub(super) place: String,
    /// What it does with the traffic it matches.
    pub(super) action: String,
    pub(super) tool: &'static str,
}

pub(super) struct SetRow {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) members: String,
}

pub(super) struct RuleRow {
    pub(super) place: String,
    pub(super) rule: String,
    pub(super) counters: String,
    pub(super) active: bool,
}

pub(super) struct ErrorRow {
    pub(super) source: &'static str,
    pub(super) error: String,
    pub(super) remedy: &'static str,
}

/// Counts of namespaces by what became of them.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) read: usize,
    pub(super) host: usize,
    pub(super) deadline: usize,
    pub(super) gone: usize,
    pub(super) failed: usize,
}

pub(super) fn tally(sweep: &Sweep) -> Tally {
    let mut out = Tally::default();
    for observed in &sweep.namespaces {
        *match observed.fate {
            Fate::Read(..) => &mut out.read,
            Fate::Failed(_) => &mut out.failed,
            Fate::Skipped(Skip::HostNetwork) => &mut out.host,
            Fate::Skipped(Skip::Deadline) => &mut out.deadline,
            Fate::Skipped(Skip::Gone) => &mut out.gone,
        } += 1;
    }
    out
}

/// What there is to show of the namespaces.
#[derive(Default)]
pub(super) struct Overview {
    /// Those with chaos-like state, helpers or mounts; what is in force first.
    pub(super) pods: Vec<Pod>,
    /// Those with nothing to show but errors.
    pub(super) partial: Vec<Pod>,
    /// How many were read in full without anything of chaos. What was not read is not known to be quiet.
    pub(super) quiet: usize,
}

/// Sorts the namespaces of a sweep by what there is to show.
pub(super) fn overview(seen: &Seen) -> Overview {
    let mut out = Overview::default();
    for (observed, findings) in seen.sweep.namespaces.iter().zip(&seen.survey.namespaces) {
        match pod(seen, observed, findings) {
            Some(pod) if findings.is_empty() && pod.helpers.is_empty() && pod.mounts.is_empty() => out.partial.push(pod),
            Some(pod) => out.pods.push(pod),
            None => out.quiet += usize::from(observed.reading().is_some()),
        }
    }
    out.pods.extend(homeless(seen));
    out.pods.sort_by_key(|pod| !pod.effective); // else in the sweep's order
    out
}

/// Whether a helper or mount tied to one of these pods changes anything now.
fn acting(seen: &Seen, whose: impl Fn(&Option<chaoscope_model::Pod>) -> bool) -> bool {
    seen.survey.others.iter().any(|(pod, finding)| whose(pod) && finding.effect == Effect::Effective)
}

fn pod(seen: &Seen, observed: &Observed, findings: &[Finding]) -> Option<Pod> {
    let sweep = &seen.sweep;
    let namespace = &observed.namespace;
    let owned = |pod: &Option<chaoscope_model::Pod>| pod.is_some() && *pod == namespace.pod;
    let helpers: Vec<_> = sweep.helpers.iter().filter(|(pod, _)| owned(pod)).map(|(_, helper)| helper_text(helper)).collect();
    let mounts: Vec<_> = sweep.mounts.iter().filter(|files| owned(&files.pod)).flat_map(file_texts).collect();
    let errors = errors(observed);
    if findings.is_empty() && helpers.is_empty() && mounts.is_empty() && errors.is_empty() {
        return None;
    }
    let reading = observed.reading();
    Some(Pod {
        title: namespace.title(),
        about: about(observed),
        took: if let Fate::Read(_, took) = observed.fate { duration(took) } else { String::new() },
        effective: acting(seen, owned) || findings.iter().any(|finding| finding.effect == Effect::Effective),
        qdiscs: reading.and_then(|reading| reading.tc.as_ref().ok()).map_or_else(Vec::new, qdiscs),
        filters: reading.and_then(|reading| reading.tc.as_ref().ok()).map_or_else(Vec::new, filters),
        sets: reading.map_or_else(Vec::new, |reading| sets(reading.sets.as_deref().unwrap_or(&[]))),
        rules: reading.map_or_else(Vec::new, rules),
        helpers,
        mounts,
        errors,
    })
}

/// Helpers and mounts whose pod is not among the namespaces.
fn homeless(seen: &Seen) -> Option<Pod> {
    let sweep = &seen.sweep;
    let known =
        |pod: &Option<chaoscope_model::Pod>| pod.is_some() && sweep.namespaces.iter().any(|observed| observed.namespace.pod == *pod);
    let helpers: Vec<_> = sweep.helpers.iter().filter(|(pod, _)| !known(pod)).map(|(_, helper)| helper_text(helper)).collect();
    let mounts: Vec<_> = sweep.mounts.iter().filter(|files| !known(&files.pod)).flat_map(file_texts).collect();
    (!helpers.is_empty() || !mounts.is_empty()).then(|| Pod {
        title: "outside of these namespaces".to_owned(),
        about: String::new(),
        took: String::new(),
        effective: acting(seen, |pod| !known(pod)),
        qdiscs: vec![],
        filters: vec![],
        sets: vec![],
        rules: vec![],
        helpers,
        mounts,
        errors: vec![],
    })
}

fn about(observed: &Observed) -> String {
    let namespace = &observed.namespace;
    let names: Vec<_> = namespace
        .containers
        .iter()
        .map(|container| if container.name.is_empty() { short(&container.id) } else { &container.name })
        .collect();
    let title = namespace.title();
    let mut parts = vec![format!("netns {}", namespace.inode)];
    parts.extend(namespace.name.as_ref().filter(|name| **name != title).map(|name| format!("name {name}")));
    parts.extend(namespace.pod.as_ref().filter(|pod| !pod.uid.is_empty()).map(|pod| format!("uid {}", pod.uid)));
    if !names.is_empty() {
        parts.push(format!("containers {}", names.join(", ")));
    }
    parts.retain(|part| *part != title);
    parts.join(" · ")
}

/// The first twelve characters of a container id, as every runtime's tool prints it.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn helper_text(helper: &crate::node::processes::Helper) -> String {
    let state = if helper.active { "active" } else { "idle" };
    format!("{} (pid {}, {state}, {})", helper.kind.as_str(), helper.pid, helper.tool)
}

/// The findings in a container's files are worded by the verdict; here they are only picked out.
fn file_texts(files: &Files) -> Vec<String> {
    let container = &files.container;
    let mut out: Vec<_> = files.toda.iter().map(|point| format!("toda at {point} in {container}")).collect();
    match files.resolv_conf {
        Some(ResolvConf::Replaced) => out.push(format!("resolv.conf replaced in {container}")),
        Some(ResolvConf::Restored) => out.push(format!("resolv.conf backup left in {container}")),
        Some(ResolvConf::Untouched) | None => {}
    }
    out
}

fn errors(observed: &Observed) -> Vec<ErrorRow> {
    let row = |(source, error): (&'static str, &crate::node::error::ReadError)| ErrorRow {
        source,
        error: error.to_string(),
        remedy: error.remedy().unwrap_or(""),
    };
    match &observed.fate {
        Fate::Read(reading, _) => reading.errors().map(row).collect(),
        Fate::Failed(error) => vec![row(("namespace", error))],
        Fate::Skipped(_) => vec![],
    }
}

fn qdiscs(tc: &Tc) -> Vec<QdiscRow> {
    let configured = tc.qdiscs.iter().filter(|qdisc| !qdisc.is_default());
    let row = |qdisc: &Qdisc| QdiscRow {
        device: qdisc.device.clone(),
        place: format!("{} at {}", qdisc.handle, qdisc.parent),
        parameters: parameters(qdisc),
        counters: counters(qdisc),
        tool: qdisc_tool(qdisc).map_or("", likeness).to_owned(),
    };
    configured.map(row).collect()
}

/// Filters that redirect; those that only sort traffic into classes show by the qdiscs they sort into.
fn filters(tc: &Tc) -> Vec<FilterRow> {
    let row = |filter: &Filter| FilterRow {
        device: filter.device.clone(),
        place: filter.parent.to_string(),
        action: match filter.redirect.as_str() {
            "" => format!("{} redirect to a device that is gone", filter.kind),
            device => format!("{} redirect to {device}", filter.kind),
        },
        tool: filter_tool(filter).map_or("", likeness),
    };
    tc.filters.iter().filter(|filter| filter.redirect_index.is_some()).map(row).collect()
}

/// Whose something looks like, in words.
pub(super) const fn likeness(tool: Tool) -> &'static str {
    match tool {
        Tool::Kernel => "any tool",
        known => known.as_str(),
    }
}

fn counters(qdisc: &Qdisc) -> String {
    let statistics = &qdisc.statistics;
    let number = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    format!("{} sent, {} dropped", number(statistics.packets), number(statistics.drops))
}

/// `netem delay 100ms jitter 10ms loss 5%`.
pub(super) fn parameters(qdisc: &Qdisc) -> String {
    let text = match &qdisc.options {
        Options::Netem(netem) => netem_text(netem),
        Options::Tbf(tbf) => {
            let peak = tbf.peakrate_bytes_per_second.map_or_else(String::new, |peak| format!(" peak {}", rate(peak)));
            format!("rate {}{peak} burst {}", rate(tbf.rate_bytes_per_second), bytes(tbf.burst_bytes))
        }
        Options::Prio(prio) => format!("{} bands", prio.bands),
        Options::Sfq(sfq) => format!("limit {} packets", sfq.limit_packets),
        Options::Htb { default_class } => format!("default class {default_class:x}"),
        Options::HtbClass { .. } | Options::Ingress | Options::Clsact | Options::Other => String::new(),
    };
    format!("{} {text}", qdisc.kind).trim_end().to_owned()
}

fn netem_text(netem: &Netem) -> String {
    let seconds = |value: f64| duration(Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO));
    let mut parts = Vec::new();
    if netem.delay_seconds > 0.0 {
        parts.push(format!("delay {}", seconds(netem.delay_seconds)));
    }
    if netem.jitter_seconds > 0.0 {
        parts.push(format!("jitter {}", seconds(netem.jitter_seconds)));
    }
    parts.extend(netem.loss_model.map(|model| format!("loss by model {model}")));
    let ratios = [
        ("loss", netem.loss_ratio.unwrap_or(0.0)),
        ("duplicate", netem.duplicate_ratio),
        ("corrupt", netem.corrupt_ratio),
        ("reorder", netem.reorder_ratio),
    ];
    parts.extend(ratios.into_iter().filter(|(_, ratio)| *ratio > 0.0).map(|(name, ratio)| format!("{name} {}", percent(ratio))));
    if netem.gap > 0 {
        parts.push(format!("gap {}", netem.gap));
    }
    parts.extend(netem.rate_bytes_per_second.map(|value| format!("rate {}", rate(value))));
    if netem.slot {
        parts.push("slot".to_owned());
    }
    if parts.is_empty() { "without any effect".to_owned() } else { parts.join(" ") }
}

fn sets(sets: &[crate::node::ipset::Set]) -> Vec<SetRow> {
    let row = |set: &crate::node::ipset::Set| SetRow {
        name: set.name.clone(),
        kind: set.kind.clone(),
        members: set.members.map_or_else(|| "?".to_owned(), |members| members.to_string()),
    };
    sets.iter().filter(|set| tools::set(&set.name).is_some()).map(row).collect()
}

/// Rules chaos tools made; those nobody jumps to are marked as not active. The policy of a chain of theirs stands after its rules when it
/// drops.
fn rules(reading: &crate::node::visit::Reading) -> Vec<RuleRow> {
    let mut out = Vec::new();
    for (table, chain) in reading.tables().flat_map(|table| table.chains.iter().map(move |chain| (table, chain))) {
        let place = || format!("{} {} {} {}", table.backend.as_str(), table.family.as_str(), table.name, chain.name);
        let active = chain.reachable != Some(false);
        for rule in chain.rules.iter().filter(|rule| is_chaos_rule(&chain.name, rule)) {
            out.push(RuleRow {
                place: place(),
                rule: rule.to_string(),
                counters: rule.counters.map_or_else(String::new, |counters| {
                    format!("{} packet{}", counters.packets, if counters.packets == 1 { "" } else { "s" })
                }),
                active,
            });
        }
        if drops_by_policy(chain) && tools::chain(&chain.name).is_some() {
            out.push(RuleRow { place: place(), rule: "policy DROP".to_owned(), counters: String::new(), active });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_netem_without_parameters_says_so() {
        assert_eq!(netem_text(&Netem { loss_ratio: Some(0.0), ..Netem::default() }), "without any effect");
        assert_eq!(netem_text(&Netem { slot: true, ..Netem::default() }), "slot");
        let netem = Netem {
            delay_seconds: 0.1,
            jitter_seconds: 0.01,
            loss_ratio: Some(0.05),
            rate_bytes_per_second: Some(125_000),
            ..Netem::default()
        };
        assert_eq!(netem_text(&netem), "delay 100 ms jitter 10 ms loss 5% rate 1 Mbit/s");
    }
}
