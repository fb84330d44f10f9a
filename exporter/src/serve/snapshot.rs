//! `chaoscope snapshot`: one sweep, printed as an aligned table for people or as JSON for scripts.

use super::figures;
use super::view::{self, Overview, Pod};
use crate::config::{Output, Snapshot};
use crate::node::sweep::{Fate, Observed, Sweep};
use crate::node::sweeper::Sweeper;
use crate::scrape::Seen;
use crate::source::Source as _;
use crate::verdict::{Finding, Survey};
use anyhow::bail;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sweeps and prints.
pub async fn run(flags: &Snapshot, sweeper: &Sweeper) -> anyhow::Result<ExitCode> {
    let mut sweep = sweeper.read(Duration::ZERO, Instant::now() + flags.timeout).await?;
    if let Some((namespace, name)) = &flags.pod {
        sweep = Arc::new(only(&sweep, namespace, name)?);
    }
    let seen = Seen { survey: Survey::of(&sweep), sweep };
    let text = match flags.output {
        Output::Text => table(&seen),
        Output::Json => format!("{:#}\n", document(&seen)),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes to standard output. A reader that has gone (`| head`) is no error.
pub fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// The sweep of one pod.
fn only(sweep: &Sweep, namespace: &str, name: &str) -> anyhow::Result<Sweep> {
    let wanted = |pod: &Option<chaoscope_model::Pod>| pod.as_ref().is_some_and(|pod| pod.namespace == namespace && pod.name == name);
    let mut sweep = sweep.clone();
    sweep.namespaces.retain(|observed| wanted(&observed.namespace.pod));
    sweep.helpers.retain(|(pod, _)| wanted(pod));
    sweep.mounts.retain(|files| wanted(&files.pod));
    if sweep.namespaces.is_empty() {
        let hint =
            if sweep.runtime.is_empty() { "no container runtime told any pod's name (see --runtime)" } else { "is it on this node?" };
        bail!("no pod {namespace}/{name} here: {hint}");
    }
    Ok(sweep)
}

/// The table for people.
pub(super) fn table(seen: &Seen) -> String {
    let Overview { pods, partial, quiet } = view::overview(seen);
    let mut out = summary(&seen.sweep);
    for pod in &pods {
        out.push('\n');
        describe(pod, &mut out);
    }
    if !partial.is_empty() {
        let titles: Vec<_> = partial.iter().map(|pod| pod.title.as_str()).collect();
        let _ = writeln!(out, "\n{} not read in full: {}", figures::counted(titles.len(), "namespace"), titles.join(", "));
    }
    let unread = seen.sweep.namespaces.iter().any(|observed| !observed.namespace.host && observed.reading().is_none());
    let _ = match (pods.is_empty() && partial.is_empty() && !unread, quiet) {
        (true, 0) if seen.sweep.is_blind() => writeln!(out, "\nNo pod network namespace could be seen."),
        (true, 0) => writeln!(out, "\nNo pod network namespace was found."),
        (_, 0) => Ok(()),
        (_, quiet) => writeln!(out, "\n{} without anything of chaos.", figures::counted(quiet, "namespace")),
    };
    if !seen.sweep.limitations.is_empty() {
        out.push_str("\nNot seen:\n");
        for limitation in &seen.sweep.limitations {
            let _ = writeln!(out, "  {}\n    to see it: {}", limitation.what, limitation.remedy);
        }
    }
    out
}

fn summary(sweep: &Sweep) -> String {
    let tally = view::tally(sweep);
    let mut out = format!("{} read in {} at {:.0}", figures::counted(tally.read, "namespace"), figures::duration(sweep.took), sweep.at);
    let others = [
        (tally.failed, "could not be read"),
        (tally.deadline, "not reached in time"),
        (tally.gone, "gone meanwhile"),
        (tally.host, "the host's own, left out (--host-network reads it)"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(out, "; {count} {what}");
    }
    let runtime = if sweep.runtime.is_empty() { "none: pods are known by uid only" } else { &sweep.runtime };
    let _ = writeln!(out, "\ncontainer runtime: {runtime}");
    out
}

fn describe(pod: &Pod, out: &mut String) {
    let state = if pod.effective { "CHAOS" } else { "leftovers" };
    let _ = writeln!(out, "{}  [{state}]", pod.title);
    if !pod.about.is_empty() {
        let _ = writeln!(out, "  {}", pod.about);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for qdisc in &pod.qdiscs {
        table.add_row([" qdisc", &format!("{} {}", qdisc.device, qdisc.place), &qdisc.parameters, &qdisc.counters, &qdisc.tool]);
    }
    for filter in &pod.filters {
        table.add_row([" filter", &format!("{} {}", filter.device, filter.place), &filter.action, "", filter.tool]);
    }
    for rule in &pod.rules {
        let kind = if rule.active { " rule" } else { " rule (inactive)" };
        table.add_row([kind, &rule.place, &rule.rule, &rule.counters, ""]);
    }
    for set in &pod.sets {
        table.add_row([" set", &set.name, &set.kind, &format!("{} member{}", set.members, if set.members == "1" { "" } else { "s" }), ""]);
    }
    for (kind, texts) in [(" helper", &pod.helpers), (" mount", &pod.mounts)] {
        for text in texts {
            table.add_row([kind, text, "", "", ""]);
        }
    }
    for error in &pod.errors {
        table.add_row([" unknown", error.source, &error.error, error.remedy, ""]);
    }
    if table.row_count() > 0 {
        let _ = writeln!(out, "{}", table.trim_fmt());
    }
}

/// The document for scripts: everything that was read.
pub(super) fn document(seen: &Seen) -> Value {
    let sweep = &seen.sweep;
    let namespaces: Vec<_> =
        sweep.namespaces.iter().zip(&seen.survey.namespaces).map(|(observed, findings)| namespace(observed, findings)).collect();
    let helpers: Vec<_> = sweep
        .helpers
        .iter()
        .map(|(pod, helper)| json!({"pod": pod, "kind": helper.kind.as_str(), "tool": helper.tool, "pid": helper.pid, "active": helper.active}))
        .collect();
    json!({
        "at": sweep.at,
        "took_seconds": sweep.took.as_secs_f64(),
        "runtime": sweep.runtime,
        "namespaces": namespaces,
        "helpers": helpers,
        "mounts": sweep.mounts,
        "limitations": sweep.limitations,
    })
}

fn namespace(observed: &Observed, findings: &[Finding]) -> Value {
    let mut out = json!({"namespace": observed.namespace, "findings": findings});
    match &observed.fate {
        Fate::Read(reading, took) => {
            out["reading"] = json!(reading);
            out["took_seconds"] = json!(took.as_secs_f64());
        }
        Fate::Failed(error) => out["error"] = json!({"error": error.to_string(), "reason": error.reason(), "remedy": error.remedy()}),
        Fate::Skipped(skip) => out["skipped"] = json!(skip.as_str()),
    }
    out
}
