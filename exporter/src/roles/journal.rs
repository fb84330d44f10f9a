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
use std::io::{BufReader, BufWriter, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::NamedTempFile;

/// Does what is asked. Exit codes: 0 done, or whole; 1 failed, or damaged; 2 wrong usage; 3 verify could not tell.
pub async fn run(command: JournalCommand) -> Result<ExitCode, Failure> {
    match command {
        JournalCommand::Export { folder, file } => {
            let moved = export(&existing(folder.folder())?, &file)?;
            if moved.left_out > 0 {
                tracing::warn!(rows = moved.left_out, "what cannot be understood is left out; `chaoscope journal verify` names it");
            }
            tracing::info!(runs = moved.runs, events = moved.events, "exported");
            Ok(ExitCode::SUCCESS)
        }
        JournalCommand::Import { journal, file } => {
            let Moved { runs, events, new_runs, new_events, kept, .. } = import(&journal.config(), &file).await?;
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
    let cannot = || format!("cannot write {}", file.display());
    if file.metadata().is_ok_and(|known| !known.is_file()) {
        let mut out = OpenOptions::new().write(true).open(file).with_context(cannot).map_err(usage)?;
        return written(folder, &mut out);
    }
    // An export that is there already stays until there is a whole new one.
    let place = file.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut made = NamedTempFile::new_in(place).with_context(cannot).map_err(usage)?;
    let moved = written(folder, made.as_file_mut())?;
    made.as_file().sync_all().map_err(later)?;
    made.persist(file).with_context(cannot).map_err(later)?;
    Ok(moved)
}

fn written(folder: &Path, out: &mut File) -> Result<Moved, Failure> {
    journal::export(folder, &mut BufWriter::new(out)).map_err(later)
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
