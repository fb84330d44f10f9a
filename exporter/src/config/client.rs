//! Flags of the commands that ask a running Chaoscope: `runs`, `doctor`.
//!
//! Apart from the flags of whoever serves. To add a parameter that filters: a field of [`Filters`] and a line in [`Filters::pairs`]; a test
//! holds both against the model's list.

use super::{Output, duration};
use chaoscope_model::query::FIELDS;
use clap::Args;
use clap::builder::FalseyValueParser;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

/// Heading of the flags that make sense for one call only, and so have no environment variable.
pub(super) const WHICH: &str = "Which runs";

/// Flags of `chaoscope runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// Whom to ask.
    #[command(flatten)]
    pub server: Server,
    /// Which runs.
    #[command(flatten)]
    pub filters: Filters,
    /// How to print. JSON is the API's own answer; with --follow one object a line.
    #[arg(long, value_enum, default_value_t = Output::Text, env = "CHAOSCOPE_OUTPUT")]
    pub output: Output,
    /// Go on with every change, until interrupted.
    #[arg(long, value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_FOLLOW")]
    pub follow: bool,
}

/// Flags of `chaoscope doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Whom to ask.
    #[command(flatten)]
    pub server: Server,
    /// How to print. JSON is the API's own answer.
    #[arg(long, value_enum, default_value_t = Output::Text, env = "CHAOSCOPE_OUTPUT")]
    pub output: Output,
}

/// Flags of `chaoscope gate`.
#[derive(Debug, Args)]
pub struct Gate {
    /// Whom to ask.
    #[command(flatten)]
    pub server: Server,
    /// Namespace of the experiment.
    #[arg(long, short, value_parser = exact, help_heading = WHICH)]
    pub namespace: String,
    /// Name of the experiment.
    #[arg(long, short, value_name = "NAME", value_parser = exact, help_heading = WHICH)]
    pub experiment: String,
    /// Its kind, such as `NetworkChaos`; needed where several kinds have the name.
    #[arg(long, short, value_parser = exact, help_heading = WHICH)]
    pub kind: Option<String>,
    /// Only runs that began since: an RFC 3339 time, or how long ago by the server's clock (`5m`). Keeps an older run of the same name out.
    #[arg(long, value_name = "TIME", value_parser = moment, help_heading = WHICH)]
    pub since: Option<Moment>,
    /// What to wait for.
    #[arg(long, value_enum, help_heading = WHICH)]
    pub until: Until,
    /// How long to wait for it; 0s asks once.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, env = "CHAOSCOPE_WAIT")]
    pub wait: Duration,
    /// How to print the last word.
    #[arg(long, value_enum, default_value_t = Output::Text, env = "CHAOSCOPE_OUTPUT")]
    pub output: Output,
}

/// What `chaoscope gate` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Until {
    /// Every target has the fault in its kernel as declared.
    InForce,
    /// The newest run ended well.
    Recovered,
    /// It ended, and a node looked at every target since and found nothing left that changes anything.
    Clean,
}

impl Until {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Recovered => "recovered",
            Self::Clean => "clean",
        }
    }
}

/// A name, and no pattern: what a gate says is about one experiment.
fn exact(text: &str) -> Result<String, String> {
    let pattern = text.is_empty() || text.contains('*') || text.starts_with(['~', '!']);
    if pattern { Err("give one name, not a pattern".to_owned()) } else { Ok(text.to_owned()) }
}

/// Flags of `chaoscope migrate-dashboard`.
#[derive(Debug, Args)]
pub struct MigrateDashboard {
    /// The dashboard's JSON, as Grafana exports it; `-` for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Uid of Chaoscope's datasource, where it is not the old one's.
    #[arg(long, value_name = "UID", value_parser = uid)]
    pub uid: Option<String>,
    /// Where to write it instead of to standard output.
    #[arg(id = "migrated", long = "output", value_name = "FILE", conflicts_with = "in_place")]
    pub output: Option<PathBuf>,
    /// Write it over the file.
    #[arg(long)]
    pub in_place: bool,
}

/// What Grafana takes as a uid (its `util.IsValidShortUID`): at most 40 letters, digits, `-` and `_`.
fn uid(text: &str) -> Result<String, String> {
    let sound = (1..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if sound { Ok(text.to_owned()) } else { Err("a uid has 1 to 40 letters, digits, - and _".to_owned()) }
}

/// Flags about whom to ask.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// Address of a running `chaoscope cluster`, `standalone` or `replay`.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10765", env = "CHAOSCOPE_SERVER")]
    pub server: String,
    /// File with the token to show; read again with each request.
    #[arg(long = "token-file", value_name = "FILE", env = "CHAOSCOPE_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the certificates to trust instead of this host's (PEM).
    #[arg(long = "tls.ca-file", value_name = "FILE", env = "CHAOSCOPE_TLS_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// How long one answer may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration, env = "CHAOSCOPE_TIMEOUT")]
    pub timeout: Duration,
}

