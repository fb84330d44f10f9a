//! Flags of `chaoscope node`.
//!
//! Apart from those that every command about this host has.

use super::{Link, Look, PeerDaemon, Web};
use crate::scrape::Upstream;
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

/// Flags of `chaoscope node`.
#[derive(Debug, Args)]
pub struct Node {
    /// Serving.
    #[command(flatten)]
    pub web: Web,
    /// Reading.
    #[command(flatten)]
    pub look: Look,
    /// Which rules and namespaces are exposed as metrics.
    #[arg(long, value_enum, default_value_t = Rules::Chaos, env = "CHAOSCOPE_RULES", help_heading = "Metrics")]
    pub rules: Rules,
    /// Whether chaos-daemon's own metric names (`chaos_daemon_*`) are exposed too. Switch off where chaos-daemon itself is scraped.
    #[arg(long, value_enum, default_value_t = Upstream::On, env = "CHAOSCOPE_UPSTREAM_NAMES", help_heading = "Metrics")]
    pub upstream_names: Upstream,
    /// Expose this host's load, CPU, memory, disks and network too, under `node_exporter`'s names.
    #[arg(long = "source.host", value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_SOURCE_HOST", help_heading = "Metrics")]
    pub source_host: bool,
    /// This node's chaos-daemon.
    #[command(flatten)]
    pub peer: PeerDaemon,
    /// The cluster role.
    #[command(flatten)]
    pub link: Link,
}

/// Which rules and namespaces are exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rules {
    /// Namespaces with chaos-like state, and of those the chains and sets chaos tools make.
    Chaos,
    /// Every namespace, chain and set. Mind the number of series.
    All,
}
