//! Legacy xtables, IPv4 and IPv6, by `getsockopt(2)`: one call for the size, one for a whole table, which is atomic.
//!
//! Only tables listed in `ip_tables_names` are asked for: asking for another one would create it. The one file with `unsafe`: two
//! calls of libc's getsockopt, which no safe wrapper offers for these options. What the bytes mean is in [`entries`].

mod entries;

pub use entries::{parse_v4, parse_v6};

use super::super::error::ReadError;
use super::super::netlink::{name, u32_at};
use super::super::netns::Traveller;
use super::Table;
use entries::{V4, V6, parse};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, read as read_fd};
use rustix::net::{SocketFlags, SocketType, socket_with};

/// `IPT_SO_GET_INFO` = `IP6T_SO_GET_INFO`.
const GET_INFO: i32 = 64;
/// `IPT_SO_GET_ENTRIES` = `IP6T_SO_GET_ENTRIES`.
const GET_ENTRIES: i32 = 65;
/// `sizeof(struct ipt_getinfo)`: name\[32\], `valid_hooks` at 32, `hook_entry[5]` at 36, underflow\[5\] at 56, `num_entries` at 76, size at 80.
const INFO: usize = 84;
/// `offsetof(struct ipt_get_entries, entrytable)`: name\[32\], size at 32, padding.
const ENTRIES_HEADER: usize = 40;
/// The largest table that is read. 10 000 rules have about 2 MB.
const LIMIT: usize = 64 << 20;
/// How often a table that changed its size between the two calls is tried again.
const ATTEMPTS: usize = 4;

/// Reads all legacy tables of the namespace the thread is in.
pub fn read(traveller: &Traveller) -> Result<Vec<Table>, ReadError> {
    let mut tables = Vec::new();
    for layout in [&V4, &V6] {
        let names = names(traveller, layout.names)?;
        if names.is_empty() {
            continue;
        }
        let socket = socket_with(layout.domain, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
            .map_err(|errno| ReadError::of("iptables socket", errno))?;
        for table in &names {
            if let Some((info, entries)) = dump(&socket, layout.level, table)? {
                tables.push(parse(layout, table, &info, &entries)?);
            }
        }
    }
    Ok(tables)
}

/// Tables that exist. The file is absent until the module is there.
fn names(traveller: &Traveller, file: &str) -> Result<Vec<String>, ReadError> {
    let fd = match openat(traveller.proc_net(), file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(errno) => return Err(ReadError::of("iptables names", errno)),
    };
    let mut bytes = [0; 512]; // five names of at most 32 bytes
    let mut length = 0;
    while length < bytes.len() {
        match read_fd(&fd, &mut bytes[length..]).map_err(|errno| ReadError::of("iptables names", errno))? {
            0 => break,
            count => length += count,
        }
        if bytes[length - 1] == b'\n' {
            break; // whole: the file ends with a line, and a second read costs as much as the first
        }
    }
    Ok(bytes[..length].split(|byte| *byte == b'\n').filter(|name| !name.is_empty()).map(name).collect())
}

/// `struct ipt_getinfo` and the entries that follow from it.
type Dump = ([u8; INFO], Vec<u8>);

/// One table's bytes; `None` when it went away between listing and reading.
fn dump(socket: &OwnedFd, level: i32, table: &str) -> Result<Option<Dump>, ReadError> {
    for _ in 0..ATTEMPTS {
        let mut info = [0; INFO];
        let length = table.len().min(31);
        info[..length].copy_from_slice(&table.as_bytes()[..length]);
        match getsockopt(socket, level, GET_INFO, &mut info) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(ReadError::of("iptables info", errno)),
        }
        let size = u32_at(&info, 80).map_or(0, |size| size as usize);
        if size > LIMIT {
            return Err(ReadError::TooLarge { what: "iptables table", limit: LIMIT });
        }
        let mut entries = vec![0; ENTRIES_HEADER + size];
        entries[..36].copy_from_slice(&info[..36]);
        entries[32..36].copy_from_slice(&(size as u32).to_ne_bytes());
        match getsockopt(socket, level, GET_ENTRIES, &mut entries) {
            Ok(()) => return Ok(Some((info, entries.split_off(ENTRIES_HEADER)))),
            Err(Errno::AGAIN) => {} // the table changed its size in between
            Err(errno) => return Err(ReadError::of("iptables entries", errno)),
        }
    }
    Err(ReadError::Interrupted("iptables entries"))
}

/// Fuzzing: every table's bytes as the targets take them, `struct ipt_getinfo` and then the entries.
#[cfg(fuzzing)]
pub fn record(traveller: &Traveller) -> Result<Vec<(&'static str, Vec<u8>)>, ReadError> {
    let mut out = Vec::new();
    for (target, layout) in [("legacy_v4", &V4), ("legacy_v6", &V6)] {
        for table in names(traveller, layout.names)? {
            let socket = socket_with(layout.domain, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
                .map_err(|errno| ReadError::of("iptables socket", errno))?;
            out.extend(dump(&socket, layout.level, &table)?.map(|(info, entries)| (target, [&info[..], &entries].concat())));
        }
    }
    Ok(out)
}

#[allow(unsafe_code)] // xtables speaks only getsockopt with structs of its own, which no safe wrapper offers
fn getsockopt(socket: &OwnedFd, level: i32, option: i32, buffer: &mut [u8]) -> Result<(), Errno> {
    let mut length = buffer.len() as libc::socklen_t;
    // SAFETY: `buffer` is valid for writes of `length` bytes for the whole call, and the kernel writes at most `length` bytes.
    let answer = unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, buffer.as_mut_ptr().cast(), &raw mut length) };
    if answer == 0 {
        return Ok(());
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
