//! The exporter itself as an origin: it tells a recording of a real Chaos Mesh, moved to the present, so that a panel's "last hour" has it.

use crate::BINARY;
use crate::grafana_host::context;
use crate::process::{Running, until};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A recording that is told.
pub struct Replay {
    pub url: String,
    /// What was added to every time.
    moved: SignedDuration,
    folder: PathBuf,
    _process: Running,
}

impl Replay {
    /// All of it, told at once.
    pub fn whole(name: &str) -> Self {
        let replay = Self::start(name, None, 0.0);
        replay.ready();
        replay
    }

    /// What had been seen until then (a time of the recording's day), told at once.
    pub fn until(name: &str, time: &str) -> Self {
        let replay = Self::start(name, Some(recorded(time)), 0.0);
        replay.ready();
        replay
    }

    /// All of it, so many times as fast as it happened.
    pub fn paced(name: &str, speed: f64) -> Self {
        let replay = Self::start(name, None, speed);
        until(|| replay.get("/healthz"), || "the exporter answers".to_owned());
        replay
    }

    fn start(name: &str, end: Option<Timestamp>, speed: f64) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let exporter = Path::new(BINARY).with_file_name("chaoscope");
        assert!(exporter.exists(), "{} is not there: cargo build -p chaoscope, in the same profile", exporter.display());
        let own = format!("recording-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(own);
        let moved = copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recordings").join(name), &folder, end);
        let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).unwrap();
        let mut command = Command::new(exporter);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CHAOSCOPE_")) {
            command.env_remove(name);
        }
        command.arg("replay").arg(&folder).arg(format!("--speed={speed}")).arg(format!("--web.listen-address={address}"));
        let process = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        Self { url: format!("http://{address}"), moved, folder, _process: process }
    }

    fn ready(&self) {
        until(|| self.get("/readyz"), || "the exporter has read the recording".to_owned());
    }

    /// Whether a path answers with 200.
    fn get(&self, path: &str) -> Option<()> {
        let address = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        crate::http::get(address, path).ok().filter(|(status, _)| *status == 200).map(drop)
    }

    /// Organisation 1's datasource there; its name is the address's, so that several in one host are several.
    pub fn context(&self) -> Value {
        let mut context = context(&self.url);
        context["uid"] = self.url.rsplit(':').next().into();
        context
    }

    /// A time of the recording's day, moved.
    pub fn moment(&self, time: &str) -> Timestamp {
        recorded(time) + self.moved
    }

    /// The same as a frame's column has it.
    pub fn at(&self, time: &str) -> Value {
        self.moment(time).to_string().into()
    }

    /// A row with its times as exactly as they are written in the tests.
    pub fn to_milliseconds<const N: usize>(row: &[Value; N]) -> [Value; N] {
        row.clone().map(|value| match value.as_str().map(str::parse::<Timestamp>) {
            Some(Ok(at)) => {
                at.round(jiff::TimestampRound::new().smallest(Unit::Millisecond).mode(jiff::RoundMode::Trunc)).unwrap().to_string().into()
            }
            _ => value,
        })
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A time of the day all recordings are of.
fn recorded(time: &str) -> Timestamp {
    format!("2026-11-21T{time}Z").parse().unwrap()
}

/// Copies a recording as it was until `end`, moved by whole seconds so that its last moment is the present. Answers how far.
fn copy(from: &Path, to: &Path, end: Option<Timestamp>) -> SignedDuration {
    let mut files = Vec::new();
    for part in ["watch", "initial"] {
        let Ok(folder) = fs::read_dir(from.join(part)) else { continue };
        for file in folder.map(|it| it.unwrap().path()) {
            files.push((to.join(part).join(file.file_name().unwrap()), fs::read_to_string(&file).unwrap()));
        }
    }
    let mut last = Timestamp::MIN;
    for (_, text) in files.iter_mut().filter(|(path, _)| path.extension().is_some_and(|it| it == "jsonl")) {
        let lines = text.lines().filter(|line| {
            let seen: Timestamp = serde_json::from_str::<Value>(line).unwrap()["seen"].as_str().unwrap().parse().unwrap();
            let stays = end.is_none_or(|end| seen <= end);
            last = if stays { last.max(seen) } else { last };
            stays
        });
        *text = lines.map(|line| format!("{line}\n")).collect();
    }
    let moved = SignedDuration::from_secs(Timestamp::now().as_second() - last.as_second());
    for (path, text) in files {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, shifted(&text, moved)).unwrap();
    }
    moved
}

/// A text with every time in it moved: dates, and the nanoseconds that are the end of an Event's name, in hexadecimal.
fn shifted(text: &str, by: SignedDuration) -> String {
    /// Lengths of a date and a time without fractions, and of the end of a name.
    const LENGTHS: [usize; 2] = ["2026-11-21T14:00:00".len(), 16];
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(['2', '.']) {
        let (before, after) = rest.split_at(at);
        let date = after.get(..LENGTHS[0]).filter(|it| it.starts_with("2026-") && it.as_bytes()[10] == b'T');
        let date = date.and_then(|it| Some((it.parse::<DateTime>().ok()? + by).to_string()));
        let name = after.get(1..=LENGTHS[1]).filter(|it| after.starts_with(".18") && after[1 + it.len()..].starts_with('"'));
        let name = name.and_then(|it| u64::from_str_radix(it, 16).ok()).map(|it| format!(".{:x}", i128::from(it) + by.as_nanos()));
        let moved = date.map(|it| (it, LENGTHS[0])).or(name.map(|it| (it, 1 + LENGTHS[1])));
        let (moved, taken) = moved.unwrap_or((after[..1].to_owned(), 1));
        out += before;
        out += &moved;
        rest = &after[taken..];
    }
    out + rest
}
