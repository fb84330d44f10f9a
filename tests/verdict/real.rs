//! chaos-daemon's commands for a `PodNetworkChaos`, as a script for a real kernel: `ipset`, `iptables-legacy`, `tc`, in its order and with its
//! arguments.
//!
//! After `pkg/chaosdaemon/{ipset,iptables,tc}_server.go` and `pkg/netem/convert.go`, and the commands a recording lists. What a release does
//! wrong it does wrong here, too.

use serde_json::Value;
use std::fmt::Write as _;

/// Which release's way with times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 2.5 to 2.7: microseconds as a bare number.
    Numbers,
    /// The same with a tc that takes a bare number for nanoseconds, as in some of their images.
    Misread,
    /// 2.8: the text itself, unless it comes before `0ms` in the alphabet.
    Texts,
}

/// All of one sync; the devices are all there are.
pub fn sync(spec: &Value, devices: &[&str], release: Release) -> String {
    let mut out = String::from("set -eu\n");
    for set in items(spec, "ipsets") {
        self::set(set, &mut out);
    }
    for hook in ["INPUT", "OUTPUT"] {
        chain(&format!("CHAOS-{hook}"), &[], hook, &mut out);
    }
    for item in items(spec, "iptables") {
        let (flag, directions, hook) = if item["direction"] == "output" { ("-o", "dst,dst", "OUTPUT") } else { ("-i", "src,dst", "INPUT") };
        let device = item["device"].as_str().unwrap_or("eth0");
        let sets: Vec<_> = item["ipsets"].as_array().into_iter().flatten().map(text).collect();
        let rules: Vec<_> = match sets.as_slice() {
            [] => vec![format!("{flag} {device} -j DROP")],
            sets => sets.iter().map(|set| format!("{flag} {device} -m set --match-set {set} {directions} -j DROP")).collect(),
        };
        chain(text(&item["name"]), &rules, &format!("CHAOS-{hook}"), &mut out);
    }
    for device in devices {
        line(&mut out, format_args!("tc qdisc del dev {device} root 2>/dev/null || true"));
    }
    for device in devices {
        shaped(spec, device, release, &mut out);
    }
    out
}

fn items<'a>(spec: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    spec[list].as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    writeln!(out, "{words}").unwrap();
}

fn set(item: &Value, out: &mut String) {
    let (name, kind) = (text(&item["name"]), text(&item["ipsetType"]));
    line(out, format_args!("ipset create {name}old {kind} 2>/dev/null || ipset flush {name}old"));
    let plain = ["cidrs", "setNames"].map(|list| items(item, list).map(text).map(str::to_owned).collect::<Vec<_>>()).concat();
    let ports = items(item, "cidrAndPorts").map(|it| format!("{},{}", text(&it["cidr"]), it["port"]));
    for member in plain.into_iter().chain(ports) {
        line(out, format_args!("ipset -exist add {name}old {member}"));
    }
    line(out, format_args!("ipset rename {name}old {name} 2>/dev/null || ipset swap {name}old {name}"));
}

/// Makes or empties a chain, fills it, and jumps to it once.
fn chain(name: &str, rules: &[String], from: &str, out: &mut String) {
    line(out, format_args!("iptables-legacy -w -N {name} 2>/dev/null || iptables-legacy -w -F {name}"));
    for rule in rules {
        line(out, format_args!("iptables-legacy -w -A {name} {rule}"));
    }
    line(out, format_args!("iptables-legacy -w -C {from} -j {name} 2>/dev/null || iptables-legacy -w -A {from} -j {name}"));
}

