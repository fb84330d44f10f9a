//! `chaos_controller_manager_*`: what Chaos Mesh's controller exports, under its names, labels and meanings, so that existing dashboards work.
//!
//! One series each, however many replicas the controller has: they all show the same objects, and only the leader sends events. A namespace
//! or a phase without objects has no series, as there. Events are those seen since the journal began; upstream's count begins anew with each
//! of its processes. Source: `pkg/metrics/chaos-controller-manager.go`, `pkg/status/status.go`.

use super::counted;
use crate::cluster::now::Now;
use crate::exposition::{Exposition, Labels};
use crate::journal;
use crate::scrape::{Family, Upstream, World};
use chaoscope_model::{Reference, Tool};
use std::collections::BTreeMap;
use std::fmt;

pub(super) struct Controller;

impl Family for Controller {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        if world.detail.upstream == Upstream::Off {
            return Ok(());
        }
        let help = "Events that the controller's own recorder sent.";
        let sent = counted(world, journal::Family::Emitted, &["type", "reason", "namespace"]);
        out.counter("chaos_controller_manager_emitted_event", help, sent)?;
        let Some(now) = world.now() else { return Ok(()) };
        out.gauge("chaos_controller_manager_chaos_experiments", "Experiments, by phase as Chaos Mesh has it.", experiments(now))?;
        let schedules = now.schedules.iter().map(|it| &it.schedule.about);
        out.gauge("chaos_controller_manager_chaos_schedules", "Schedules.", by_namespace(schedules))?;
        let workflows = now.workflows.iter().map(|it| &it.about);
        out.gauge("chaos_controller_manager_chaos_workflows", "Workflows.", by_namespace(workflows))
    }
}

fn experiments(now: &Now) -> impl Iterator<Item = (Labels<'_>, u64)> {
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    for it in now.experiments.iter().filter(|it| it.gone_at.is_none() && it.object.tool == Tool::ChaosMesh) {
        *counts.entry((it.object.about.namespace.as_str(), it.object.about.kind.as_str(), it.upstream_phase)).or_default() += 1;
    }
    let labels = |(namespace, kind, phase): (&'_ str, &'_ str, &'static str)| {
        vec![("namespace", namespace.to_owned().into()), ("kind", kind.to_owned().into()), ("phase", phase.into())]
    };
    counts.into_iter().map(move |(of, count)| (labels(of), count))
}

fn by_namespace<'a>(objects: impl Iterator<Item = &'a Reference>) -> impl Iterator<Item = (Labels<'a>, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for about in objects {
        *counts.entry(&about.namespace).or_default() += 1;
    }
    counts.into_iter().map(|(namespace, count)| (vec![("namespace", namespace.into())], count))
}
