//! The status page in a real browser. Its pictures are in `target/tmp/runs/`, to be looked at.

use crate::kit::chromium::Chromium;
use crate::kit::http;
use crate::kit::process::until;
use crate::kit::tab::Tab;
use crate::server::{Server, ago, ended, plans, run, target, watch};
use chaoscope_model::run::{Outcome, Phase, Run, TargetState};
use jiff::SignedDuration;
use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

const PLAIN: Chromium = Chromium { dark: false, javascript: false, width: 1280, height: 1250 };

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runs");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A busy afternoon: something stuck, something overdue, something torn away, some that run, many that ended.
fn busy() -> Server {
    let server = Server::plain("cluster");
    let stuck = Run {
        phase: Phase::Injecting,
        injected_at: None,
        action: "delay".into(),
        parameters: [("delay.latency", "100ms"), ("delay.jitter", "0ms"), ("direction", "to")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into(),
        started_by: Some("kubectl-create".into()),
        expected_end_at: Some(ago(3000)),
        ..run("slow-web", 3600)
    };
    let mut stuck = stuck;
    stuck.targets = vec![target("web-0", TargetState::Injecting), target("web-1", TargetState::Injected)];
    stuck.targets[0].message = "failed to apply for pod shop/web-0: unable to set tcs for pod web-0".into();
    let overdue = Run { expected_end_at: Some(ago(1200)), ..run("cut-db", 1800) };
    let forced = ended(
        Run { action: "partition".into(), ..run("torn-away-with-a-very-long-name-that-goes-on-and-on-and-on", 9000) },
        7000,
        Outcome::Forced,
    );
    let mut wide = Run { kind: "StressChaos".into(), action: String::new(), ..run("burn", 700) };
    wide.targets = (0..25).map(|index| target(&format!("worker-{index}"), TargetState::Injected)).collect();
    let short = ended(Run { kind: "PodChaos".into(), action: "pod-kill".into(), ..run("kill-one", 5000) }, 4999, Outcome::Completed);
    let none = ended(run("nobody-there", 15_000), 12_000, Outcome::NoTargets);
    let mut runs = vec![stuck, overdue, forced, wide, short, none, run("cut-web", 120)];
    for index in 0..12 {
        runs.push(ended(
            Run { kind: "IOChaos".into(), action: "latency".into(), ..run(&format!("nightly-{index}"), 1500 * index + 900) },
            1500 * index + 300,
            Outcome::Recovered,
        ));
    }
    server.record(&runs);
    server.world.facts.lock().unwrap().watches = vec![watch("networkchaos", ""), watch("podchaos", ""), watch("events", "forbidden")];
    server
}

/// The text of a document, without its tags.
fn words(document: &str) -> String {
    let body = document.split_once("<div id=\"live\">").unwrap().1;
    let text: String = body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn a_person_sees_what_runs_and_what_is_wrong_without_a_script() {
    let server = busy();
    let text = words(&PLAIN.dump_dom(&server.url()));
    for wanted in [
        "Not well no right to list and watch events",
        "Needs a look 2 Went wrong 1 Running 2 Ended",
        "stuck injecting since",
        "unable to set tcs for pod web-0",
        "delay.latency 100ms",
        "1 of 2 injected",
        "shop/worker-0, shop/worker-1, shop/worker-2 and 22 more",
        "2 watches up",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    let order: Vec<_> = ["Needs a look shop", "Went wrong", "Running", "Ended"].iter().map(|title| text.rfind(title)).collect();
    assert!(order[1..].is_sorted(), "{order:?}");
    PLAIN.screenshot(&server.url(), &pictures().join("light.png"));
    Chromium { dark: true, ..PLAIN }.screenshot(&server.url(), &pictures().join("dark.png"));
    Chromium { width: 400, height: 2600, ..PLAIN }.screenshot(&server.url(), &pictures().join("narrow.png"));
    Chromium { width: 400, height: 2600, dark: true, ..PLAIN }
        .screenshot(&format!("{}?kind=IOChaos&last=24h", server.url()), &pictures().join("narrow-dark-filtered.png"));
    PLAIN.screenshot(&format!("{}?namespace=shop&name=cut-*&last=1h", server.url()), &pictures().join("filtered.png"));
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn a_person_sees_what_comes_next_without_a_script() {
    let server = busy();
    let shown = || words(&PLAIN.dump_dom(&server.url()));
    assert!(!shown().contains("Next"), "nothing is to come");
    let evil = "<img src=x onerror=\"document.title='caught'\">";
    let made = ago(1800);
    *server.world.plans.lock().unwrap() = plans(made, &[("nightly", "@every 5h"), (evil, "@every 23h"), ("weekly", "@every 160h")]);
    let text = shown();
    let at = |hours: i64| (made + SignedDuration::from_hours(hours)).strftime("%H:%M:%SZ").to_string();
    let next = text.split_once("Next").and_then(|(_, rest)| rest.split_once("More as JSON")).expect("a list").0;
    for wanted in [format!("{} in 4 h", at(5)), format!("{} in 9 h", at(10)), format!("{} in 19 h", at(20))] {
        assert!(next.contains(&wanted), "{wanted} is not in {next}");
    }
    assert!(next.contains("shop/nightly · PodChaos · pod-failure · for 10 min") && !next.contains("weekly"), "{next}");
    assert!(next.contains("shop/&lt;img src=x onerror="), "{next}");
    assert_eq!(next.matches("shop/").count(), 5, "four of one, one of the other: {next}");
    Chromium { height: 1700, ..PLAIN }.screenshot(&server.url(), &pictures().join("next.png"));
    Chromium { width: 400, height: 3600, dark: true, ..PLAIN }.screenshot(&server.url(), &pictures().join("next-narrow-dark.png"));
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn names_run_nothing_in_a_browser() {
    let server = Server::plain("cluster");
    let evil = "<img src=x onerror=\"document.title='caught'\"><script>document.title='caught'</script>";
    let mut bad = run(evil, 60);
    bad.kind = evil.into();
    bad.targets[0].message = evil.into();
    bad.phase = Phase::Injecting;
    bad.started_at = ago(1000);
    server.change(&bad);
    for javascript in [false, true] {
        let url = format!("{}?text={}", server.url(), http::percent("<img src=x"));
        let document = Chromium { javascript, ..PLAIN }.dump_dom(&url);
        assert!(document.contains("<title>Chaoscope · runs</title>") && words(&document).contains("&lt;img src=x onerror="), "{document}");
        assert!(!document.contains("<img"), "{document}");
    }
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn a_change_appears_by_itself_and_the_focus_stays() {
    let server = Server::plain("cluster");
    let first = run("first", 60);
    server.change(&first);
    let mut tab = Tab::open(Chromium::default(), &server.url());
    let text = RefCell::new(String::new());
    let mut shows = |wanted: &[&str], not: &str| {
        let look = || {
            text.replace(tab.text());
            let text = text.borrow();
            (wanted.iter().all(|wanted| text.contains(wanted)) && !text.contains(not)).then_some(())
        };
        until(look, || format!("{wanted:?} without {not:?} in {}", text.borrow()));
    };
    shows(&["live", "shop/first"], "snapshot");
    until(|| (server.streaming() == 1).then_some(()), || "the page streams".to_owned());
    server.change(&run("second", 0));
    shows(&["shop/second", "Running\n2"], "snapshot");
    server.change(&ended(first, 0, Outcome::Recovered));
    shows(&["Running\n1\nEnded\n1"], "snapshot");
    server.cut();
    until(|| (server.streaming() == 1).then_some(()), || "the page streams again".to_owned());
    server.change(&run("third", 0)); // told, or found when it streams again
    shows(&["live", "shop/third"], "not live");
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn what_leaves_the_question_goes_and_what_gets_stuck_is_moved_by_itself() {
    let server = Server::plain("cluster");
    server.record(&[run("ends", 60), Run { phase: Phase::Injecting, ..run("slow", 290) }]);
    let mut tab = Tab::open(Chromium::default(), &format!("{}?outcome=!recovered", server.url()));
    until(|| (server.streaming() == 1).then_some(()), || "the page streams".to_owned());
    server.change(&ended(run("ends", 60), 0, Outcome::Recovered));
    let look = |text: &str| text.contains("stuck injecting") && !text.contains("shop/ends");
    until(|| look(&tab.text()).then_some(()), || "one is stuck, the other is gone".to_owned());
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn a_keyboard_is_enough() {
    let server = busy();
    let mut tab = Tab::open(Chromium::default(), &server.url());
    until(|| tab.text().contains("live").then_some(()), || "the page is there".to_owned());
    let id = Run::id_of("", "cut-web", 1);
    tab.evaluate(&format!("document.getElementById('run-{id}').focus()"));
    server.change(&run("newest", 0));
    until(|| tab.text().contains("shop/newest").then_some(()), || "the new run shows".to_owned());
    assert_eq!(tab.evaluate("document.activeElement.id"), format!("run-{id}"), "a change must not take the focus away");
    // Everything that can be used can be reached, and has a name.
    let nameless = "[...document.querySelectorAll('a,button,input:not([type=hidden]),select,summary')]\
        .filter(it => it.tabIndex < 0 || !(it.textContent.trim() || it.labels?.[0]?.textContent.trim())).length";
    assert_eq!(tab.evaluate(nameless), 0);
    assert_eq!(tab.evaluate("document.querySelector('summary').click(), document.querySelector('details').open"), true);
    assert_eq!(tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), true);
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn a_page_without_runs_teaches() {
    for role in ["cluster", "standalone"] {
        let server = Server::plain(role);
        let text = words(&PLAIN.dump_dom(&server.url()));
        assert!(
            text.contains("No chaos in this time") && text.contains(if role == "cluster" { "kubectl apply" } else { "tc qdisc add" }),
            "{text}"
        );
        Chromium { height: 800, ..PLAIN }.screenshot(&server.url(), &pictures().join(format!("nothing-{role}.png")));
    }
}
