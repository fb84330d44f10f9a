//! Flags of `--journal.*`: where it is, and how much it keeps.
//!
//! Apart because every command that keeps or reads a journal takes them.

use clap::{Args, Subcommand};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// Root's journal: the usual place for what a service keeps (hier(7)).
const OF_ROOT: &str = "/var/lib/chaoscope";

/// Flags about the journal.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Journal")]
pub struct Journal {
    /// Folder that holds the journal; made where it is missing. By default /var/lib/chaoscope for root, else chaoscope in `$XDG_STATE_HOME`,
    /// which is ~/.local/state unless set.
    #[arg(long = "journal.path", value_name = "DIR", env = "CHAOSCOPE_JOURNAL_PATH")]
    pub path: Option<PathBuf>,
    /// How long runs that have ended are kept: days (`90d`), a shorter duration (`12h`) or `forever`.
    #[arg(long = "journal.retention", value_name = "AGE", default_value = "90d", value_parser = retention, env = "CHAOSCOPE_JOURNAL_RETENTION")]
    pub retention: Retention,
    /// How large the journal may become before the oldest runs that have ended are dropped: `512MiB`, `4GiB` or `unlimited`.
    #[arg(long = "journal.max-size", value_name = "SIZE", default_value = "1GiB", value_parser = size, env = "CHAOSCOPE_JOURNAL_MAX_SIZE")]
    pub max_size: MaxSize,
}

/// Flags of what only looks at a journal.
#[derive(Clone, Debug, Args)]
pub struct JournalFolder {
    /// Folder that holds the journal. By default where this user's would be made.
    #[arg(long = "journal.path", value_name = "DIR", env = "CHAOSCOPE_JOURNAL_PATH")]
    pub path: Option<PathBuf>,
}

/// What to do with a journal.
#[derive(Clone, Debug, Subcommand)]
pub enum JournalCommand {
    /// Write every run and event as lines of JSON. The journal may be in use.
    Export {
        /// Where it is.
        #[command(flatten)]
        folder: JournalFolder,
        /// File to write; `-` is standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Store the runs and events of an export; what is there already is not stored again. The journal must not be in use.
    Import {
        /// Where to, and how much it keeps.
        #[command(flatten)]
        journal: Journal,
        /// File to read; `-` is standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Look whether everything in it agrees. The journal may be in use.
    #[command(after_help = "Exit codes: 0 whole, 1 damaged (listed), 2 wrong usage, 3 could not tell.")]
    Verify {
        /// Where it is.
        #[command(flatten)]
        folder: JournalFolder,
    },
}

/// For how long; `None`: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention(pub Option<Duration>);

/// How many bytes; `None`: without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxSize(pub Option<u64>);

impl Journal {
    /// The folder that was asked for, or the usual one of this user; `None` for a user without a home.
    pub fn folder(&self) -> Option<PathBuf> {
        folder(self.path.as_ref())
    }

    /// What the journal itself is told.
    pub fn config(&self) -> crate::journal::Config {
        crate::journal::Config {
            folder: self.folder(),
            retention: self.retention.0,
            max_bytes: self.max_size.0,
            settle: crate::journal::SETTLE,
        }
    }
}

impl JournalFolder {
    /// The folder that was asked for, or the usual one of this user; `None` for a user without a home.
    pub fn folder(&self) -> Option<PathBuf> {
        folder(self.path.as_ref())
    }
}

fn folder(asked: Option<&PathBuf>) -> Option<PathBuf> {
    asked.cloned().or_else(|| usual(rustix::process::geteuid().is_root(), |name| env::var_os(name).map(PathBuf::from)))
}

/// XDG Base Directory Specification: a variable that holds no absolute path counts as not set.
fn usual(root: bool, variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if root {
        return Some(OF_ROOT.into());
    }
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("chaoscope"))
}

fn retention(text: &str) -> Result<Retention, String> {
    if text == "forever" {
        return Ok(Retention(None));
    }
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()).map(|days| Duration::from_hours(24) * days);
    let age = days.map_or_else(|| super::duration(text), Ok).map_err(|_| format!("{text:?} is no age: write 90d, 12h or forever"))?;
    if age < Duration::from_mins(1) { Err("write at least 1m, or forever".to_owned()) } else { Ok(Retention(Some(age))) }
}

fn size(text: &str) -> Result<MaxSize, String> {
    const UNITS: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
    /// Less does not hold one burst of a large cluster.
    const LEAST: u64 = 16 << 20;
    if text == "unlimited" {
        return Ok(MaxSize(None));
    }
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let bytes = unit.and_then(|(count, unit)| count.trim_end().parse::<u64>().ok()?.checked_mul(unit));
    match bytes {
        Some(bytes) if bytes >= LEAST => Ok(MaxSize(Some(bytes))),
        Some(_) => Err("write at least 16MiB, or unlimited".to_owned()),
        None => Err(format!("{text:?} is no size: write 512MiB, 4GiB or unlimited")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_follows_the_user() {
        let unset = |_: &str| None;
        assert_eq!(usual(true, unset), Some("/var/lib/chaoscope".into()));
        assert_eq!(usual(false, unset), None);
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/ada"));
        assert_eq!(usual(false, home), Some("/home/ada/.local/state/chaoscope".into()));
        let state = |name: &str| (name == "XDG_STATE_HOME").then(|| PathBuf::from("/state"));
        assert_eq!(usual(false, state), Some("/state/chaoscope".into()));
        let relative = |name: &str| Some(PathBuf::from(if name == "HOME" { "/home/ada" } else { "state" }));
        assert_eq!(usual(false, relative), Some("/home/ada/.local/state/chaoscope".into()));
    }

    #[test]
    fn ages_and_sizes_are_read_as_people_write_them() {
        assert_eq!(retention("90d"), Ok(Retention(Some(Duration::from_hours(90 * 24)))));
        assert_eq!(retention("12h"), Ok(Retention(Some(Duration::from_hours(12)))));
        assert_eq!(retention("forever"), Ok(Retention(None)));
        assert_eq!((size("1GiB"), size("unlimited")), (Ok(MaxSize(Some(1 << 30))), Ok(MaxSize(None))));
        assert!(retention("soon").is_err() && retention("-1d").is_err() && retention("1s").is_err());
        assert!(size("1").is_err() && size("1MiB").is_err() && size("99999999999TiB").is_err() && size("GiB").is_err());
    }
}
