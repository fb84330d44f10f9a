//! What verdicts add to a sweep: everything declared held against it, and everything left over found, over namespaces that all have a fault.

use super::world::{Kind, Population};
use super::{Bar, HOT, median, ms, sweep as visits};
use chaoscope::exposition::Distribution;
use chaoscope::node::modules::Modules;
use chaoscope::node::namespaces::Namespace;
use chaoscope::node::sweep::{Complete, Fate, Observed, Sweep};
use chaoscope::node::sweeper::{Config, Sweeper};
use chaoscope::node::visit::Plan;
use chaoscope::node::visits::{Place, visit_all};
use chaoscope::source::Source as _;
use chaoscope::verdict::{Agreement, Leftovers, Survey, judge, left_over};
use chaoscope_model::declared::{Applied, Chain, DeclaredPod, DeclaredTarget, Expectation, Network, Set, Shape, Shaping, Stage, Tbf};
use chaoscope_model::{Pod, Reference};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Prints what a sweep of `count` namespaces and the verdicts on all of them take, as medians of passes that take turns.
pub fn measure(count: usize, bars: &mut Vec<Bar>) {
    let population = Population::start(Kind::Declared, count).wait();
    let places = population.places(count);
    let declared: BTreeMap<String, DeclaredPod> = (0..count).map(|at| (uid(at), of(at))).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let config = Config { procfs: "/proc".into(), named: "/nonexistent".into(), threads: 2, host_network: false, members: true };
    let sweeper = Sweeper::new(config, Box::new(|| None));
    let (mut agreement, mut leftovers) = (Agreement::default(), Leftovers::default());
    let (mut whole, mut visited, mut added, mut parts) = (vec![], vec![], vec![], [vec![], vec![], vec![]]);
    for second in 0..=i64::try_from(HOT).expect("few") {
        let start = Instant::now();
        let found = runtime.block_on(sweeper.read(Duration::ZERO, start + Duration::from_mins(1))).expect("a sweep");
        whole.push(start.elapsed());
        assert!(found.namespaces.len() >= count, "{} namespaces", found.namespaces.len());
        visited.push(visits(&places, 2, Kind::Declared));
        let sweep = seen(&places);
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        let start = Instant::now();
        let survey = Survey::of(&sweep);
        let surveyed = start.elapsed();
        let held = agreement.visit(judge(declared.values(), &sweep), at);
        let judged = start.elapsed();
        let left = leftovers.visit(left_over(&sweep, &survey, &declared), &sweep, at);
        let all = start.elapsed();
        parts
            .iter_mut()
            .zip([surveyed, judged.saturating_sub(surveyed), all.saturating_sub(judged)])
            .for_each(|(part, took)| part.push(took));
        added.push(all);
        assert_eq!((held.len(), left.len()), (count, 0), "one verdict each, and nothing left over");
        let as_declared =
            |judged: &&chaoscope_model::verdict::Judged| judged.judgement.verdict == chaoscope_model::verdict::Verdict::InForce;
        assert!(second == 0 || held.iter().all(|judged| as_declared(&judged)), "{:?}", held.iter().find(|judged| !as_declared(judged)));
    }
    let (whole, visited, added) = (median(whole), median(visited), median(added));
    let [survey, judging, left] = parts.map(|part| ms(median(part)));
    let share = |of: Duration| 100.0 * added.as_secs_f64() / of.as_secs_f64();
    println!(
        "\nverdicts on {count} namespaces: {:.2} ms ({:.1} µs each: survey {survey:.2} ms, judging {judging:.2}, leftovers {left:.2}), beside a sweep of {:.2} ms, of which {:.2} ms are the visits alone \
         ({:.1} % of those); two threads",
        ms(added),
        added.as_secs_f64() * 1e6 / count as f64,
        ms(whole),
        ms(visited),
        share(visited)
    );
    bars.push((format!("verdicts on {count} namespaces: % of a sweep"), share(whole), "≤ 10", share(whole) <= 10.0));
}

fn uid(at: usize) -> String {
    format!("u-{at:04}")
}

fn pod(at: usize) -> Pod {
    Pod { namespace: "shop".into(), name: format!("web-{at}"), uid: uid(at) }
}

/// The namespaces as a sweep has them, each with its pod.
fn seen(places: &[Place]) -> Sweep {
    let plan = Plan { modules: Modules::find(), members: true };
    let visits = visit_all(places, 2, plan, Instant::now() + Duration::from_mins(1));
    let observed = places.iter().zip(visits).enumerate().map(|(at, (place, visit))| {
        let visit = visit.expect("in time");
        let (pod, inode) = (Some(pod(at)), place.id.ino);
        let namespace = Namespace { place: place.clone(), inode, name: None, host: false, pod, primary: true, containers: vec![] };
        Observed { namespace, fate: Fate::Read(Box::new(visit.reading.expect("entered")), visit.took) }
    });
    Sweep {
        at: Timestamp::UNIX_EPOCH,
        took: Duration::ZERO,
        runtime: String::new(),
        parts: vec![],
        namespaces: observed.collect(),
        complete: Complete { processes: true, namespaces: true },
        unreadable: 0,
        helpers: vec![],
        mounts: vec![],
        looked: vec![],
        booted: None,
        limitations: vec![],
        durations: Distribution::default(),
    }
}

/// What `populate.sh` made, as the objects of a pod declare it.
fn of(at: usize) -> DeclaredPod {
    const SET: &str = "cut-w_c356d36a67f5a_set_tgt";
    let (cut, source) = ("cut-web-from-client".to_owned(), || "shop/cut-web-from-client".to_owned());
    let chain = |name: &str, output| Chain { source: source(), name: name.into(), output, sets: vec![SET.into()], device: "lo".into() };
    let set = |name: &str, kind: &str, members| Set { source: source(), name: name.into(), kind: kind.into(), members };
    let (net, port) = ("cut-w_c356d36a67f5a_net_tgt", "cut-w_c356d36a6_netport_tgt");
    let sets = vec![
        set(net, "hash:net", (1..=20).map(|number| format!("10.89.0.{number}/32")).collect()),
        set(port, "hash:net,port", vec![]),
        set(SET, "list:set", vec![net.into(), port.into()]),
    ];
    let tbf = Tbf { rate: Some(1_000_000.0), burst: Some(10_000.0), limit: Some(20_971_520.0), peakrate: None };
    let tc = Shaping { source: source(), device: "lo".into(), does: Shape::Tbf(tbf), ..Shaping::default() };
    let spec = Network {
        tcs: vec![tc],
        chains: vec![chain("INPUT/cut-w_c356d36a67f5a0_", false), chain("OUTPUT/cut-w_c356d36a67f5a_", true)],
        sets,
    };
    let target = DeclaredTarget {
        run: format!("r-{at}"),
        target: format!("shop/web-{at}"),
        selector: ".".into(),
        experiment: Reference { kind: "NetworkChaos".into(), namespace: "shop".into(), name: cut, uid: String::new() },
        container: String::new(),
        stage: Stage::Injected,
        injected_at: None,
        expects: Expectation::Network,
    };
    let network = Applied { generation: 1, observed: 1, failure: String::new(), incomplete: String::new(), spec };
    DeclaredPod { pod: pod(at), network: Some(network), targets: vec![target], ..DeclaredPod::default() }
}
