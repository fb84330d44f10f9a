//! Whatever chaos-daemon builds is in force; with any one thing in it changed it is not; and nothing makes a comparison fall over.

use crate::daemon;
use crate::world::{declared, judged, network as of_spec, word};
use chaoscope::node::iptables::text::Part;
use chaoscope::node::iptables::{Chain as KernelChain, Verdict as Action, mark_reachable};
use chaoscope::node::tc::Handle;
use chaoscope::node::tc::options::Options;
use chaoscope::node::visit::Reading;
use chaoscope_model::declared::{Chain, Netem, Network, Set, Shape, Shaping, Tbf};
use chaoscope_model::verdict::Verdict;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

const DEVICES: [&str; 3] = ["lo", "eth0", "eth1"];

/// Nanoseconds, in seconds.
fn time() -> impl Strategy<Value = f64> {
    prop_oneof![1_u64..1000, 1000_u64..1_000_000, 1_000_000_u64..20_000_000_000].prop_map(|nanoseconds| nanoseconds as f64 / 1e9)
}

/// Percentages of up to four digits after the point.
fn ratio() -> impl Strategy<Value = f64> {
    prop_oneof![(1_u32..=100).prop_map(|percent| f64::from(percent) / 100.0), (1_u32..=1_000_000).prop_map(|it| f64::from(it) / 1e6)]
}

fn correlation() -> impl Strategy<Value = Option<f64>> {
    option::of(prop_oneof![Just(0.0), ratio()])
}

fn netem() -> impl Strategy<Value = Netem> {
    let delay = (time(), option::of(time()), correlation(), option::of((ratio(), correlation(), option::of(0_u32..9))));
    let pair = || option::of((ratio(), correlation()));
    let rate = option::of((1_u64..5_000_000_000).prop_map(|rate| rate as f64));
    (option::of(delay), pair(), pair(), pair(), rate)
        .prop_filter("something", |(delay, loss, duplicate, corrupt, rate)| {
            delay.is_some() || loss.is_some() || duplicate.is_some() || corrupt.is_some() || rate.is_some()
        })
        .prop_map(|(delay, loss, duplicate, corrupt, rate)| {
            let mut it = Netem { rate, ..Netem::default() };
            (it.loss, it.loss_correlation) = loss.map_or((None, None), |(figure, correlation)| (Some(figure), correlation));
            (it.duplicate, it.duplicate_correlation) = duplicate.map_or((None, None), |(figure, correlation)| (Some(figure), correlation));
            (it.corrupt, it.corrupt_correlation) = corrupt.map_or((None, None), |(figure, correlation)| (Some(figure), correlation));
            if let Some((delay, jitter, correlation, reorder)) = delay {
                (it.delay, it.jitter, it.delay_correlation) = (Some(delay), jitter, correlation);
                if let Some((figure, correlation, gap)) = reorder {
                    (it.reorder, it.reorder_correlation, it.gap) = (Some(figure), correlation, gap);
                }
            }
            it
        })
}

fn tbf() -> impl Strategy<Value = Tbf> {
    (1000_u64..20_000_000_000, 1000_u32..1_000_000, 10_000_u32..u32::MAX, option::of(1_u64..u64::from(u32::MAX))).prop_map(
        |(rate, burst, limit, peak)| Tbf {
            rate: Some(rate as f64),
            burst: Some(f64::from(burst)),
            limit: Some(f64::from(limit)),
            peakrate: peak.map(|it| it as f64),
        },
    )
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![3 => netem().prop_map(Shape::Netem), 1 => tbf().prop_map(Shape::Tbf)]
}

fn member() -> impl Strategy<Value = String> {
    (any::<u32>(), 1_u32..=32).prop_map(|(address, prefix)| format!("{}/{prefix}", std::net::Ipv4Addr::from(address)))
}

