//! What the kernel's own tools print → a reading, as a visit that lists members makes it: `tc -s -j qdisc`, `iptables-save -c`, `ipset save`.

use chaoscope::node::ipset::Set;
use chaoscope::node::iptables::text::{Part, SetMatch};
use chaoscope::node::iptables::{Backend, Chain, Counters, Family, Rule, Table, Verdict, mark_reachable};
use chaoscope::node::tc::options::{Netem, Options, Prio, Sfq, Tbf};
use chaoscope::node::tc::{Handle, Qdisc, Statistics, Tc};
use chaoscope::node::visit::Reading;
use serde_json::Value;
use std::path::Path;

/// What the files of one pod at one moment say; a file that is not there is empty.
pub fn reading(folder: &Path) -> Reading {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    assert!(folder.is_dir(), "{} is not there", folder.display());
    Reading {
        tc: Ok(tc(&file("tc-qdisc.json"))),
        sets: Ok(sets(&file("ipset-save.txt"))),
        legacy: Ok(tables(&file("iptables-save.txt"))),
        nft: Ok(vec![]),
    }
}

/// `1:`, `1:4`, `8001:`.
fn handle(text: &str) -> Handle {
    let (major, minor) = text.split_once(':').unwrap();
    let number = |digits: &str| if digits.is_empty() { 0 } else { u32::from_str_radix(digits, 16).unwrap() };
    Handle(number(major) << 16 | number(minor))
}

pub fn tc(json: &str) -> Tc {
    if json.trim().is_empty() {
        return Tc::default();
    }
    let items: Vec<Value> = serde_json::from_str(json).unwrap();
    let mut devices: Vec<String> = Vec::new();
    let mut qdiscs = Vec::new();
    for item in &items {
        let device = item["dev"].as_str().unwrap().to_owned();
        let at = devices.iter().position(|known| *known == device).unwrap_or_else(|| {
            devices.push(device.clone());
            devices.len() - 1
        });
        let kind = item["kind"].as_str().unwrap();
        qdiscs.push(Qdisc {
            device,
            ifindex: at as u32 + 1,
            kind: kind.to_owned(),
            handle: handle(item["handle"].as_str().unwrap()),
            parent: if item["root"] == true { Handle::ROOT } else { handle(item["parent"].as_str().unwrap()) },
            options: options(kind, &item["options"]),
            statistics: Statistics::default(),
        });
    }
    Tc { qdiscs, ..Tc::default() }
}

fn options(kind: &str, it: &Value) -> Options {
    let figure = |path: &str| it.pointer(path).and_then(Value::as_f64).unwrap_or(0.0);
    let whole = |path: &str| it.pointer(path).and_then(Value::as_u64);
    match kind {
        "netem" => Options::Netem(Netem {
            delay_seconds: figure("/delay/delay"),
            jitter_seconds: figure("/delay/jitter"),
            delay_correlation: figure("/delay/correlation"),
            loss_ratio: Some(figure("/loss-random/loss")),
            loss_correlation: figure("/loss-random/correlation"),
            duplicate_ratio: figure("/duplicate/duplicate"),
            duplicate_correlation: figure("/duplicate/correlation"),
            corrupt_ratio: figure("/corrupt/corrupt"),
            corrupt_correlation: figure("/corrupt/correlation"),
            reorder_ratio: figure("/reorder/reorder"),
            reorder_correlation: figure("/reorder/correlation"),
            gap: whole("/gap").unwrap_or(0) as u32,
            rate_bytes_per_second: whole("/rate/rate"),
            limit_packets: whole("/limit").unwrap() as u32,
            ..Netem::default()
        }),
        "tbf" => {
            // tc tells the longest wait, in microseconds, instead of the limit.
            let (rate, burst, wait) = (whole("/rate").unwrap(), whole("/burst").unwrap(), figure("/lat"));
            let limit = wait * rate as f64 / 1e6 + burst as f64;
            Options::Tbf(Tbf {
                rate_bytes_per_second: rate,
                peakrate_bytes_per_second: whole("/peakrate"),
                burst_bytes: burst,
                limit_bytes: limit.round() as u32,
            })
        }
        "prio" => {
            let map: Vec<u8> = it["priomap"].as_array().unwrap().iter().map(|band| band.as_u64().unwrap() as u8).collect();
            Options::Prio(Prio { bands: whole("/bands").unwrap() as u32, priomap: map.try_into().unwrap() })
        }
        "sfq" => Options::Sfq(Sfq { quantum_bytes: 1514, perturb_seconds: 0, limit_packets: 127 }),
        _ => Options::Other,
    }
}

