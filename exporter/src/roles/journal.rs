//! `chaoscope journal`: the journal of a folder written out, taken in, or looked through.
//!
//! Not a role that serves; it is here because it wires as they do. Export and verify look at a journal that may be in use; import owns it.

use super::{Failure, later, usage};
use crate::config::JournalCommand;
use crate::journal::{self, Error, Journal, Moved};
use crate::serve::check::UNKNOWN;
use crate::serve::snapshot::print;
use anyhow::{Context as _, anyhow};
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Write as _, stdin, stdout};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Does what is asked. Exit codes: 0 done, or whole; 1 failed, or damaged; 2 wrong usage; 3 verify could not tell.
pub async fn run(command: JournalCommand) -> Result<ExitCode, Failure> {
    match command {
        JournalCommand::Export { folder, file } => {
            let moved = export(&existing(folder.folder())?, &file)?;
            tracing::info!(runs = moved.runs, events = moved.events, "exported");
            Ok(ExitCode::SUCCESS)
        }
        JournalCommand::Import { journal, file } => {
            let Moved { runs, events, new_runs, new_events, kept } = import(&journal.config(), &file).await?;
            let kept = if kept == 0 { String::new() } else { format!(", {kept} known better here and kept") };
            print(format!("{runs} runs, {new_runs} of them new{kept}; {events} events, {new_events} of them new\n")).map_err(later)?;
            Ok(ExitCode::SUCCESS)
        }
        JournalCommand::Verify { folder } => {
            let folder = existing(folder.folder())?;
            let report = journal::verify(&folder).map_err(|error| (error.into(), UNKNOWN))?;
            print(format!("{report}\n")).map_err(later)?;
            Ok(ExitCode::from(u8::from(!report.is_whole())))
        }
    }
}

fn existing(folder: Option<PathBuf>) -> Result<PathBuf, Failure> {
    folder.ok_or_else(|| usage(anyhow!("this user has no home: say --journal.path")))
}

fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn export(folder: &Path, file: &Path) -> Result<Moved, Failure> {
    if is_standard(file) {
        let mut out = BufWriter::new(stdout().lock());
        return match journal::export(folder, &mut out) {
            // Whoever reads has seen enough.
            Err(Error::Output(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(Moved::default()),
            other => other.map_err(later),
        };
    }
    let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let made = made.with_context(|| format!("cannot write {}", file.display())).map_err(usage)?;
    let mut out = BufWriter::new(made);
    let moved = journal::export(folder, &mut out).map_err(later)?;
    out.flush().and_then(|()| out.get_ref().sync_all()).map_err(later)?;
    Ok(moved)
}

async fn import(config: &journal::Config, file: &Path) -> Result<Moved, Failure> {
    let folder = existing(config.folder.clone())?;
    let (journal, _) =
        Journal::open(&journal::Config { folder: Some(folder), settle: std::time::Duration::ZERO, ..config.clone() }).map_err(usage)?;
    if is_standard(file) {
        return journal::import(&journal, &mut BufReader::new(stdin())).await.map_err(later);
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display())).map_err(usage)?;
    journal::import(&journal, &mut BufReader::new(opened)).await.map_err(later)
}
