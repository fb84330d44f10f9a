//! Metric families: what a reading looks like to Prometheus. One file for each first word of a metric's name after its prefix
//! (`chaoscope_qdisc_…` is in `qdisc`, `chaos_daemon_…` in `daemon`, `node_…` in `node`), one line each in [`ALL`].
//!
//! Families are pure: they write what the [`World`] says. Of a node, by default only namespaces with chaos-like state are written, so that an idle
//! node costs next to nothing; `--rules=all` writes everything.

mod build;
mod controller;
mod daemon;
mod declared;
mod experiment;
mod fault;
mod helper;
mod injection;
mod ipset;
mod iptables;
mod journal;
mod limitations;
mod netem;
mod netns;
mod node;
mod nodes;
mod peer;
mod process;
mod qdisc;
mod recovery;
mod residue;
mod runs;
mod schedule;
mod stream;
mod target;
mod tbf;
mod watch;
mod workflow;

use crate::cluster::now::{ExperimentNow, Now};
use crate::exposition::{Distribution, Labels};
use crate::journal::Family as Counted;
use crate::node::namespaces::Namespace;
use crate::node::sweep::{Observed, Sweep};
use crate::node::tc::Qdisc;
use crate::node::tc::options::Options;
use crate::node::visit::Reading;
use crate::scrape::{Family, World};
use chaoscope_model::{Pod, Reference};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Every family, in the order of the page.
pub const ALL: &[&dyn Family] = &[
    &build::Build,
    &controller::Controller,
    &daemon::Daemon,
    &declared::Declared,
    &experiment::Experiment,
    &fault::Fault,
    &helper::Helper,
    &injection::Injection,
    &ipset::Ipset,
    &iptables::Iptables,
    &journal::Journal,
    &limitations::Limitations,
    &netem::Netem,
    &netns::Netns,
    &node::Node,
    &nodes::Nodes,
    &peer::Peers,
    &process::Process,
    &qdisc::Qdiscs,
    &recovery::Recovery,
    &residue::Residue,
    &runs::Runs,
    &schedule::Schedule,
    &stream::Stream,
    &target::Target,
    &tbf::Tbf,
    &watch::Watch,
    &workflow::Workflow,
];

/// A namespace to write, with what was read in it.
struct Shown<'a> {
    observed: &'a Observed,
    reading: &'a Reading,
    /// Whether every chain is wanted, not only those of chaos.
    all: bool,
}

/// The namespaces to write: those with chaos-like state, or all that were read.
fn shown(world: &World) -> impl Iterator<Item = Shown<'_>> {
    let all = world.detail.all_rules;
    let pairs = world.seen().into_iter().flat_map(|seen| seen.sweep.namespaces.iter().zip(&seen.survey.namespaces));
    pairs.filter_map(move |(observed, findings)| {
        let reading = observed.reading().filter(|_| all || !findings.is_empty())?;
        Some(Shown { observed, reading, all })
    })
}

impl<'a> Shown<'a> {
    /// The target's labels, the same for every family of ours.
    fn target(&self) -> Labels<'a> {
        let pod = self.observed.namespace.pod.as_ref();
        target(pod, self.observed.namespace.label())
    }

    /// Qdiscs somebody configured, with the labels that tell them apart.
    fn qdiscs(&self) -> impl Iterator<Item = (Labels<'a>, &'a Qdisc)> {
        let (target, tc) = (self.target(), self.reading.tc.as_ref().ok());
        tc.into_iter().flat_map(|tc| &tc.qdiscs).filter(|qdisc| !qdisc.is_default()).map(move |qdisc| {
            let labels = [("device", Cow::from(&qdisc.device)), ("handle", qdisc.handle.to_string().into())];
            (extended(&target, labels), qdisc)
        })
    }
}