/// What one experiment does.
#[derive(Clone, Debug)]
enum Does {
    /// Without a set, on either device.
    Global(Shape, bool),
    /// With a set, on `eth0`: the numbering of chains starts anew on each device, so a second one loses them.
    Filtered(Vec<Shape>, Vec<String>, Vec<u16>),
    /// Chains out, in or both ways, with a set or without.
    Partition(bool, bool, Option<Vec<String>>),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        (shape(), any::<bool>()).prop_map(|(shape, other)| Does::Global(shape, other)),
        (vec(shape(), 1..3), vec(member(), 1..5), vec(any::<u16>(), 0..2))
            .prop_map(|(shapes, nets, ports)| Does::Filtered(shapes, nets, ports)),
        (select(vec![(true, false), (false, true), (true, true)]), option::of(vec(member(), 1..5)))
            .prop_map(|((output, input), nets)| Does::Partition(output, input, nets)),
    ]
}

fn network() -> impl Strategy<Value = Network> {
    vec(does(), 1..4).prop_map(|all| {
        let mut out = Network::default();
        for (at, does) in all.into_iter().enumerate() {
            declare(&mut out, at, does);
        }
        out
    })
}

fn declare(out: &mut Network, at: usize, does: Does) {
    let source = format!("shop/e{at}");
    let mut sets = |nets: Vec<String>, ports: Vec<u16>, twice: bool| {
        let names = ["net", "netport", "set"].map(|part| format!("e{at}_0_{part}_tgt"));
        let set = |name: &String, kind: &str, members| Set { source: source.clone(), name: name.clone(), kind: kind.into(), members };
        let ports: Vec<String> = ports.iter().map(|port| format!("203.0.113.7/32,{port}")).collect();
        for _ in 0..=usize::from(twice) {
            out.sets.push(set(&names[0], "hash:net", nets.clone()));
            out.sets.push(set(&names[1], "hash:net,port", ports.clone()));
            out.sets.push(set(&names[2], "list:set", names[..2].to_vec()));
        }
        names[2].clone()
    };
    match does {
        Does::Global(does, other) => {
            let device = if other { "eth1" } else { "" }.to_owned();
            out.tcs.push(Shaping { source, device, does, ..Shaping::default() });
        }
        Does::Filtered(shapes, nets, ports) => {
            let set = sets(nets, ports, false);
            out.tcs.extend(shapes.into_iter().map(|does| Shaping { source: source.clone(), set: set.clone(), does, ..Shaping::default() }));
        }
        Does::Partition(output, input, nets) => {
            let sets: Vec<_> = nets.map(|nets| sets(nets, vec![], output && input)).into_iter().collect();
            for (wanted, hook, output) in [(output, "OUTPUT", true), (input, "INPUT", false)] {
                if wanted {
                    let name = format!("{hook}/e{at}_0_");
                    out.chains.push(Chain { source: source.clone(), name, output, sets: sets.clone(), device: String::new() });
                }
            }
        }
    }
}

/// One thing that is changed, at a place that is picked among all it could be done to.
#[derive(Clone, Copy, Debug)]
enum Change {
    DropQdisc,
    OtherDevice,
    Figure(u8),
    FlushChain,
    RemoveJump,
    JumpWithCondition,
    Accept,
    Return,
    RuleElsewhere,
    OtherClass,
    OtherSet,
    EmptySet,
    LoseMember,
    DropSet,
}

fn change() -> impl Strategy<Value = Change> {
    use Change::*;
    let plain = vec![
        DropQdisc,
        OtherDevice,
        FlushChain,
        RemoveJump,
        JumpWithCondition,
        Accept,
        Return,
        RuleElsewhere,
        OtherClass,
        OtherSet,
        EmptySet,
        LoseMember,
        DropSet,
    ];
    prop_oneof![2 => select(plain), 1 => (0_u8..8).prop_map(Figure)]
}

