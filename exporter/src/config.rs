//! Flags, environment variables and every default, in one place. Each flag `--a.b-c` is also the variable `CHAOSCOPE_A_B_C`.
//!
//! To add a flag: a field here with its `env`; what it does is written into `--help` by its doc comment.

mod api;
mod client;
mod cluster;
mod journal;
mod link;
mod node;
mod peers;
mod recording;
mod standalone;
mod web;

pub use api::{Api, Auth};
pub use client::{Doctor, Filters, Gate, MigrateDashboard, Moment, Runs, Server, Until};
pub use cluster::{ApiServer, Cluster, Find, Meaning, Record, Replay};
pub use journal::{Journal, JournalCommand, JournalFolder, MaxSize, Retention};
pub use link::Link;
pub use node::{Node, Rules};
pub use peers::{PeerDaemon, Peers};
pub use recording::{Recorded, Told};
pub use standalone::Standalone;
pub use web::Web;

use crate::node::runtime::{Endpoint, RuntimeChoice};
use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str = "What chaos is running on this host, whether it is really in the kernel, and whether it is really gone.";

const EXAMPLES: &str = "\
Examples:
  chaoscope standalone                        watch this host, remember its runs
  chaoscope node                              serve this host's state on :10765
  chaoscope snapshot                          print it once, as a table
  chaoscope snapshot --pod shop/web-0 --output json
  chaoscope check || echo 'chaos is still here'

A full view needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_SYS_PTRACE, or root.
Without them everything that can be seen is shown, and what cannot is named
together with the capability that would show it.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "chaoscope", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 120)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to log.
    #[command(flatten)]
    pub log: Log,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve this host's kernel state to Prometheus, and as a status page.
    ///
    /// Every scrape reads the kernel anew: tc, ipsets and packet filter rules of each pod's network namespace, helper processes and
    /// mounts that chaos tools leave behind. No tool is forked, nothing in the namespaces is changed, no API server is asked.
    #[command(after_help = "Serves /metrics, a status page on /, /healthz and /readyz.")]
    Node(Box<Node>),
    /// Watch this host and remember: every fault that appears and vanishes becomes a run. Needs no cluster.
    ///
    /// Sweeps all network namespaces every few seconds. netem, tbf, packet filter rules in the shapes chaos tools write, and the processes of
    /// such tools become runs with their parameters, whoever made them. The journal of runs outlives this process and what it saw.
    #[command(after_help = "Serves /api/v1/runs and more of the API, /metrics, a status page on /, /healthz and /readyz.")]
    Standalone(Box<Standalone>),
    /// Watch a cluster: every experiment, what became of it, and a journal of both; served as metrics, API, live stream and page.
    ///
    /// Of the API server it only gets, lists and watches (docs/cluster.md has the roles). What happened while it was down is rebuilt from
    /// the objects' own records.
    #[command(
        after_help = "Serves /metrics, the API on /api/v1, a status page on /, /healthz and /readyz; on 127.0.0.1 unless told otherwise."
    )]
    Cluster(Box<Cluster>),
    /// Tell a recording by its own clock, and serve what became of it: for demos, reports and tests.
    Replay(Box<Replay>),
    /// Write down what a live cluster says of chaos, to be replayed elsewhere. Stop with ctrl-c.
    Record(Box<Record>),
    /// Print what is on this host now.
    Snapshot(Snapshot),
    /// Ask whether chaos is on this host: exit code 0 no, 1 yes, 3 cannot tell.
    #[command(after_help = "\
Exit codes:
  0  no effective chaos state
  1  effective chaos state is there (listed); running chaos counts, for check does not know what was declared
  2  wrong usage
  3  could not tell: something could not be read (listed, with the remedy)")]
    Check(Check),
    /// List runs of a running Chaoscope, newest first.
    #[command(after_help = "\
Examples:
  chaoscope runs --from 2h                        what ran in the last two hours
  chaoscope runs --phase stuck --phase overdue    what needs somebody
  chaoscope runs --target-namespace shop --follow
  chaoscope runs --outcome '!recovered' --output json

Exit codes: 0 answered, 1 not answered, 2 wrong usage.")]
    Runs(Box<Runs>),
    /// Wait until an experiment is in force, has recovered, or left nothing behind: for pipelines and game days.
    ///
    /// Asks about the newest run of one experiment again and again. In force means configured in every target's kernel as declared, as the
    /// node roles found it; it is no claim about effect (docs/verdicts.md).
    #[command(after_help = "\
Examples:
  chaoscope gate -n shop -e slow-web --until in-force --wait 60s --since 5m
  chaoscope gate -n shop -e slow-web --until recovered --wait 10m
  chaoscope gate -n shop -e slow-web --until clean      nothing left that changes anything

Exit codes:
  0  yes
  1  no, and time is over
  2  wrong usage
  3  cannot tell: no node looked, the kind leaves nothing to see, or the server could not be asked")]
    Gate(Box<Gate>),
    /// Ask a running Chaoscope what of it works, and what would mend the rest.
    #[command(after_help = "Exit codes: 0 all is well, 1 something is wrong, 2 wrong usage, 3 could not ask.")]
    Doctor(Doctor),
    /// Let a Grafana dashboard that asks Chaos Mesh's old plugin ask Chaoscope's datasource, and say what was changed.
    #[command(after_help = "\
