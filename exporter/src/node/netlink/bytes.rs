//! Netlink bytes taken apart: messages, attributes, numbers, names. Pure; whatever the bytes, the answer is a value or an error.
//!
//! Layouts: `struct nlmsghdr` in `include/uapi/linux/netlink.h`, `struct nlattr` beside it.

use super::HEADER;
use crate::node::error::ReadError;
use std::fmt::Write as _;

/// One netlink message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// `nlmsg_type`.
    pub kind: u16,
    /// What follows the header.
    pub payload: &'a [u8],
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) start: usize,
    pub(in crate::node) end: usize,
}

/// Iterates over the messages of an answer.
pub struct Messages<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// The messages in `bytes`.
pub fn messages(bytes: &[u8]) -> Messages<'_> {
    Messages { bytes, at: 0 }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let Some((length, header)) = u32_at(rest, 0).zip(rest.get(..HEADER)) else {
            self.at = self.bytes.len();
            return Some(Err(ReadError::Malformed("netlink message shorter than its header")));
        };
        let length = length as usize;
        let Some(payload) = rest.get(HEADER..length) else {
            self.at = self.bytes.len();
            return Some(Err(ReadError::Malformed("netlink message length beyond the datagram")));
        };
        self.at = (start + length.next_multiple_of(4)).min(self.bytes.len());
        Some(Ok(Message {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            flags: u16::from_ne_bytes([header[6], header[7]]),
            sequence: u32::from_ne_bytes([header[8], header[9], header[10], header[11]]),
            payload,
            start,
            end: self.at,
        }))
    }
}

/// Iterates over netlink attributes (`struct nlattr`: length, type, value, padded to four bytes).
#[derive(Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

/// The attributes in `bytes`; each item is (type without the nested and byte-order flags, value).
pub fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<(u16, &'a [u8]), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() < 4 {
            return None; // padding
        }
        let length = usize::from(u16::from_ne_bytes([self.rest[0], self.rest[1]]));
        let kind = u16::from_ne_bytes([self.rest[2], self.rest[3]]) & 0x3fff; // NLA_TYPE_MASK
        let Some(value) = self.rest.get(4..length) else {
            self.rest = &[];
            return Some(Err(ReadError::Malformed("netlink attribute length beyond its message")));
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Ok((kind, value)))
    }
}

/// Native-order u16 at `at`, if it is there.
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

/// Native-order u32 at `at`, if it is there.
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Native-order u64 at `at`, if it is there.
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// Big-endian u32 (nfnetlink attributes).
pub fn be32(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// Big-endian u64 (nfnetlink attributes).
pub fn be64(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// A kernel name as text: up to the first NUL, with bytes that are not printable UTF-8 written as `\xNN`, so that two
/// different names never become one.
pub fn name(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
    if bytes.iter().all(|byte| (0x20..0x7f).contains(byte) && *byte != b'\\') {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut out = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() || letter == '\\' {
                out.extend(letter.escape_default());
            } else {
                out.push(letter);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}
