//! The program killed again and again while experiments come and go: every run is known once, with its right end, and nothing told is lost.

use crate::kit::kube::Kube;
use crate::kit::process::until;
use crate::live::{told, wanted};
use crate::program::Program;
use crate::recording;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const KILLS: usize = 8;
/// What happens, again and again, each time in a namespace of its own.
const SCENES: [&str; 4] = ["partition-external", "stress-cpu", "delete-running", "netem-delay"];

/// The recording's name space, and the one it gets.
fn moved(text: &str, number: usize) -> String {
    text.replace("shop", &format!("shop-{number}"))
}

/// Does a scene in a name space of its own, where there are no pods: no recorded run ends with one of these.
fn play(kube: &Kube, number: usize) {
    let (from, to) = (recording::folder().join(SCENES[number % SCENES.len()]), TempDir::new().unwrap());
    fs::create_dir(to.path().join("watch")).unwrap();
    for file in fs::read_dir(from.join("watch")).unwrap() {
        let file = file.unwrap();
        let text = moved(&fs::read_to_string(file.path()).unwrap(), number);
        fs::write(to.path().join("watch").join(file.file_name()), text).unwrap();
    }
    kube.feed(to.path());
}

/// What a client of the stream was told: ids of runs, with the end where there was one, and keys of events.
#[derive(Default)]
struct Heard {
    runs: BTreeSet<(String, Option<String>)>,
    events: BTreeSet<String>,
    /// Where it goes on.
    last: String,
    resets: usize,
}

/// What an event's key says, whether or not its record was known when it was told: until then `?` stands for the selector.
fn fact(key: &str) -> String {
    match key.split('|').collect::<Vec<_>>()[..] {
        [uid, _, target, operation, number] => [uid, target, operation, number].join("|"),
        _ => key.to_owned(),
    }
}

/// Listens until the connection ends.
fn listen(address: SocketAddr, mut heard: Heard, count: &AtomicUsize) -> Heard {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /api/v1/stream HTTP/1.1\r\nHost: test\r\nLast-Event-ID: {}\r\n\r\n", heard.last).unwrap();
    let mut kind = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(name) = line.strip_prefix("event: ") {
            name.clone_into(&mut kind);
            heard.resets += usize::from(name == "reset");
        } else if let Some(id) = line.strip_prefix("id: ") {
            id.clone_into(&mut heard.last);
        } else if let Some(data) = line.strip_prefix("data: ") {
            // A last line may be torn; what it says was not told then.
            let Ok(data) = serde_json::from_str::<Value>(data) else { continue };
            match kind.as_str() {
                "run" => drop(heard.runs.insert((data["id"].as_str().unwrap().to_owned(), data["outcome"].as_str().map(str::to_owned)))),
                "event" => drop(heard.events.insert(data["key"].as_str().unwrap().to_owned())),
                _ => continue,
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    heard
}

#[test]
#[ignore = "needs a kube-apiserver: run by make test"]
fn killed_again_and_again_under_load_it_knows_every_run_once() {
    let kube = Kube::start();
    kube.define_all();
    let mut program = Program::cluster(&kube.kubeconfig(), &[]);
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut heard = Heard::default();
    thread::scope(|scope| {
        let players = [(); 2].map(|()| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    play(&kube, next.fetch_add(1, Ordering::Relaxed));
                }
            })
        });
        for _ in 0..KILLS {
            let (address, count) = (program.address, AtomicUsize::new(0));
            heard = thread::scope(|scope| {
                let listener = scope.spawn(|| listen(address, std::mem::take(&mut heard), &count));
                until(|| (count.load(Ordering::Relaxed) >= 30).then_some(()), || program.log());
                program.kill();
                listener.join().unwrap()
            });
            thread::sleep(Duration::from_millis(300)); // things happen while nobody looks
            program.again();
        }
        over.store(true, Ordering::Relaxed);
        players.into_iter().for_each(|player| player.join().unwrap());
    });
    let mut all: Vec<String> = (0..next.into_inner())
        .flat_map(|number| wanted(&[SCENES[number % SCENES.len()]]).into_iter().map(move |run| moved(&run, number)))
        .collect();
    all.sort();
    let sorted = || {
        let mut told = told(&program);
        told.sort();
        told
    };
    let differ = || {
        let (told, all): (BTreeSet<_>, BTreeSet<_>) = (sorted().into_iter().collect(), all.iter().cloned().collect());
        format!("not wanted {:#?}\nmissing {:#?}", told.difference(&all).collect::<Vec<_>>(), all.difference(&told).collect::<Vec<_>>())
    };
    until(|| (sorted() == all).then_some(()), || format!("{}\n{}", differ(), program.log()));
    let runs = program.runs();
    let unique: BTreeSet<_> = runs.iter().map(|run| (run["uid"].to_string(), run["ordinal"].to_string())).collect();
    assert_eq!((runs.len(), unique.len()), (all.len(), all.len()), "each run once");
    for (id, outcome) in &heard.runs {
        let run = runs.iter().find(|run| run["id"] == **id).unwrap_or_else(|| panic!("{id} was told and is not there"));
        assert!(outcome.is_none() || outcome.as_deref() == run["outcome"].as_str(), "the end that was told is {outcome:?}: {run}");
    }
    let keys = program.event_keys();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "no event twice");
    let known: BTreeSet<_> = keys.iter().map(|key| fact(key)).collect();
    let exact: BTreeSet<_> = keys.iter().filter(|key| !key.contains("|?|")).map(|key| fact(key)).collect();
    let twice: Vec<_> = keys.iter().filter(|key| key.contains("|?|") && exact.contains(&fact(key))).collect();
    assert!(twice.is_empty(), "announced and recorded, and not seen to be the same: {twice:?}");
    let lost: Vec<_> = heard.events.iter().filter(|key| !known.contains(&fact(key))).collect();
    assert!(lost.is_empty(), "told and not there: {lost:?}");
    assert!(!heard.events.is_empty() && heard.resets <= 1, "a client goes on where it was, {} resets", heard.resets);
    program.kill();
    assert_eq!(program.verify().0, Some(0), "{}", program.verify().1);
}
