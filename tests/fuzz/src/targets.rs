//! What each target does with an input. Any bytes must give a value or an error; values must be printable.
//!
//! To add a byte parser: a row in [`TARGETS`] and a folder in `corpus/`. A parser that is private to its module is reached through a
//! function of that module which exists with `--cfg fuzzing` only.

use chaoscope::desk;
use chaoscope::exposition::{Format, accepts_gzip};
use chaoscope::node::iptables::{Table, legacy, nft};
use chaoscope::node::netlink::{self, attributes, messages};
use chaoscope::node::tc::{self, filter};
use chaoscope::node::{ipset, mounts, processes, runtime};
use chaoscope::peers::parse;
use chaoscope::serve::{api, web_config};
use serde::Serialize;

/// Every target under its name.
pub const TARGETS: [(&str, fn(&[u8])); 18] = [
    ("answer", |data| netlink::fuzz(data)),
    ("certificate", |data| web_config::fuzz_certificate(data)),
    ("cri", |data| runtime::fuzz_cri(data)),
    ("docker", |data| runtime::fuzz_docker(data)),
    ("ipset", |data| shown(ipset::parse(data))),
    ("legacy_v4", |data| table(legacy::parse_v4, data)),
    ("legacy_v6", |data| table(legacy::parse_v6, data)),
    ("messages", walk),
    ("negotiate", negotiate),
    ("nft", rules),
    ("peers", |data| parse::fuzz(data)),
    ("proc", proc),
    ("query", |data| api::fuzz_query(data)),
    ("report", |data| shown(desk::check(data))),
    ("tc_classes", |data| shown(tc::parse_classes(data, "eth0"))),
    ("tc_filters", |data| shown(filter::parse(data, "eth0"))),
    ("tc_qdiscs", |data| shown(tc::parse_qdiscs(data))),
    ("web_config", |data| web_config::fuzz(data)),
];

/// A value must be printable, too: rule text and handles are made when shown.
fn shown<T: Serialize, E: ToString>(outcome: Result<T, E>) {
    match outcome {
        Ok(value) => serde_json::to_writer(std::io::sink(), &value).expect("what was parsed can be shown"),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says something"),
    }
}

/// The first two bytes say how many of the following belong to the first part.
pub fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<2>() else { return (&[], &[]) };
    rest.split_at(usize::from(u16::from_le_bytes(*head)).min(rest.len()))
}

fn table<E: ToString>(parse: fn(&str, &[u8], &[u8]) -> Result<Table, E>, data: &[u8]) {
    let (info, entries) = data.split_at(data.len().min(84));
    shown(parse("filter", info, entries));
}

fn rules(data: &[u8]) {
    let (chains, rules) = parts(data);
    shown(nft::parse(chains, chains, rules)); // tables and chains have the same form
}

fn walk(data: &[u8]) {
    let mut seen = 0;
    for message in messages(data).map_while(Result::ok) {
        seen += 16 + message.payload.len();
        nested(message.payload, 8);
    }
    assert!(seen <= data.len(), "messages do not overlap");
}

fn nested(bytes: &[u8], depth: u8) {
    let mut seen = 0;
    for (_, value) in attributes(bytes).map_while(Result::ok) {
        seen += 4 + value.len();
        let _ = netlink::name(value);
        if depth > 0 {
            nested(value, depth - 1);
        }
    }
    assert!(seen <= bytes.len(), "attributes do not overlap");
}

fn negotiate(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (accept, encoding) = text.split_once('\n').unwrap_or((&text, ""));
    let _ = (Format::negotiate(Some(accept)), accepts_gzip(Some(encoding)));
}

fn proc(data: &[u8]) {
    mounts::fuzz(data);
    processes::fuzz(data);
}
