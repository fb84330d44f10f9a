//! `chaoscope_watch_*`: how well the API server is watched, kind by kind, so that nothing there can be told from nothing seen.

use super::{extended, times};
use crate::cluster::now::WatchNow;
use crate::exposition::{Exposition, Labels};
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Watch;

impl Family for Watch {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(now) = world.now() else { return Ok(()) };
        let all: Vec<(Labels<'_>, &WatchNow)> = now.watches.iter().map(|it| (labels(it), it)).collect();
        let each = |value: fn(&WatchNow) -> u64| all.iter().map(move |(labels, it)| (labels.clone(), value(it)));
        let up = all.iter().map(|(labels, it)| (labels.clone(), it.up));
        out.gauge("chaoscope_watch_up", "Whether a complete list of a kind was seen and its watch is open.", up)?;
        let info = all.iter().map(|(labels, it)| (extended(labels, [("reason", it.reason.as_str().into())]), 1_u64));
        out.gauge("chaoscope_watch_info", "Why a watch is not up, empty while it is; always 1.", info)?;
        let listed = all.iter().filter(|(_, it)| it.listed_at.is_some()).map(|(labels, it)| (labels.clone(), it.objects));
        out.gauge("chaoscope_watch_objects", "Objects of a kind.", listed)?;
        out.counter("chaoscope_watch_changes", "Changes seen.", each(|it| it.changes))?;
        out.counter("chaoscope_watch_undecodable", "Objects that could not be understood.", each(|it| it.undecodable))?;
        out.counter("chaoscope_watch_restarts", "How often a watch began anew.", each(|it| it.restarts))?;
        out.gauge("chaoscope_watch_last_change_timestamp_seconds", "When the last change came.", times(&all, |it| it.last_change_at))?;
        out.gauge("chaoscope_watch_last_list_timestamp_seconds", "When the last complete list was in.", times(&all, |it| it.listed_at))
    }
}

/// `namespace` is the one a watch is limited to; empty where it is not.
fn labels(it: &WatchNow) -> Labels<'_> {
    vec![("resource", it.resource.into()), ("namespace", it.namespace.as_str().into())]
}
