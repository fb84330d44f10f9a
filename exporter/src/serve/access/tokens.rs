//! `--api.token-file` and `--api.node-token-file`: the tokens that open everything, and those of nodes, kept as digests, read again when a file
//! changed.
//!
//! Apart from Kubernetes' tokens (`reviews`): these are compared here. A file that cannot be read any more opens nothing, since a token may
//! have been taken away with it; that is told, unlike an unknown token.

use super::super::episode::Episode;
use super::super::web_config::{Stamp, read_limited};
use super::bearer::{Bearer, Digest, digest, is_token};
use super::{Denied, Error};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use subtle::{Choice, ConstantTimeEq as _};

/// Most tokens of all files together; each is compared at every request.
const MOST: usize = 1000;

/// Most tokens of nodes of all files together.
const MOST_NODES: usize = 10_000;
/// Stands for every node.
const ANY: &str = "*";

/// The tokens that open everything.
pub(super) struct Tokens(Arc<Files<Digest>>);

/// The tokens of nodes: each with the name of its node.
pub(super) struct NodeTokens(Arc<Files<(Digest, String)>>);

/// The files, and what was in them.
struct Files<T> {
    paths: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> Result<Vec<T>, Error>,
    version: Mutex<Arc<Version<T>>>,
    /// Held while reading, so that many requests at once read a change only once.
    turn: Mutex<()>,
    broken: Episode,
}

/// One look at the files.
struct Version<T> {
    stamps: Vec<Stamp>,
    /// `None`: they could not be read.
    entries: Option<Vec<T>>,
}

impl Tokens {
    /// Reads the files. At the start of the program a file without tokens is a mistake; later it closes the door.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Self, Error> {
        Ok(Self(Files::open(files, read)?))
    }

    /// Whether a token is one of the files'. The files are read off the async threads.
    pub(super) async fn admit(&self, bearer: &Bearer) -> Result<(), Denied> {
        let version = self.0.current().await?;
        // Every one is compared, and whole, so that time tells nothing about them.
        let known = version.entries()?.iter().fold(Choice::from(0), |known, digest| known | digest.ct_eq(bearer.digest()));
        if known.into() { Ok(()) } else { Err(Denied::unknown_token("It is in none of the files of --api.token-file.")) }
    }
}

impl NodeTokens {
    /// Reads the files.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Self, Error> {
        Ok(Self(Files::open(files, read_nodes)?))
    }

    /// Whether a token is one of this node's.
    pub(super) async fn admit(&self, bearer: &Bearer, node: &str) -> Result<(), Denied> {
        let version = self.0.current().await?;
        let (mut known, mut mine) = (Choice::from(0), Choice::from(0));
        for (digest, of) in version.entries()? {
            let same = digest.ct_eq(bearer.digest());
            known |= same;
            mine |= same & Choice::from(u8::from(of == node || of == ANY));
        }
        match (bool::from(known), bool::from(mine)) {
            (_, true) => Ok(()),
            (true, false) => Err(Denied::Forbidden(
                "This token is another node's. A line of --api.node-token-file binds a token to one node.".to_owned(),
            )),
            (false, false) => Err(Denied::unknown_token("It is in none of the files of --api.node-token-file.")),
        }
    }
}

impl<T> Version<T> {
    fn entries(&self) -> Result<&[T], Denied> {
        self.entries.as_deref().ok_or_else(|| {
            Denied::Unavailable(
                "A token file cannot be read, so no token is taken. Chaoscope's log names the file and the cause.".to_owned(),
            )
        })
    }
}

