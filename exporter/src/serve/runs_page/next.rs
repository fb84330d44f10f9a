//! What comes next, for the page: the first few runs that schedules are due to make.

use super::ask::Ask;
use super::view::clock;
use crate::serve::access::Viewer;
use crate::serve::outlook::{FIELDS, Outlook, Span, Upcoming};
use crate::serve::words::{full_name, plain, span};
use jiff::{SignedDuration, Timestamp};

/// Most of them that are shown.
const MOST: usize = 5;
/// How far ahead is looked.
const WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// One line.
pub(super) struct Next {
    pub(super) at: String,
    /// How long until then.
    pub(super) wait: String,
    pub(super) name: String,
    /// What will be done, where, for how long.
    pub(super) about: String,
}

/// What is to come, where the page ends at the present, and is asked for nothing that only a run has. May block.
pub(super) fn ahead(outlook: &Outlook, viewer: &Viewer, ask: &Ask, now: Timestamp) -> Vec<Upcoming> {
    let answerable = ask.axis.to >= now && ask.pairs.iter().all(|(name, _)| FIELDS.contains(&name.as_str()));
    let (true, Ok(to)) = (answerable, now.checked_add(WITHIN)) else { return Vec::new() };
    outlook.ahead(viewer, &ask.filter, Span { now, from: now, to, limit: MOST }).upcoming
}

impl Next {
    pub(super) fn of(due: &Upcoming, now: Timestamp) -> Self {
        let kind = if due.action.is_empty() { plain(&due.kind) } else { format!("{} · {}", plain(&due.kind), plain(&due.action)) };
        let lasts = due.expected_end_at.map(|end| format!("for {}", span(end.duration_since(due.at))));
        let cluster = (!due.cluster.is_empty()).then(|| format!("cluster {}", plain(&due.cluster)));
        Self {
            at: clock(due.at, now),
            wait: format!("in {}", span(due.at.duration_since(now))),
            name: full_name(&due.namespace, &due.schedule),
            about: [Some(kind), lasts, cluster].into_iter().flatten().collect::<Vec<_>>().join(" · "),
        }
    }
}
