//! Why callers cannot be told apart the way the flags want it: one line each, naming the remedy.
//!
//! Apart because the flags, the token files and the client each raise it. No message holds a token.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Wrong usage of `--api.*`; for the start of the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Everybody on the network would see everything.
    #[error(
        "--api.auth=none on {0}, which other hosts may reach: choose --api.auth=token or --api.auth=kubernetes, listen on 127.0.0.1 only \
         (--web.listen-address), or let everybody see every run with --api.allow-anonymous"
    )]
    Anonymous(SocketAddr),
    /// Tokens are wanted, and there is no file of them.
    #[error("--api.auth=token needs --api.token-file=FILE, a file with one token a line")]
    NoFile,
    /// Files of tokens that nobody would look at.
    #[error("--api.token-file is for --api.auth=token alone: add that, or leave the file out")]
    UnusedFile,
    /// A file of nodes' tokens that nobody would look at.
    #[error("--api.node-token-file is for --api.auth=token alone: add that, or leave the file out")]
    UnusedNodeFile,
    /// No account.
    #[error("--api.node-account is not of the form NAMESPACE/NAME, such as chaoscope/chaoscope-node")]
    Account,
    /// A line that is no node and token.
    #[error("node token file {}, line {line}: write a node's name, a blank and its token; the name * stands for every node", file.display())]
    NodeLine {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// One header cannot carry both.
    #[error(
        "--api.auth={0} and basic_auth_users of --web.config.file both need the Authorization header: keep one of them \
         (client certificates, client_auth_type, go with either)"
    )]
    TwoHeaders(&'static str),
    /// There is nobody to ask.
    #[error("--api.auth=kubernetes needs an API server to ask, and only `chaoscope cluster` has one: choose --api.auth=token")]
    NoCluster,
    /// A token file cannot be read.
    #[error("token file {}: cannot be read; check that it exists, that this user may read it, and that it has at most 1 MiB", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line that is no token.
    #[error("token file {}, line {line}: not a token; write one a line, of visible ASCII without blanks, at most 16 KiB", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Nobody could ever come in.
    #[error("the files of --api.token-file hold no token; write one a line, such as the output of `openssl rand -hex 32`")]
    NoTokens,
    /// More tokens than are compared.
    #[error("the files of --api.token-file hold more than {0} tokens; remove those no longer used")]
    TooMany(usize),
}
