//! Parse, wire, run. Exit codes: 0 done, 1 `check` found chaos or the server failed, 2 wrong usage, 3 `check` could not tell.

use chaoscope::client;
use chaoscope::config::{Arguments, Command, Log, LogFormat, LogLevel, Look};
use chaoscope::migration;
use chaoscope::roles::{self, Failure, USAGE, sweeper};
use chaoscope::serve::{check, snapshot};
use clap::{CommandFactory as _, Parser as _};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use tracing_logfmt::{EventsFormatter, FieldsFormatter};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::prelude::*;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    log(&arguments.log);
    let _ = rustls::crypto::ring::default_provider().install_default(); // nobody chose before
    // A check that cannot even start could not tell; it must not look like one that found something.
    let failed = if matches!(arguments.command, Command::Check(_) | Command::Gate(_)) { check::UNKNOWN } else { 1 };
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(arguments.command, failed))); // tokio panics without any file to open
    outcome.unwrap_or(ExitCode::from(failed))
}

fn run(command: Command, failed: u8) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start"), failed),
    };
    match command {
        Command::Node(flags) => ended(runtime.block_on(roles::node::run(*flags))),
        Command::Standalone(flags) => ended(runtime.block_on(roles::standalone::run(*flags))),
        Command::Cluster(flags) => ended(runtime.block_on(roles::cluster::run(*flags))),
        Command::Replay(flags) => ended(runtime.block_on(roles::replay::run(*flags))),
        Command::Record(flags) => ended(runtime.block_on(roles::record::run(*flags))),
        Command::Snapshot(flags) => {
            let sweeper = sweeper(&flags.look, flags.members);
            runtime.block_on(snapshot::run(&flags, &sweeper)).unwrap_or_else(|error| fail(&error, 1))
        }
        Command::Check(flags) => {
            let look = Look { host_network: !flags.skip_host_network, ..flags.look.clone() };
            runtime.block_on(check::run(&flags, &sweeper(&look, false))).unwrap_or_else(|error| fail(&error, failed))
        }
        Command::Runs(flags) => runtime.block_on(client::runs::run(&flags)).map_or_else(|error| unasked(&error, 1), |()| ExitCode::SUCCESS),
        Command::Gate(flags) => {
            let answer = runtime.block_on(client::gate::run(&flags));
            answer.map_or_else(|error| unasked(&error, check::UNKNOWN), ExitCode::from)
        }
        Command::Doctor(flags) => {
            let answer = runtime.block_on(client::doctor::run(&flags));
            answer.map_or_else(|error| unasked(&error, check::UNKNOWN), |well| ExitCode::from(u8::from(!well)))
        }
        Command::MigrateDashboard(flags) => migration::run(&flags).map_or_else(|error| fail(&error, 1), |()| ExitCode::SUCCESS),
        Command::Journal(command) => ended(runtime.block_on(roles::journal::run(command))),
        Command::Completion { shell } => {
            let mut script = Vec::new(); // it panics where it cannot write, as into a pipe that was closed
            clap_complete::generate(shell, &mut Arguments::command(), "chaoscope", &mut script);
            snapshot::print(&script).map_or_else(|error| fail(&error.into(), 1), |()| ExitCode::SUCCESS)
        }
    }
}

fn ended(outcome: Result<ExitCode, Failure>) -> ExitCode {
    outcome.unwrap_or_else(|(error, code)| fail(&error, code))
}

/// Logs to standard error. Other crates' lines are capped at info, whatever the level: some of them log what they handle, and the Kubernetes
/// client each refused request, which we tell once.
fn log(flags: &Log) {
    let (own, others) = match flags.level {
        LogLevel::Trace => ("trace", "info"),
        LogLevel::Debug => ("debug", "info"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Error => ("error", "error"),
    };
    let filter = EnvFilter::new(format!("{others},kube_client=off,chaoscope={own}"));
    let registry = tracing_subscriber::registry().with(filter);
    match flags.format {
        LogFormat::Logfmt => {
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            registry.with(lines.event_format(EventsFormatter::default()).fmt_fields(FieldsFormatter::default())).init();
        }
        LogFormat::Json => registry.with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init(),
    }
}

/// Help is printed as it is; wrong usage is one line.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print(); // nobody is left to be told
        return ExitCode::from(if asked { 0 } else { USAGE });
    }
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<_> = lines.filter(|line| !line.is_empty()).collect();
    let line = words.join(" ").replace(" tip: ", "; ");
    fail(&anyhow::anyhow!("{} (see --help)", line.strip_prefix("error: ").unwrap_or(&line)), USAGE)
}

/// A server that could not be asked: what went wrong, and what can be done.
fn unasked(error: &client::Error, code: u8) -> ExitCode {
    let (remedy, code) = (error.remedy(), if error.is_usage() { USAGE } else { code });
    let remedy = if remedy.is_empty() { String::new() } else { format!(": {remedy}") };
    fail(&anyhow::anyhow!("{error}{remedy}"), code)
}

/// One line: what went wrong, why, and what can be done.
#[allow(clippy::print_stderr)] // the one place where the program speaks without a log line
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("chaoscope: {error:#}");
    ExitCode::from(code)
}
