//! Traffic control against `tc -s -j`, parameter by parameter, on this kernel; netem, prio and sfq are in [`super::uml`].

use super::kit::netns::Netns;
use super::kit::process::succeed;
use super::support::{feed, look, send};
use chaoscope::node::tc::options::{Netem, Options, Tbf};
use chaoscope::node::tc::{Handle, Qdisc, Statistics, Tc};
use serde_json::Value;
use std::process::Command;

/// `tc` and `ip` for one namespace: `nsenter …` or `tc -n NAME`.
pub struct Tool<'a>(pub &'a dyn Fn(&[&str]) -> String);

impl Tool<'_> {
    fn run(&self, words: &[&str]) -> String {
        (self.0)(words)
    }

    fn json(&self, words: &[&str]) -> Vec<Value> {
        serde_json::from_str(&self.run(words)).expect("tc prints JSON")
    }
}

/// Every qdisc, class and filter we read is one `tc` shows, with the same parameters and statistics, and the other way round.
pub fn assert_as_tc_says(tc: &Tc, tool: &Tool<'_>) {
    let theirs = tool.json(&["tc", "-s", "-j", "qdisc", "show"]);
    assert_eq!(tc.qdiscs.len(), theirs.len(), "{:#?}\n{theirs:#?}", tc.qdiscs);
    let links = tool.json(&["ip", "-j", "link"]);
    for (ours, theirs) in tc.qdiscs.iter().zip(&theirs) {
        let index = links.iter().find(|link| link["ifname"] == theirs["dev"]).and_then(|link| link["ifindex"].as_u64());
        assert_eq!(Some(u64::from(ours.ifindex)), index, "{theirs}");
        assert_eq!(ours.device, theirs["dev"].as_str().unwrap(), "{theirs}");
        assert_eq!(ours.kind, theirs["kind"].as_str().unwrap(), "{theirs}");
        assert_eq!(ours.handle, handle(&theirs["handle"]), "{theirs}");
        assert_eq!(ours.parent, if theirs["root"] == true { Handle::ROOT } else { handle(&theirs["parent"]) }, "{theirs}");
        assert_eq!(ours.statistics, statistics(theirs), "{theirs}");
        options(ours, theirs);
    }
    let devices: Vec<_> = links.iter().map(|link| link["ifname"].as_str().unwrap()).collect();
    classes(tc, tool, &devices);
    filters(tc, tool, &devices);
}

/// `1:a`, `ffff:`, `:2`, in hex.
fn handle(value: &Value) -> Handle {
    let (major, minor) = value.as_str().and_then(|text| text.split_once(':')).expect("a handle");
    let number = |text: &str| if text.is_empty() { 0 } else { u32::from_str_radix(text, 16).expect("hex") };
    Handle(number(major) << 16 | number(minor))
}

fn statistics(theirs: &Value) -> Statistics {
    let field = |name: &str| theirs[name].as_u64();
    Statistics {
        bytes: field("bytes"),
        packets: field("packets"),
        drops: field("drops"),
        overlimits: field("overlimits"),
        requeues: field("requeues"),
        backlog: field("backlog"),
        queued: field("qlen"),
    }
}

fn options(ours: &Qdisc, theirs: &Value) {
    let said = &theirs["options"];
    match &ours.options {
        Options::Netem(netem) => assert_netem(netem, said),
        Options::Tbf(tbf) => assert_tbf(tbf, said),
        Options::Prio(prio) => {
            assert_eq!(said["bands"], prio.bands, "{theirs}");
            assert_eq!(said["priomap"], serde_json::json!(prio.priomap), "{theirs}");
        }
        Options::Sfq(sfq) => {
            assert_eq!((&said["limit"], &said["quantum"]), (&sfq.limit_packets.into(), &sfq.quantum_bytes.into()), "{theirs}");
            assert_eq!(said["perturb"].as_u64().unwrap_or(0), u64::from(sfq.perturb_seconds), "{theirs}");
        }
        Options::Htb { default_class } => assert_eq!(said["default"], format!("{default_class:#x}"), "{theirs}"),
        Options::Ingress => assert_eq!(theirs["kind"], "ingress"),
        Options::Clsact => assert_eq!(theirs["kind"], "clsact"),
        Options::Other => assert!(!["netem", "tbf", "prio", "sfq", "htb"].contains(&theirs["kind"].as_str().unwrap()), "{theirs}"),
        Options::HtbClass { .. } => panic!("a class among qdiscs: {theirs}"),
    }
}

