//! Reading: [`Recording`], the steps of a folder in the order they were seen.
//!
//! All files are read side by side, a line of each in memory at a time; of a list, the whole list. Nothing outside of the folder is ever
//! opened: links are not followed. What cannot be understood is a [`Fault`] in place of a step, and the rest goes on.

use super::{Change, EVENTS, EVENTS_FILE, Error, Fault, INITIAL, OTHER_EVENTS_FILE, Step, TIMELINE, WATCH, is_name};
use jiff::Timestamp;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Longest line, in bytes. An API server refuses objects beyond 3 MiB (`MaxRequestBodyBytes` of `k8s.io/apiserver`).
pub const LONGEST_LINE: u64 = 4 << 20;
/// Largest list, in bytes.
pub const LARGEST_LIST: u64 = 256 << 20;
/// Most files of one folder: there are about 40 resources.
pub const MOST_FILES: usize = 256;

/// A recording that is being read: an iterator over its steps.
#[derive(Debug)]
pub struct Recording {
    began: Option<Timestamp>,
    lists: std::vec::IntoIter<List>,
    tracks: Vec<Track>,
    faults: Vec<Fault>,
}

/// A list that is still to be read.
#[derive(Debug)]
struct List {
    resource: String,
    name: String,
    file: File,
}

/// One file of changes.
#[derive(Debug)]
struct Track {
    resource: String,
    name: String,
    /// Gone once it cannot be read.
    file: Option<BufReader<File>>,
    line: u64,
    /// The next step, and where it belongs among the others: never before what the same file told already.
    next: Option<(Timestamp, Result<Step, Fault>)>,
}

#[derive(Deserialize)]
struct Line {
    seen: Timestamp,
    watch: Watch,
}

#[derive(Deserialize)]
struct Watch {
    #[serde(rename = "type")]
    word: String,
    object: Value,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Objects {
    Array(Vec<Value>),
    List { items: Vec<Value> },
}

#[derive(Deserialize)]
struct Milestone {
    at: Timestamp,
}

impl Recording {
    /// Opens the recording in `folder`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let failed = |source: Errno| Error::Open { path: folder.to_owned(), cause: source.into() };
        let root = openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(failed)?;
        let mut faults = Vec::new();
        let (initial, watch) = (subfolder(&root, INITIAL).map_err(failed)?, subfolder(&root, WATCH).map_err(failed)?);
        if initial.is_none() && watch.is_none() {
            return Err(Error::NotOne(folder.to_owned()));
        }
        let mut files = |dir: Option<OwnedFd>, name: &str, ending: &str| match dir {
            Some(dir) => files(folder, &dir, name, ending, &mut faults),
            None => Ok(Vec::new()),
        };
        let lists = files(initial, INITIAL, ".json")?.into_iter().map(|(resource, name, file)| List { resource, name, file });
        let tracks = files(watch, WATCH, ".jsonl")?.into_iter().map(|(resource, name, file)| Track::new(resource, name, file));
        let (lists, tracks): (Vec<_>, Vec<_>) = (lists.collect(), tracks.collect());
        if lists.is_empty() && tracks.iter().all(|track| track.next.is_none()) && faults.is_empty() {
            return Err(Error::Empty(folder.to_owned()));
        }
        faults.reverse(); // they are popped
        let first = tracks.iter().filter_map(|track| track.next.as_ref()).filter(|(_, step)| step.is_ok()).map(|(seen, _)| *seen).min();
        let began = milestone(&root).map_or(first, |at| Some(first.map_or(at, |first| first.min(at))));
        Ok(Self { began, lists: lists.into_iter(), tracks, faults })
    }

    /// When it began, where it tells.
    pub const fn began(&self) -> Option<Timestamp> {
        self.began
    }
}

impl Iterator for Recording {
    type Item = Result<Step, Fault>;

    /// The next step: first what is wrong with the folder, then the lists, then the changes in the order they were seen; where that is the
    /// same, by the name of the resource.
    fn next(&mut self) -> Option<Self::Item> {
        if let Some(fault) = self.faults.pop() {
            return Some(Err(fault));
        }
        if let Some(list) = self.lists.next() {
            return Some(list.read(self.began));
        }
        let next = |track: &Track| track.next.as_ref().map(|(at, _)| *at);
        let (_, index) = self.tracks.iter().enumerate().filter_map(|(index, track)| Some((next(track)?, index))).min()?;
        self.tracks[index].take()
    }
}

