//! Flags of `chaoscope cluster`, `record` and `replay`: which API server, which of its namespaces, and what its objects mean.
//!
//! Apart from the host's roles, which know no API server.

use super::journal::Journal;
use super::recording::{Recorded, Told};
use super::{Api, Peers, Web};
use crate::cluster::api::Whereabouts;
use crate::scrape::Upstream;
use crate::tools::chaos_mesh::decode::Decoding;
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use std::path::PathBuf;

/// Where it listens unless told otherwise: what it shows is for whoever is on this host.
const LOOPBACK: &str = "127.0.0.1:10765";

/// Flags of `chaoscope cluster`.
#[derive(Debug, Args)]
#[command(mut_arg("listen_address", |it| it.default_value(LOOPBACK)))]
pub struct Cluster {
    /// Serving.
    #[command(flatten)]
    pub web: Web,
    /// Who may see what.
    #[command(flatten)]
    pub api: Api,
    /// Which API server.
    #[command(flatten)]
    pub server: ApiServer,
    /// What objects mean.
    #[command(flatten)]
    pub meaning: Meaning,
    /// What is remembered.
    #[command(flatten)]
    pub journal: Journal,
    /// Whether Chaos Mesh's own metric names (`chaos_controller_manager_*`) are exposed too. Switch off where its controller is scraped.
    #[arg(long, value_enum, default_value_t = Upstream::On, env = "CHAOSCOPE_UPSTREAM_NAMES", help_heading = "Metrics")]
    pub upstream_names: Upstream,
    /// Components of Chaos Mesh whose own metrics are passed through: those with its labels (`labels`), or none but those of --peer
    /// (`listed`).
    #[arg(long = "peer.find", value_enum, default_value_t = Find::Labels, env = "CHAOSCOPE_PEER_FIND", help_heading = "Metrics")]
    pub peer_find: Find,
    /// Components by their addresses.
    #[command(flatten)]
    pub peers: Peers,
}

/// How components are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Find {
    /// By the labels of Chaos Mesh's chart.
    Labels,
    /// Not at all.
    Listed,
}

/// Flags about the API server.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ApiServer {
    /// A kubeconfig. By default $KUBECONFIG, ~/.kube/config, or what the pod we run in is given.
    #[arg(long, value_name = "FILE", env = "CHAOSCOPE_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; by default its current one.
    #[arg(long = "kube-context", value_name = "NAME", env = "CHAOSCOPE_KUBE_CONTEXT")]
    pub context: Option<String>,
    /// Watch these namespaces only, for which Roles are enough; may be repeated. By default the whole cluster, which needs a `ClusterRole`.
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',', env = "CHAOSCOPE_NAMESPACES")]
    pub namespaces: Vec<String>,
}

/// Flags about what objects mean.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Meaning {
    /// Name of the cluster: part of every run and its id. Choose it before the first run; empty is a name, too.
    #[arg(long = "cluster-name", value_name = "NAME", default_value = "", env = "CHAOSCOPE_CLUSTER_NAME")]
    pub cluster_name: String,
    /// Time zone of Chaos Mesh's controller, in which schedules are meant: UTC, Europe/Berlin, …. By default what its pod says, else
    /// unknown, and then nothing is said about slots that depend on it.
    #[arg(long = "controller.time-zone", value_name = "ZONE", value_parser = zone, env = "CHAOSCOPE_CONTROLLER_TIME_ZONE")]
    pub time_zone: Option<TimeZone>,
    /// An annotation that tells who started an experiment; may be repeated, the first one found is shown. Without it, or where it is not set, the
    /// field manager that made the object is shown. No other annotation ever is.
    #[arg(long = "started-by.annotation", value_name = "KEY", value_delimiter = ',', env = "CHAOSCOPE_STARTED_BY_ANNOTATION")]
    pub started_by: Vec<String>,
}

/// Flags of `chaoscope replay`.
#[derive(Debug, Args)]
#[command(mut_arg("listen_address", |it| it.default_value(LOOPBACK)))]
pub struct Replay {
    /// Which recording, and how fast.
    #[command(flatten)]
    pub told: Told,
    /// Serving.
    #[command(flatten)]
    pub web: Web,
    /// Who may see what.
    #[command(flatten)]
    pub api: Api,
    /// What objects mean.
    #[command(flatten)]
    pub meaning: Meaning,
}

/// Flags of `chaoscope record`.
#[derive(Debug, Args)]
pub struct Record {
    /// Where to.
    #[command(flatten)]
    pub recorded: Recorded,
    /// Which API server.
    #[command(flatten)]
    pub server: ApiServer,
}

impl ApiServer {
    /// What the cluster's client is told.
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }
}

impl Meaning {
    /// What decoding is told.
    pub fn decoding(&self) -> Decoding {
        Decoding { started_by: self.started_by.clone() }
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("{name:?} is no time zone: write UTC, or a name such as Europe/Berlin"))
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use clap::Parser as _;

    #[test]
    fn lists_are_repeated_or_separated_by_commas() {
        let words = ["chaoscope", "cluster", "--namespaces=shop,lab", "--namespaces=db", "--controller.time-zone=Europe/Berlin"];
        let Command::Cluster(flags) = Arguments::try_parse_from(words).unwrap().command else { panic!("another command") };
        assert_eq!(flags.server.namespaces, ["shop", "lab", "db"]);
        assert!(flags.meaning.time_zone.is_some());
        assert!(Arguments::try_parse_from(["chaoscope", "cluster", "--controller.time-zone=Nowhere"]).is_err());
    }
}
