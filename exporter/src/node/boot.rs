//! Which boot of this host it is. Kernel state does not outlive a boot, and numbers of namespaces and processes begin anew.

use super::bounded;
use jiff::Timestamp;
use rustix::fs::CWD;
use std::io;
use std::path::Path;

/// One boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// `boot_id`: random, made by the kernel once for each boot. The same inside of containers.
    pub id: String,
    /// When it was, in whole seconds; `None` where the kernel does not tell.
    pub at: Option<Timestamp>,
}

/// Most bytes of `stat` that are read: it has a line for each processor and one with a number for each interrupt.
const STAT_LIMIT: usize = 4 << 20;

/// Reads it from the host's procfs.
pub fn read(procfs: &Path) -> io::Result<Boot> {
    let id = whole(&procfs.join("sys/kernel/random/boot_id"), 64)?;
    let id = id.trim();
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the boot id is no uuid"));
    }
    Ok(Boot { id: id.to_owned(), at: whole(&procfs.join("stat"), STAT_LIMIT).ok().and_then(|stat| booted(&stat)) })
}

/// When it was by the clock that the starts of processes are counted by, which goes on while the host sleeps: `now` less `uptime`, to a
/// hundredth of a second. Where the wall clock was set since, it is as if the boot had been at another time.
pub fn began(procfs: &Path, now: Timestamp) -> Option<Timestamp> {
    let text = whole(&procfs.join("uptime"), 64).ok()?;
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    now.checked_sub(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

fn whole(path: &Path, limit: usize) -> io::Result<String> {
    let path = path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    let bytes = bounded::whole(CWD, path, limit)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The line `btime`: seconds since 1970.
fn booted(stat: &str) -> Option<Timestamp> {
    let seconds = stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_boot_has_an_id_and_a_time_in_the_past() {
        let boot = read(Path::new("/proc")).unwrap();
        assert_eq!(boot.id.len(), 36);
        assert!(boot.at.unwrap() < Timestamp::now());
        assert_eq!(boot, read(Path::new("/proc")).unwrap());
    }

    #[test]
    fn the_clock_of_starts_began_with_the_boot() {
        let (proc, now) = (Path::new("/proc"), Timestamp::now());
        let (began, booted) = (began(proc, now).unwrap(), read(proc).unwrap().at.unwrap());
        assert!(began.duration_since(booted).abs() < jiff::SignedDuration::from_secs(3), "{began} {booted}");
        let folder = tempfile::tempdir().unwrap();
        for text in ["", "soon 1\n", "NaN 1\n", "1e300 1\n"] {
            std::fs::write(folder.path().join("uptime"), text).unwrap();
            assert_eq!(super::began(folder.path(), now), None, "{text}");
        }
        std::fs::write(folder.path().join("uptime"), "60.25 1.0\n").unwrap();
        assert_eq!(super::began(folder.path(), Timestamp::UNIX_EPOCH), Some("1969-12-31T23:58:59.75Z".parse().unwrap()));
    }

    #[test]
    fn what_is_no_procfs_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path()).is_err());
        std::fs::create_dir_all(folder.path().join("sys/kernel/random")).unwrap();
        std::fs::write(folder.path().join("sys/kernel/random/boot_id"), "../../x\n").unwrap();
        assert!(read(folder.path()).is_err());
        assert_eq!(booted("cpu 1 2\nbtime 60\n"), Some(Timestamp::from_second(60).unwrap()));
        assert_eq!((booted("cpu 1 2\n"), booted("btime soon\n")), (None, None));
    }
}