impl List {
    fn read(self, began: Option<Timestamp>) -> Result<Step, Fault> {
        let fault = |reason: String| Fault { file: self.name.clone(), line: None, reason };
        let mut bytes = Vec::new();
        (&self.file).take(LARGEST_LIST + 1).read_to_end(&mut bytes).map_err(|error| fault(error.to_string()))?;
        if bytes.len() as u64 > LARGEST_LIST {
            return Err(fault(format!("more than {LARGEST_LIST} bytes")));
        }
        let (Objects::Array(objects) | Objects::List { items: objects }) =
            serde_json::from_slice(&bytes).map_err(|error| fault(format!("neither a list nor an array of objects: {error}")))?;
        let written = || self.file.metadata().ok()?.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
        let seen = began.or_else(written).ok_or_else(|| fault("nothing tells when it was read".to_owned()))?;
        Ok(Step::Listed { resource: self.resource, objects, seen })
    }
}

impl Track {
    fn new(resource: String, name: String, file: File) -> Self {
        let mut out = Self { resource, name, file: Some(BufReader::new(file)), line: 0, next: None };
        out.advance(Timestamp::MIN);
        out
    }

    fn take(&mut self) -> Option<Result<Step, Fault>> {
        let (at, step) = self.next.take()?;
        self.advance(at);
        Some(step)
    }

    /// Reads the next line that says something, which comes at `not_before` or later.
    fn advance(&mut self, not_before: Timestamp) {
        let step = loop {
            let Some(file) = &mut self.file else { return };
            self.line += 1;
            match line(file) {
                Ok(None) => return,
                Ok(Some(text)) if text.trim_ascii().is_empty() => {}
                Ok(Some(text)) => match self.step(&text).transpose() {
                    None => {}
                    Some(step) => break step,
                },
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => break Err(format!("longer than {LONGEST_LINE} bytes")),
                Err(error) => {
                    self.file = None;
                    break Err(error.to_string());
                }
            }
        };
        let fault = |reason| Fault { file: self.name.clone(), line: Some(self.line), reason };
        let at = if let Ok((seen, _)) = &step { *seen } else { not_before };
        self.next = Some((at.max(not_before), step.map(|(_, step)| step).map_err(fault)));
    }

    /// What a line says, and when it was seen; nothing, where it is a bookmark.
    fn step(&self, text: &[u8]) -> Result<Option<(Timestamp, Step)>, String> {
        let Line { seen, watch } =
            serde_json::from_slice(text).map_err(|error| format!("not {{seen, watch: {{type, object}}}}: {error}"))?;
        if watch.word == "BOOKMARK" {
            return Ok(None);
        }
        let change = Change::of(&watch.word).ok_or_else(|| format!("{:?} is no type of change", watch.word))?;
        if !watch.object.is_object() {
            return Err("its object is none".to_owned());
        }
        Ok(Some((seen, Step::Changed { resource: self.resource.clone(), change, object: watch.object, seen })))
    }
}

/// The next line, without its end. One that is too long is read past, and an error of the kind `FileTooLarge`.
fn line(file: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    file.take(LONGEST_LINE + 1).read_until(b'\n', &mut out)?;
    match out.last() {
        None => Ok(None),
        Some(b'\n') => {
            out.pop();
            Ok(Some(out))
        }
        Some(_) if out.len() as u64 <= LONGEST_LINE => Ok(Some(out)), // the last line, or a torn one
        Some(_) => {
            file.skip_until(b'\n')?;
            Err(io::ErrorKind::FileTooLarge.into())
        }
    }
}

/// Opens a folder in a folder, where it is there. A link is an error.
fn subfolder(root: &OwnedFd, name: &str) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(root, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => Ok(None),
        opened => opened.map(Some),
    }
}

