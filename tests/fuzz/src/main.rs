//! One program for every fuzz target: `CHAOSCOPE_FUZZ` names the target, the arguments are libFuzzer's. `tests/fuzz.sh` builds and runs
//! it; what each target does with bytes is in [`targets`].
//!
//! `CHAOSCOPE_FUZZ=list` prints the targets, `CHAOSCOPE_FUZZ=record DIR` writes the state of this thread's network namespace as seeds.

#![no_main]

mod record;
mod targets;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use std::alloc::System;
use std::sync::OnceLock;
use targets::TARGETS;

/// Memory is counted, so that an input can be held to its share: see [`share`].
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

/// Most memory a parser may hold at once for an input of this length: a small constant, and a factor for what the densest input becomes
/// (an attribute of 8 bytes becomes a member with a `String` of its own, a message of 36 bytes a qdisc).
const fn share(length: usize) -> usize {
    (64 << 10) + 64 * length
}

/// Most memory the regular expressions of one query may hold, whatever its length: there are at most 20, each limited. Those that are refused
/// took more while they were read.
const EXPRESSIONS: usize = 64 << 20;

/// YAML keeps an event and a location for each byte.
const YAML_FACTOR: usize = 16;

fn prepare() {
    let wanted = std::env::var("CHAOSCOPE_FUZZ").unwrap_or_default();
    match wanted.as_str() {
        "list" => {
            TARGETS.iter().for_each(|(name, _)| println!("{name}"));
            std::process::exit(0);
        }
        "record" => {
            let folder = std::env::args().nth(1).expect("record DIR");
            record::record(folder.as_ref());
            std::process::exit(0);
        }
        name => {
            let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("CHAOSCOPE_FUZZ: list, record or a target");
            TARGET.get_or_init(|| *target);
        }
    }
}

fuzz_target!(init: prepare(), |data: &[u8]| {
    let name = std::env::var("CHAOSCOPE_FUZZ").unwrap_or_default();
    let factor = if name == "web_config" { YAML_FACTOR } else { 1 };
    let more = if name == "query" { EXPRESSIONS } else { 0 };
    let before = MEMORY.allocated();
    MEMORY.set_limit(before + more + factor * share(data.len())).expect("more than is in use");
    TARGET.get().expect("prepared")(data);
    MEMORY.set_limit(usize::MAX).expect("no limit");
});
