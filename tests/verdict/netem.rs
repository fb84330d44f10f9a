//! Netem, prio and the rules that choose a band, on a kernel that has them (user-mode-linux), set up with chaos-daemon's own commands: the bugs a
//! verdict must catch, and what must raise no alarm.

use crate::kit::process::succeed;
use crate::kit::uml::inside;
use crate::real::{Release, sync};
use crate::support::{place, visit};
use crate::world::{applied, declared, judged, network, pod, read, sweep, word};
use chaoscope::node::visit::Reading;
use chaoscope::verdict::{self, Survey};
use chaoscope_model::declared::{DeclaredPod, EndedRun, Network};
use chaoscope_model::verdict::{Judgement, Owner};
use chaoscope_model::{Effect, Pod, Reference};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// A namespace as a pod's, with these devices.
struct Netns {
    name: String,
    devices: Vec<String>,
}

impl Netns {
    fn new(name: &str, devices: &[&str]) -> Self {
        let new = Self { name: name.into(), devices: devices.iter().map(|it| (*it).to_owned()).collect() };
        succeed(Command::new("ip").args(["netns", "add", name]));
        let add = |device: &&str| format!("link add {device} type dummy\nlink set {device} up\n");
        new.script(&format!("ip -batch - <<'END'\n{}END", devices.iter().map(add).collect::<String>()));
        new
    }

    fn script(&self, lines: &str) {
        succeed(Command::new("ip").args(["netns", "exec", &self.name, "sh", "-euc", lines]));
    }

    fn apply(&self, spec: &Value, release: Release) {
        let devices: Vec<_> = self.devices.iter().map(String::as_str).collect();
        self.script(&sync(spec, &devices, release));
    }

    /// Keeps what is there, to be put back by [`Self::restore`].
    fn keep(&self) {
        self.script(&format!("iptables-legacy-save >/tmp/{0}.rules; ipset save >/tmp/{0}.sets", self.name));
    }

    /// All of a spec again, with few processes: they are slow there.
    fn restore(&self, spec: &Value) {
        let devices: Vec<_> = self.devices.iter().map(String::as_str).collect();
        let mut lines: Vec<_> = devices.iter().map(|device| format!("qdisc del dev {device} root")).collect();
        let sync = sync(spec, &devices, Release::Texts);
        lines.extend(sync.lines().filter_map(|line| line.strip_prefix("tc ").filter(|it| it.starts_with("qdisc add"))).map(str::to_owned));
        let rules = format!("iptables-legacy-restore </tmp/{0}.rules; ipset -exist restore </tmp/{0}.sets", self.name);
        self.script(&format!("{rules}; tc -force -batch - 2>&1 <<'END' || true\n{}\nEND", lines.join("\n")));
    }

    fn look(&self) -> Reading {
        visit(&place(&Path::new("/run/netns").join(&self.name))).expect("the namespace can be entered")
    }

    fn said(&self, spec: &Value) -> Vec<Judgement> {
        judged(&declared(network(spec)), self.look())
    }

    fn words(&self, spec: &Value) -> Vec<String> {
        self.said(spec).iter().map(word).collect()
    }
}

fn delay(latency: &str, source: &str) -> Value {
    json!({"type": "netem", "source": source, "delay": {"latency": latency, "jitter": "0ms", "correlation": "0"}})
}

fn with(mut item: Value, more: &Value) -> Value {
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    item
}

/// A netem for some addresses: its three sets, and itself.
fn filtered(name: &str, device: &str, latency: &str) -> (Vec<Value>, Value) {
    let set = |part: &str| format!("{name}_{part}_netgt");
    let source = format!("shop/{name}");
    let sets = vec![
        json!({"name": set("net"), "ipsetType": "hash:net", "cidrs": ["10.88.0.3/32", "10.89.0.0/16"], "source": source}),
        json!({"name": set("netport"), "ipsetType": "hash:net,port", "cidrAndPorts": [{"cidr": "203.0.113.7/32", "port": 443}], "source": source}),
        json!({"name": set("set"), "ipsetType": "list:set", "setNames": [set("net"), set("netport")], "source": source}),
    ];
    (sets, with(delay(latency, &source), &json!({"ipset": set("set"), "device": device})))
}