/// Which runs. A value may hold `*`, begin with `~` (regular expression) or `!` (not); repeated flags are alternatives.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = WHICH)]
pub struct Filters {
    /// Runs that end later: an RFC 3339 time, or how long ago by the server's clock (`2h`). The last hour by default.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Moment>,
    /// Runs that start earlier: an RFC 3339 time, or how long ago. Now by default.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub to: Option<Moment>,
    /// At most so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// `chaos-mesh`, `krkn`, `kernel`, …
    #[arg(long)]
    pub tool: Vec<String>,
    /// Name of the cluster.
    #[arg(long)]
    pub cluster: Vec<String>,
    /// Kind of the experiment, such as `NetworkChaos`.
    #[arg(long)]
    pub kind: Vec<String>,
    /// Namespace of the experiment.
    #[arg(long, short)]
    pub namespace: Vec<String>,
    /// Name of the experiment.
    #[arg(long)]
    pub name: Vec<String>,
    /// `selecting`, `injecting`, `running`, `recovering` or `finished`; also `stuck` and `overdue`.
    #[arg(long)]
    pub phase: Vec<String>,
    /// How it ended: `recovered`, `completed`, `no_targets`, `injection_failed`, `recovery_failed`, `forced` or `lost`.
    #[arg(long)]
    pub outcome: Vec<String>,
    /// Namespace of a target.
    #[arg(long = "target-namespace", value_name = "NAMESPACE")]
    pub target_namespace: Vec<String>,
    /// Pod that is a target.
    #[arg(long = "target-pod", value_name = "POD")]
    pub target_pod: Vec<String>,
    /// Node of a target.
    #[arg(long = "target-node", value_name = "NODE")]
    pub target_node: Vec<String>,
    /// Workload of a target.
    #[arg(long = "target-workload", value_name = "WORKLOAD")]
    pub target_workload: Vec<String>,
    /// Label of the experiment.
    #[arg(long, value_name = "KEY=VALUE")]
    pub label: Vec<String>,
    /// Reason of an event; with --follow.
    #[arg(long)]
    pub reason: Vec<String>,
    /// `Normal` or `Warning`: of an event; with --follow.
    #[arg(long = "type", value_name = "TYPE")]
    pub severity: Vec<String>,
    /// Found anywhere in names, parameters and messages.
    #[arg(long)]
    pub text: Vec<String>,
    /// Any parameter of the API, by its own name.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub filter: Vec<(String, String)>,
}

/// A time that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As it was told.
    At(Timestamp),
    /// So long before now, whatever time that is where it is asked: a replay's clock is the recording's.
    Ago(SignedDuration),
}

impl Moment {
    /// Which time that is.
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl Filters {
    /// What filters, as parameters of the API. Time and page are not among them.
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        let flags = [
            ("tool", &self.tool),
            ("cluster", &self.cluster),
            ("kind", &self.kind),
            ("namespace", &self.namespace),
            ("name", &self.name),
            ("phase", &self.phase),
            ("outcome", &self.outcome),
            ("target_namespace", &self.target_namespace),
            ("target_pod", &self.target_pod),
            ("target_node", &self.target_node),
            ("target_workload", &self.target_workload),
            ("label", &self.label),
            ("reason", &self.reason),
            ("type", &self.severity),
            ("text", &self.text),
        ];
        let flags = flags.into_iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
        flags.chain(self.filter.iter().map(|(name, value)| (name.as_str(), value.as_str()))).collect()
    }
}

/// `2026-01-01T00:00:00Z`, or how long ago: `2h`, `90m`.
fn moment(text: &str) -> Result<Moment, String> {
    if let Ok(at) = text.parse() {
        return Ok(Moment::At(at));
    }
    let ago: SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no time: write 2026-01-31T12:00:00Z, or how long ago, such as 2h or 90m"))?;
    let ago = ago.abs();
    Timestamp::UNIX_EPOCH.checked_sub(ago).map_err(|_| "that is before all times".to_owned())?;
    Ok(Moment::Ago(ago))
}

/// `key=value`, with a key the API knows.
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, such as kind=NetworkChaos")?;
    if key == "text" || FIELDS.contains(&key) {
        return Ok((key.to_owned(), value.to_owned()));
    }
    Err(format!("there is no parameter {key:?}; allowed are {}, text", FIELDS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser as _;

    fn parsed(words: &[&str]) -> Runs {
        let words = ["chaoscope", "runs"].iter().chain(words);
        match Arguments::try_parse_from(words).unwrap().command {
            Command::Runs(runs) => *runs,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_parameter_of_the_api_is_a_flag() {
        let names: Vec<_> = FIELDS.into_iter().chain(["text"]).collect();
        let words: Vec<_> = names.iter().map(|name| format!("--{}=a=b", name.replace('_', "-"))).collect();
        let runs = parsed(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(runs.filters.pairs(), names.iter().map(|name| (*name, "a=b")).collect::<Vec<_>>());
        let runs = parsed(&["--filter=kind=A", "--filter=kind=!B", "-n", "shop"]);
        assert_eq!(runs.filters.pairs(), [("namespace", "shop"), ("kind", "A"), ("kind", "!B")]);
        assert!(pair("nmae=x").unwrap_err().contains("target_workload") && pair("kind").is_err());
    }

    #[test]
    fn times_are_told_or_counted_back() {
        let now = Timestamp::from_second(10_000).unwrap();
        assert_eq!(moment("2026-01-01T00:00:00.5Z").unwrap().at(now).as_millisecond(), 1_767_225_600_500);
        for ago in ["2h", "-2h"] {
            assert_eq!(moment(ago).unwrap().at(now), Timestamp::from_second(2800).unwrap());
        }
        assert!(moment("9000000h").is_ok() && moment("900000000h").is_err());
        assert!(moment("yesterday").unwrap_err().contains("2h or 90m"));
    }
}
