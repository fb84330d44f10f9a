//! Reading one small file below a directory that is already open, never more than was asked for.
//!
//! Apart because every reader of /proc needs it: a path walk from `/` for each file costs more than the read, and a
//! directory kept open names the same process for all its files, even when the pid is reused in between.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, Result, read, retry_on_intr};
use rustix::path::Arg;
use std::fs::File;
use std::io::{self, Read};

/// Opens the directory `name` below `dir` without reading it (`O_PATH`).
pub(crate) fn directory(dir: impl AsFd, name: impl Arg) -> Result<OwnedFd> {
    openat(dir, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// What one `read()` of the file `name` gives: all of a /proc file that is shorter than `buffer`, else its beginning.
pub(crate) fn once(dir: impl AsFd, name: impl Arg, buffer: &mut [u8]) -> Result<&[u8]> {
    let file = openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = retry_on_intr(|| read(&file, &mut *buffer))?;
    buffer.get(..length).ok_or(Errno::INVAL)
}

/// The whole file `name`; [`io::ErrorKind::FileTooLarge`] when it has more than `limit` bytes.
pub(crate) fn whole(dir: impl AsFd, name: &str, limit: usize) -> io::Result<Vec<u8>> {
    let file = openat(dir, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rest(File::from(file), limit)
}

/// What is left to read in an open file, under the same limit as [`whole`].
pub(crate) fn rest(file: File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(limit.min(16 * 1024));
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_whole_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("f"), b"0123456789").unwrap();
        let fd = directory(rustix::fs::CWD, dir.path()).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(once(&fd, "f", &mut buffer).unwrap(), b"0123");
        assert_eq!(whole(&fd, "f", 10).unwrap(), b"0123456789");
        assert_eq!(whole(&fd, "f", 9).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(whole(&fd, "absent", 9).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
