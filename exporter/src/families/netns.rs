//! `chaoscope_netns_*`: what the last sweep visited, skipped and failed at, and how long visits take.

use super::{extended, shown};
use crate::exposition::{Exposition, Labels};
use crate::node::error::REASONS;
use crate::node::sweep::{Fate, Skip, Sweep};
use crate::node::visit::SOURCES;
use crate::scrape::{Family, World};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Netns;

impl Family for Netns {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(seen) = world.seen() else { return Ok(()) };
        let sweep = &seen.sweep;
        let visited = sweep.namespaces.iter().filter(|observed| observed.reading().is_some()).count();
        out.gauge("chaoscope_netns_visited", "Network namespaces the last sweep read.", [(vec![], visited)])?;
        out.gauge("chaoscope_netns_skipped", "Network namespaces the last sweep left out, by reason.", skipped(sweep))?;
        out.gauge("chaoscope_netns_read_errors", "Reads that failed in the last sweep, by source and reason.", errors(sweep))?;
        out.histogram(
            "chaoscope_netns_read_duration_seconds",
            "How long a visit to one network namespace took.",
            [(vec![], &sweep.durations)],
        )?;
        out.gauge(
            "chaoscope_netns_info",
            "Who lives in a network namespace with chaos-like state; always 1.",
            shown(world).flat_map(|shown| {
                let namespace = &shown.observed.namespace;
                let uid = namespace.pod.as_ref().map_or("", |pod| pod.uid.as_str());
                let target = extended(&shown.target(), [("uid", uid.into()), ("inode", namespace.inode.to_string().into())]);
                let containers = namespace.containers.iter().map(|container| (container.name.as_str(), container.id.as_str()));
                let containers = if namespace.containers.is_empty() { vec![("", "")] } else { containers.collect() };
                let more = |(name, id): (&'_ str, &'_ str)| [("container", name.to_owned().into()), ("container_id", id.to_owned().into())];
                containers.into_iter().map(|container| (extended(&target, more(container)), 1_u64)).collect::<Vec<_>>()
            }),
        )
    }
}

fn skipped(sweep: &Sweep) -> impl Iterator<Item = (Labels<'static>, usize)> {
    let count = |skip: Skip| sweep.namespaces.iter().filter(|observed| matches!(observed.fate, Fate::Skipped(why) if why == skip)).count();
    Skip::ALL.into_iter().map(move |skip| (vec![("reason", skip.as_str().into())], count(skip)))
}

/// Every source and reason is there from the first scrape on, most of them 0.
fn errors(sweep: &Sweep) -> impl Iterator<Item = (Labels<'static>, u64)> {
    let mut counts: BTreeMap<(&str, &str), u64> =
        SOURCES.iter().flat_map(|source| REASONS.iter().map(move |reason| ((*source, *reason), 0))).collect();
    // A namespace nobody may see cannot be counted, but the processes in the way can.
    *counts.entry(("namespace", "permission")).or_default() += u64::from(sweep.unreadable);
    for observed in &sweep.namespaces {
        match &observed.fate {
            Fate::Read(reading, _) => {
                for (source, error) in reading.errors() {
                    *counts.entry((source, error.reason())).or_default() += 1;
                }
            }
            Fate::Failed(error) => *counts.entry(("namespace", error.reason())).or_default() += 1,
            Fate::Skipped(_) => {}
        }
    }
    counts.into_iter().map(|((source, reason), count)| (vec![("source", source.into()), ("reason", reason.into())], count))
}
