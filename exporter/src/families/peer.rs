//! `chaoscope_peer_*`: whether the components of Chaos Mesh answer for themselves; and the families of their pages, passed through with
//! a label `peer` before their own. Series of two peers are never added up.
//!
//! Which families, and under which names, is decided in `peers/`.

use crate::exposition::{Exposition, Labels, Named, Sample};
use crate::peers::PeerReading;
use crate::peers::ask::{Failure, REASONS};
use crate::peers::parse::{Series, Value, whole};
use crate::peers::wanted::{WANTED, Wanted};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Peers;

impl Family for Peers {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(Ok(readings)) = &world.peers else { return Ok(()) };
        states(readings, out)?;
        for wanted in WANTED {
            let name = wanted.name.strip_suffix("_total").unwrap_or(wanted.name);
            out.foreign(name, wanted.help, wanted.kind, readings.iter().flat_map(|reading| samples(wanted, reading)))?;
        }
        Ok(())
    }
}

fn states(readings: &[PeerReading], out: &mut Exposition<'_>) -> fmt::Result {
    out.gauge(
        "chaoscope_peer_up",
        "Whether a component's page of metrics was there when it was last asked for.",
        readings.iter().map(|reading| (labels(reading), reading.page.is_ok())),
    )?;
    out.gauge(
        "chaoscope_peer_down",
        "Why it was not: 1 for the reason, 0 for the others.",
        readings.iter().flat_map(|reading| {
            let reason = reading.page.as_ref().err().map(Failure::reason);
            REASONS.into_iter().map(move |one| {
                let labels = labels(reading).into_iter().chain([("reason", one.into())]).collect();
                (labels, reason == Some(one))
            })
        }),
    )?;
    out.gauge(
        "chaoscope_peer_scrape_duration_seconds",
        "How long its answer took, or how long was waited for it.",
        readings.iter().map(|reading| (labels(reading), reading.took.as_secs_f64())),
    )?;
    let told = || readings.iter().filter_map(|reading| Some((labels(reading), reading.at, reading.page.as_ref().ok()?)));
    out.gauge(
        "chaoscope_peer_sample_timestamp_seconds",
        "When the values that are passed through were asked for.",
        told().map(|(labels, at, _)| (labels, at.as_duration().as_secs_f64())),
    )?;
    out.gauge(
        "chaoscope_peer_left_out_samples",
        "Samples of its page that made no sense, and are not passed through.",
        told().map(|(labels, _, page)| (labels, page.left_out)),
    )
}

fn labels(reading: &PeerReading) -> Labels<'_> {
    vec![("peer", reading.peer.name.as_str().into()), ("component", reading.peer.component.as_str().into())]
}

/// A family's series on one peer's page.
fn samples<'a>(wanted: &Wanted, reading: &'a PeerReading) -> impl Iterator<Item = (Named<'a>, Sample<'a>)> + use<'a> {
    let page = reading.page.as_ref().ok().filter(|page| page.may_tell(wanted));
    let series = page.and_then(|page| page.families.get(wanted.name)).map_or(&[][..], Vec::as_slice);
    series.iter().map(|Series { labels, value }| {
        let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str().into()));
        let labels = [("peer", reading.peer.name.as_str().into())].into_iter().chain(own).collect();
        let sample = match value {
            // Whole numbers as such, as the peer itself writes them.
            Value::Number(value) => Sample::Value(whole(*value).map_or((*value).into(), Into::into)),
            Value::Histogram(distribution) => Sample::Histogram(distribution),
        };
        (labels, sample)
    })
}
