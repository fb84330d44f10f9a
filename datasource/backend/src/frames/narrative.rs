//! What an annotation says about a run, in lines. Grafana renders it as HTML, so everything from outside is escaped, and bounded.

use super::look::{self, escaped};
use super::{affected, runs};
use chaoscope_model::run::{Outcome, Run, Target};
use jiff::{Timestamp, Unit};

/// Most targets named.
const MOST_TARGETS: usize = 10;
/// Most parameters named.
const MOST_PARAMETERS: usize = 20;
/// Longest piece of text, in characters.
const LONGEST: usize = 256;

/// `NetworkChaos delay shop/web-delay`.
pub(super) fn title(run: &Run) -> String {
    let words = [run.kind.as_str(), &run.action, &look::experiment(run)].map(|word| escaped(word, 520));
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What is known about it, a line each.
pub(super) fn text(run: &Run, now: Timestamp) -> String {
    let mut lines = vec![state(run, now)];
    lines.extend(listed(
        run.parameters.iter().map(|(key, value)| format!("{}: {}", escaped(key, 128), escaped(value, LONGEST))),
        MOST_PARAMETERS,
    ));
    lines.extend(origin(run));
    lines.extend(listed(run.targets.iter().map(target), MOST_TARGETS));
    lines.join("<br>")
}

fn state(run: &Run, now: Timestamp) -> String {
    let word = run.outcome.map_or(run.phase.as_str(), |outcome| outcome.as_str()).replace('_', " ");
    let seconds = look::seconds(run.started_at, run.ended_at.unwrap_or(now));
    let attention = runs::attention(run, now).map(|it| format!(", {it}"));
    let since = if run.is_open() { "for" } else { "after" };
    let lasted = if run.outcome == Some(Outcome::Completed) { String::new() } else { format!(" {since} {}", span(seconds)) };
    format!("{word}{lasted}{}", attention.unwrap_or_default())
}

/// `1d 2h`, `4m 5s`, `0.25s`: the two largest units.
fn span(seconds: f64) -> String {
    if seconds < 1.0 {
        return format!("{seconds:.2}s");
    }
    #[allow(clippy::cast_sign_loss, reason = "never negative")]
    let whole = seconds as u64;
    let parts = [(whole / 86_400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "m"), (whole % 60, "s")];
    let shown: Vec<_> = parts.iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0).collect();
    shown.iter().map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

fn origin(run: &Run) -> Vec<String> {
    let parent = |it: &chaoscope_model::Parent| {
        format!("made by {} {}", escaped(&it.kind, 128), escaped(&look::place(&it.namespace, &it.name), 520))
    };
    let lost = (run.outcome == Some(Outcome::Lost)).then_some(run.ended_after.zip(run.ended_at)).flatten();
    let all = [
        run.parent.as_ref().map(parent),
        run.started_by.as_ref().filter(|it| !it.is_empty()).map(|it| format!("started by {}", escaped(it, LONGEST))),
        (!run.cluster.is_empty()).then(|| format!("cluster {}", escaped(&run.cluster, LONGEST))),
        run.baseline.then(|| "was there when it was first looked for: its start is not known".to_owned()),
        lost.map(|(after, end)| format!("ended unseen between {} and {}", second(after), second(end))),
    ];
    all.into_iter().flatten().collect()
}

fn second(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

fn target(target: &Target) -> String {
    let name = escaped(&affected::name_of(target), 780);
    let said = |text: &str| escaped(text, 64).replace('_', " ");
    let reason = (!target.verdict_reason.is_empty()).then(|| format!(" ({})", said(&target.verdict_reason)));
    let verdict = target.verdict.as_deref().filter(|it| !it.is_empty());
    let verdict = verdict.map(|it| format!(", in the kernel: {}{}", said(it), reason.unwrap_or_default()));
    let left = target.residue.as_deref().filter(|it| !matches!(*it, "" | "none")).map(|it| format!(", left behind: {}", said(it)));
    let message = (!target.message.is_empty()).then(|| format!(": {}", escaped(&target.message, LONGEST)));
    let said = [verdict, left, message].map(Option::unwrap_or_default).concat();
    format!("{name} {}{said}", target.state.as_str())
}

/// The first of some lines, and how many more there are.
fn listed(lines: impl ExactSizeIterator<Item = String>, most: usize) -> Vec<String> {
    let rest = lines.len().saturating_sub(most);
    let more = (rest > 0).then(|| format!("and {rest} more"));
    lines.take(most).chain(more).collect()
}
