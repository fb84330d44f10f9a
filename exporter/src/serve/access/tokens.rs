//! `--api.token-file`: the tokens that open everything, kept as digests, read again when a file changed.
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

/// The files, and what was in them.
pub(super) struct Tokens {
    files: Vec<PathBuf>,
    version: Mutex<Arc<Version>>,
    /// Held while reading, so that many requests at once read a change only once.
    turn: Mutex<()>,
    broken: Episode,
}

/// One look at the files.
struct Version {
    stamps: Vec<Stamp>,
    /// `None`: they could not be read.
    digests: Option<Vec<Digest>>,
}

impl Tokens {
    /// Reads the files. At the start of the program a file without tokens is a mistake; later it closes the door.
    pub(super) fn read(files: Vec<PathBuf>) -> Result<Self, Error> {
        let (stamps, digests) = (stamps(&files), read(&files)?);
        if digests.is_empty() {
            return Err(Error::NoTokens);
        }
        let version = Mutex::new(Arc::new(Version { stamps, digests: Some(digests) }));
        Ok(Self { files, version, turn: Mutex::default(), broken: Episode::default() })
    }

    /// Whether a token is one of the files'. The files are read off the async threads.
    pub(super) async fn admit(self: &Arc<Self>, bearer: &Bearer) -> Result<(), Denied> {
        let version = if let Some(version) = self.unchanged() {
            version
        } else {
            let tokens = Arc::clone(self);
            let read = tokio::task::spawn_blocking(move || tokens.refreshed()).await;
            read.map_err(|_| Denied::Unavailable("Chaoscope is stopping. Ask again later.".to_owned()))?
        };
        let Some(digests) = &version.digests else {
            return Err(Denied::Unavailable(
                "A token file cannot be read, so no token is taken. Chaoscope's log names the file and the cause.".to_owned(),
            ));
        };
        // Every one is compared, and whole, so that time tells nothing about them.
        let known = digests.iter().fold(Choice::from(0), |known, digest| known | digest.ct_eq(bearer.digest()));
        if known.into() { Ok(()) } else { Err(Denied::unknown_token("It is in none of the files of --api.token-file.")) }
    }

    fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was read, if the files are surely still the same.
    fn unchanged(&self) -> Option<Arc<Version>> {
        let version = self.version();
        (version.digests.is_some() && version.stamps.iter().all(Stamp::holds)).then_some(version)
    }

    fn refreshed(&self) -> Arc<Version> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = self.unchanged() {
            return version;
        }
        let stamps = stamps(&self.files); // before reading: a change in between is then noticed, not missed
        let digests = match read(&self.files) {
            Ok(digests) => Some(digests),
            Err(error) => {
                if self.broken.begins() {
                    tracing::error!(%error, cause = std::error::Error::source(&error), "No token is taken until the token files can be read.");
                }
                None
            }
        };
        self.tell(digests.as_deref());
        let version = Arc::new(Version { stamps, digests });
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&version);
        version
    }

    /// Logs what changed, in numbers.
    fn tell(&self, now: Option<&[Digest]>) {
        let Some(now) = now else { return };
        let well_again = self.broken.ends();
        if well_again || self.version().digests.as_deref().is_some_and(|before| before != now) {
            tracing::info!(tokens = now.len(), "Took over the changed token files.");
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    files.iter().map(|file| Stamp::of(file)).collect()
}

fn read(files: &[PathBuf]) -> Result<Vec<Digest>, Error> {
    let mut digests = Vec::new();
    for file in files {
        let bytes = read_limited(file).map_err(|source| Error::Unreadable { file: file.clone(), source })?;
        digests.extend(parse(file, &bytes)?);
    }
    digests.sort_unstable();
    digests.dedup();
    if digests.len() > MOST { Err(Error::TooMany(MOST)) } else { Ok(digests) }
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

    fn tokens(files: &[&Path]) -> Arc<Tokens> {
        let files = files.iter().map(|file| file.to_path_buf()).collect();
        Arc::new(Tokens::read(files).unwrap_or_else(|error| panic!("{error}")))
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