fn spec(all: impl IntoIterator<Item = (Vec<Value>, Value)>) -> Value {
    let (sets, tcs): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    json!({"ipsets": sets.concat(), "tcs": tcs})
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn what_a_release_does_wrong_is_told() {
    inside("netem::what_a_release_does_wrong_is_told", &[], || {
        let netns = Netns::new("wrong", &["eth0", "eth1"]);
        // Microseconds without a unit, and tc takes them for nanoseconds: a thousand times too small.
        let slow = json!({"tcs": [delay("100ms", "shop/slow")]});
        netns.apply(&slow, Release::Misread);
        let told = netns.said(&slow).remove(0);
        let figures = (told.differences[0].declared.as_str(), told.differences[0].read.as_str());
        assert_eq!((word(&told).as_str(), figures), ("drifted delay", ("100ms", "99.968µs")));
        for release in [Release::Numbers, Release::Texts] {
            netns.apply(&slow, release);
            assert_eq!(netns.words(&slow), ["in_force"], "{release:?}");
        }

        // `0.5ms` comes before `0ms` in the alphabet: the delay is dropped, the loss is not.
        let dropped = json!({"tcs": [with(delay("0.5ms", "shop/both"), &json!({"loss": {"loss": "10", "correlation": "0"}}))]});
        netns.apply(&dropped, Release::Texts);
        let told = netns.said(&dropped).remove(0);
        assert_eq!((word(&told).as_str(), told.differences.len()), ("drifted delay", 1), "{told:?}");

        // tc sends the correlation of duplicates only along with another one.
        let double = |more: &Value| json!({"tcs": [with(json!({"type": "netem", "source": "shop/both", "duplicate": {"duplicate": "40", "correlation": "25"}}), more)]});
        for (more, wanted) in
            [(json!({}), "drifted duplicate_correlation"), (json!({"loss": {"loss": "10", "correlation": "5"}}), "in_force")]
        {
            netns.apply(&double(&more), Release::Texts);
            assert_eq!(netns.words(&double(&more)), [wanted]);
        }

        // The second device's first chain is written over the first device's.
        let two = spec([filtered("a", "eth0", "10ms"), filtered("b", "eth1", "20ms")]);
        netns.apply(&two, Release::Texts);
        assert_eq!(netns.words(&two), ["missing no_rule", "in_force"]);
        let one = spec([filtered("a", "eth0", "10ms")]);
        netns.apply(&one, Release::Texts);
        assert_eq!(netns.words(&one), ["in_force"], "alone it is");
    });
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn what_somebody_took_away_is_told() {
    inside("netem::what_somebody_took_away_is_told", &[], || {
        let netns = Netns::new("taken", &["eth0", "eth1"]);
        let both = spec([filtered("a", "eth0", "10ms"), filtered("b", "eth0", "20ms")]);
        netns.apply(&both, Release::Texts);
        netns.keep();
        for (change, wanted) in [
            ("true", ["in_force", "in_force"]),
            ("iptables-legacy -F CHAOS-OUTPUT", ["missing not_reached", "missing not_reached"]),
            ("iptables-legacy -D CHAOS-OUTPUT -j TC-TABLES-0", ["missing not_reached", "in_force"]),
            ("iptables-legacy -F TC-TABLES-1", ["in_force", "missing no_rule"]),
            ("iptables-legacy -I TC-TABLES-1 -j RETURN", ["in_force", "drifted rule"]),
            ("ipset flush a_net_netgt", ["drifted set_members", "in_force"]),
            ("tc qdisc del dev eth0 root", ["missing no_qdisc", "missing no_qdisc"]),
            ("tc qdisc del dev eth0 parent 1:5 handle 6:", ["in_force", "missing no_qdisc"]),
            ("tc qdisc change dev eth0 parent 1:4 handle 5: netem delay 10001us", ["drifted delay", "in_force"]),
            (
                "iptables-legacy -R TC-TABLES-1 1 -o eth0 -m set --match-set b_set_netgt dst,dst -j CLASSIFY --set-class 1:4",
                ["drifted class", "drifted class"],
            ),
            (
                "iptables-legacy -R TC-TABLES-1 1 -o eth0 -m set --match-set b_set_netgt dst,dst -j CLASSIFY --set-class 1:9",
                ["in_force", "drifted class"],
            ),
            (
                "tc qdisc replace dev eth0 root handle 1: prio bands 5 priomap 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4 4",
                ["drifted priomap", "drifted priomap"],
            ),
        ] {
            netns.restore(&both);
            netns.script(change);
            assert_eq!(netns.words(&both), wanted, "{change}: {:#?}", netns.said(&both));
        }
        // The object is in sync and says nothing; and a pod that took the place of another has nothing of it.
        let slow = json!({"tcs": [delay("100ms", "shop/slow")]});
        netns.apply(&slow, Release::Texts);
        netns.script("tc qdisc del dev eth0 root");
        assert_eq!(netns.words(&slow), ["missing no_qdisc"]);
        let fresh = Netns::new("fresh", &["eth0"]);
        let old = declared(network(&slow));
        let new = Pod { uid: "u-new".into(), ..pod() };
        let said = |declared: &DeclaredPod| {
            verdict::judge([declared], &sweep(&new, read(fresh.look()))).iter().map(|it| word(&it.judgement)).collect::<Vec<_>>()
        };
        assert_eq!(said(&old), ["unknown not_visited"], "the old pod is nowhere");
        assert_eq!(said(&DeclaredPod { pod: new.clone(), network: None, ..old.clone() }), ["missing not_declared"]);
        assert_eq!(said(&DeclaredPod { pod: new.clone(), ..old }), ["missing no_qdisc"]);
    });
}

/// Everything that tc, the kernel and the way back round.
fn awkward() -> Vec<Value> {
    let mut out = Vec::new();
    for latency in ["1us", "3us", "7ns", "64ns", "65ns", "1.5us", "100ms", "33.333ms", "1.000001ms", "4.3s", "5s", "300s", "999999us"] {
        out.push(delay(latency, "shop/odd"));
    }
    for (jitter, correlation) in [("1us", "0.000001"), ("3.3ms", "33.333333"), ("1s", "99.9999"), ("10ms", "100")] {
        out.push(
            json!({"type": "netem", "source": "shop/odd", "delay": {"latency": "10ms", "jitter": jitter, "correlation": correlation}}),
        );
    }
    for (figure, correlation) in [("0.000001", "1"), ("33.3333333", "66.6666"), ("99.999999", "0"), ("100", "12.345678"), ("0.1", "50")] {
        for word in ["loss", "corrupt"] {
            out.push(json!({"type": "netem", "source": "shop/odd", word: {word: figure, "correlation": correlation}}));
        }
        out.push(json!({"type": "netem", "source": "shop/odd", "duplicate": {"duplicate": figure, "correlation": "0"}}));
        let reorder = json!({"reorder": figure, "correlation": correlation, "gap": if figure == "0.1" { 3 } else { 0 }});
        out.push(json!({"type": "netem", "source": "shop/odd", "delay": {"latency": "10ms", "jitter": "0ms", "correlation": "30", "reorder": reorder}}));
    }
    for rate in ["1mbps", "10mbit", "3333bit", "40gbit", "1.1mbps", "123457bps", "9bit"] {
        out.push(json!({"type": "netem", "source": "shop/odd", "rate": {"rate": rate}}));
    }
    out
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn rounding_raises_no_alarm() {
    inside("netem::rounding_raises_no_alarm", &[], || {
        let items = awkward();
        let devices: Vec<_> = (0..items.len()).map(|at| format!("d{at}")).collect();
        let names: Vec<_> = devices.iter().map(String::as_str).collect();
        let netns = Netns::new("odd", &names);
        let tcs: Vec<_> = items.into_iter().zip(&names).map(|(item, device)| with(item, &json!({"device": device}))).collect();
        let all = json!({"tcs": tcs});
        // tc refuses some of them; then chaos-daemon fails, and there is nothing to compare.
        let commands = sync(&all, &names, Release::Texts);
        let commands: Vec<_> =
            commands.lines().filter_map(|line| line.strip_prefix("tc ").filter(|it| it.starts_with("qdisc add"))).collect();
        netns.script(&format!("tc -force -batch - <<'END' || true\n{}\nEND", commands.join("\n")));
        let made = netns.look().tc.expect("tc").qdiscs.into_iter().filter(|it| it.kind == "netem").map(|it| it.device).collect::<Vec<_>>();
        let tcs: Vec<_> = tcs.into_iter().filter(|tc| made.iter().any(|device| tc["device"] == **device)).collect();
        assert!(tcs.len() >= 40, "of {} only {made:?}", names.len());
        let told = netns.said(&json!({ "tcs": tcs })).remove(0);
        assert_eq!(word(&told), "in_force", "{told:#?}");
        // The same figures, each more by what cannot be rounding: every one is told.
        let reading = netns.look();
        for (at, tc) in tcs.iter().enumerate() {
            let mut other = network(&json!({"tcs": [tc]}));
            if let chaoscope_model::declared::Shape::Netem(netem) = &mut other.tcs[0].does {
                let more = |figure: Option<f64>, step: f64| figure.filter(|it| *it > 0.0).map(|it| it * 1.01 + step);
                netem.delay = more(netem.delay, 2e-6);
                for figure in [&mut netem.loss, &mut netem.duplicate, &mut netem.corrupt] {
                    *figure = more(*figure, 2e-8);
                }
                netem.rate = netem.rate.map(|rate| rate * 1.01 + 1.0);
            }
            let told = judged(&declared(other), reading.clone()).remove(0);
            assert!(word(&told).starts_with("drifted"), "{at} {tc}: {told:?}");
        }
    });
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn what_is_right_raises_no_alarm() {
    inside("netem::what_is_right_raises_no_alarm", &[], || {
        let netns = Netns::new("right", &["eth0", "eth1"]);
        // Two for everything, two for some addresses of which one does two things, one on another device: synced twice, over leftovers.
        let thin = json!({"type": "bandwidth", "source": "shop/a", "ipset": "a_set_netgt", "bandwidth": {"rate": "1mbps", "buffer": 10_000, "limit": 20_971_520}});
        let mut all = spec([filtered("a", "eth0", "10ms"), filtered("b", "eth0", "20ms")]);
        let tcs = all["tcs"].as_array_mut().unwrap();
        tcs.insert(0, delay("1ms", "shop/first"));
        tcs.push(thin);
        tcs.push(with(delay("2ms", "shop/second"), &json!({"device": "eth0"})));
        tcs.push(with(delay("3ms", "shop/third"), &json!({"device": "eth1"})));
        let before = spec([filtered("x", "eth0", "1ms"), filtered("y", "eth0", "1ms"), filtered("z", "eth0", "1ms")]);
        for spec in [&before, &json!({}), &all, &all] {
            netns.apply(spec, Release::Texts);
        }
        assert_eq!(netns.words(&all), ["in_force"; 5], "{:#?}", netns.said(&all));
        // While the controller is at it nothing is claimed, whatever is there.
        let mut declared = declared(network(&all));
        declared.network.as_mut().unwrap().generation += 1;
        netns.script("tc qdisc del dev eth0 root");
        assert!(judged(&declared, netns.look()).iter().all(|it| word(it) == "unknown not_applied"));
    });
}

/// Effective things, by what they are and whose.
fn effective(netns: &Netns, declared: &DeclaredPod) -> Vec<(String, Owner)> {
    let now = sweep(&declared.pod, read(netns.look()));
    let all = BTreeMap::from([(declared.pod.uid.clone(), declared.clone())]);
    let found = verdict::left_over(&now, &Survey::of(&now), &all).into_iter().filter(|it| it.effect == Effect::Effective);
    found.map(|it| (it.what, it.owner)).collect()
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn what_a_recovery_leaves_behind_is_residue() {
    inside("netem::what_a_recovery_leaves_behind_is_residue", &[], || {
        let netns = Netns::new("left", &["eth0"]);
        let chain = json!({"name": "OUTPUT/cut_", "direction": "output", "source": "shop/cut"});
        let mut both = spec([filtered("a", "eth0", "10ms")]);
        both["tcs"].as_array_mut().unwrap().push(delay("5ms", "shop/slow"));
        both["iptables"] = json!([chain]);
        netns.apply(&both, Release::Texts);
        let running = declared(network(&both));
        assert_eq!(effective(&netns, &running), [], "what is declared is nobody's residue");
        assert_eq!(netns.words(&both), ["in_force"; 3]);
        // The objects say that all is taken away, and the kernel holds everything: a recovery that failed in silence.
        let ended = |name: &str| EndedRun {
            run: format!("run of {name}"),
            experiment: Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: name.into(), uid: String::new() },
            ended_at: Timestamp::UNIX_EPOCH,
        };
        let over = DeclaredPod {
            pod: pod(),
            network: Some(applied(Network::default())),
            ended: ["a", "slow", "cut"].map(ended).into(),
            ..DeclaredPod::default()
        };
        let left = effective(&netns, &over);
        for what in ["qdisc", "rule"] {
            assert!(left.iter().any(|(it, owner)| it == what && *owner == Owner::EndedRun), "{what} in {left:?}");
        }
        // As it should go: chains and sets stay, and harm nobody.
        netns.apply(&json!({}), Release::Texts);
        assert_eq!(effective(&netns, &over), []);
    });
}
