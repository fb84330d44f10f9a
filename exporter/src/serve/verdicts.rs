//! Declared faults with their verdicts, what is left over, and the connection by which they were told, in words for the status page. Pure.
//!
//! Apart from `view`, which shows what was read whoever declares it. To show one more thing: a field here, and in `templates/status.html`.

use super::words::{full_name, plain, span};
use crate::declared::{Declared, Standing};
use crate::scrape::World;
use crate::verdict::Stated;
use chaoscope_model::Effect;
use chaoscope_model::verdict::{Difference, Owner, Residue, Verdict};
use jiff::Timestamp;

/// Most rows of a table.
const MOST: usize = 200;

/// Everything here; each part empty where there is nothing to say.
#[derive(Default)]
pub(super) struct Verdicts {
    /// The connection, where there should be one.
    pub(super) link: Option<Link>,
    pub(super) faults: Vec<FaultRow>,
    pub(super) residue: Vec<ResidueRow>,
    /// Rows there was no place for.
    pub(super) more_faults: usize,
    pub(super) more_residue: usize,
    /// Why nothing can be said about what is left over.
    pub(super) residue_unknown: String,
}

pub(super) struct Link {
    pub(super) server: String,
    pub(super) state: String,
    pub(super) good: bool,
    /// Why not, with the remedy.
    pub(super) failure: String,
    /// What follows from that.
    pub(super) note: &'static str,
    /// Pods of which something was told that is not understood.
    pub(super) unclear: usize,
}

pub(super) struct FaultRow {
    pub(super) experiment: String,
    pub(super) kind: String,
    pub(super) target: String,
    pub(super) verdict: &'static str,
    /// The verdict in words.
    pub(super) title: &'static str,
    pub(super) reason: String,
    pub(super) differences: Vec<DifferenceRow>,
}

pub(super) struct DifferenceRow {
    pub(super) parameter: String,
    pub(super) declared: String,
    pub(super) read: String,
}

pub(super) struct ResidueRow {
    pub(super) place: String,
    pub(super) effect: &'static str,
    pub(super) what: String,
    pub(super) object: String,
    pub(super) owner: String,
    pub(super) since: String,
}

/// What a world has to say about it.
pub(super) fn verdicts(world: &World) -> Verdicts {
    let now = Timestamp::now();
    let mut out = Verdicts::default();
    if let Some(Ok(declared)) = &world.declared {
        out.link = Some(link(declared, now));
    }
    if let Some(Ok(judged)) = &world.judged {
        let mut sorted: Vec<_> = judged.iter().collect();
        sorted.sort_by_key(|stated| order(stated.judgement.verdict)); // else in their order
        out.more_faults = sorted.len().saturating_sub(MOST);
        out.faults = sorted.into_iter().take(MOST).map(fault).collect();
    }
    match &world.residue {
        Some(Ok(residue)) => {
            out.more_residue = residue.len().saturating_sub(MOST);
            out.residue = residue.iter().take(MOST).map(|residue| left(residue, now)).collect();
        }
        Some(Err(error)) => out.residue_unknown = error.to_string(),
        None => {}
    }
    out
}

fn link(declared: &Declared, now: Timestamp) -> Link {
    let lasted = declared.since.map(|since| span(now.duration_since(since)));
    let state = match (declared.connected, lasted) {
        (true, Some(lasted)) => format!("connected for {lasted}"),
        (true, None) => "connected".to_owned(),
        (false, Some(lasted)) => format!("not connected for {lasted}"),
        (false, None) => "not connected yet".to_owned(),
    };
    let note = match declared.standing {
        _ if declared.connected => "",
        Standing::Untold => "It is not known yet what is declared for this node.",
        Standing::Current => "What was told before still holds, for five minutes.",
        Standing::Stale | Standing::Forgotten => "What was told before is too old to be compared with.",
    };
    let failure = if declared.connected { String::new() } else { plain(&declared.failure) };
    Link { server: plain(&declared.server), state, good: declared.connected, failure, note, unclear: declared.unclear.len() }
}

