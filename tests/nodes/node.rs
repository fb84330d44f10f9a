//! A node as the cluster role sees it: a connection that is read line by line, and reports.

use crate::kit::process::PATIENCE;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One connection.
pub struct Node {
    address: SocketAddr,
    name: String,
    token: String,
    lines: BufReader<TcpStream>,
    pub connection: String,
}

impl Node {
    /// Connects, and reads the first message.
    pub fn connect(address: SocketAddr, name: &str) -> Self {
        Self::with(address, name, "", "")
    }

    pub fn with(address: SocketAddr, name: &str, query: &str, token: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let path = format!("/api/v1/node/{name}{query}");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: test\r\nUser-Agent: chaoscope/9.9\r\n{}\r\n", bearer(token)).unwrap();
        let mut lines = BufReader::new(stream);
        let mut status = String::new();
        lines.read_line(&mut status).unwrap();
        assert!(status.contains(" 200 "), "{path}: {status}");
        while status != "\r\n" {
            status.clear();
            lines.read_line(&mut status).unwrap();
        }
        let mut node = Self { address, name: name.to_owned(), token: token.to_owned(), lines, connection: String::new() };
        let (event, hello) = node.next();
        assert_eq!(event, "hello");
        node.connection = hello["connection"].as_str().unwrap().to_owned();
        node
    }

    /// The next message; comments are passed over.
    pub fn next(&mut self) -> (String, Value) {
        let mut event = String::new();
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the connection is over");
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.trim_end().to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return (event, serde_json::from_str(data).unwrap());
            }
        }
    }

    /// Everything up to `ready`.
    pub fn until_ready(&mut self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        loop {
            match self.next() {
                (event, _) if event == "ready" => return all,
                other => all.push(other),
            }
        }
    }

    /// The next message that fits.
    pub fn until(&mut self, fits: impl Fn(&str, &Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let (event, data) = self.next();
            if fits(&event, &data) {
                return data;
            }
        }
        panic!("nothing that fits came");
    }

    /// Whether nothing but comments comes for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut line = String::new();
        while line.is_empty() || line == "\n" || line.starts_with(':') {
            line.clear();
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.lines.get_ref().set_read_timeout(Some(left)).unwrap();
            if self.lines.read_line(&mut line).is_err() {
                self.lines.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
                return line.is_empty();
            }
        }
        panic!("{line}");
    }

    /// Whether the connection is over.
    pub fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        self.lines.read_to_end(&mut rest).is_ok()
    }

    /// Reports of this connection; the status.
    pub fn report(&self, report: &Value) -> u16 {
        let mut report = report.clone();
        if report["connection"].is_null() {
            report["connection"] = json!(self.connection);
        }
        post(self.address, &self.name, &self.token, &report.to_string()).0
    }
}

fn bearer(token: &str) -> String {
    if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") }
}

/// POSTs a report; status and body.
pub fn post(address: SocketAddr, node: &str, token: &str, body: &str) -> (u16, String) {
    let head = format!("POST /api/v1/node/{node}/verdicts HTTP/1.0\r\nHost: test\r\nContent-Type: application/json\r\n");
    ask(address, &format!("{head}{}Content-Length: {}\r\n\r\n{body}", bearer(token), body.len()))
}

/// GETs a path; status and body, as far as it comes at once where it is a stream.
pub fn get(address: SocketAddr, path: &str, token: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.0\r\nHost: test\r\n{}\r\n", bearer(token)))
}

fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has heard enough may close before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
        if answer.starts_with(b"HTTP/1.0 200") && answer.windows(4).any(|it| it == b"\r\n\r\n") && is_stream(&answer) {
            break;
        }
    }
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), body.to_owned())
}

fn is_stream(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).to_lowercase().contains("text/event-stream")
}
