//! Parse, wire, run. Exit codes: 0 done, 1 `check` found chaos or the server failed, 2 wrong usage, 3 `check` could not tell.

use anyhow::Context as _;
use chaoscope::client;
use chaoscope::config::{Arguments, Command, Log, LogFormat, LogLevel, Look, Node, Rules};
use chaoscope::node::host::HostSource;
use chaoscope::node::runtime::Runtime;
use chaoscope::node::sweeper::{self, Sweeper};
use chaoscope::node::told::Told;
use chaoscope::scrape::{Detail, Sources};
use chaoscope::serve::listener::{self, Limits, Listeners};
use chaoscope::serve::web_config::WebConfig;
use chaoscope::serve::{self, check, snapshot};
use clap::{CommandFactory as _, Parser as _};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use tracing_logfmt::{EventsFormatter, FieldsFormatter};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::prelude::*;

const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    log(&arguments.log);
    // A check that cannot even start could not tell; it must not look like one that found something.
    let failed = if matches!(arguments.command, Command::Check(_)) { check::UNKNOWN } else { 1 };
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(arguments.command, failed))); // tokio panics without any file to open
    outcome.unwrap_or(ExitCode::from(failed))
}

fn run(command: Command, failed: u8) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::Error::new(error).context("cannot start"), failed),
    };
    match command {
        Command::Node(node) => runtime.block_on(serve_node(*node)).unwrap_or_else(|(error, code)| fail(&error, code)),
        Command::Snapshot(flags) => {
            let sweeper = sweeper(&flags.look, flags.members);
            runtime.block_on(snapshot::run(&flags, &sweeper)).unwrap_or_else(|error| fail(&error, 1))
        }
        Command::Check(flags) => {
            let look = Look { host_network: !flags.skip_host_network, ..flags.look.clone() };
            runtime.block_on(check::run(&flags, &sweeper(&look, false))).unwrap_or_else(|error| fail(&error, failed))
        }
        Command::Runs(flags) => runtime.block_on(client::runs::run(&flags)).map_or_else(|error| unasked(&error, 1), |()| ExitCode::SUCCESS),
        Command::Doctor(flags) => {
            let answer = runtime.block_on(client::doctor::run(&flags));
            answer.map_or_else(|error| unasked(&error, check::UNKNOWN), |well| ExitCode::from(u8::from(!well)))
        }
        Command::Completion { shell } => {
            let mut script = Vec::new(); // it panics where it cannot write, as into a pipe that was closed
            clap_complete::generate(shell, &mut Arguments::command(), "chaoscope", &mut script);
            snapshot::print(&script).map_or_else(|error| fail(&error.into(), 1), |()| ExitCode::SUCCESS)
        }
    }
}

/// Serves until a signal. What is wrong with the flags ends with 2, what goes wrong later with 1.
async fn serve_node(flags: Node) -> Result<ExitCode, (anyhow::Error, u8)> {
    let usage = |error: anyhow::Error| (error, USAGE);
    let web_config = WebConfig::load(flags.web.config_file.as_deref()).map_err(|error| usage(error.into()))?;
    let listeners = Listeners::bind(&flags.web.listen_address, Limits::default()).map_err(|error| usage(error.into()))?;
    let addresses = listeners.local_addrs();
    let sources = Sources {
        sweeper: sweeper(&flags.look, false),
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        told: Told::default(),
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
    };
    sources.told.tell(&chaoscope::node::limits::capabilities());
    let scheme = if web_config.is_tls() { "https" } else { "http" };
    for address in addresses {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening on {scheme}://{address}");
    }
    let shutdown = shutdown().map_err(|error| (error, 1))?;
    let app = serve::router(sources, &flags.web);
    listener::serve(listeners, app, web_config, shutdown).await.map_err(|error| (error.into(), 1))?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn sweeper(look: &Look, members: bool) -> Sweeper {
    let config = sweeper::Config {
        procfs: look.path_procfs.clone(),
        named: look.path_netns.clone(),
        threads: look.sweep_threads.into(),
        host_network: look.host_network,
        members,
    };
    let (choice, endpoint, root) = (look.runtime, look.runtime_endpoint.clone(), look.path_host.clone());
    Sweeper::new(config, Box::new(move || Runtime::find(choice, endpoint.as_ref(), &root)))
}

/// Done when SIGTERM or SIGINT comes.
fn shutdown() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests in flight are finished");
    })
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