/// tc prints six digits.
fn near(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= 2e-5 * theirs.abs().max(1e-6)
}

fn assert_netem(ours: &Netem, said: &Value) {
    let number = |group: &str, field: &str| said[group][field].as_f64().unwrap_or(0.0);
    let pairs = [
        (ours.delay_seconds, number("delay", "delay")),
        (ours.jitter_seconds, number("delay", "jitter")),
        (ours.delay_correlation, number("delay", "correlation")),
        (ours.loss_ratio.unwrap_or(0.0), number("loss-random", "loss")),
        (ours.loss_correlation, number("loss-random", "correlation")),
        (ours.duplicate_ratio, number("duplicate", "duplicate")),
        (ours.duplicate_correlation, number("duplicate", "correlation")),
        (ours.corrupt_ratio, number("corrupt", "corrupt")),
        (ours.corrupt_correlation, number("corrupt", "correlation")),
        (ours.reorder_ratio, number("reorder", "reorder")),
        (ours.reorder_correlation, number("reorder", "correlation")),
    ];
    for (at, (ours, theirs)) in pairs.into_iter().enumerate() {
        assert!(near(ours, theirs), "value {at}: {ours} is not {theirs} in {said}");
    }
    let model = ["loss-state", "loss-gemodel"].iter().position(|name| said.get(name).is_some());
    assert_eq!(ours.loss_model, model.map(|at| ["gi", "ge"][at]), "{said}");
    assert_eq!(ours.loss_ratio.is_none(), model.is_some(), "{said}");
    assert_eq!((&said["limit"], &said["gap"]), (&ours.limit_packets.into(), &ours.gap.into()), "{said}");
    assert_eq!(ours.rate_bytes_per_second, said["rate"]["rate"].as_u64(), "{said}");
    assert_eq!(ours.slot, said.get("slot").is_some(), "{said}");
}

fn assert_tbf(ours: &Tbf, said: &Value) {
    let number = |field: &str| said[field].as_f64().expect("tc prints it");
    let rate = ours.rate_bytes_per_second as f64;
    assert!(near(rate, number("rate")), "{ours:?} {said}");
    // tc rounds the bucket to whole microseconds of sending, and the latency, which is how it tells the limit.
    assert!((ours.burst_bytes as f64 - number("burst")).abs() <= rate * 1e-6 + 1.0, "{ours:?} {said}");
    let latency = |rate: u64, burst: f64| 1e6 * f64::from(ours.limit_bytes) / rate as f64 - 1e6 * burst / rate as f64;
    let ours_latency = latency(ours.rate_bytes_per_second, ours.burst_bytes as f64);
    match ours.peakrate_bytes_per_second {
        None => assert!(said.get("minburst").is_none() && (ours_latency - number("lat")).abs() <= 2.0, "{ours:?} {said}"),
        Some(_) => assert!(said.get("minburst").is_some() && ours_latency <= number("lat") + 2.0, "{ours:?} {said}"),
    }
}

/// tc 6.1 has no JSON for classes.
fn classes(tc: &Tc, tool: &Tool<'_>, devices: &[&str]) {
    let mut count = 0;
    for device in devices {
        let text = tool.run(&["tc", "-s", "class", "show", "dev", device]);
        let lines: Vec<_> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("class htb")) {
            count += 1;
            let words: Vec<_> = line.split_whitespace().collect();
            let after = |word: &str| words.iter().position(|it| *it == word).map(|at| words[at + 1]);
            let id = handle(&words[2].into());
            let class = tc.classes.iter().find(|class| class.device == *device && class.handle == id).expect(line);
            let parent = after("parent").map_or(Handle::ROOT, |parent| handle(&parent.into()));
            assert_eq!((class.parent, class.kind.as_str()), (parent, "htb"), "{line}");
            let Options::HtbClass { rate_bytes_per_second, ceil_bytes_per_second } = class.options else { panic!("{class:?}") };
            assert_eq!((bits(after("rate")), bits(after("ceil"))), (rate_bytes_per_second, ceil_bytes_per_second), "{line}");
            let numbers = |line: &str| line.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect::<Vec<u64>>();
            let (sent, waiting) = (numbers(lines[at + 1]), numbers(lines[at + 2]));
            let seen = [class.statistics.bytes, class.statistics.packets, class.statistics.drops, class.statistics.overlimits];
            assert_eq!(seen.map(Option::unwrap), sent[..4], "{text}");
            assert_eq!([class.statistics.backlog, class.statistics.queued].map(Option::unwrap), waiting[..2], "{text}");
        }
    }
    assert_eq!(tc.classes.len(), count);
}