Examples:
  chaoscope migrate-dashboard board.json > new.json            the plugin alone; the datasource keeps its uid
  chaoscope migrate-dashboard board.json --uid chaoscope --in-place

Queries, variables and annotations run unchanged. Exit codes: 0 done, 1 not done, 2 wrong usage.")]
    MigrateDashboard(MigrateDashboard),
    /// Export, import or verify the journal of runs and events.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Print a completion script for a shell.
    Completion {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

/// Flags about reading, the same for every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reading")]
pub struct Look {
    /// Which container runtime to ask for names; without one, pods are known by uid only.
    #[arg(long, value_enum, default_value_t = RuntimeChoice::Auto, env = "CHAOSCOPE_RUNTIME")]
    pub runtime: RuntimeChoice,
    /// The runtime's socket, where it is not in the usual place.
    #[arg(long = "runtime.endpoint", value_name = "unix:///PATH", env = "CHAOSCOPE_RUNTIME_ENDPOINT")]
    pub runtime_endpoint: Option<Endpoint>,
    /// Folder under which the host's `run/` is mounted, when looking for the runtime's socket.
    #[arg(long = "path.host", value_name = "DIR", default_value = "/", env = "CHAOSCOPE_PATH_HOST")]
    pub path_host: PathBuf,
    /// The host's /proc.
    #[arg(long = "path.procfs", value_name = "DIR", default_value = "/proc", env = "CHAOSCOPE_PATH_PROCFS")]
    pub path_procfs: PathBuf,
    /// Folder with named network namespaces.
    #[arg(long = "path.netns", value_name = "DIR", default_value = "/run/netns", env = "CHAOSCOPE_PATH_NETNS")]
    pub path_netns: PathBuf,
    /// Read the host's own network namespace too (host-network pods live there).
    #[arg(long = "host-network", value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_HOST_NETWORK")]
    pub host_network: bool,
    /// Threads that visit namespaces.
    #[arg(
        long = "sweep.threads",
        value_name = "N",
        default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..=64),
        env = "CHAOSCOPE_SWEEP_THREADS"
    )]
    pub sweep_threads: u16,
}

/// Flags of `chaoscope snapshot`.
#[derive(Debug, Args)]
pub struct Snapshot {
    /// Reading.
    #[command(flatten)]
    pub look: Look,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text, env = "CHAOSCOPE_OUTPUT")]
    pub output: Output,
    /// Only this pod.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = pod)]
    pub pod: Option<(String, String)>,
    /// List the members of ipsets too (JSON only).
    #[arg(long)]
    pub members: bool,
    /// How long it may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, env = "CHAOSCOPE_TIMEOUT")]
    pub timeout: Duration,
}

/// How a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[value(alias = "table")]
    Text,
    /// One document, for scripts.
    Json,
}

/// Flags of `chaoscope check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Reading.
    #[command(flatten)]
    pub look: Look,
    /// How to print.
    #[arg(long, value_enum, default_value_t = Output::Text, env = "CHAOSCOPE_OUTPUT")]
    pub output: Output,
    /// Leave the host's own network namespace out, which `check` looks at unlike the other commands.
    #[arg(long = "skip-host-network", value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_SKIP_HOST_NETWORK")]
    pub skip_host_network: bool,
    /// How long it may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, env = "CHAOSCOPE_TIMEOUT")]
    pub timeout: Duration,
}

/// Flags about logging, the same for every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct Log {
    /// Lowest level that is logged.
    #[arg(long = "log.level", value_enum, default_value_t = LogLevel::Info, global = true, env = "CHAOSCOPE_LOG_LEVEL")]
    pub level: LogLevel,
    /// Format of log lines, on standard error.
    #[arg(long = "log.format", value_enum, default_value_t = LogFormat::Logfmt, global = true, env = "CHAOSCOPE_LOG_FORMAT")]
    pub format: LogFormat,
}

/// Log levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // the names say it
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Log formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `key=value` pairs.
    Logfmt,
    /// One JSON object a line.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| format!("{text:?} is no duration: write 500ms, 10s or 1m"))?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".to_owned())
}

fn pod(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("write NAMESPACE/NAME, such as shop/web-0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    /// Flags that make sense only for one call.
    const WITHOUT_VARIABLE: [&str; 8] = ["pod", "members", "help", "version", "shell", "uid", "migrated", "in_place"];

    #[test]
    fn every_flag_has_its_environment_variable() {
        let all = Arguments::command();
        let commands = all.get_subcommands().flat_map(|command| std::iter::once(command).chain(command.get_subcommands()));
        for command in commands {
            let lasting = |argument: &&clap::Arg| {
                !WITHOUT_VARIABLE.contains(&argument.get_id().as_str()) && argument.get_help_heading() != Some(client::WHICH)
            };
            for argument in command.get_arguments().filter(lasting) {
                let Some(flag) = argument.get_long() else { continue };
                let wanted = format!("CHAOSCOPE_{}", flag.to_uppercase().replace(['.', '-'], "_"));
                assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(wanted.as_str()), "--{flag}");
            }
        }
    }

    #[test]
    fn values_are_checked_where_they_come_in() {
        assert_eq!(duration("1m"), Ok(Duration::from_mins(1)));
        assert!(duration("-1s").is_err() && duration("soon").is_err());
        assert!(pod("a/b").is_ok() && pod("a").is_err() && pod("/b").is_err() && pod("a/b/c").is_err());
    }
}