/// Whether there was something to change.
fn changed(reading: &mut Reading, change: Change, pick: Index) -> bool {
    let done = match change {
        Change::DropQdisc | Change::OtherDevice | Change::Figure(_) => qdisc(reading, change, pick),
        Change::EmptySet | Change::LoseMember | Change::DropSet => set(reading, change, pick),
        _ => rule(reading, change, pick),
    };
    mark_reachable(&mut reading.legacy.as_mut().unwrap()[0]);
    done.is_some()
}

fn any_of<T>(mut all: Vec<T>, pick: Index) -> Option<T> {
    (!all.is_empty()).then(|| all.swap_remove(pick.index(all.len())))
}

fn qdisc(reading: &mut Reading, change: Change, pick: Index) -> Option<()> {
    let qdiscs = &mut reading.tc.as_mut().unwrap().qdiscs;
    let acts = |options: &Options| matches!(options, Options::Netem(_) | Options::Tbf(_));
    let at = any_of((0..qdiscs.len()).filter(|at| acts(&qdiscs[*at].options)).collect(), pick)?;
    match change {
        Change::DropQdisc => drop(qdiscs.remove(at)),
        Change::OtherDevice => qdiscs[at].device = "eth7".into(),
        Change::Figure(which) => figure(&mut qdiscs[at].options, which)?,
        _ => return None,
    }
    Some(())
}

/// By more than is ever lost on the way.
fn figure(options: &mut Options, which: u8) -> Option<()> {
    let ratio = |it: &mut f64| *it = if *it > 0.5 { *it - 0.000_001 } else { *it + 0.000_001 };
    match options {
        Options::Netem(it) => match which {
            0 => it.delay_seconds += 0.000_001,
            1 => it.jitter_seconds += 0.000_001,
            2 => ratio(it.loss_ratio.as_mut()?),
            3 => ratio(&mut it.duplicate_ratio),
            4 => ratio(&mut it.corrupt_ratio),
            5 => it.gap += 1,
            6 => it.rate_bytes_per_second = Some(it.rate_bytes_per_second.unwrap_or(0) + 1),
            _ => it.delay_seconds = if it.delay_seconds > 0.0 { it.delay_seconds / 1000.0 } else { 1.0 },
        },
        Options::Tbf(it) => match which % 4 {
            0 => it.rate_bytes_per_second += 1 + it.rate_bytes_per_second / 1000,
            1 => it.burst_bytes = it.burst_bytes * 2 + 10 + it.rate_bytes_per_second / 1_000_000,
            2 => it.limit_bytes ^= 1,
            _ => it.peakrate_bytes_per_second = Some(it.peakrate_bytes_per_second.unwrap_or(0) + 1),
        },
        _ => return None,
    }
    Some(())
}

fn set(reading: &mut Reading, change: Change, pick: Index) -> Option<()> {
    let sets = reading.sets.as_mut().unwrap();
    let wanted = |at: &usize| !sets[*at].name.ends_with("old") && (matches!(change, Change::DropSet) || !sets[*at].list.is_empty());
    let at = any_of((0..sets.len()).filter(wanted).collect(), pick)?;
    match change {
        Change::DropSet => drop(sets.remove(at)),
        Change::EmptySet => sets[at].list.clear(),
        // Only what no other member covers is missed.
        _ if sets[at].kind == "hash:net" && sets[at].list.len() > 1 => return None,
        _ => drop(sets[at].list.pop()),
    }
    if let Some(set) = sets.get_mut(at).filter(|_| !matches!(change, Change::DropSet)) {
        set.members = Some(set.list.len() as u64);
    }
    Some(())
}

