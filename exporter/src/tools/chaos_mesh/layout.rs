//! Which qdisc of a device is which experiment's: the order in which chaos-daemon hangs them up, from what is declared.
//!
//! `pkg/chaosdaemon/tc_server.go`: those for all packets first, one in the other, with handles from `1:`; then, for those that have a set,
//! a `prio`, three `sfq`, and one for each. Handles are counted in decimal and read by the kernel as hex.

use chaoscope_model::declared::Shaping;

/// Where nothing else is declared.
pub const DEVICE: &str = "eth0";
/// A `prio` and three `sfq` come before those with a set.
const TREE: usize = 4;

/// The experiments (`namespace/name`) that the qdisc with this major number on `device` may be of; none: it is nobody's.
/// The order of those with a set is not fixed, so any of them may be.
pub fn sources<'a>(declared: &'a [Shaping], device: &str, major: u16) -> Vec<&'a str> {
    let here = |shaping: &&Shaping| if shaping.device.is_empty() { device == DEVICE } else { shaping.device == device };
    let (all, some): (Vec<&Shaping>, Vec<&Shaping>) = declared.iter().filter(here).partition(|shaping| shaping.set.is_empty());
    let number = (1..).take(all.len() + TREE + some.len()).find(|number| handle(*number) == Some(major));
    match number {
        Some(number) if number <= all.len() => vec![all[number - 1].source.as_str()],
        Some(_) => some.iter().map(|shaping| shaping.source.as_str()).collect(),
        None => Vec::new(),
    }
}

/// The major number that the kernel makes of a counted one.
fn handle(number: usize) -> Option<u16> {
    u16::from_str_radix(&number.to_string(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaping(source: &str, device: &str, set: &str) -> Shaping {
        Shaping { source: source.into(), device: device.into(), set: set.into(), ..Shaping::default() }
    }

    #[test]
    fn handles_count_through_the_tree() {
        let declared = [
            shaping("a/all", "", ""),
            shaping("a/web", "eth0", "s1"),
            shaping("a/next", "", ""),
            shaping("a/db", "", "s2"),
            shaping("a/other", "eth1", ""),
        ];
        let of = |device, major| sources(&declared, device, major);
        assert_eq!((of("eth0", 1), of("eth0", 2), of("eth1", 1)), (vec!["a/all"], vec!["a/next"], vec!["a/other"]));
        for major in 3..=8 {
            assert_eq!(of("eth0", major), ["a/web", "a/db"], "{major}");
        }
        for (device, major) in [("eth0", 0), ("eth0", 9), ("eth0", 0x8001), ("eth1", 2), ("lo", 1)] {
            assert!(of(device, major).is_empty(), "{device} {major}");
        }
    }

    #[test]
    fn the_tenth_handle_is_sixteen() {
        let declared: Vec<_> = (0..12).map(|number| shaping(&format!("a/{number}"), "", "")).collect();
        assert_eq!((sources(&declared, "eth0", 0x10), sources(&declared, "eth0", 10)), (vec!["a/9"], vec![]));
    }
}
