//! Parse, wire, run. Exit codes: 0 done, 1 `check` found chaos or the server failed, 2 wrong usage, 3 `check` could not tell.

use anyhow::Context as _;
use chaoscope::cluster::now::Now;
use chaoscope::config::{Arguments, Command, Log, LogFormat, LogLevel, Look, Node, Rules, Standalone, Web};
use chaoscope::journal::Journal;
use chaoscope::node::boot;
use chaoscope::node::host::HostSource;
use chaoscope::node::runtime::Runtime;
use chaoscope::node::sweeper::{self, Sweeper};
use chaoscope::peers::{Daemon, timer};
use chaoscope::scrape::{Detail, Sources};
use chaoscope::serve::access::{self, Access};
use chaoscope::serve::api::{self, Api, Present};
use chaoscope::serve::listener::{self, Limits, Listeners};
use chaoscope::serve::web_config::WebConfig;
use chaoscope::serve::{self, check, snapshot};
use chaoscope::standalone::{self, History, Watched};
use clap::{CommandFactory as _, Parser as _};
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
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
        Command::Standalone(flags) => runtime.block_on(serve_standalone(*flags)).unwrap_or_else(|(error, code)| fail(&error, code)),
        Command::Snapshot(flags) => {
            let sweeper = sweeper(&flags.look, flags.members);
            runtime.block_on(snapshot::run(&flags, &sweeper)).unwrap_or_else(|error| fail(&error, 1))
        }
        Command::Check(flags) => {
            let look = Look { host_network: !flags.skip_host_network, ..flags.look.clone() };
            runtime.block_on(check::run(&flags, &sweeper(&look, false))).unwrap_or_else(|error| fail(&error, failed))
        }
        Command::Completion { shell } => {
            let mut script = Vec::new(); // it panics where it cannot write, as into a pipe that was closed
            clap_complete::generate(shell, &mut Arguments::command(), "chaoscope", &mut script);
            snapshot::print(&script).map_or_else(|error| fail(&error.into(), 1), |()| ExitCode::SUCCESS)
        }
    }
}

/// What went wrong, and the exit code: 2 for what is wrong with the flags, 1 for what goes wrong later.
type Failure = (anyhow::Error, u8);

/// Serves until a signal.
async fn serve_node(flags: Node) -> Result<ExitCode, Failure> {
    let (web_config, listeners) = open(&flags.web)?;
    let sources = Sources {
        sweeper: Some(sweeper(&flags.look, false).into()),
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        daemon: flags.peer_daemon.map(|peer| Daemon::ask(peer, timer::EVERY)),
        told: Arc::default(),
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
        ..Sources::default()
    };
    sources.told.tell(&chaoscope::node::limits::capabilities());
    let app = serve::router(sources, &flags.web);
    serve(listeners, app, web_config, CancellationToken::new()).await
}

/// Sweeps and serves until a signal.
async fn serve_standalone(flags: Standalone) -> Result<ExitCode, Failure> {
    let later = |error: anyhow::Error| (error, 1);
    let (web_config, listeners) = open(&flags.web)?;
    let access = access::Config::of(&flags.api, &listeners.local_addrs(), &web_config, None).and_then(Access::open);
    let access = access.map_err(|error| (error.into(), USAGE))?;
    let folder = flags.journal.folder().context("no folder for the journal: this user has no home, so set --journal.path");
    let folder = folder.map_err(|error| (error, USAGE))?;
    let boot =
        boot::read(&flags.look.path_procfs).context("cannot tell which boot of this host it is: check --path.procfs").map_err(later)?;
    let (journal, restored) = Journal::open(&flags.journal.config()).context("cannot open the journal").map_err(later)?;
    tracing::info!(folder = %folder.display(), "The journal is open.");
    let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let open = journal.open_runs().context("cannot read the journal").map_err(later)?;
    let (history, ended) = History::resume(boot, "", &node, &restored, open, jiff::Timestamp::now());
    journal.record(ended).await.context("cannot write the journal").map_err(later)?;
    let (sweeper, told) = (Arc::new(sweeper(&flags.look, false)), Arc::default());
    let watched = Watched { sweeper: Arc::clone(&sweeper), told: Arc::clone(&told), interval: flags.sweep_interval };
    let sources = Sources {
        sweeper: Some(sweeper),
        sweep_max_age: flags.sweep_interval * 3,
        host: flags.source_host.then(|| HostSource::new(&flags.look.path_procfs)),
        journal: Some(journal.clone()),
        told,
        detail: Detail { all_rules: flags.rules == Rules::All, upstream: flags.upstream_names },
        ..Sources::default()
    };
    let writer = journal.clone();
    let record = move |batch| {
        let writer = writer.clone();
        async move { writer.record(batch).await }
    };
    let stop = CancellationToken::new(); // ends streams and sweeps
    let mut watch = tokio::spawn(standalone::watch(watched, history, stop.clone(), record));
    let present = Present { clock: Arc::new(jiff::Timestamp::now), cluster: Arc::new(Now::default) };
    let api = Api::new(journal, access, present, String::new(), api::Limits::default(), stop.clone());
    let app = serve::router(sources, &flags.web).merge(api::routes(Arc::new(api)));
    tokio::select! {
        done = serve(listeners, app, web_config, stop.clone()) => {
            stop.cancel();
            watch.await.context("the sweeps did not end well").map_err(later)?;
            done
        }
        ended = &mut watch => Err(later(anyhow::anyhow!("the sweeps have ended: {ended:?}"))),
    }
}

/// Reads the web configuration and takes the addresses.
fn open(web: &Web) -> Result<(WebConfig, Listeners), Failure> {
    let usage = |error: anyhow::Error| (error, USAGE);
    let web_config = WebConfig::load(web.config_file.as_deref()).map_err(|error| usage(error.into()))?;
    let listeners = Listeners::bind(&web.listen_address, Limits::default()).map_err(|error| usage(error.into()))?;
    Ok((web_config, listeners))
}

/// Serves until a signal, which cancels `stop`, and lets requests in flight finish.
async fn serve(listeners: Listeners, app: axum::Router, web_config: WebConfig, stop: CancellationToken) -> Result<ExitCode, Failure> {
    let scheme = if web_config.is_tls() { "https" } else { "http" };
    for address in listeners.local_addrs() {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "listening on {scheme}://{address}");
    }
    let signal = shutdown().map_err(|error| (error, 1))?;
    let shutdown = async move {
        signal.await;
        stop.cancel();
    };
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

/// One line: what went wrong, why, and what can be done.
#[allow(clippy::print_stderr)] // the one place where the program speaks without a log line
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("chaoscope: {error:#}");
    ExitCode::from(code)
}