/// What asks for somebody comes first.
const fn order(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Missing => 0,
        Verdict::Drifted => 1,
        Verdict::Unknown => 2,
        Verdict::InForce => 3,
    }
}

const fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::InForce => "in force",
        Verdict::Drifted => "drifted",
        Verdict::Missing => "missing",
        Verdict::Unknown => "unknown",
    }
}

fn fault(stated: &Stated) -> FaultRow {
    let Stated { pod, container, experiment, judgement, .. } = stated;
    let container = if container.is_empty() { String::new() } else { format!(" · {}", plain(container)) };
    let row = |Difference { parameter, declared, read }: &Difference| DifferenceRow {
        parameter: plain(parameter),
        declared: if declared.is_empty() { "nothing".to_owned() } else { plain(declared) },
        read: if read.is_empty() { "nothing".to_owned() } else { plain(read) },
    };
    FaultRow {
        experiment: full_name(&experiment.namespace, &experiment.name),
        kind: plain(&experiment.kind),
        target: format!("{}{container}", full_name(&pod.namespace, &pod.name)),
        verdict: judgement.verdict.as_str(),
        title: title(judgement.verdict),
        reason: reason(&judgement.reason).to_owned(),
        differences: judgement.differences.iter().map(row).collect(),
    }
}

/// A reason in words, where its own word needs some (`docs/verdicts.md` has all).
fn reason(word: &str) -> &str {
    match word {
        "other_end" => "the other end of a one-way fault: nothing to find here",
        "settling" => "seen once; two visits must agree",
        "not_visited" => "this pod was not visited",
        "not_watched" => "objects of this kind cannot be read now",
        "read_failed" => "it could not be read",
        "not_applied" => "the daemon has not applied it yet",
        "apply_failed" => "the daemon failed to apply it",
        "recovering" => "it is being taken away",
        "starting" => "it is not injected yet",
        "undecodable" => "the object is not understood",
        "too_large" => "more is declared than is told",
        "no_node" => "the cluster role tells nothing any more",
        "ambiguous" => "what is there may belong to several",
        "not_declared" => "the pod's object has nothing of this experiment",
        "no_device" => "the device is not there",
        "no_qdisc" => "the qdisc is not there",
        "no_chain" => "the chain is not there",
        "no_rule" => "the rule is not there",
        "not_reached" => "nothing jumps to the chain",
        "no_set" => "the set is not there",
        "no_process" => "the process is not there",
        "no_mount" => "the mount is not there",
        "no_bridge" => "the proxy's bridge is not there",
        "no_proxy" => "the proxy is not there",
        "not_replaced" => "it was not replaced",
        other => other,
    }
}

fn left(residue: &Residue, now: Timestamp) -> ResidueRow {
    let Residue { pod, container, netns, effect, owner, what, object, experiment, first_seen, .. } = residue;
    let place = match (pod.is_named(), netns.is_empty()) {
        (true, _) => full_name(&pod.namespace, &pod.name),
        (false, false) => format!("netns {}", plain(netns)),
        (false, true) if !pod.uid.is_empty() => format!("pod {}", plain(&pod.uid)),
        (false, true) => "host".to_owned(),
    };
    let container = if container.is_empty() { String::new() } else { format!(" · {}", plain(container)) };
    let of = experiment.as_ref().map_or_else(String::new, |it| format!(" {}", full_name(&it.namespace, &it.name)));
    let owner = match owner {
        Owner::EndedRun => format!("ended run{of}"),
        Owner::Unknown if of.is_empty() => "unknown".to_owned(),
        Owner::Unknown => format!("unknown, looks like{of}"),
    };
    ResidueRow {
        place: format!("{place}{container}"),
        effect: if *effect == Effect::Effective { "effective" } else { "benign" },
        what: plain(what),
        object: plain(object),
        owner,
        since: span(now.duration_since(*first_seen)),
    }
}