/// `100Mbit` in bytes per second.
fn bits(word: Option<&str>) -> u64 {
    let word = word.and_then(|word| word.strip_suffix("bit")).expect("a rate");
    let (number, unit) = word.split_at(word.find(|it: char| !it.is_ascii_digit()).unwrap_or(word.len()));
    let scale = match unit {
        "" => 1,
        "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        other => panic!("{other}bit"),
    };
    number.parse::<u64>().expect("a number") * scale / 8
}

fn filters(tc: &Tc, tool: &Tool<'_>, devices: &[&str]) {
    let mut count = 0;
    for device in devices {
        let parents = tc.qdiscs.iter().filter(|it| it.device == *device).flat_map(|it| it.options.filter_parents(it.handle));
        for parent in parents {
            let (major, minor) = (format!("{:x}", parent.major()), format!("{:x}", parent.minor()));
            let theirs = tool.json(&["tc", "-s", "-j", "filter", "show", "dev", device, "parent", &format!("{major}:{minor}")]);
            let ours: Vec<_> = tc.filters.iter().filter(|it| it.device == *device && it.parent == parent).collect();
            assert_eq!(ours.len(), theirs.len(), "{ours:#?}\n{theirs:#?}");
            count += ours.len();
            for (ours, theirs) in ours.into_iter().zip(&theirs) {
                assert_eq!((theirs["kind"].as_str(), theirs["pref"].as_u64()), (Some(ours.kind.as_str()), Some(ours.priority.into())));
                let none = Vec::new();
                let actions = theirs["options"]["actions"].as_array().unwrap_or(&none);
                let kinds: Vec<_> = actions.iter().map(|action| action["kind"].as_str().unwrap()).collect();
                assert_eq!(ours.actions, kinds, "{theirs}");
                let redirect = actions.iter().find(|action| action["mirred_action"] == "redirect");
                assert_eq!(ours.redirect, redirect.map_or("", |action| action["to_dev"].as_str().unwrap()), "{theirs}");
            }
        }
    }
    assert_eq!(tc.filters.len(), count);
}

/// In a namespace with a name.
pub fn named(name: &str, words: &[&str]) -> String {
    succeed(Command::new("ip").args(["netns", "exec", name]).args(words))
}

/// Makes sure that nothing is sent but by the test: IPv6 greets its neighbours as soon as a device is up.
fn quiet(netns: &Netns) {
    netns.script("for name in all default; do echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6; done");
}

