//! `chaoscope check`: is effective chaos state on this host? The answer is the exit code; what was found is printed.

use super::figures::counted;
use super::snapshot::print;
use super::view::likeness;
use crate::config::{Check, CheckOutput};
use crate::node::sweep::Sweep;
use crate::node::sweeper::Sweeper;
use crate::source::Source as _;
use crate::verdict::{Finding, Survey};
use chaoscope_model::Effect;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Exit code: nothing effective is there.
pub const CLEAN: u8 = 0;
/// Exit code: effective chaos state is there.
pub const EFFECTIVE: u8 = 1;
/// Exit code: could not tell.
pub const UNKNOWN: u8 = 3;

/// Sweeps, prints and answers. What is there counts more than what could not be seen.
pub async fn run(flags: &Check, sweeper: &Sweeper) -> anyhow::Result<ExitCode> {
    let sweep = sweeper.read(Duration::ZERO, Instant::now() + flags.timeout).await?;
    let survey = Survey::of(&sweep);
    let found: Vec<_> = survey.all(&sweep).collect();
    let code = answer(&found, &sweep);
    print(&match flags.output {
        CheckOutput::Text => text(&found, &sweep, code),
        CheckOutput::Json => format!("{:#}\n", document(&found, &sweep, code)),
    })?;
    Ok(ExitCode::from(code))
}

fn answer(found: &[(String, &Finding)], sweep: &Sweep) -> u8 {
    match found.iter().any(|(_, finding)| finding.effect == Effect::Effective) {
        true => EFFECTIVE,
        false if sweep.is_blind() => UNKNOWN,
        false => CLEAN,
    }
}

const fn word(code: u8) -> &'static str {
    match code {
        CLEAN => "clean",
        EFFECTIVE => "effective",
        _ => "unknown",
    }
}

/// One line for each finding, effective ones first, what could not be seen with its remedy, and the answer last.
fn text(found: &[(String, &Finding)], sweep: &Sweep, code: u8) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let (effective, benign): (Vec<_>, Vec<_>) = found.iter().partition(|(_, finding)| finding.effect == Effect::Effective);
    for (target, finding) in effective.into_iter().chain(benign) {
        let whose = format!("like {}, owner unknown", likeness(finding.tool));
        // The longest comes last, so that nothing is far to the right of it.
        table.add_row([finding.effect.as_str(), target, &whose, finding.what, &finding.object]);
    }
    let mut out = String::new();
    for line in table.lines() {
        let _ = writeln!(out, "{}", line.trim()); // the table puts a space around every cell
    }
    for limitation in sweep.limitations.iter().filter(|limitation| limitation.blinds) {
        let _ = writeln!(out, "unknown  {}\n         to see it: {}", limitation.what, limitation.remedy);
    }
    let read = sweep.namespaces.iter().filter(|observed| observed.reading().is_some()).count();
    let read = counted(read, "namespace");
    let _ = match code {
        CLEAN => writeln!(out, "clean: {read} read, nothing effective in them or on the host"),
        EFFECTIVE => writeln!(out, "effective chaos state is on this host ({read} read)"),
        _ => writeln!(out, "could not tell: something could not be read"),
    };
    out
}

fn document(found: &[(String, &Finding)], sweep: &Sweep, code: u8) -> serde_json::Value {
    let found: Vec<_> = found
        .iter()
        .map(|(target, finding)| {
            json!({"target": target, "effect": finding.effect, "what": finding.what, "object": finding.object, "tool": finding.tool, "owner": "unknown"})
        })
        .collect();
    json!({"answer": word(code), "exit_code": code, "findings": found, "limitations": sweep.limitations})
}