fn rule(reading: &mut Reading, change: Change, pick: Index) -> Option<()> {
    let chains = &mut reading.legacy.as_mut().unwrap()[0].chains;
    let acts = |chain: &KernelChain| chain.name.contains('/') || chain.name.starts_with("TC-TABLES");
    let active = |hook: &str| chains.iter().any(|chain| chain.name == format!("CHAOS-{hook}") && !chain.rules.is_empty());
    let needed: Vec<&str> = ["INPUT", "OUTPUT"].into_iter().filter(|hook| active(hook)).collect();
    let leads = |chain: &KernelChain| needed.iter().any(|hook| chain.name == *hook || chain.name == format!("CHAOS-{hook}"));
    let wanted = |chain: &KernelChain| match change {
        Change::FlushChain => acts(chain) || leads(chain),
        Change::RemoveJump | Change::JumpWithCondition => leads(chain),
        Change::OtherClass => chain.name.starts_with("TC-TABLES"),
        Change::Accept => chain.name.contains('/'),
        _ => acts(chain),
    };
    let at = any_of((0..chains.len()).filter(|at| wanted(&chains[*at])).collect(), pick)?;
    let rules = &mut chains[at].rules;
    let one = pick.index(rules.len().max(1));
    match change {
        Change::FlushChain => rules.clear(),
        Change::RemoveJump => drop(rules.remove(one)),
        Change::JumpWithCondition => rules[one].parts.push(Part::Text("-p tcp".into())),
        Change::Accept => rules[one].verdict = Action::Accept,
        Change::Return => rules.insert(0, crate::text::rule("-j RETURN")),
        Change::RuleElsewhere => *rules[one].parts.first_mut()? = Part::Text("-o eth7".into()),
        Change::OtherClass => *rules[one].parts.last_mut()? = Part::Text("-j CLASSIFY --set-class 0001:0063".into()),
        Change::OtherSet => rules[one].parts.iter_mut().find_map(Part::as_set_mut)?.name = Some("another".into()),
        _ => return None,
    }
    Some(())
}

fn verdicts(network: &Network, reading: Reading) -> Vec<Verdict> {
    judged(&declared(network.clone()), reading).iter().map(|it| it.verdict).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_chaos_daemon_builds_is_in_force(network in network(), turn in 0_usize..4) {
        for judgement in judged(&declared(network.clone()), daemon::applied(&network, &DEVICES, turn)) {
            prop_assert_eq!(word(&judgement), "in_force", "{:?}", judgement);
        }
    }

    #[test]
    fn leftovers_of_earlier_runs_change_nothing(network in network(), before in network(), turn in 0_usize..4) {
        let mut reading = daemon::applied(&network, &DEVICES, turn);
        let earlier = daemon::applied(&before, &DEVICES, 0);
        let chains = &mut reading.legacy.as_mut().unwrap()[0].chains;
        for chain in earlier.legacy.unwrap().remove(0).chains {
            if !chains.iter().any(|it| it.name == chain.name) {
                chains.push(chain);
            }
        }
        let sets = reading.sets.as_mut().unwrap();
        for set in earlier.sets.unwrap() {
            if !sets.iter().any(|it| it.name == set.name) {
                sets.push(set);
            }
        }
        mark_reachable(&mut reading.legacy.as_mut().unwrap()[0]);
        prop_assert!(verdicts(&network, reading).iter().all(|verdict| *verdict == Verdict::InForce));
    }

    #[test]
    fn with_one_thing_changed_it_is_not_in_force(network in network(), turn in 0_usize..4, change in change(), pick in any::<Index>()) {
        let mut reading = daemon::applied(&network, &DEVICES, turn);
        prop_assume!(changed(&mut reading, change, pick));
        let verdicts = verdicts(&network, reading.clone());
        prop_assert!(verdicts.iter().any(|verdict| matches!(verdict, Verdict::Missing | Verdict::Drifted)), "{:?} {:#?}", verdicts, reading);
    }

    #[test]
    fn members_that_were_only_counted_raise_no_alarm(network in network()) {
        let mut reading = daemon::applied(&network, &DEVICES, 0);
        reading.sets.as_mut().unwrap().iter_mut().for_each(|set| set.list.clear());
        prop_assert!(verdicts(&network, reading).iter().all(|verdict| *verdict == Verdict::InForce));
    }

    /// Figures no tool would set, names of each other's, trees that make no sense.
    #[test]
    fn nothing_makes_a_comparison_fall_over(
        network in network(), other in network(), turn in any::<usize>(), odd in vec((any::<Index>(), any::<f64>(), any::<u32>()), 0..8),
    ) {
        let mut network = network;
        let mut reading = daemon::applied(&other, &DEVICES, turn % 7);
        for (pick, figure, number) in odd {
            if let Some(tc) = any_of(network.tcs.iter_mut().collect(), pick) {
                match &mut tc.does {
                    Shape::Netem(netem) => (netem.delay, netem.loss, netem.rate, netem.gap) = (Some(figure), Some(-figure), Some(figure), Some(number)),
                    Shape::Tbf(tbf) => (tbf.rate, tbf.burst, tbf.limit, tbf.peakrate) = (Some(figure), Some(figure), None, Some(-figure)),
                    Shape::Other { .. } => {}
                }
            }
            let qdiscs = &mut reading.tc.as_mut().unwrap().qdiscs;
            let qdisc = any_of(qdiscs.iter_mut().collect(), pick).unwrap();
            (qdisc.parent, qdisc.handle) = (Handle(number), Handle(number.rotate_left(16)));
            match &mut qdisc.options {
                Options::Netem(netem) => (netem.delay_seconds, netem.loss_ratio) = (figure, None),
                Options::Tbf(tbf) => (tbf.rate_bytes_per_second, tbf.burst_bytes) = (u64::from(number), u64::MAX),
                Options::Prio(prio) => prio.bands = number,
                _ => {}
            }
        }
        let said = judged(&declared(network), reading);
        prop_assert!(said.iter().all(|it| it.differences.len() <= 16 && it.differences.iter().all(|one| one.declared.chars().count() <= 256)));
    }
}

