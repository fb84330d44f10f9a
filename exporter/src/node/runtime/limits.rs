//! How much of a runtime's answer is believed: sizes, ids, names, process ids. Both protocols go through here.

use super::error::{Malformed, one_line};

/// Most containers a list may hold, exited ones included. A node runs 110 pods by default (kubelet's `maxPods`).
pub const MAX_CONTAINERS: usize = 10_000;

/// Largest answer that is read, in bytes: what containerd itself allows (`max_send_message_size`). 2 000 containers are 2 MB.
pub const MAX_ANSWER: usize = 16 << 20;

/// Longest name of a pod or namespace in Kubernetes (RFC 1123 subdomain); longer ones are taken as unknown.
const MAX_NAME: usize = 253;

/// Longest container id. containerd, CRI-O and Docker use 64 hexadecimal digits; CRI promises no form.
const MAX_ID: usize = 128;

/// Largest process id a 64-bit Linux gives out (`PID_MAX_LIMIT`, include/linux/threads.h).
const MAX_PID: i64 = 4 << 20;

/// Whether a text can be a container id; it also becomes part of a path.
pub(super) fn is_id(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(safe)
}

/// An id as told, or what is wrong with it.
pub(super) fn checked_id(id: String) -> Result<String, Malformed> {
    if is_id(&id) { Ok(id) } else { Err(Malformed::Id(one_line(&id))) }
}

/// A name as told; empty (unknown) where there is none or it is too long to be one.
pub(super) fn sane_name(name: Option<String>) -> String {
    name.filter(|name| name.len() <= MAX_NAME).unwrap_or_default()
}

/// A process id as told; 0 means that nothing runs.
pub(super) fn pid_of(told: i64) -> Result<Option<u32>, Malformed> {
    match u32::try_from(told) {
        Ok(0) => Ok(None),
        Ok(pid) if told <= MAX_PID => Ok(Some(pid)),
        _ => Err(Malformed::Pid(told)),
    }
}
