//! Traffic control: tbf on this host, netem where the kernel has it (user-mode-linux).

use crate::kit::netns::Netns;
use crate::kit::process::succeed;
use crate::kit::uml::inside;
use crate::program::Standalone;
use chaoscope_model::Tool;
use chaoscope_model::run::{Outcome, Phase};
use std::process::Command;

pub const TBF: [&str; 13] = ["tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1mbit", "burst", "10kb", "latency", "50ms"];
pub const NONE: [&str; 6] = ["tc", "qdisc", "del", "dev", "lo", "root"];

#[test]
#[ignore = "needs root and iproute2: run by make test"]
fn a_tbf_is_a_run_while_it_is_there() {
    let lab = Netns::new();
    let name = lab.inode().to_string();
    let mut it = Standalone::start();
    it.looks();
    lab.run(&TBF);
    it.tells(1, "Applied", &name);
    lab.run(&["tc", "qdisc", "change", "dev", "lo", "root", "tbf", "rate", "2mbit", "burst", "10kb", "latency", "50ms"]);
    it.tells(1, "Changed", &name);
    let [now] = &it.answered(&name)[..] else { panic!("{:?}", it.answered(&name)) };
    let of = |field: &str| now[field].as_str();
    assert_eq!(
        [of("phase"), of("kind"), of("outcome"), now["parameters"]["rate"].as_str()],
        [Some("running"), Some("tbf"), None, Some("2Mbit/s")]
    );
    lab.run(&NONE);
    it.tells(1, "Recovered", &name);
    assert_eq!(it.answered(&name)[0]["outcome"], "recovered");
    assert!(it.metric("chaoscope_journal_open_runs").len() > 20, "the journal's own metrics are on the page");
    it.stop();
    let run = it.run(&name);
    assert_eq!(now["id"], run.id);
    assert_eq!((run.tool, run.kind.as_str(), run.action.as_str(), run.baseline), (Tool::Kernel, "tbf", "bandwidth", false));
    assert_eq!((run.phase, run.outcome), (Phase::Finished, Some(Outcome::Recovered)));
    assert_eq!((run.parameters["rate"].as_str(), run.parameters["device"].as_str()), ("2Mbit/s", "lo"));
    assert!(run.injected_at == Some(run.started_at) && run.ended_at == run.recovered_at && run.ended_after < run.ended_at, "{run:#?}");
    assert_eq!((run.targets[0].netns.as_str(), run.targets[0].pod.as_str()), (name.as_str(), ""));
    assert_eq!(it.reasons(&name), ["Applied", "Changed", "Recovered"]);
    let changed = &it.events(&name)[1];
    assert_eq!((changed.attributes["old.rate"].as_str(), changed.attributes["new.rate"].as_str()), ("1Mbit/s", "2Mbit/s"));
}

#[test]
#[ignore = "needs root and iproute2: run by make test"]
fn one_that_comes_back_is_another_run_and_one_of_a_namespace_that_goes_ends() {
    let lab = Netns::new();
    let name = lab.inode().to_string();
    let mut it = Standalone::start();
    it.looks();
    lab.run(&TBF);
    it.tells(1, "Applied", &name);
    lab.run(&NONE);
    it.tells(1, "Recovered", &name);
    lab.run(&TBF);
    it.tells(2, "Applied", &name);
    drop(lab);
    it.tells(1, "NamespaceGone", &name);
    it.stop();
    let ends: Vec<_> = it.runs(&name).iter().map(|run| (run.outcome, run.recovered_at.is_some())).collect();
    assert_eq!(ends, [(Some(Outcome::Recovered), true), (Some(Outcome::Recovered), false)]);
}

/// In there a fork costs 60 ms and more, and everything runs on one processor.
#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn netem_typed_by_hand_is_a_run_with_its_figures() {
    inside("shaping::netem_typed_by_hand_is_a_run_with_its_figures", &[], || {
        let ip = |words: &str| succeed(Command::new("ip").args(words.split(' ')));
        ip("netns add lab");
        ip("-n lab link add eth0 type dummy");
        let tc = |words: &str| succeed(Command::new("tc").args(["-n", "lab", "qdisc"]).args(words.split(' ')));
        tc("add dev eth0 root handle 7: netem delay 20ms");
        let mut it = Standalone::start_with(&["--path.netns=/run/netns"]);
        it.tells(1, "Found", "lab");
        tc("del dev eth0 root");
        it.tells(1, "Recovered", "lab");
        tc("add dev eth0 root netem delay 100ms");
        it.tells(1, "Applied", "lab");
        tc("change dev eth0 root netem delay 250ms 10ms loss 10%");
        it.tells(1, "Changed", "lab");
        tc("del dev eth0 root");
        it.tells(2, "Recovered", "lab");
        it.stop();
        let [before, run] = &it.runs("lab")[..] else { panic!("{:#?}", it.runs("lab")) };
        assert_eq!((before.baseline, before.injected_at, before.parameters["delay"].as_str()), (true, None, "20ms"));
        assert_eq!((run.kind.as_str(), run.baseline, run.outcome), ("netem", false, Some(Outcome::Recovered)));
        let figures = ["delay", "jitter", "loss", "device"].map(|name| run.parameters[name].as_str());
        assert_eq!(figures, ["250ms", "10ms", "10%", "eth0"]);
        let changed = it.events("lab").into_iter().find(|event| event.reason == "Changed").unwrap();
        assert_eq!((changed.attributes["old.delay"].as_str(), changed.attributes["new.delay"].as_str()), ("100ms", "250ms"));
        assert_eq!((changed.attributes.get("old.loss"), changed.attributes["new.loss"].as_str()), (None, "10%"));
    });
}
