//! Flags of `chaoscope standalone`.
//!
//! Apart from `node`, whose other flags it shares, because it listens on this host alone unless told otherwise, sweeps by a timer and keeps a
//! journal.

use super::journal::Journal;
use super::{Api, Look, Rules, Web, duration};
use crate::scrape::Upstream;
use clap::Args;
use clap::builder::FalseyValueParser;
use std::time::Duration;

/// Where it listens unless told otherwise: what it shows is for whoever is on this host.
const LOOPBACK: &str = "127.0.0.1:10765";

/// Flags of `chaoscope standalone`.
#[derive(Debug, Args)]
#[command(mut_arg("listen_address", |it| it.default_value(LOOPBACK)))]
pub struct Standalone {
    /// Serving.
    #[command(flatten)]
    pub web: Web,
    /// Reading.
    #[command(flatten)]
    pub look: Look,
    /// Time between two sweeps of this host. What comes and goes in between is not seen.
    #[arg(
        long = "sweep.interval",
        value_name = "DURATION",
        default_value = "2s",
        value_parser = interval,
        env = "CHAOSCOPE_SWEEP_INTERVAL",
        help_heading = "Reading"
    )]
    pub sweep_interval: Duration,
    /// Who may see what.
    #[command(flatten)]
    pub api: Api,
    /// What is remembered.
    #[command(flatten)]
    pub journal: Journal,
    /// Which rules and namespaces are exposed as metrics.
    #[arg(long, value_enum, default_value_t = Rules::Chaos, env = "CHAOSCOPE_RULES", help_heading = "Metrics")]
    pub rules: Rules,
    /// Whether chaos-daemon's own metric names (`chaos_daemon_*`) are exposed too.
    #[arg(long, value_enum, default_value_t = Upstream::On, env = "CHAOSCOPE_UPSTREAM_NAMES", help_heading = "Metrics")]
    pub upstream_names: Upstream,
    /// Expose this host's load, CPU, memory, disks and network too, under `node_exporter`'s names.
    #[arg(long = "source.host", value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_SOURCE_HOST", help_heading = "Metrics")]
    pub source_host: bool,
}

/// Faults of seconds are to be seen, and a host must not be busy with being looked at.
fn interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    let allowed = Duration::from_millis(100)..=Duration::from_hours(1);
    if allowed.contains(&interval) { Ok(interval) } else { Err("write a duration from 100ms to 1h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser as _;

    fn parsed(words: &[&str]) -> Standalone {
        let arguments = Arguments::try_parse_from([&["chaoscope", "standalone"], words].concat()).unwrap();
        let Command::Standalone(flags) = arguments.command else { panic!("another command") };
        *flags
    }

    #[test]
    fn it_listens_on_this_host_alone_unless_told_otherwise() {
        assert_eq!(parsed(&[]).web.listen_address, [LOOPBACK]);
        assert_eq!(parsed(&["--web.listen-address=:1"]).web.listen_address, [":1"]);
        let node = Arguments::try_parse_from(["chaoscope", "node"]).unwrap();
        assert!(matches!(node.command, Command::Node(node) if node.web.listen_address == [":10765"]));
    }

    #[test]
    fn it_sweeps_every_two_seconds_and_never_without_a_pause() {
        assert_eq!(parsed(&[]).sweep_interval, Duration::from_secs(2));
        assert!(interval("100ms").is_ok() && interval("0s").is_err() && interval("2h").is_err() && interval("often").is_err());
    }
}
