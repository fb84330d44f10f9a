//! Whether `DNSChaos` has replaced a container's name servers.
//!
//! Chaos Mesh copies `/etc/resolv.conf` beside itself once and then puts its own server's address on every `nameserver`
//! line; recovery copies the contents back and leaves the copy (`pkg/chaosdaemon/dns_server.go`). So a copy alone means
//! nothing, and a copy that names other servers means that the fault is in force.
//! The copy is in the container's own layer, while `resolv.conf` belongs to the pod: after a restart of the container
//! the copy is gone and a replaced file cannot be told from one that was always so.

use super::{MountError, Root};
use serde::Serialize;

/// What has become of the file that names a container's name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolvConf {
    /// There is no copy: nothing was replaced (or the container was restarted since).
    Untouched,
    /// Other name servers than in the copy: the fault is in force.
    Replaced,
    /// The same name servers as in the copy, which was left behind: harmless.
    Restored,
}

const FILE: &str = "/etc/resolv.conf";
const COPY: &str = "/etc/resolv.conf.chaos.bak";
/// Most that is read of each. Real ones have a few lines; the resolver itself looks at three name servers.
const LIMIT: usize = 64 * 1024;

pub(super) fn read(root: &Root<'_>) -> Result<ResolvConf, MountError> {
    let Some(copy) = root.read(COPY, LIMIT)? else { return Ok(ResolvConf::Untouched) };
    let file = root.read(FILE, LIMIT)?.unwrap_or_else(Vec::new);
    Ok(compare(&file, &copy))
}

fn compare(file: &[u8], copy: &[u8]) -> ResolvConf {
    if name_servers(file).eq(name_servers(copy)) { ResolvConf::Restored } else { ResolvConf::Replaced }
}

/// The addresses on the `nameserver` lines, in order, as resolv.conf(5) defines them: the keyword begins the line.
fn name_servers(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let first = words.next().filter(|word| *word == b"nameserver" && line.starts_with(word));
        first.and(words.next())
    })
}

#[cfg(fuzzing)]
pub(super) fn fuzz(data: &[u8]) {
    let mut halves = data.splitn(2, |byte| *byte == 0);
    let (file, copy) = (halves.next().unwrap_or(&[]), halves.next().unwrap_or(&[]));
    assert_eq!(compare(file, copy), compare(copy, file));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEFORE: &str = "search shop.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n";

    #[test]
    fn only_other_name_servers_make_a_replacement() {
        for (file, expected) in [
            (BEFORE, ResolvConf::Restored),
            ("nameserver\t10.96.0.10 \r\n", ResolvConf::Restored),
            ("# nameserver 8.8.8.8\n;nameserver 1.1.1.1\nnameserver 10.96.0.10", ResolvConf::Restored),
            ("search shop.svc.cluster.local\nnameserver 10.96.77.3\noptions ndots:5\n", ResolvConf::Replaced),
            ("nameserver 10.96.0.10\nnameserver 10.96.77.3\n", ResolvConf::Replaced),
            ("nameservers 10.96.0.10\n", ResolvConf::Replaced),
            ("", ResolvConf::Replaced),
        ] {
            assert_eq!(compare(file.as_bytes(), BEFORE.as_bytes()), expected, "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_compare(file in prop::collection::vec(any::<u8>(), 0..256), copy in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = compare(&file, &copy);
            prop_assert_eq!(compare(&file, &file), ResolvConf::Restored);
        }
    }
}
