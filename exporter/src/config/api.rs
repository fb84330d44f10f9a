//! Flags of `--api.*`: whom the API asks who may see what.
//!
//! Apart because every command that serves runs takes them, and `node` does not. What they mean together is in `serve::access`.

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Flags about who may see what.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "API")]
pub struct Api {
    /// Who is asked what a caller of the API may see; /metrics and health follow --web.config.file only.
    #[arg(long = "api.auth", value_name = "WHO", value_enum, default_value_t = Auth::None, env = "CHAOSCOPE_API_AUTH")]
    pub auth: Auth,
    /// Let everybody see everything on addresses that other hosts reach too (with --api.auth=none).
    #[arg(long = "api.allow-anonymous", value_parser = FalseyValueParser::new(), env = "CHAOSCOPE_API_ALLOW_ANONYMOUS")]
    pub allow_anonymous: bool,
    /// File with one token a line, for --api.auth=token; may be repeated. Read again when it changes.
    #[arg(long = "api.token-file", value_name = "FILE", value_delimiter = ',', env = "CHAOSCOPE_API_TOKEN_FILE")]
    pub token_file: Vec<PathBuf>,
    /// File with lines `NODE TOKEN`, for --api.auth=token: who has the token acts for that node (`chaoscope node --cluster.token-file`), and for
    /// nothing else; NODE may be * for all. May be repeated. Read again when it changes.
    #[arg(long = "api.node-token-file", value_name = "FILE", value_delimiter = ',', env = "CHAOSCOPE_API_NODE_TOKEN_FILE")]
    pub node_token_file: Vec<PathBuf>,
    /// Service account of the node roles, for --api.auth=kubernetes: its tokens act for the node their pod runs on.
    #[arg(
        long = "api.node-account",
        value_name = "NAMESPACE/NAME",
        default_value = NODE_ACCOUNT,
        env = "CHAOSCOPE_API_NODE_ACCOUNT"
    )]
    pub node_account: String,
}

/// The account the manifests give node roles.
const NODE_ACCOUNT: &str = "chaoscope/chaoscope-node";

impl Default for Api {
    fn default() -> Self {
        Self {
            auth: Auth::default(),
            allow_anonymous: false,
            token_file: Vec::new(),
            node_token_file: Vec::new(),
            node_account: NODE_ACCOUNT.to_owned(),
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// Nobody: every caller sees everything. On loopback addresses, elsewhere only with --api.allow-anonymous.
    #[default]
    None,
    /// The files of --api.token-file: whoever has one of their tokens sees everything.
    Token,
    /// The API server: a caller sees the runs of what it may list itself.
    Kubernetes,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        api: Api,
    }

    #[test]
    fn the_flags_are_as_documented() {
        Line::command().debug_assert();
        let api =
            |line: &[&str]| Line::try_parse_from([&["chaoscope"], line].concat()).map(|line| line.api).map_err(|error| error.to_string());
        let default = api(&[]).expect("no flag is needed");
        assert_eq!((default.auth, default.allow_anonymous, default.token_file.len()), (Auth::None, false, 0));
        let files = api(&["--api.auth=token", "--api.token-file=a", "--api.token-file", "b,c"]).expect("good");
        assert_eq!((files.auth, files.token_file), (Auth::Token, ["a", "b", "c"].map(PathBuf::from).to_vec()));
        assert!(api(&["--api.allow-anonymous"]).is_ok_and(|api| api.allow_anonymous));
        assert!(api(&["--api.auth=kerberos"]).is_err_and(|error| error.contains("kubernetes") && error.contains("token")));
    }

    #[test]
    fn every_flag_has_its_variable() {
        for argument in Line::command().get_arguments() {
            let Some(flag) = argument.get_long().filter(|flag| flag.starts_with("api.")) else { continue };
            let wanted = format!("CHAOSCOPE_{}", flag.to_uppercase().replace(['.', '-'], "_"));
            assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(wanted.as_str()), "--{flag}");
        }
    }
}
