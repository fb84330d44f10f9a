//! Text of /proc → values. Pure; None for text that is not what proc(5) says.

use super::{MEMORY, MODES, ProcessorTime, Processors};

/// `loadavg`: three averages first.
pub(super) fn load(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace().map(number);
    Some([words.next()??, words.next()??, words.next()??])
}

/// `stat`: a line `cpu<number> <ticks>…` per processor, and `btime <seconds>`.
pub(super) fn processors(text: &str, ticks_per_second: u64) -> Option<Processors> {
    let mut times = Vec::new();
    let mut boot_time = None;
    for line in text.lines() {
        if let Some(seconds) = line.strip_prefix("btime ") {
            boot_time = Some(seconds.trim().parse::<u64>().ok()? as f64);
        } else if let Some(processor) = line.strip_prefix("cpu").filter(|rest| !rest.starts_with(' ')) {
            times.push(processor_time(processor, ticks_per_second)?);
        }
    }
    (!times.is_empty()).then_some(Processors { times, boot_time: boot_time? })
}

fn processor_time(text: &str, ticks_per_second: u64) -> Option<ProcessorTime> {
    let mut words = text.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let seconds = |ticks: &str| Some(ticks.parse::<u64>().ok()? as f64 / ticks_per_second as f64);
    let seconds = MODES.into_iter().zip(words).map(|(mode, ticks)| Some((mode, seconds(ticks)?))).collect::<Option<_>>()?;
    Some(ProcessorTime { number, seconds })
}

/// `meminfo`: `Name:   number kB`. A name this kernel does not have is left out; none at all is an error.
pub(super) fn memory(text: &str) -> Option<Vec<(&'static str, u64)>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        if let Some(name) = MEMORY.into_iter().find(|known| *known == name) {
            let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
            found.push((name, kibibytes.checked_mul(1024)?));
        }
    }
    (!found.is_empty()).then_some(found)
}

/// `pressure/*`: `some … total=<microseconds>`, then `full …`. Seconds waiting, and, where asked for, stalled.
pub(super) fn pressure(text: &str, has_stalled: bool) -> Option<(f64, Option<f64>)> {
    let total = |kind: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let total = line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?;
        Some(total.parse::<u64>().ok()? as f64 / 1e6)
    };
    let waiting = total("some ")?;
    Some((waiting, if has_stalled { Some(total("full ")?) } else { None }))
}

/// Whether a disk is neither a partition nor made of memory or a file: `node_exporter`'s default choice of devices.
pub(super) fn is_whole_disk(name: &str) -> bool {
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    if stem.len() == name.len() {
        return true; // sda, dm-
    }
    let is_letters_disk =
        |prefix: &str| stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_lowercase());
    let is_partition = ["hd", "sd", "vd", "xvd"].into_iter().any(is_letters_disk) || is_nvme_partition(stem);
    !is_partition && !matches!(stem, "ram" | "zram" | "loop" | "fd")
}

/// `nvme0n1p`, of `nvme0n1p2`.
fn is_nvme_partition(stem: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = stem.strip_prefix("nvme").and_then(|rest| rest.strip_suffix('p')).and_then(|rest| rest.split_once('n'));
    numbers.is_some_and(|(controller, namespace)| is_number(controller) && is_number(namespace))
}

/// Whether a device is the host's end of a pod's: the pods have families of their own. The names are those that the
/// kube-prometheus stack leaves out too: `veth…`, and the 15 hex digits of some network plugins.
pub(super) fn is_pods_end(name: &str) -> bool {
    name.starts_with("veth") || (name.len() == 15 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

fn number(word: &str) -> Option<f64> {
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn loads_keep_their_digits() {
        assert_eq!(load("0.08 1.70 23.45 3/512 9999\n"), Some([0.08, 1.7, 23.45]));
        for text in ["", "1 2", "1 2 x", "1 nan 2", "1 inf 2"] {
            assert_eq!(load(text), None, "{text:?}");
        }
    }

    #[test]
    fn processors_keep_their_numbers_when_one_is_off_line() {
        let stat = "cpu  30 0 0 0\ncpu0 100 1 2 300 4 5 6 7 50 0\ncpu2 200 0 0 0\nintr 1 2 3\nctxt 5\nbtime 1700000000\n";
        let found = processors(stat, 100).unwrap();
        assert_eq!(Some(found.boot_time), Some(1_700_000_000.0));
        assert_eq!(found.times.iter().map(|time| time.number).collect::<Vec<_>>(), [0, 2]);
        let first = &found.times[0].seconds;
        assert_eq!(first.len(), MODES.len(), "guest time is no mode");
        assert_eq!((first[0], first[3], first[7]), (("user", 1.0), ("idle", 3.0), ("steal", 0.07)));
        assert_eq!(found.times[1].seconds.len(), 4, "an old kernel's four modes");
        for text in ["", "btime 1\n", "cpu0 1 2 3 4\n", "cpu0 1 x\nbtime 1\n", "cpux 1\nbtime 1\n"] {
            assert_eq!(processors(text, 100), None, "{text:?}");
        }
    }

    #[test]
    fn memory_is_in_bytes_and_what_is_missing_stays_away() {
        let text = "MemTotal:       2048 kB\nMemFree:  1 kB\nMemFreeish: 9 kB\nHugePages_Total:       0\nCached:\t3 kB\n";
        assert_eq!(memory(text), Some(vec![("MemTotal", 2048 * 1024), ("MemFree", 1024), ("Cached", 3072)]));
        for text in ["", "HugePages_Total: 0\n", "MemTotal: x kB\n", "MemTotal: 1\n", "MemTotal: 18446744073709551615 kB\n"] {
            assert_eq!(memory(text), None, "{text:?}");
        }
    }

    #[test]
    fn pressure_is_in_seconds() {
        let text = "some avg10=4.50 avg60=0.91 avg300=0.00 total=1500000\nfull avg10=2.10 avg60=0.12 avg300=0.00 total=250000\n";
        assert_eq!(pressure(text, true), Some((1.5, Some(0.25))));
        assert_eq!(pressure(text.lines().next().unwrap(), false), Some((1.5, None)), "cpu before Linux 5.13");
        for text in ["", "some", "some total=", "full total=1", "some total=1"] {
            assert_eq!(pressure(text, true), None, "{text:?}");
        }
    }

    #[test]
    fn disks_and_devices_are_chosen_by_name() {
        for whole in ["sda", "vdab", "sdaa1", "nvme0n1", "dm-0", "md127", "mmcblk0", "mmcblk0p1", "nvmen1p1", "xvda"] {
            assert!(is_whole_disk(whole), "{whole}");
        }
        for part in ["sda1", "hdb2", "vda15", "xvdf1", "nvme0n1p2", "loop7", "ram0", "zram0", "fd0"] {
            assert!(!is_whole_disk(part), "{part}");
        }
        assert!(is_pods_end("veth1a2b3c") && is_pods_end("0123456789abcde"));
        assert!(!is_pods_end("eth0") && !is_pods_end("0123456789abcdef") && !is_pods_end("docker0"));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in prop_oneof![".{0,200}", "((cpu|btime|some|full|MemTotal:|total=)[ 0-9a-z=kB\n]{0,20}){0,8}"]) {
            let _ = (load(&text), processors(&text, 100), memory(&text), pressure(&text, true));
            let _ = (is_whole_disk(&text), is_pods_end(&text), super::super::network(&text), super::super::disks(&text));
        }
    }
}
