//! The program with a journal of its own, over several lives.

use crate::kit::process::{Running, copy_program, finish, until};
use chaoscope::journal::{Config, Journal};
use chaoscope_model::event::Event;
use chaoscope_model::query::{EventQuery, Filter, RunQuery};
use chaoscope_model::run::Run;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_chaoscope");

/// A journal, the log of every life, and the one that is lived now.
pub struct Standalone {
    folder: TempDir,
    more: Vec<String>,
    /// What passes for a stressor.
    pub marker: PathBuf,
    process: Option<Running>,
}

impl Standalone {
    /// Starts it for the first time. It sweeps ten times a second, so that no test waits long.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more flags, also in later lives.
    pub fn start_with(more: &[&str]) -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test enters namespaces: run it as root");
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("names")).unwrap();
        let marker = folder.path().join("stress-ng");
        copy_program("/bin/sleep", &marker);
        let names = format!("--path.netns={}", folder.path().join("names").display());
        let mut more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        for usual in [names, "--sweep.interval=100ms".to_owned()] {
            let flag = usual.split_once('=').unwrap().0.to_owned();
            if !more.iter().any(|word| word.starts_with(&flag)) {
                more.push(usual);
            }
        }
        let mut it = Self { folder, marker, more, process: None };
        it.again(&[]);
        it
    }

    /// Starts it once more, below `wrapper` (words that go before a command, such as `setpriv …`), and waits until it listens.
    pub fn again(&mut self, wrapper: &[&str]) {
        assert!(self.process.is_none(), "it still lives");
        let words = [wrapper.iter().map(|word| (*word).to_owned()).collect(), self.words("127.0.0.1:0")].concat();
        let lives = self.count(&["listening on "]);
        let log = OpenOptions::new().create(true).append(true).open(self.log_file()).unwrap();
        let process = Running::start(Command::new(&words[0]).args(&words[1..]).stdout(Stdio::null()).stderr(log));
        self.process = Some(process);
        self.says(lives + 1, &["listening on "]);
    }

    fn words(&self, address: &str) -> Vec<String> {
        let journal = format!("--journal.path={}", self.journal_folder().display());
        let listen = format!("--web.listen-address={address}");
        [vec![BINARY.into(), "standalone".into(), journal, listen, "--runtime=none".into()], self.more.clone()].concat()
    }

    /// Starts it over the same journal, as one that must end by itself: what it says, and its exit code.
    pub fn fails(&self, address: &str) -> (String, Option<i32>) {
        let words = self.words(address);
        let output = finish(Command::new(&words[0]).args(&words[1..]));
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Lines of the log with all of these words.
    pub fn count(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until so many lines of the log have all of these words.
    pub fn says(&mut self, times: usize, words: &[&str]) {
        let mut process = self.process.take().expect("it lives");
        until(
            || {
                assert!(!process.has_ended(), "it ended: {}", self.log());
                (self.count(words) >= times).then_some(())
            },
            || format!("{times} × {words:?}: {}", self.log()),
        );
        self.process = Some(process);
    }

    /// Waits until the log tells so often of this namespace, with this reason; what it tells is stored.
    pub fn tells(&mut self, times: usize, reason: &str, netns: &str) {
        self.says(times, &[&format!("\"{reason}: "), &format!("netns={netns} ")]);
    }

    /// Waits for two sweeps that begin from now on: what they do not tell, they did not find. A process, as it takes no right to see one.
    pub fn looks(&mut self) {
        let marker = Running::start(Command::new(&self.marker).arg("600"));
        let pid = format!(" pid={}\"", marker.pid());
        self.says(1, &[&pid]); // `Found`, should it be there at the very first sweep
        drop(marker);
        self.says(1, &["\"Recovered: ", &pid]);
    }

    /// The sample of the page of metrics that begins so.
    pub fn metric(&self, beginning: &str) -> String {
        let page = self.get("/metrics");
        let line = page.lines().find(|line| line.starts_with(beginning));
        line.unwrap_or_else(|| panic!("no {beginning} in {page}")).to_owned()
    }

    /// The runs of a namespace, as the API answers them.
    pub fn answered(&self, netns: &str) -> Vec<Value> {
        let answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/runs?tool=kernel&name={netns}"))).unwrap();
        answer["runs"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// What the doctor's lines say: each with its sign, what was found and the remedy.
    pub fn doctor(&self) -> (bool, Vec<(String, String, String)>) {
        let report: Value = serde_json::from_str(&self.get("/api/v1/doctor")).unwrap();
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_else(|| panic!("{line}")).to_owned();
        let lines = report["lines"].as_array().unwrap_or_else(|| panic!("{report}"));
        let lines = lines.iter().map(|line| (word(line, "mark"), word(line, "found"), word(line, "remedy"))).collect();
        (report["well"].as_bool().unwrap(), lines)
    }

    /// The folder of the journal.
    pub fn journal_folder(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// What is answered at a path.
    pub fn get(&self, path: &str) -> String {
        let log = self.log();
        let address = log.rsplit_once("listening on http://").expect("it listens").1;
        let (status, body) = crate::kit::http::get(address.split('"').next().unwrap().parse().unwrap(), path).unwrap();
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Kills it with a signal it cannot catch.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    fn end(&mut self, signal: Signal) {
        let mut process = self.process.take().expect("it lives");
        kill_process(Pid::from_raw(process.pid().try_into().unwrap()).unwrap(), signal).unwrap();
        process.wait();
        assert!(!self.log().contains("panicked"), "{}", self.log());
    }

    fn journal(&self) -> Journal {
        assert!(self.process.is_none(), "a journal has one owner");
        let folder = Some(self.journal_folder());
        let config = Config { folder, retention: None, max_bytes: None, settle: std::time::Duration::ZERO };
        // A child that another test starts just now holds the lock of a journal we have closed, until it becomes another program.
        until(
            || match Journal::open(&config) {
                Ok((journal, _)) => Some(journal),
                Err(chaoscope::journal::Error::Taken { .. }) => None,
                Err(error) => panic!("{error}"),
            },
            || "the journal is free".to_owned(),
        )
    }

    /// The runs of a namespace, oldest first; it must have ended.
    pub fn runs(&self, netns: &str) -> Vec<Run> {
        let query = RunQuery { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX, limit: 1000, after: None, filter: Filter::default() };
        let mut runs = self.journal().runs(&query, &|run| Some(run.clone())).unwrap().rows;
        runs.retain(|run| run.name == netns);
        runs.reverse();
        runs
    }

    /// The only run of a namespace.
    pub fn run(&self, netns: &str) -> Run {
        let mut runs = self.runs(netns);
        assert_eq!(runs.len(), 1, "{runs:#?}\n{}", self.log());
        runs.remove(0)
    }

    /// The events of a namespace, oldest first.
    pub fn events(&self, netns: &str) -> Vec<Event> {
        let query = EventQuery { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX, limit: 1000, after: None, filter: Filter::default() };
        let mut events = self.journal().events(&query, &|event, _| event.name == netns).unwrap().rows;
        events.reverse();
        events
    }

    /// The reasons of its events.
    pub fn reasons(&self, netns: &str) -> Vec<String> {
        self.events(netns).into_iter().map(|event| event.reason).collect()
    }
}
