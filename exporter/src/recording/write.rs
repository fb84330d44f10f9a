//! Writing: [`Writer`] makes a recording of what it is told, line by line. What may be written of an object is decided in
//! [`super::reduced`].
//!
//! Every line is handed to the kernel whole before the next one, so a recording that ends with the process can be read up to its last line.

use super::reduced::reduced;
use super::{Change, EVENTS, EVENTS_FILE, Error, INITIAL, TIMELINE, WATCH, is_name};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// A recording that is being made.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    files: BTreeMap<String, File>,
    listed: BTreeSet<String>,
    tally: Tally,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects of first lists.
    pub listed: u64,
    /// Lines of changes.
    pub changes: u64,
    /// Objects that may not be written: of no chaos tool.
    pub left_out: u64,
}

impl Writer {
    /// Begins a recording in `folder`, which must not be there yet, or be empty. Only its owner may read it.
    pub fn create(folder: &Path, began: Timestamp) -> Result<Self, Error> {
        let out = Self { folder: folder.to_owned(), files: BTreeMap::new(), listed: BTreeSet::new(), tally: Tally::default() };
        let failed = |source| Error::Write { file: "folder".to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(Error::NotEmpty(folder.to_owned()));
        }
        for name in [INITIAL, WATCH] {
            DirBuilder::new().mode(0o700).create(folder.join(name)).map_err(failed)?;
        }
        out.milestone(began, "start", &format!("chaoscope {}", env!("CARGO_PKG_VERSION")))?;
        Ok(out)
    }

    /// A complete list, as it was seen. Of the first one of a resource its own file is made; a later one (of another namespace, or after a
    /// watch was lost) becomes changes, and the caller tells by [`Change::Absent`] what it no longer has.
    pub fn list(&mut self, resource: &str, objects: &[Value], seen: Timestamp) -> Result<(), Error> {
        if self.listed.contains(resource) {
            return objects.iter().try_for_each(|object| self.change(resource, Change::Added, object, seen));
        }
        let path = file_name(INITIAL, resource, ".json")?;
        let kept: Vec<_> = objects.iter().filter_map(|object| reduced(resource, object)).collect();
        self.tally.left_out += (objects.len() - kept.len()) as u64;
        self.tally.listed += kept.len() as u64;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": kept});
        let written = self.open(&path).and_then(|mut file| file.write_all(format!("{list}\n").as_bytes()));
        written.map_err(|source| Error::Write { file: path, source })?;
        self.listed.insert(resource.to_owned());
        Ok(())
    }

    /// One change, as it was seen.
    pub fn change(&mut self, resource: &str, change: Change, object: &Value, seen: Timestamp) -> Result<(), Error> {
        let Some(object) = reduced(resource, object) else {
            self.tally.left_out += 1;
            return Ok(());
        };
        let path = file_name(WATCH, resource, ".jsonl")?;
        let line = json!({"seen": seen, "watch": {"type": change.as_str(), "object": object}});
        let failed = |source| Error::Write { file: path.clone(), source };
        if !self.files.contains_key(&path) {
            let file = self.open(&path).map_err(failed)?;
            self.files.insert(path.clone(), file);
        }
        if let Some(file) = self.files.get_mut(&path) {
            file.write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
        }
        self.tally.changes += 1;
        Ok(())
    }

    /// What was written so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// Ends the recording.
    pub fn finish(self, ended: Timestamp) -> Result<Tally, Error> {
        self.milestone(ended, "stop", "")?;
        Ok(self.tally)
    }

    fn milestone(&self, at: Timestamp, step: &str, text: &str) -> Result<(), Error> {
        let line = json!({"at": at, "step": step, "text": text});
        let written = self.open(TIMELINE).and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.map_err(|source| Error::Write { file: TIMELINE.to_owned(), source })
    }

    /// Never through a link: the folder was empty when we began.
    fn open(&self, path: &str) -> io::Result<File> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(self.folder.join(path))
    }
}

fn file_name(under: &str, resource: &str, ending: &str) -> Result<String, Error> {
    if !is_name(resource) {
        return Err(Error::Name(resource.to_owned()));
    }
    Ok(format!("{under}/{}{ending}", if resource == EVENTS { EVENTS_FILE } else { resource }))
}

#[cfg(test)]
mod tests {
    use super::super::Step;
    use super::super::read::Recording;
    use super::*;

