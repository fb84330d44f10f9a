//! The web configuration: who may ask and how it is protected, in the format of Prometheus' exporter-toolkit
//! (`--web.config.file`), read again whenever it changed, so that rotation needs no restart.
//!
//! This file holds when it is read; `reading` what is read, `file` its YAML keys, `settings` what they amount to, and one
//! file per section what its values mean. `docs/web-config.md` is the user's side, differences to the toolkit included.

mod alternative_names;
mod basic_auth;
mod client_auth;
mod client_names;
mod error;
mod file;
mod headers;
mod parse;
mod rate_limit;
mod reading;
mod secret;
mod settings;
mod stamp;
mod tls;
mod tls_parameters;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use error::WebError;
pub(super) use reading::read_limited;
pub use secret::Secret;
pub(super) use settings::Settings;
pub(super) use stamp::Stamp;

use super::episode::Episode;
use reading::Reading;

/// Fuzzing: the YAML keys.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    let _ = parse::parse(Path::new("web.yml"), data).map_err(|error| error.line());
}

/// Fuzzing: the names in a client's certificate.
#[cfg(fuzzing)]
pub fn fuzz_certificate(data: &[u8]) {
    let _ = alternative_names::alternative_names(data);
}

/// The web configuration in force. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct WebConfig {
    /// `None` without a file: plain HTTP, open to everybody.
    live: Option<Arc<Live>>,
}

/// A configuration that follows its files.
struct Live {
    path: PathBuf,
    version: Mutex<Arc<Version>>,
    /// Held while reading, so that many requests at once read a change only once.
    turn: Mutex<()>,
    broken: Episode,
}

/// The last version that was good.
struct Version {
    settings: Arc<Settings>,
    stamps: Vec<Stamp>,
    digest: u64,
}

impl WebConfig {
    /// Reads and checks the file at `path`; without one the server is open and plain.
    pub fn load(path: Option<&Path>) -> Result<Self, WebError> {
        let Some(path) = path else {
            return Ok(Self { live: None });
        };
        let reading = Reading::of(path)?;
        let (stamps, digest) = (reading.stamps.clone(), reading.digest);
        let settings = Arc::new(Settings::from_reading(reading)?);
        let live = Live {
            path: path.to_path_buf(),
            version: Mutex::new(Arc::new(Version { settings, stamps, digest })),
            turn: Mutex::default(),
            broken: Episode::default(),
        };
        Ok(Self { live: Some(Arc::new(live)) })
    }

    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.version().settings.tls().is_some())
    }

    /// Whether callers are asked for a user name and a password.
    pub fn asks_passwords(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.version().settings.asks_passwords())
    }

    /// The settings of now. A few `stat` calls where nothing changed; the files are read off the async threads.
    pub(super) async fn current(&self) -> Arc<Settings> {
        let Some(live) = &self.live else {
            return Arc::default();
        };
        if let Some(settings) = live.unchanged() {
            return settings;
        }
        let reader = Arc::clone(live);
        match tokio::task::spawn_blocking(move || reader.refreshed()).await {
            Ok(settings) => settings,
            Err(_) => Arc::clone(&live.version().settings), // only while the runtime is shutting down
        }
    }
}

impl Live {
    fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, version: Version) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(version);
    }

    /// The last good settings, if they are surely those of the files as they are.
    fn unchanged(&self) -> Option<Arc<Settings>> {
        let version = self.version();
        version.stamps.iter().all(Stamp::holds).then(|| {
            self.well();
            Arc::clone(&version.settings)
        })
    }

    /// Reads the files again. If they are not good, what was good before stays in force.
    fn refreshed(&self) -> Arc<Settings> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(settings) = self.unchanged() {
            return settings;
        }
        match self.adopt() {
            Ok(()) => self.well(),
            Err(error) if self.broken.begins() => {
                tracing::error!(error = error.line(), "The changed web configuration is not good: the last good one stays.");
            }
            Err(_) => {}
        }
        Arc::clone(&self.version().settings)
    }

    fn adopt(&self) -> Result<(), WebError> {
        let reading = Reading::of(&self.path)?;
        let (stamps, digest) = (reading.stamps.clone(), reading.digest);
        let before = self.version();
        if digest == before.digest {
            self.put(Version { settings: Arc::clone(&before.settings), stamps, digest });
            return Ok(());
        }
        let settings = Settings::from_reading(reading)?;
        settings.keeps_protection_of(&before.settings, &self.path)?;
        self.put(Version { settings: Arc::new(settings), stamps, digest });
        tracing::info!(file = %self.path.display(), "Took over the changed web configuration.");
        Ok(())
    }

    fn well(&self) {
        if self.broken.ends() {
            tracing::info!(file = %self.path.display(), "The web configuration is good again.");
        }
    }
}
