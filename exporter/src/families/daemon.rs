//! `chaos_daemon_*`: what Chaos Mesh's own daemon exports, under its names, labels and meanings, so that existing dashboards work.
//!
//! One series for each container, although all containers of a pod share one namespace. Upstream reads legacy IPv4 tables only, so these
//! families do too; neither does it know of a further namespace that a process of a pod made for itself, or of a container without a name.
//! Where upstream exports 0 for a failed read, there is no sample here. Source: `pkg/metrics/chaos-daemon.go`.

use super::{Shown, extended, shown};
use crate::exposition::{Exposition, Labels, Value};
use crate::node::iptables::{Counters, Family as Packets, Rule, Table};
use crate::scrape::{Family, Upstream, World};
use crate::verdict::is_chaos_rule;
use chaoscope_model::Pod;
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Daemon;

impl Family for Daemon {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        if world.detail.upstream == Upstream::Off {
            return Ok(());
        }
        let rules = each(world, rules);
        let counted = |field: fn(&Counters) -> u64| rules.iter().map(move |(labels, counters)| (labels.clone(), field(counters)));
        out.gauge("chaos_daemon_iptables_packets", "Total number of iptables packets", counted(|counters| counters.packets))?;
        out.gauge("chaos_daemon_iptables_packet_bytes", "Total bytes of iptables packets", counted(|counters| counters.bytes))?;
        out.gauge(
            "chaos_daemon_iptables_chains",
            "Total number of iptables chains",
            each(world, |shown| sizes(shown, |table| table.chains.len())),
        )?;
        let count = |table: &Table| table.chains.iter().map(|chain| chain.rules.len()).sum();
        out.gauge("chaos_daemon_iptables_rules", "Total number of iptables rules", each(world, move |shown| sizes(shown, count)))?;
        out.gauge("chaos_daemon_ipset_members", "Total number of ipset members", each(world, members))?;
        out.gauge("chaos_daemon_tcs_rules", "Total number of tc rules", each(world, qdiscs))?;
        if world.detail.upstream == Upstream::WithOld {
            out.gauge("chaos_daemon_tcs", "Total number of tc rules (the name before 2.7.1)", each(world, qdiscs))?;
        }
        Ok(())
    }
}

/// The same samples for every container of every pod shown.
fn each<'a, V: Clone>(world: &'a World, samples: impl Fn(&Shown<'a>) -> Vec<(Labels<'a>, V)>) -> Vec<(Labels<'a>, V)> {
    let mut out = Vec::new();
    for shown in shown(world) {
        let namespace = &shown.observed.namespace;
        let Some(pod) = namespace.pod.as_ref().filter(|pod| pod.is_named() && namespace.primary) else { continue };
        let samples = samples(&shown);
        for container in namespace.containers.iter().filter(|container| !container.name.is_empty()) {
            let container = container_labels(pod, &container.name);
            out.extend(samples.iter().map(|(labels, value)| (extended(&container, labels.iter().cloned()), value.clone())));
        }
    }
    out
}

fn container_labels<'a>(pod: &'a Pod, container: &'a str) -> Labels<'a> {
    vec![("namespace", pod.namespace.as_str().into()), ("pod", pod.name.as_str().into()), ("container", container.into())]
}

fn tables<'a>(shown: &Shown<'a>) -> impl Iterator<Item = &'a Table> {
    shown.reading.legacy.as_deref().unwrap_or(&[]).iter().filter(|table| table.family == Packets::Ipv4)
}

/// Of rules of one chain that read the same, the last one counts, as upstream's gauge is set again for each.
fn rules<'a>(shown: &Shown<'a>) -> Vec<(Labels<'a>, Counters)> {
    let mut out = Vec::new();
    for (table, chain) in tables(shown).flat_map(|table| table.chains.iter().map(move |chain| (table, chain))) {
        let wanted = |rule: &&Rule| shown.all || is_chaos_rule(&chain.name, rule);
        let texts = chain.rules.iter().filter(wanted).filter_map(|rule| Some((rule.to_string(), rule.counters?)));
        for (rule, counters) in texts.collect::<BTreeMap<_, _>>() {
            let labels = vec![
                ("table", table.name.as_str().into()),
                ("chain", chain.name.as_str().into()),
                ("policy", chain.policy.into()),
                ("rule", rule.into()),
            ];
            out.push((labels, counters));
        }
    }
    out
}

fn sizes<'a>(shown: &Shown<'a>, size: impl Fn(&Table) -> usize) -> Vec<(Labels<'a>, Value)> {
    tables(shown).map(|table| (vec![("table", table.name.as_str().into())], size(table).into())).collect()
}

/// The sum over all sets; no sample when a set's size is not known.
fn members<'a>(shown: &Shown<'a>) -> Vec<(Labels<'a>, u64)> {
    let sets = shown.reading.sets.as_ref().ok();
    let sum = sets.and_then(|sets| sets.iter().map(|set| set.members).sum::<Option<u64>>());
    sum.map(|sum| (Vec::new(), sum)).into_iter().collect()
}

/// Upstream counts the lines of `tc qdisc`: one for each qdisc, the defaults included.
fn qdiscs<'a>(shown: &Shown<'a>) -> Vec<(Labels<'a>, Value)> {
    shown.reading.tc.as_ref().map_or_else(|_| Vec::new(), |tc| vec![(Vec::new(), tc.qdiscs.len().into())])
}