    fn object(name: &str) -> Value {
        json!({"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "NetworkChaos", "metadata": {"name": name}})
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/b");
        let mut writer = Writer::create(&folder, at(100)).unwrap();
        writer.list("networkchaos", &[object("a"), object("b")], at(101)).unwrap();
        writer.change("networkchaos", Change::Modified, &object("a"), at(102)).unwrap();
        let event = json!({"involvedObject": {"apiVersion": "chaos-mesh.org/v1alpha1"}, "metadata": {"name": "e"}});
        writer.change(EVENTS, Change::Added, &event, at(103)).unwrap();
        writer.list("networkchaos", &[object("a")], at(104)).unwrap(); // after the watch was lost
        writer.change("networkchaos", Change::Absent, &object("b"), at(104)).unwrap();
        writer.change("secrets", Change::Added, &json!({"apiVersion": "v1", "data": {}}), at(105)).unwrap();
        // Whole lines are there before the end.
        assert_eq!(Recording::open(&folder).unwrap().count(), 5);
        assert_eq!(writer.finish(at(106)).unwrap(), Tally { listed: 2, changes: 4, left_out: 1 });

        let recording = Recording::open(&folder).unwrap();
        assert_eq!(recording.began(), Some(at(100)));
        let steps: Vec<_> = recording.map(Result::unwrap).collect();
        assert_eq!(steps[0], Step::Listed { resource: "networkchaos".into(), objects: vec![object("a"), object("b")], seen: at(100) });
        let changes: Vec<_> = steps[1..]
            .iter()
            .map(|step| match step {
                Step::Changed { resource, change, object, seen } => {
                    (resource.as_str(), change.as_str(), object["metadata"]["name"].as_str().unwrap(), seen.as_second())
                }
                Step::Listed { .. } => panic!("{step:?}"),
            })
            .collect();
        assert_eq!(
            changes,
            [
                ("networkchaos", "MODIFIED", "a", 102),
                ("events", "ADDED", "e", 103),
                ("networkchaos", "ADDED", "a", 104),
                ("networkchaos", "ABSENT", "b", 104),
            ]
        );
        assert!(folder.join("watch/events.core.jsonl").exists() && !folder.join("watch/secrets.jsonl").exists());
    }

    #[test]
    fn a_real_recording_copied_tells_the_same_in_extracts() {
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/recordings/pod-kill");
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("copy");
        let recording = Recording::open(&original).unwrap();
        let mut writer = Writer::create(&folder, recording.began().unwrap()).unwrap();
        for step in recording {
            match step.unwrap() {
                Step::Listed { resource, objects, seen } => writer.list(&resource, &objects, seen).unwrap(),
                Step::Changed { resource, change, object, seen } => writer.change(&resource, change, &object, seen).unwrap(),
            }
        }
        assert_eq!(writer.tally().left_out, 0);
        let shape = |step: Result<Step, _>| match step.unwrap() {
            Step::Listed { resource, objects, seen } => (resource, objects.len().to_string(), seen),
            Step::Changed { resource, object, seen, .. } => {
                (resource, format!("{}{}", object["metadata"]["uid"], object["status"]["conditions"]), seen)
            }
        };
        let (before, after) = (Recording::open(&original).unwrap().map(shape), Recording::open(&folder).unwrap().map(shape));
        let without_pods = |steps: &mut dyn Iterator<Item = (String, String, Timestamp)>| -> Vec<_> {
            steps.filter(|(resource, ..)| resource != "pods").collect()
        };
        let (mut before, mut after) = (before, after);
        assert_eq!(without_pods(&mut before), without_pods(&mut after));
        let pods = fs::read_to_string(folder.join("initial/pods.json")).unwrap();
        assert!(!pods.contains("httpd") && pods.contains("\"nodeName\":\"ref-node\""), "{pods}");
    }

    #[test]
    fn nothing_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x"), "").unwrap();
        assert!(matches!(Writer::create(folder.path(), at(1)), Err(Error::NotEmpty(_))));
        fs::remove_file(folder.path().join("x")).unwrap();
        let mut writer = Writer::create(folder.path(), at(1)).unwrap();
        for name in ["../x", "", "a/b", ".hidden", "Upper"] {
            assert!(matches!(writer.change(name, Change::Added, &object("a"), at(1)), Err(Error::Name(_))), "{name}");
        }
        assert!(matches!(Writer::create(folder.path(), at(1)), Err(Error::NotEmpty(_))));
    }
}
