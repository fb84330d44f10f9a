//! A real host of Grafana plugins, which starts a backend as Grafana does and asks it by Grafana's own client: `tests/host/` builds it.
//!
//! [`Host`] starts the backend; commands are JSON both ways and run side by side, so that one host serves many threads. What each command
//! takes and answers stands in `tests/host/commands.go`. [`context`] says who asks which datasource.

use super::process::{PATIENCE, succeed};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

type Waiting = Arc<Mutex<HashMap<u64, Sender<Value>>>>;

/// A host with its backend. Dropped, it asks the backend to end.
#[derive(Debug)]
pub struct Host {
    process: Child,
    input: Mutex<Option<ChildStdin>>,
    waiting: Waiting,
    next: AtomicU64,
    /// What the start answered: `pid`, `address`, `protocol`, `microseconds`.
    pub started: Value,
}

impl Host {
    /// Starts `binary`, which sees this environment and what hosts add.
    pub fn start(binary: &str, env: &[(&str, &str)]) -> Self {
        let mut new = Self::idle(binary, env);
        new.started = new.call("start", json!({}));
        new
    }

    /// A host that has started nothing yet: call `start`.
    pub fn idle(binary: &str, env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| format!("{name}={value}"));
        let mut command = Command::new(program());
        command.arg(binary).args(env).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the host starts");
        let (input, output) = (process.stdin.take(), process.stdout.take().expect("piped"));
        let waiting = Waiting::default();
        let asked = waiting.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).expect("the host answers JSON");
                let id = answer["id"].as_u64().expect("the host knows what it answers");
                let sender = asked.lock().unwrap().remove(&id);
                // Whoever waited has panicked if it is no longer there.
                let _ = sender.expect("each command has one answer").send(answer);
            }
            asked.lock().unwrap().clear();
        });
        Self { process, input: Mutex::new(input), waiting, next: AtomicU64::new(1), started: Value::Null }
    }

    /// One command, which must succeed.
    pub fn call(&self, name: &str, with: Value) -> Value {
        let shown = with.to_string();
        self.try_call(name, with).unwrap_or_else(|cause| panic!("{name} {shown:.500}: {cause}"))
    }

    /// One command. An error is the host's or the backend's, of the call as a whole.
    pub fn try_call(&self, name: &str, with: Value) -> Result<Value, String> {
        let mut answer = self.ask(name, with).recv_timeout(PATIENCE * 2).unwrap_or_else(|_| panic!("no answer to {name}"));
        match answer["error"].take() {
            Value::String(cause) => Err(cause),
            _ => Ok(answer["ok"].take()),
        }
    }

    /// One command, not waited for.
    pub fn ask(&self, name: &str, mut with: Value) -> Receiver<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        with["id"] = id.into();
        with["do"] = name.into();
        let (sender, receiver) = channel();
        self.waiting.lock().unwrap().insert(id, sender);
        let mut input = self.input.lock().unwrap();
        writeln!(input.as_mut().expect("open until dropped"), "{with}").expect("the host reads");
        receiver
    }

    /// The backend's process id.
    pub fn pid(&self) -> i32 {
        self.started["pid"].as_i64().expect("it is started").try_into().unwrap()
    }

    /// What the backend wrote on standard error.
    pub fn stderr(&self) -> String {
        self.call("output", json!({}))["stderr"].as_str().unwrap().to_owned()
    }

    /// Whether the backend has ended.
    pub fn has_exited(&self) -> bool {
        self.call("output", json!({}))["exited"] == true
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The end of its input is its end, and it ends the backend first.
        if let Ok(mut input) = self.input.lock() {
            *input = None;
        }
        let _ = self.process.wait();
    }
}

/// Organisation 1 asks a datasource at `url`; add `json`, `secrets`, `user`, … as `tests/host/commands.go` names them.
pub fn context(url: &str) -> Value {
    json!({ "org": 1, "uid": "chaos", "updated": 1, "url": url, "json": {}, "secrets": {}, "user": { "login": "viewer", "role": "Viewer" } })
}

/// One query of `query`, about the hour before `to` (epoch milliseconds).
pub fn question(ref_id: &str, json: &Value, to: i64) -> Value {
    json!({ "refId": ref_id, "json": json, "from": to - 3_600_000, "to": to, "interval": 60_000, "maxPoints": 500 })
}

/// A column of a frame by its name, as the host tells it. Times are texts, to the nanosecond.
pub fn column(frame: &Value, name: &str) -> Vec<Value> {
    let fields = frame["schema"]["fields"].as_array().unwrap_or_else(|| panic!("no frame: {frame:.2000}"));
    let at = fields.iter().position(|it| it["name"] == name).unwrap_or_else(|| panic!("no column {name}: {frame:.2000}"));
    let values = frame["data"]["values"][at].as_array().cloned().unwrap_or_default();
    if fields[at]["type"] != "time" {
        return values;
    }
    let time = |(row, value): (usize, &Value)| {
        let milliseconds = value.as_i64()?;
        let finer = frame["data"]["nanos"][at][row].as_i64().unwrap_or(0);
        Some(jiff::Timestamp::from_nanosecond(i128::from(milliseconds) * 1_000_000 + i128::from(finer)).unwrap().to_string().into())
    };
    values.iter().enumerate().map(|it| time(it).unwrap_or(Value::Null)).collect()
}

/// Rows of some columns, as texts, numbers and nulls.
pub fn rows<const N: usize>(frame: &Value, names: [&str; N]) -> Vec<[Value; N]> {
    let columns = names.map(|name| column(frame, name));
    (0..columns[0].len()).map(|row| std::array::from_fn(|at| columns[at][row].clone())).collect()
}

/// Where the program is; builds it where it is missing.
fn program() -> PathBuf {
    let build = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/host/build.sh");
    succeed(&mut Command::new(build)).trim().into()
}