fn shaped(spec: &Value, device: &str, release: Release, out: &mut String) {
    let of = |tc: &&Value| tc["device"].as_str().unwrap_or("eth0") == device;
    let (filtered, global): (Vec<&Value>, Vec<&Value>) = items(spec, "tcs").filter(of).partition(|tc| tc["ipset"].is_string());
    let root = |above: usize| if above == 0 { "root".to_owned() } else { format!("parent {above}:") };
    let add = |parent: &str, handle: usize, tc: &Value, out: &mut String| {
        line(out, format_args!("tc qdisc add dev {device} {parent} handle {handle}: {}", arguments(tc, release)));
    };
    for (at, tc) in global.iter().enumerate() {
        add(&root(at), at + 1, tc, out);
    }
    let mut names: Vec<&str> = filtered.iter().map(|tc| text(&tc["ipset"])).collect();
    names.dedup();
    if names.is_empty() {
        return;
    }
    let (above, prio, bands) = (global.len(), global.len() + 1, 3 + names.len());
    let map = "1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1";
    line(out, format_args!("tc qdisc add dev {device} {} handle {prio}: prio bands {bands} priomap {map}", root(above)));
    for band in 1..=3 {
        line(out, format_args!("tc qdisc add dev {device} parent {prio}:{band} handle {}: sfq", prio + band));
    }
    let mut handle = prio + 3;
    for (index, name) in names.iter().enumerate() {
        for (at, tc) in filtered.iter().filter(|tc| tc["ipset"] == **name).enumerate() {
            let parent = if at == 0 { format!("parent {prio}:{}", index + 4) } else { format!("parent {handle}:") };
            handle += 1;
            add(&parent, handle, tc, out);
        }
        let rule = format!("-o {device} -m set --match-set {name} dst,dst -j CLASSIFY --set-class {prio}:{}", index + 4);
        chain(&format!("TC-TABLES-{index}"), &[rule], "CHAOS-OUTPUT", out);
    }
}

fn arguments(tc: &Value, release: Release) -> String {
    if tc["type"] == "bandwidth" {
        let it = &tc["bandwidth"];
        let peak = it["peakrate"].as_u64().map_or_else(String::new, |peak| format!(" peakrate {peak} mtu {}", it["minburst"]));
        return format!("tbf rate {} burst {} limit {}{peak}", text(&it["rate"]), it["buffer"], it["limit"]);
    }
    let figure = |value: &Value| value.as_str().map_or(0.0, |text| text.parse::<f32>().unwrap());
    let mut out = String::from("netem");
    let pair = |out: &mut String, word: &str, part: &Value, key: &str| {
        if figure(&part[key]) > 0.0 {
            write!(out, " {word} {:.6}", figure(&part[key])).unwrap();
            if figure(&part["correlation"]) > 0.0 {
                write!(out, " {:.6}", figure(&part["correlation"])).unwrap();
            }
            return true;
        }
        false
    };
    let delay = &tc["delay"];
    if let Some(latency) = time(&delay["latency"], release) {
        write!(out, " delay {latency}").unwrap();
        if let Some(jitter) = time(&delay["jitter"], release) {
            write!(out, " {jitter}").unwrap();
            if figure(&delay["correlation"]) > 0.0 {
                write!(out, " {:.6}", figure(&delay["correlation"])).unwrap();
            }
        }
        let gap = delay["reorder"]["gap"].as_u64().filter(|gap| *gap > 0);
        if pair(&mut out, "reorder", &delay["reorder"], "reorder")
            && let Some(gap) = gap
        {
            write!(out, " gap {gap}").unwrap();
        }
    }
    for word in ["loss", "duplicate", "corrupt"] {
        pair(&mut out, word, &tc[word], word);
    }
    if let Some(rate) = tc["rate"]["rate"].as_str() {
        write!(out, " rate {rate}").unwrap();
    }
    out
}

/// What is handed to tc; nothing where the release takes the time for none.
fn time(value: &Value, release: Release) -> Option<String> {
    let text = value.as_str()?;
    match release {
        Release::Texts => (text > "0ms").then(|| text.to_owned()),
        Release::Numbers | Release::Misread => {
            let (number, scale) = [("ms", 1e3), ("us", 1.0), ("ns", 1e-3), ("s", 1e6)]
                .iter()
                .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?.parse::<f64>().ok()?, *scale)))
                .unwrap();
            let microseconds = (number * scale) as u64;
            let number = if release == Release::Misread { format!("{}us", microseconds as f64 / 1e3) } else { microseconds.to_string() };
            (microseconds > 0).then_some(number)
        }
    }
}