pub fn tables(saved: &str) -> Vec<Table> {
    let mut out: Vec<Table> = Vec::new();
    for line in saved.lines().filter(|line| !line.starts_with('#') && !line.is_empty() && *line != "COMMIT") {
        if let Some(name) = line.strip_prefix('*') {
            out.push(Table { backend: Backend::Legacy, family: Family::Ipv4, name: name.to_owned(), chains: vec![] });
            continue;
        }
        let table = out.last_mut().unwrap();
        if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            let name = words.next().unwrap().to_owned();
            let policy = match words.next().unwrap() {
                "ACCEPT" => "ACCEPT",
                "DROP" => "DROP",
                _ => "-",
            };
            table.chains.push(Chain { name, hooked: policy != "-", policy, ..Chain::default() });
        } else {
            let rule = line.split_once("-A ").unwrap().1;
            let (chain, words) = rule.split_once(' ').unwrap();
            table.chains.iter_mut().find(|it| it.name == chain).unwrap().rules.push(self::rule(words));
        }
    }
    out.iter_mut().for_each(mark_reachable);
    out
}

/// One rule of the shapes chaos-daemon writes; anything else is a failed test.
pub fn rule(words: &str) -> Rule {
    let mut parts = Vec::new();
    let mut verdict = Verdict::Continue;
    let mut words = words.split(' ').peekable();
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap().to_owned();
        match word {
            "-i" | "-o" | "-p" => parts.push(Part::Text(format!("{word} {}", next()))),
            "-m" => {
                assert_eq!([next(), next()], ["set", "--match-set"]);
                parts.push(Part::Set(SetMatch { index: 0, name: Some(next()), inverted: false, directions: next(), more: None }));
            }
            "-j" => {
                verdict = match next().as_str() {
                    "DROP" => Verdict::Drop,
                    "ACCEPT" => Verdict::Accept,
                    "RETURN" => Verdict::Return,
                    "CLASSIFY" => {
                        assert_eq!(next(), "--set-class");
                        parts.push(Part::Text(format!("-j CLASSIFY --set-class {}", next())));
                        Verdict::Target("CLASSIFY".to_owned())
                    }
                    chain => Verdict::Jump(chain.to_owned()),
                }
            }
            other => panic!("{other}"),
        }
    }
    Rule { parts, verdict, counters: Some(Counters::default()), verdict_map: false }
}

pub fn sets(saved: &str) -> Vec<Set> {
    let mut out: Vec<Set> = Vec::new();
    for line in saved.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["create", name, kind, ..] => {
                let (name, kind) = ((*name).to_owned(), (*kind).to_owned());
                out.push(Set { name, kind, members: Some(0), references: Some(0), ..Set::default() });
            }
            ["add", name, member, ..] => {
                let set = out.iter_mut().find(|set| set.name == **name).unwrap();
                set.list.push((*member).to_owned());
                set.members = Some(set.list.len() as u64);
            }
            _ => panic!("{line}"),
        }
    }
    out
}

#[test]
fn the_text_of_a_rule_is_read_back() {
    for words in [
        "-o eth0 -m set --match-set a_set_tgt dst,dst -j DROP",
        "-i eth1 -j DROP",
        "-j CHAOS-OUTPUT",
        "-p tcp -j RETURN",
        "-o eth0 -m set --match-set a dst,dst -j CLASSIFY --set-class 0001:0004",
    ] {
        assert_eq!(rule(words).to_string(), words);
    }
}
