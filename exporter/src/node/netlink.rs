//! Netlink, as much as a reader needs: one socket, whole dumps or nothing, and pure iterators over the bytes.
//!
//! Apart because tc, ipset and `nf_tables` all speak it. Layouts: `include/uapi/linux/netlink.h`.
//! A dump is handed out only when it is complete: right sequence number, no `NLM_F_DUMP_INTR`, `NLMSG_DONE` seen.

mod bytes;

pub use bytes::{Attributes, Message, Messages, attributes, be32, be64, messages, name, u16_at, u32_at, u64_at};

use super::error::ReadError;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `NLM_F_REQUEST`.
const F_REQUEST: u16 = 0x1;
/// `NLM_F_DUMP` = `NLM_F_ROOT | NLM_F_MATCH`.
const F_DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`: the state changed while it was dumped.
const F_DUMP_INTR: u16 = 0x10;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLMSG_DONE`.
const DONE: u16 = 3;
/// `sizeof(struct nlmsghdr)`.
const HEADER: usize = 16;
/// First receive buffer. The kernel sizes its own allocation after it (`netlink_recvmsg` remembers the largest), and small
/// ones are cheaper; `NLMSG_GOODSIZE` is 8 KiB, so nothing a kernel sends unasked is larger.
const SMALL: usize = 8 << 10;
/// Receive buffer once a dump turns out to be long; the kernel never sends more than 32 KiB at once.
const LARGE: usize = 32 << 10;
/// The most bytes one dump may have: 10 000 rules are about 5 MB.
pub const LIMIT: usize = 64 << 20;
/// How often a dump that changed underneath is tried again.
const ATTEMPTS: usize = 4;

/// A netlink family.
#[derive(Clone, Copy, Debug)]
pub enum Family {
    /// `NETLINK_ROUTE`: tc.
    Route,
    /// `NETLINK_NETFILTER`: ipset and `nf_tables`.
    Netfilter,
}

/// A socket bound to the network namespace it was opened in. Dropped at the end of the visit: an open socket pins its namespace.
pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

/// The bytes of one whole answer; reused from dump to dump so that a sweep allocates, and clears, little.
#[derive(Default)]
pub struct Buffer {
    /// Room for the answer; grows only.
    bytes: Vec<u8>,
    /// How much of it is the answer.
    used: usize,
}

/// One request: message type, fixed body and attributes.
pub struct Request {
    kind: u16,
    body: Vec<u8>,
}

impl Request {
    /// A request of message type `kind` whose fixed part is `body`.
    pub fn new(kind: u16, body: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(body);
        Self { kind, body: bytes }
    }