/// The parameters of every qdisc of one kind, with the labels of a fault: `pick` takes them out of the options.
fn parameters<'a, T>(world: &'a World, pick: fn(&Options) -> Option<&T>) -> Vec<(Labels<'a>, &'a T)> {
    let of_pod = |shown: Shown<'a>| {
        let pod = shown.observed.namespace.pod.as_ref();
        let picked = |(labels, qdisc): (Labels<'a>, &'a Qdisc)| {
            let options = pick(&qdisc.options)?;
            Some((extended(&labels, declared::whose(world, pod, qdisc)), options))
        };
        shown.qdiscs().filter_map(picked).collect::<Vec<_>>()
    };
    shown(world).flat_map(of_pod).collect()
}

/// `namespace`, `pod` and `netns`; the last is empty for a pod that has a name.
fn target(pod: Option<&Pod>, netns: String) -> Labels<'_> {
    let text = |of: fn(&Pod) -> &String| pod.map_or(Cow::from(""), |pod| Cow::from(of(pod).as_str()));
    vec![("namespace", text(|pod| &pod.namespace)), ("pod", text(|pod| &pod.name)), ("netns", netns.into())]
}

/// The labels of a pod that processes or mounts told of: those of its namespace, where there is one.
fn target_of<'a>(sweep: &'a Sweep, pod: Option<&'a Pod>) -> Labels<'a> {
    let home = sweep.namespaces.iter().map(|observed| &observed.namespace).find(|namespace| namespace.is_home_of(pod));
    let nameless = || pod.filter(|pod| !pod.is_named()).map_or_else(String::new, |pod| pod.uid.clone());
    target(pod, home.map_or_else(nameless, Namespace::label))
}

/// More labels behind the first ones.
fn extended<'a>(labels: &Labels<'a>, more: impl IntoIterator<Item = (&'static str, Cow<'a, str>)>) -> Labels<'a> {
    labels.iter().cloned().chain(more).collect()
}

/// Experiments by name. Of several that had one name, one after the other, the newest: the one that is there, else the one that went last.
fn experiments(now: &Now) -> impl Iterator<Item = &ExperimentNow> {
    let mut out: BTreeMap<_, &ExperimentNow> = BTreeMap::new();
    let age = |it: &ExperimentNow| (it.gone_at.is_none(), it.gone_at, it.object.version);
    for it in &now.experiments {
        let about = &it.object.about;
        let kept = out.entry((&about.namespace, &about.kind, &about.name)).or_insert(it);
        if age(it) > age(kept) {
            *kept = it;
        }
    }
    out.into_values()
}

/// The labels of an experiment, a schedule or a workflow, the same in every family of ours.
fn identity(about: &Reference) -> Labels<'_> {
    let values = [("experiment_namespace", &about.namespace), ("experiment_kind", &about.kind), ("experiment", &about.name)];
    values.into_iter().map(|(name, value)| (name, Cow::from(value.as_str()))).collect()
}

/// What the journal counts of a kind, its values under these names.
fn counted<'a>(world: &'a World, of: Counted, names: &'a [&'static str]) -> impl Iterator<Item = (Labels<'a>, u64)> {
    let journal = world.journal.iter();
    journal.flat_map(move |it| it.tally.counts(of)).map(move |(values, count)| (zipped(names, values), count))
}

/// What the journal measures of a kind, its values under these names.
fn measured<'a>(world: &'a World, of: Counted, names: &'a [&'static str]) -> impl Iterator<Item = (Labels<'a>, &'a Distribution)> {
    let journal = world.journal.iter();
    journal.flat_map(move |it| it.tally.seconds(of)).map(move |(values, seconds)| (zipped(names, values), seconds))
}

fn zipped<'a>(names: &[&'static str], values: &'a [String]) -> Labels<'a> {
    names.iter().copied().zip(values.iter().map(|value| Cow::from(value.as_str()))).collect()
}

/// A time of each, where it is known.
fn times<'a, T>(all: &[(Labels<'a>, T)], time: impl Fn(&T) -> Option<Timestamp>) -> impl Iterator<Item = (Labels<'a>, f64)> {
    all.iter().filter_map(move |(labels, it)| Some((labels.clone(), seconds(time(it)?))))
}

/// Seconds since 1970, as Prometheus wants them.
fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
