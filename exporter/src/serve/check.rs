//! `chaoscope check`: is effective chaos state on this host? The answer is the exit code; what was found is printed.

use super::figures::counted;
use super::snapshot::print;
use super::view::likeness;
use crate::config::{Check, Output};
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
    let sweep = match sweeper.read(Duration::ZERO, Instant::now() + flags.timeout).await {
        Ok(sweep) => sweep,
        Err(error) => return nothing(flags.output, &error),
    };
    let survey = Survey::of(&sweep);
    let found: Vec<_> = survey.all(&sweep).collect();
    let code = answer(&found, &sweep);
    print(&match flags.output {
        Output::Text => text(&found, &sweep, code),
        Output::Json => format!("{:#}\n", document(&found, &sweep, code)),
    })?;
    Ok(ExitCode::from(code))
}

/// The answer when not even a part could be read.
fn nothing(output: Output, error: &crate::source::Error) -> anyhow::Result<ExitCode> {
    let remedy = "give it more time with --timeout";
    print(&match output {
        Output::Text => format!("could not tell: {error}: {remedy}\n"),
        Output::Json => {
            let limitation = json!({"what": error.to_string(), "remedy": remedy, "blinds": true});
            let document = json!({"answer": word(UNKNOWN), "exit_code": UNKNOWN, "findings": [], "limitations": [limitation]});
            format!("{document:#}\n")
        }
    })?;
    Ok(ExitCode::from(UNKNOWN))
}

/// Whether the host's own namespace was among those read.
fn host_read(sweep: &Sweep) -> bool {
    sweep.namespaces.iter().any(|observed| observed.namespace.host && observed.reading().is_some())
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
        CLEAN if host_read(sweep) => writeln!(out, "clean: {read} read, the host's own among them, nothing effective"),
        CLEAN => writeln!(out, "clean: {read} read, nothing effective; the host's own was left out"),
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
    let (host, limitations) = (host_read(sweep), &sweep.limitations);
    json!({"answer": word(code), "exit_code": code, "host_network_read": host, "findings": found, "limitations": limitations})
}