    /// Adds one attribute, padded to four bytes.
    #[must_use]
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.body.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
        self.body.extend_from_slice(&kind.to_ne_bytes());
        self.body.extend_from_slice(value);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self
    }

    fn message(&self, flags: u16, sequence: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + self.body.len());
        out.extend_from_slice(&((HEADER + self.body.len()) as u32).to_ne_bytes());
        out.extend_from_slice(&self.kind.to_ne_bytes());
        out.extend_from_slice(&flags.to_ne_bytes());
        out.extend_from_slice(&sequence.to_ne_bytes());
        out.extend_from_slice(&0u32.to_ne_bytes());
        out.extend_from_slice(&self.body);
        out
    }
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open(family: Family) -> Result<Self, ReadError> {
        let protocol: Option<Protocol> = match family {
            Family::Route => None, // NETLINK_ROUTE is 0
            Family::Netfilter => Some(netlink::NETFILTER),
        };
        let fd = net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
            .map_err(|errno| ReadError::of("netlink socket", errno))?;
        Ok(Self { fd, sequence: 0 })
    }

    /// Asks for a dump and returns all its messages, once they are whole.
    pub fn dump<'b>(&mut self, what: &'static str, request: &Request, buffer: &'b mut Buffer) -> Result<&'b [u8], ReadError> {
        self.ask(what, request, F_REQUEST | F_DUMP, buffer)
    }

    /// Asks for one object. `None` when there is no such object (ENOENT).
    pub fn get<'b>(&mut self, what: &'static str, request: &Request, buffer: &'b mut Buffer) -> Result<Option<&'b [u8]>, ReadError> {
        match self.ask(what, request, F_REQUEST, buffer) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadError::Gone { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn ask<'b>(&mut self, what: &'static str, request: &Request, flags: u16, buffer: &'b mut Buffer) -> Result<&'b [u8], ReadError> {
        for _ in 0..ATTEMPTS {
            self.sequence += 1;
            let sequence = self.sequence;
            net::send(&self.fd, &request.message(flags, sequence), SendFlags::empty()).map_err(|errno| ReadError::of(what, errno))?;
            // The kernel answers within `send`, and makes the next part of a dump within `recv`: there is never anything to wait for.
            let receive = |space: &mut [u8]| net::recv(&self.fd, space, RecvFlags::TRUNC | RecvFlags::DONTWAIT).map(|(_, length)| length);
            match buffer.collect(what, sequence, flags & F_DUMP != 0, receive)? {
                Collected::Whole => return Ok(buffer.answer()),
                Collected::Interrupted => {}
            }
        }
        Err(ReadError::Interrupted(what))
    }

    /// The name of network device `index` in this socket's namespace (SIOCGIFNAME).
    pub fn device_name(&self, index: u32) -> Result<String, ReadError> {
        net::netdevice::index_to_name(&self.fd, index).map_err(|errno| ReadError::of("device name", errno))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Collected {
    Whole,
    Interrupted,
}

/// What one datagram said about the dump it belongs to.
struct Datagram {
    /// Bytes of payload messages at its start.
    keep: usize,
    finished: bool,
    interrupted: bool,
}

impl Buffer {
    /// The answer that was collected last.
    fn answer(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Receives until the answer is complete. `receive` is `recv(2)` with `MSG_TRUNC`: it returns the real length.
    fn collect(
        &mut self,
        what: &'static str,
        sequence: u32,
        dump: bool,
        mut receive: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    ) -> Result<Collected, ReadError> {
        self.used = 0;
        let mut interrupted = false;
        loop {
            let space = if self.used < 2 * SMALL { SMALL } else { LARGE };
            let start = self.used;
            if start > LIMIT {
                return Err(ReadError::TooLarge { what, limit: LIMIT });
            }
            self.bytes.resize(self.bytes.len().max(start + space), 0);
            let length = receive(&mut self.bytes[start..start + space]).map_err(|errno| ReadError::of(what, errno))?;
            if length > space {
                return Err(ReadError::Malformed("netlink datagram larger than the kernel's own limit"));
            }
            let datagram = inspect(what, &self.bytes[start..start + length], sequence, dump)?;
            interrupted |= datagram.interrupted;
            self.used = start + datagram.keep;
            if datagram.finished {
                return Ok(if interrupted { Collected::Interrupted } else { Collected::Whole });
            }
        }
    }
}

/// Walks the headers of one datagram: sequence, errors, end, interruption. An answer to an older request (after a retry) is skipped.
fn inspect(what: &'static str, bytes: &[u8], sequence: u32, dump: bool) -> Result<Datagram, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Malformed("empty netlink datagram"));
    }
    let mut datagram = Datagram { keep: 0, finished: false, interrupted: false };
    for message in messages(bytes) {
        let message = message?;
        if message.sequence != sequence {
            return if message.start == 0 { Ok(datagram) } else { Err(ReadError::Malformed("netlink sequence changed within a datagram")) };
        }
        datagram.interrupted |= message.flags & F_DUMP_INTR != 0;
        match message.kind {
            DONE => {
                let code = message.payload.get(..4).and_then(|four| four.try_into().ok()).map_or(0, i32::from_ne_bytes);
                refused(what, code)?;
                datagram.finished = true;
                return Ok(datagram);
            }
            ERROR => {
                let code = message.payload.get(..4).and_then(|four| four.try_into().ok()).map(i32::from_ne_bytes);
                refused(what, code.ok_or(ReadError::Malformed("netlink error without a code"))?)?;
                datagram.finished = true;
                return Ok(datagram);
            }
            _ => datagram.keep = message.end,
        }
    }
    datagram.finished = !dump;
    Ok(datagram)
}

/// A negative code is an errno of the kernel, of which the last is `MAX_ERRNO`.
fn refused(what: &'static str, code: i32) -> Result<(), ReadError> {
    match code {
        0.. => Ok(()),
        -4095..0 => Err(ReadError::of(what, Errno::from_raw_os_error(-code))),
        _ => Err(ReadError::Malformed("netlink error that is no errno")),
    }
}

/// Fuzzing: an answer in datagrams, each after its length (two bytes, little-endian). What is kept is never more than was sent.
#[cfg(fuzzing)]
pub fn fuzz(mut data: &[u8]) {
    let (mut buffer, all) = (Buffer::default(), data.len());
    let dump = data.first().is_some_and(|byte| byte & 1 == 1);
    let outcome = buffer.collect("fuzz", 1, dump, |space| {
        let (head, rest) = data.split_first_chunk::<2>().ok_or(Errno::AGAIN)?;
        let (datagram, rest) = rest.split_at(usize::from(u16::from_le_bytes(*head)).min(rest.len()));
        data = rest;
        let taken = datagram.len().min(space.len());
        space[..taken].copy_from_slice(&datagram[..taken]);
        Ok(datagram.len())
    });
    assert!(outcome.is_err() || buffer.answer().len() <= all, "more was kept than sent");
}

#[cfg(test)]
mod tests;