/// Opens a plain file. A link is an error, as is anything that is no file, and a pipe does not make us wait.
fn plain(dir: impl AsFd, name: &str) -> Result<File, String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(dir, name, flags, Mode::empty()).map_err(|error| match error {
        Errno::LOOP => "a link, which is not followed".to_owned(),
        error => error.to_string(),
    })?;
    match fstat(&file) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => Ok(File::from(file)),
        Ok(_) => Err("no plain file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The files of a folder with this ending, by name: resource, name from the recording's folder, open file.
fn files(folder: &Path, dir: &OwnedFd, under: &str, ending: &str, faults: &mut Vec<Fault>) -> Result<Vec<(String, String, File)>, Error> {
    let failed = |source: Errno| Error::Open { path: folder.join(under), cause: source.into() };
    let mut names = Vec::new();
    for entry in Dir::read_from(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(ending) {
            names.push(name);
        }
        if names.len() > MOST_FILES {
            return Err(Error::TooMany { path: folder.join(under), limit: MOST_FILES });
        }
    }
    names.sort();
    let mut out = Vec::new();
    for name in names {
        let stem = name.strip_suffix(ending).unwrap_or(&name);
        if stem == OTHER_EVENTS_FILE {
            continue;
        }
        let shown = format!("{under}/{name}");
        let opened = if is_name(stem) { plain(dir, &name) } else { Err("no resource has such a name".to_owned()) };
        match opened {
            Ok(file) => out.push((if stem == EVENTS_FILE { EVENTS } else { stem }.to_owned(), shown, file)),
            Err(reason) => faults.push(Fault { file: shown, line: None, reason }),
        }
    }
    Ok(out)
}

/// When the recording began, by the first line of its time line. That it tells nothing is no fault.
fn milestone(root: &OwnedFd) -> Option<Timestamp> {
    let text = line(&mut BufReader::new(plain(root, TIMELINE).ok()?)).ok()??;
    serde_json::from_slice::<Milestone>(&text).ok().map(|milestone| milestone.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn fixture(scenario: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings").join(scenario)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A recording of these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// `resource type name` of every step, and the faults as text.
    fn told(folder: &Path) -> Vec<String> {
        let words = |step: Result<Step, Fault>| match step {
            Ok(Step::Listed { resource, objects, .. }) => format!("{resource} {}", objects.len()),
            Ok(Step::Changed { resource, change, object, .. }) => format!("{resource} {} {}", change.as_str(), object["metadata"]["name"]),
            Err(fault) => format!("fault {fault}"),
        };
        Recording::open(folder).unwrap().map(words).collect()
    }

    fn line_of(seen: &str, word: &str, name: &str) -> String {
        format!(
            "{{\"seen\":\"2026-01-01T00:00:{seen}Z\",\"watch\":{{\"type\":\"{word}\",\"object\":{{\"metadata\":{{\"name\":\"{name}\"}}}}}}}}\n"
        )
    }

    #[test]
    fn a_real_recording_is_told_in_the_order_it_was_seen() {
        for (scenario, lines, began) in
            [("pod-kill", 23, "13:59:52.174"), ("zero-match", 40, "14:03:38.391"), ("bandwidth", 47, "13:59:26.092")]
        {
            let recording = Recording::open(&fixture(scenario)).unwrap();
            assert_eq!(recording.began(), Some(at(&format!("2026-11-21T{began}Z"))), "{scenario}");
            let steps: Vec<_> = recording.map(Result::unwrap).collect();
            let Step::Listed { resource, objects, seen } = &steps[0] else { panic!("{scenario} begins with {:?}", steps[0]) };
            assert_eq!((resource.as_str(), objects.len(), *seen), ("pods", 5, at(&format!("2026-11-21T{began}Z"))), "{scenario}");
            let seen = |step: &Step| match step {
                Step::Changed { seen, .. } | Step::Listed { seen, .. } => *seen,
            };
            assert!(steps.is_sorted_by_key(seen), "{scenario}");
            assert_eq!(steps.len() - 1, lines, "{scenario}");
        }
    }

    #[test]
    fn the_pod_that_is_killed_goes_after_the_experiment_came() {
        let told = told(&fixture("pod-kill"));
        let place = |what: &str| told.iter().position(|step| step == what).unwrap_or_else(|| panic!("{what} is not in {told:#?}"));
        assert!(place("podchaos ADDED \"kill-one-web\"") < place("pods DELETED \"web-1\""));
        assert!(place("pods DELETED \"web-1\"") < place("podchaos DELETED \"kill-one-web\""));
        assert!(told.iter().any(|step| step.starts_with("events ADDED \"kill-one-web.")));
    }

    #[test]
    fn files_are_merged_by_time_and_keep_their_own_order() {
        let a = [line_of("01", "ADDED", "a1"), line_of("05", "MODIFIED", "a2"), line_of("03", "MODIFIED", "a3")].concat();
        let b = [line_of("01", "ADDED", "b1"), line_of("04", "DELETED", "b2"), line_of("06", "ABSENT", "b3")].concat();
        let folder = folder(&[
            ("watch/as.jsonl", &a),
            ("watch/bs.jsonl", &b),
            ("watch/events.events.k8s.io.jsonl", &a),
            ("initial/as.json", "[{}]"),
        ]);
        let wanted = [
            "as 1",
            "as ADDED \"a1\"",
            "bs ADDED \"b1\"",
            "bs DELETED \"b2\"",
            "as MODIFIED \"a2\"",
            "as MODIFIED \"a3\"",
            "bs ABSENT \"b3\"",
        ];
        assert_eq!(told(folder.path()), wanted);
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_its_place_and_the_rest_goes_on() {
        let long = line_of("02", "ADDED", &"x".repeat(LONGEST_LINE as usize));
        let lines = [
            &line_of("01", "ADDED", "one"),
            "{\"seen\":\"yesterday\"}\n",
            "\n",
            &line_of("02", "EXPLODED", "two"),
            &long,
            &line_of("02", "BOOKMARK", ""),
            "{\"seen\":\"2026-01-01T00:00:02Z\",\"watch\":{\"type\":\"ADDED\",\"object\":7}}\n",
            &line_of("03", "ADDED", "three"),
            "{\"seen\":\"2026-01-01T00:00:04Z\",\"wat",
        ];
        let folder = folder(&[
            ("watch/as.jsonl", &lines.concat()),
            ("watch/B C.jsonl", ""),
            ("initial/as.json", "{\"items\":3}"),
            ("watch/notes.txt", ""),
        ]);
        let told = told(folder.path());
        let wanted = [
            "fault watch/B C.jsonl: no resource has such a name",
            "fault initial/as.json: neither a list nor an array of objects",
            "as ADDED \"one\"",
            "fault watch/as.jsonl:2: not {seen, watch: {type, object}}",
            "fault watch/as.jsonl:4: \"EXPLODED\" is no type of change",
            "fault watch/as.jsonl:5: longer than 4194304 bytes",
            "fault watch/as.jsonl:7: its object is none",
            "as ADDED \"three\"",
            "fault watch/as.jsonl:9: not {seen, watch: {type, object}}",
        ];
        assert_eq!(told.len(), wanted.len(), "{told:#?}");
        assert!(told.iter().zip(wanted).all(|(told, wanted)| told.starts_with(wanted)), "{told:#?}");
    }

    #[test]
    fn nothing_outside_of_the_folder_is_opened() {
        let outside = folder(&[("as.jsonl", &line_of("01", "ADDED", "secret"))]);
        let inside = folder(&[("watch/bs.jsonl", ""), ("initial/x.json", "[]")]);
        symlink(outside.path().join("as.jsonl"), inside.path().join("watch/as.jsonl")).unwrap();
        fs::create_dir(inside.path().join("watch/folder.jsonl")).unwrap();
        rustix::fs::mkfifoat(CWD, inside.path().join("watch/pipe.jsonl"), Mode::RUSR).unwrap();
        let told_here = told(inside.path());
        assert!(told_here[0].starts_with("fault watch/as.jsonl: a link, which is not followed"), "{told_here:?}");
        assert_eq!(told_here[1..], ["fault watch/folder.jsonl: no plain file", "fault watch/pipe.jsonl: no plain file", "x 0"]);

        fs::remove_dir_all(inside.path().join("watch")).unwrap();
        symlink(outside.path(), inside.path().join("watch")).unwrap();
        assert!(matches!(Recording::open(inside.path()), Err(Error::Open { .. })));
    }

    #[test]
    fn a_folder_without_a_recording_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Recording::open(empty.path()), Err(Error::NotOne(_))));
        for files in [&[("watch/notes.txt", "")][..], &[("initial/notes.txt", "")], &[("watch/networkchaos.jsonl", "\n")]] {
            let folder = folder(files);
            assert!(matches!(Recording::open(folder.path()), Err(Error::Empty(_))), "{files:?}");
        }
        assert!(matches!(Recording::open(&empty.path().join("nowhere")), Err(Error::Open { .. })));
        let many: Vec<_> = (0..=MOST_FILES).map(|index| (format!("watch/r{index}.jsonl"), "")).collect();
        let many: Vec<_> = many.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert!(matches!(Recording::open(folder(&many).path()), Err(Error::TooMany { .. })));
    }
}
