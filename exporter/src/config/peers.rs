//! Flags about the components of Chaos Mesh and their own metrics: a node's daemon, and those of a cluster.

use crate::peers::find::{Component, Peer};
use crate::peers::timer;
use clap::Args;

/// Flags about this node's chaos-daemon.
#[derive(Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct PeerDaemon {
    /// Ask this node's chaos-daemon for its own metrics, every five minutes: the calls it answered and the processes it looks after.
    ///
    /// Each time, it starts three tools for every container of the node: some 12 ms of CPU per container, 1.3 s for 110. Without a value
    /// `http://127.0.0.1:31766/metrics` is asked, which is there on the host's network; elsewhere give the node's address.
    #[arg(
        long = "peer.daemon",
        value_name = "URL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        value_parser = daemon,
        env = "CHAOSCOPE_PEER_DAEMON"
    )]
    pub daemon: Option<Peer>,
}

/// Flags about the components of a cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Metrics")]
pub struct Peers {
    /// Ask this component for its own metrics too; may be repeated. COMPONENT is controller-manager, dashboard or dns-server.
    ///
    /// Pods of Chaos Mesh are found by their labels; this is for what has none, or runs elsewhere.
    #[arg(long = "peer", value_name = "COMPONENT=URL", value_delimiter = ',', value_parser = component, env = "CHAOSCOPE_PEER")]
    pub fixed: Vec<Peer>,
}

/// An address, or `on` for the usual one, which a variable can say too.
fn daemon(text: &str) -> Result<Peer, String> {
    let url = if text == "on" { timer::URL } else { text };
    let peer = Peer::at(Component::Daemon, url).map_err(|wrong| wrong.to_string())?;
    Ok(Peer { name: Component::Daemon.as_str().to_owned(), ..peer })
}

/// Whoever may be asked by scrapes.
fn component(text: &str) -> Result<Peer, String> {
    match text.parse::<Peer>().map_err(|wrong| wrong.to_string())? {
        Peer { component: Component::Daemon, .. } => {
            Err("a daemon is asked by the node role of its own node, with --peer.daemon".to_owned())
        }
        peer => Ok(peer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_where_they_come_in() {
        assert_eq!(daemon("on").map(|peer| (peer.name, peer.url.to_string())), Ok(("chaos-daemon".into(), timer::URL.into())));
        assert!(daemon("http://10.0.0.7:31766").is_ok() && daemon("https://10.0.0.7:31766").is_err() && daemon("").is_err());
        assert!(component("dashboard=http://a:2334").is_ok() && component("daemon=http://a:31766").is_err() && component("a").is_err());
    }
}
