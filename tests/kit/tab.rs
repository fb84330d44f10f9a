//! A page that stays open in a real browser, and can be asked what it shows now: for what happens after a page has loaded.
//!
//! Chromium's own protocol over two pipes (`--remote-debugging-pipe`: JSON, each message ended by a zero byte), so no port is open.

use super::chromium::Chromium;
use super::process::{PATIENCE, Running, succeed};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// An open page. Its browser ends with it.
pub struct Tab {
    to: File,
    from: Receiver<Value>,
    session: String,
    asked: u64,
    _browser: Running,
    _folder: tempfile::TempDir,
}

impl Tab {
    /// Opens `url` in a browser of its own.
    pub fn open(look: Chromium, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        succeed(Command::new("mkfifo").arg(&to).arg(&from));
        let mut command = Command::new("sh");
        // The shell opens the pipes as the files the browser expects, and becomes the browser.
        command
            .args(["-c", r#"to=$1; from=$2; shift 2; exec "$@" 3<"$to" 4>"$from" 2>/dev/null"#, "sh"])
            .arg(&to)
            .arg(&from)
            .arg("chromium");
        command.args(look.flags(folder.path())).arg("--remote-debugging-pipe");
        let browser = Running::start(&mut command);
        let to = OpenOptions::new().write(true).open(&to).expect("the browser's ear");
        let mouth = BufReader::new(File::open(&from).expect("the browser's mouth"));
        let (heard, from) = channel();
        thread::spawn(move || {
            for message in mouth.split(0) {
                let Some(message) = message.ok().and_then(|text| serde_json::from_slice(&text).ok()) else { return };
                if heard.send(message).is_err() {
                    return;
                }
            }
        });
        let mut tab = Self { to, from, session: String::new(), asked: 0, _browser: browser, _folder: folder };
        let target = tab.ask("Target.createTarget", &json!({"url": url}))["targetId"].clone();
        let session = tab.ask("Target.attachToTarget", &json!({"targetId": target, "flatten": true}))["sessionId"].clone();
        session.as_str().expect("a session").clone_into(&mut tab.session);
        tab
    }

    /// What a JavaScript expression is, in the page, now.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.ask("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text a person sees.
    pub fn text(&mut self) -> String {
        self.evaluate("document.body ? document.body.innerText : ''").as_str().unwrap_or_default().to_owned()
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|cause| panic!("no answer to {method}: {cause}"));
            if answer["id"] == json!(self.asked) {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }
}
