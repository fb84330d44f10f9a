//! The host as a [`Source`]: read on a thread of its own, shared by callers who come at once.

use super::{Host, read};
use crate::source::{Error, Shared, Source};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Reads the host when asked.
pub struct HostSource {
    procfs: PathBuf,
    shared: Arc<Shared<Host>>,
}

impl HostSource {
    /// The host whose procfs this is.
    pub fn new(procfs: &Path) -> Self {
        Self { procfs: procfs.to_owned(), shared: Arc::default() }
    }
}

impl Source for HostSource {
    type Reading = Host;

    async fn read(&self, max_age: Duration, until: Instant) -> Result<Arc<Host>, Error> {
        let procfs = self.procfs.clone();
        let run = || async move {
            let read = crate::source::blocking("host", move || read(&procfs)).await?;
            read.map_err(|error| Error::Failed(error.to_string().into()))
        };
        self.shared.get(max_age, until, run).await
    }
}