fn assert_inside(netns: &Netns) -> Tc {
    let tc = look(netns).tc.expect("tc");
    assert_as_tc_says(&tc, &Tool(&|words: &[&str]| netns.run(words)));
    tc
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iproute2: run by make test"]
fn qdiscs_classes_and_filters_read_as_tc_shows_them() {
    let netns = Netns::new();
    quiet(&netns);
    netns.script(
        "ip link add eth0 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up
         ip address add 10.9.0.1/24 dev eth0; ip neigh add 10.9.0.9 lladdr 02:00:00:00:00:09 dev eth0
         ip link add ifb0 type ifb; ip link set ifb0 up; ip link add br0 type bridge",
    );
    feed(
        &netns,
        "tc -batch -",
        "qdisc add dev lo root handle 7: tbf rate 1mbit burst 5kb latency 70ms peakrate 2mbit mtu 1540
qdisc add dev eth0 root handle 100: htb default 1
class add dev eth0 parent 100: classid 100:1 htb rate 100mbit ceil 200mbit
class add dev eth0 parent 100:1 classid 100:abcd htb rate 40gbit
qdisc add dev eth0 parent 100:abcd handle 102: pfifo limit 77
filter add dev eth0 parent 100: protocol ip prio 5 u32 match ip dst 10.9.0.9/32 flowid 100:abcd
qdisc add dev eth0 handle ffff: ingress
filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0
qdisc add dev eth1 clsact
filter add dev eth1 ingress protocol ip u32 match ip dst 10.9.0.7/32 action mirred egress mirror dev ifb0
filter add dev eth1 egress protocol ip prio 3 u32 match ip dst 10.9.0.8/32 action mirred ingress redirect dev lo
qdisc add dev ifb0 root handle 9: tbf rate 40gbit burst 128kb limit 1000000",
    );
    send(&netns, "127.0.0.1:9", 5);
    send(&netns, "10.9.0.9:9", 11);
    let tc = assert_inside(&netns);
    let find = |device: &str, handle: u32| tc.qdiscs.iter().find(|it| it.device == device && it.handle.0 == handle).expect("the qdisc");
    assert_eq!(find("eth0", 0x0102_0000).statistics.bytes, Some(11 * 43));
    assert_eq!(find("eth0", 0x0102_0000).options, Options::Other);
    assert_eq!(find("lo", 0x0007_0000).statistics.packets, Some(10)); // and the five answers that nobody listens there
    let Options::Tbf(tbf) = &find("lo", 0x0007_0000).options else { panic!("{tc:#?}") };
    assert_eq!((tbf.rate_bytes_per_second, tbf.peakrate_bytes_per_second, tbf.limit_bytes), (125_000, Some(250_000), 13_870));
    assert!(tc.filters.iter().any(|it| it.device == "eth0" && it.redirect == "ifb0" && it.actions == ["mirred"]), "{tc:#?}");
    assert!(tc.filters.iter().any(|it| it.device == "eth1" && it.redirect == "lo"), "{tc:#?}");

    // Its target gone, a redirect keeps its place.
    netns.run(&["ip", "link", "del", "ifb0"]);
    let tc = look(&netns).tc.expect("tc");
    assert!(tc.filters.iter().filter(|it| it.device == "eth0" && it.parent.major() == 0xffff).all(|it| it.redirect.is_empty()), "{tc:#?}");
    assert!(tc.qdiscs.iter().all(|it| it.device != "ifb0"));
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iproute2: run by make test"]
fn default_qdiscs_are_recognised() {
    let netns = Netns::new();
    quiet(&netns);
    netns.script("ip link add eth0 numtxqueues 2 type veth peer name eth1; ip link set eth0 up; ip link set eth1 up");
    let tc = assert_inside(&netns);
    assert!(!tc.qdiscs.is_empty() && tc.qdiscs.iter().all(Qdisc::is_default), "{tc:#?}");
    // One put there by hand is none, whatever its kind.
    netns.run(&["tc", "qdisc", "add", "dev", "eth0", "root", "handle", "5:", "pfifo"]);
    let tc = assert_inside(&netns);
    let ours: Vec<_> = tc.qdiscs.iter().filter(|it| !it.is_default()).map(|it| (it.device.as_str(), it.handle.to_string())).collect();
    assert_eq!(ours, [("eth0", "5:".to_owned())]);
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN and iproute2: run by make test"]
fn more_than_four_gigabytes_are_counted() {
    let netns = Netns::new();
    // 70 000 datagrams of 64 KiB: the fast way over 32 bits without waiting for a link.
    netns.run(&["tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "pfifo", "limit", "10000"]);
    netns.inside(|| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket inside");
        let block = vec![0; 65_507];
        for _ in 0..70_000 {
            let _ = socket.send_to(&block, "127.0.0.1:9");
        }
    });
    let tc = assert_inside(&netns);
    let bytes = tc.qdiscs.iter().find(|it| it.device == "lo").and_then(|it| it.statistics.bytes);
    assert!(bytes > Some(1 << 32), "{bytes:?}");
}
