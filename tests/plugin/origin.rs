//! An origin that answers what a test says, and tells what it was asked.
//!
//! HTTP/1.1 without keep-alive, by hand, because a test wants to know when a client goes away in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What to answer to a request.
pub enum Reply {
    /// Status and JSON.
    Json(u16, String),
    /// Nothing: it waits until the client goes away, and notes that.
    Silence,
}

/// What happened.
#[derive(Debug, Default)]
pub struct Seen {
    /// Head and body of each request.
    pub requests: Vec<String>,
    /// How many clients of [`Reply::Silence`] went away.
    pub gone: usize,
}

/// Listens until the test program ends.
pub struct Origin {
    pub url: String,
    pub seen: Arc<Mutex<Seen>>,
}

impl Origin {
    /// `reply` gets the head of a request.
    pub fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, reply) = (Arc::new(Mutex::new(Seen::default())), Arc::new(reply));
        let noted = seen.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (noted, reply) = (noted.clone(), reply.clone());
                thread::spawn(move || serve(&stream.unwrap(), &noted, &*reply));
            }
        });
        Self { url, seen }
    }
}

/// One connection. Whatever goes wrong is the client's going away.
fn serve(stream: &TcpStream, seen: &Mutex<Seen>, reply: &dyn Fn(&str) -> Reply) -> Option<()> {
    let (mut reader, mut stream) = (BufReader::new(stream), stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.lock().unwrap().requests.push(head.clone() + &String::from_utf8_lossy(&body));
    match reply(&head) {
        Reply::Json(status, body) => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n");
            stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()?;
        }
        Reply::Silence => {
            // Ends with the connection, by an end or an error.
            let _ = reader.read(&mut [0]);
            seen.lock().unwrap().gone += 1;
        }
    }
    Some(())
}
