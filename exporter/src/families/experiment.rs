//! `chaoscope_experiment_*`: each experiment with its newest run, until 15 minutes after it is gone. A time that is not known is absent.

use super::{experiments, extended, identity, times};
use crate::cluster::now::{ExperimentNow, Phase};
use crate::exposition::{Exposition, Labels};
use crate::scrape::{Family, World};
use chaoscope_model::run::{Outcome, Run, TargetState};
use chaoscope_model::{Parent, shortened};
use jiff::Timestamp;
use std::fmt;

/// Who made an experiment comes from annotations, which may be long.
const LONGEST: usize = 128;

pub(super) struct Experiment;

impl Family for Experiment {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(now) = world.now() else { return Ok(()) };
        let all: Vec<_> = experiments(now).map(|it| (identity(&it.object.about), it)).collect();
        out.gauge(
            "chaoscope_experiment_info",
            "What an experiment is, and who made it; always 1.",
            all.iter().map(|it| (info(it), 1_u64)),
        )?;
        out.gauge(
            "chaoscope_experiment_phase",
            "Where an experiment is: 1 for its phase, 0 for the others.",
            all.iter().flat_map(|(labels, it)| {
                Phase::ALL.into_iter().map(move |phase| (extended(labels, [("phase", phase.as_str().into())]), it.phase == phase))
            }),
        )?;
        out.gauge(
            "chaoscope_experiment_targets",
            "Targets of an experiment's newest run, by state.",
            all.iter().filter_map(|(labels, it)| Some((labels, it.run.as_ref()?))).flat_map(|(labels, run)| {
                let count = |state| run.targets.iter().filter(|target| target.state == state).count();
                TargetState::ALL.iter().map(move |state| (extended(labels, [("state", state.as_str().into())]), count(*state)))
            }),
        )?;
        for (name, help, time) in TIMES {
            out.gauge(name, help, times(&all, |it| time(it.run.as_ref()?)))?;
        }
        Ok(())
    }
}

/// Name, help, and the time of a run.
type Time = (&'static str, &'static str, fn(&Run) -> Option<Timestamp>);

const TIMES: [Time; 5] = [
    ("chaoscope_experiment_start_timestamp_seconds", "When the newest run was asked for.", |run| (!run.baseline).then_some(run.started_at)),
    ("chaoscope_experiment_injected_timestamp_seconds", "When the last target of the newest run was injected.", |run| run.injected_at),
    ("chaoscope_experiment_stop_requested_timestamp_seconds", "When the end of the newest run was asked for.", |run| run.stop_requested_at),
    ("chaoscope_experiment_expected_end_timestamp_seconds", "When the newest run's duration says it ends.", |run| run.expected_end_at),
    // Of a lost run only a time before and a time after its end are known.
    ("chaoscope_experiment_end_timestamp_seconds", "When the newest run ended, whatever its outcome.", |run| {
        run.ended_at.filter(|_| run.outcome != Some(Outcome::Lost))
    }),
];

fn info<'a>((labels, it): &(Labels<'a>, &'a ExperimentNow)) -> Labels<'a> {
    let object = &it.object;
    let parent = |text: fn(&Parent) -> &str| object.parent.as_ref().map_or("", text).into();
    let started_by = object.started_by.as_deref().map_or_else(String::new, |name| shortened(name, LONGEST));
    let more = [
        ("uid", object.about.uid.as_str().into()),
        ("action", object.action.as_str().into()),
        ("parent_kind", parent(|parent| &parent.kind)),
        ("parent", parent(|parent| &parent.name)),
        ("started_by", started_by.into()),
    ];
    extended(labels, more)
}