impl<T: PartialEq + Send + Sync + 'static> Files<T> {
    fn open(files: Vec<PathBuf>, read: fn(&[PathBuf]) -> Result<Vec<T>, Error>) -> Result<Arc<Self>, Error> {
        let (stamps, entries) = (stamps(&files), read(&files)?);
        if entries.is_empty() {
            return Err(Error::NoTokens);
        }
        let version = Mutex::new(Arc::new(Version { stamps, entries: Some(entries) }));
        Ok(Arc::new(Self { paths: files, read, version, turn: Mutex::default(), broken: Episode::default() }))
    }

    /// What is in the files now.
    async fn current(self: &Arc<Self>) -> Result<Arc<Version<T>>, Denied> {
        if let Some(version) = self.unchanged() {
            return Ok(version);
        }
        let files = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || files.refreshed()).await;
        read.map_err(|_| Denied::Unavailable("Chaoscope is stopping. Ask again later.".to_owned()))
    }

    fn version(&self) -> Arc<Version<T>> {
        Arc::clone(&self.version.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was read, if the files are surely still the same.
    fn unchanged(&self) -> Option<Arc<Version<T>>> {
        let version = self.version();
        (version.entries.is_some() && version.stamps.iter().all(Stamp::holds)).then_some(version)
    }

    fn refreshed(&self) -> Arc<Version<T>> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = self.unchanged() {
            return version;
        }
        let stamps = stamps(&self.paths); // before reading: a change in between is then noticed, not missed
        let entries = match (self.read)(&self.paths) {
            Ok(entries) => Some(entries),
            Err(error) => {
                if self.broken.begins() {
                    tracing::error!(%error, cause = std::error::Error::source(&error), "No token is taken until the token files can be read.");
                }
                None
            }
        };
        self.tell(entries.as_deref());
        let version = Arc::new(Version { stamps, entries });
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&version);
        version
    }

    /// Logs what changed, in numbers.
    fn tell(&self, now: Option<&[T]>) {
        let Some(now) = now else { return };
        let well_again = self.broken.ends();
        if well_again || self.version().entries.as_deref().is_some_and(|before| before != now) {
            tracing::info!(tokens = now.len(), "Took over the changed token files.");
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

fn read(files: &[PathBuf]) -> Result<Vec<Digest>, Error> {
    let digests = read_all(files, parse)?;
    if digests.len() > MOST { Err(Error::TooMany(MOST)) } else { Ok(digests) }
}

fn read_nodes(files: &[PathBuf]) -> Result<Vec<(Digest, String)>, Error> {
    let nodes = read_all(files, parse_nodes)?;
    if nodes.len() > MOST_NODES { Err(Error::TooMany(MOST_NODES)) } else { Ok(nodes) }
}

fn read_all<T: Ord>(files: &[PathBuf], parse: fn(&Path, &[u8]) -> Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    let mut all = Vec::new();
    for file in files {
        let bytes = read_limited(file).map_err(|source| Error::Unreadable { file: file.clone(), source })?;
        all.extend(parse(file, &bytes)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// A node and its token a line, with blanks between; empty lines and lines that begin with `#` do not count.
fn parse_nodes(file: &Path, bytes: &[u8]) -> Result<Vec<(Digest, String)>, Error> {
    let wrong = |line: usize| Error::NodeLine { file: file.to_path_buf(), line };
    let mut nodes = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line.trim_ascii()).map_err(|_| wrong(number + 1))?;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (node, token) =
            line.split_once([' ', '\t']).map(|(node, token)| (node, token.trim_ascii())).ok_or_else(|| wrong(number + 1))?;
        if !is_token(token) || !(node == ANY || is_node(node)) {
            return Err(wrong(number + 1));
        }
        nodes.push((digest(token.as_bytes()), node.to_owned()));
    }
    Ok(nodes)
}

/// Whether a text can be a node's name: a DNS subdomain (RFC 1123), as Kubernetes wants it.
pub(in crate::serve) fn is_node(name: &str) -> bool {
    let part = |part: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(part)
}

/// One token a line; blanks around it, empty lines and lines that begin with `#` do not count. No message holds a line's text.
fn parse(file: &Path, bytes: &[u8]) -> Result<Vec<Digest>, Error> {
    let wrong = |line: usize| Error::Line { file: file.to_path_buf(), line };
    let mut digests = Vec::new();
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = std::str::from_utf8(line.trim_ascii()).map_err(|_| wrong(number + 1))?;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !is_token(line) {
            return Err(wrong(number + 1));
        }
        digests.push(digest(line.as_bytes()));
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderMap, HeaderValue, header};

    fn bearer(token: &str) -> Bearer {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a header");
        Bearer::of(&HeaderMap::from_iter([(header::AUTHORIZATION, value)])).unwrap_or_else(|_| panic!("{token} is no token"))
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn tokens(files: &[&Path]) -> Tokens {
        let files = files.iter().map(|file| file.to_path_buf()).collect();
        Tokens::read(files).unwrap_or_else(|error| panic!("{error}"))
    }

    #[tokio::test]
    async fn a_token_of_any_file_and_no_other() {
        let folder = folder();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "# for the panels\nalpha\r\n\n  beta  \n#gamma").expect("written");
        std::fs::write(&two, "delta").expect("written");
        let tokens = tokens(&[&one, &two]);
        for known in ["alpha", "beta", "delta"] {
            assert_eq!(tokens.admit(&bearer(known)).await, Ok(()), "{known}");
        }
        for unknown in ["gamma", "#gamma", "alph", "alphaa", "Alpha", "beta,delta"] {
            assert!(matches!(tokens.admit(&bearer(unknown)).await, Err(Denied::Unknown(_))), "{unknown}");
        }
    }

    #[tokio::test]
    async fn changes_count_at_the_next_request() {
        let folder = folder();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "alpha\n").expect("written");
        let tokens = tokens(&[&file]);
        assert!(tokens.admit(&bearer("alpha")).await.is_ok());
        std::fs::write(&file, "omega\n").expect("written");
        assert!(tokens.admit(&bearer("omega")).await.is_ok());
        assert!(tokens.admit(&bearer("alpha")).await.is_err(), "withdrawn");

        std::fs::write(&file, "").expect("written");
        assert!(matches!(tokens.admit(&bearer("omega")).await, Err(Denied::Unknown(_))), "all withdrawn");
        std::fs::remove_file(&file).expect("removed");
        assert!(matches!(tokens.admit(&bearer("omega")).await, Err(Denied::Unavailable(_))), "a lost file opens nothing, and says so");
        std::fs::write(&file, "omega\n").expect("written");
        assert!(tokens.admit(&bearer("omega")).await.is_ok());
    }

    #[tokio::test]
    async fn a_nodes_token_is_for_that_node_alone() {
        let folder = folder();
        let file = folder.path().join("nodes");
        std::fs::write(&file, "# lab\nn1 alpha\nn2.lab\t beta \n* omega\n").expect("written");
        let tokens = NodeTokens::read(vec![file.clone()]).unwrap_or_else(|error| panic!("{error}"));
        for (token, node) in [("alpha", "n1"), ("beta", "n2.lab"), ("omega", "n1"), ("omega", "n9")] {
            assert_eq!(tokens.admit(&bearer(token), node).await, Ok(()), "{token} {node}");
        }
        assert!(matches!(tokens.admit(&bearer("alpha"), "n2.lab").await, Err(Denied::Forbidden(_))));
        assert!(matches!(tokens.admit(&bearer("gamma"), "n1").await, Err(Denied::Unknown(_))));
        for bad in ["alpha", "n1", "N1 alpha", "-n alpha", "n1 al pha", "n..1 alpha", "** alpha"] {
            std::fs::write(&file, format!("n1 good\n{bad}\n")).expect("written");
            let error = NodeTokens::read(vec![file.clone()]).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("line 2") && !error.contains("alpha"), "{bad}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_it() {
        let folder = folder();
        let file = folder.path().join("tokens");
        let error = |content: &[u8]| {
            std::fs::write(&file, content).expect("written");
            Tokens::read(vec![file.clone()]).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(error(b"# nothing yet\n").contains("no token"));
        let message = error(b"alpha\nmy secret\n");
        assert!(message.contains("line 2") && !message.contains("secret"), "{message}");
        assert!(error(b"\xff\xfe").contains("line 1"));
        let many: String = (0..=MOST).map(|number| format!("token-{number}\n")).collect();
        assert!(error(many.as_bytes()).contains("1000"));
        assert!(error(&vec![b'a'; 2 << 20]).contains("cannot be read"));
        assert!(Tokens::read(vec![folder.path().to_path_buf()]).is_err(), "a folder");
    }
}
