//! Flags about the node role's one connection: which cluster role tells it what is declared, and as whom it asks.
//!
//! Apart from the commands' flags about a server (`client`), which have other names for the same things.

use clap::Args;
use std::path::PathBuf;

/// Flags about the connection to the cluster role.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Cluster")]
pub struct Link {
    /// Address of `chaoscope cluster`, which tells what is declared for the pods of this node and is told what was found; needs --node-name.
    ///
    /// Pods with a declared fault are then visited every two seconds, and each fault has a verdict: in force, drifted, missing or unknown.
    /// Without it this node is read at each scrape and nothing is compared.
    #[arg(long = "cluster.url", value_name = "URL", env = "CHAOSCOPE_CLUSTER_URL")]
    pub url: Option<String>,
    /// File with the token to show there; read again with each request, for a projected token changes.
    #[arg(long = "cluster.token-file", value_name = "FILE", requires = "url", env = "CHAOSCOPE_CLUSTER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the certificates to trust there instead of this host's (PEM); read again with each connection.
    #[arg(long = "cluster.ca-file", value_name = "FILE", requires = "url", env = "CHAOSCOPE_CLUSTER_CA_FILE")]
    pub ca_file: Option<PathBuf>,
    /// Name of this node in the cluster (`kubectl get nodes`); in a pod from the field `spec.nodeName`, for a pod's host name is its own.
    #[arg(long = "node-name", value_name = "NAME", value_parser = node_name, env = "CHAOSCOPE_NODE_NAME")]
    pub node_name: Option<String>,
}

impl Link {
    /// Whom to ask as which node; nothing where nobody is to be asked.
    pub fn ends(&self) -> Result<Option<(&str, &str)>, String> {
        match (&self.url, &self.node_name) {
            (Some(url), Some(node)) => Ok(Some((url, node))),
            (Some(_), None) => {
                Err("--cluster.url is given without --node-name: name the node this runs on as the cluster knows it; in a pod \
                                    set CHAOSCOPE_NODE_NAME from the field spec.nodeName, for a pod's host name is its own"
                    .to_owned())
            }
            (None, _) => Ok(None),
        }
    }
}

/// A node's name is a DNS subdomain (RFC 1123), as Kubernetes has it.
fn node_name(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |text: &str| text.starts_with(['-', '.']) || text.ends_with(['-', '.']);
    if (1..=253).contains(&text.len()) && text.bytes().all(plain) && !ends(text) {
        Ok(text.to_owned())
    } else {
        Err("write the name `kubectl get nodes` shows: small letters, digits, '-' and '.'".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Arguments, Command};
    use super::*;
    use clap::Parser as _;

    #[test]
    fn a_connection_needs_the_name_of_the_node() {
        let parse = |words: &[&str]| match Arguments::try_parse_from(["chaoscope", "node"].iter().chain(words)).map(|it| it.command) {
            Ok(Command::Node(node)) => Ok(node.link),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        };
        assert!(parse(&["--cluster.url=http://c:10765"]).unwrap().ends().unwrap_err().contains("spec.nodeName"));
        let whole = parse(&["--cluster.url=http://c:10765", "--node-name=n-1.example"]).unwrap();
        assert_eq!(whole.ends(), Ok(Some(("http://c:10765", "n-1.example"))));
        assert_eq!(parse(&["--node-name=n-1.example"]).unwrap().ends(), Ok(None));
        assert!(parse(&["--cluster.token-file=/t"]).unwrap_err().contains("--cluster.url"));
        for name in ["", "a/b", "A", "-a", "a.", &"a".repeat(254)] {
            assert!(node_name(name).is_err(), "{name}");
        }
    }
}