/// The numbering of chains starts anew on each device, so the second device's chain is written over the first one's.
#[test]
fn a_chain_that_a_second_device_wrote_over_is_told() {
    let set = |name: &str| json!({"name": name, "ipsetType": "list:set", "setNames": [], "source": "shop/slow"});
    let tc = |device: &str, set: &str, source: &str| json!({"type": "netem", "delay": {"latency": "10ms"}, "ipset": set, "device": device, "source": source});
    let network = of_spec(&json!({"ipsets": [set("a")], "tcs": [tc("eth0", "a", "shop/first"), tc("eth1", "a", "shop/second")]}));
    let said = judged(&declared(network.clone()), daemon::applied(&network, &DEVICES, 0));
    let words: Vec<_> = said.iter().map(word).collect();
    assert_eq!(words, ["drifted device", "in_force", "in_force"], "{said:#?}");
}

/// Two experiments of one pod, each judged by its own qdisc.
#[test]
fn several_experiments_on_one_pod_are_told_apart() {
    let tc = |latency: &str, source: &str| json!({"type": "netem", "delay": {"latency": latency}, "source": source});
    let network = of_spec(&json!({"tcs": [tc("50ms", "shop/a"), tc("100ms", "shop/b"), tc("50ms", "shop/c")]}));
    let mut reading = daemon::applied(&network, &DEVICES, 0);
    assert_eq!(judged(&declared(network.clone()), reading.clone()).iter().map(word).collect::<Vec<_>>(), ["in_force"; 3]);
    let Options::Netem(second) = &mut reading.tc.as_mut().unwrap().qdiscs.iter_mut().find(|it| it.handle.major() == 2).unwrap().options
    else {
        panic!()
    };
    second.delay_seconds = 0.05;
    let said = judged(&declared(network), reading);
    assert_eq!(said.iter().map(word).collect::<Vec<_>>(), ["in_force", "drifted delay", "in_force"]);
    assert_eq!((said[1].differences[0].declared.as_str(), said[1].differences[0].read.as_str()), ("100ms", "50ms"));
}
