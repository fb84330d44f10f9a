//! An origin that answers what a test says, and tells what it was asked.
//!
//! HTTP/1.1 without keep-alive, by hand, because a test wants to know when a client goes away in the middle. [`Feed`] is a stream of changes that
//! stays open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What to answer to a request.
pub enum Reply {
    /// Status and JSON.
    Json(u16, String),
    /// Nothing: it waits until the client goes away, and notes that.
    Silence,
    /// Server-Sent Events, as long as the client stays.
    Stream(Arc<Feed>),
}

/// A stream of changes, with everybody who reads it.
#[derive(Debug, Default)]
pub struct Feed {
    readers: Mutex<Vec<TcpStream>>,
    /// How many clients came, and how many of them went away.
    pub counts: Mutex<(usize, usize)>,
}

impl Feed {
    /// Tells every reader one message.
    pub fn tell(&self, event: &str, data: &str) {
        let message = format!("event: {event}\ndata: {data}\n\n");
        // Who has gone is taken off where that is noticed.
        self.readers.lock().unwrap().iter().for_each(|mut it| drop(it.write_all(message.as_bytes())));
    }

    /// Clients that came and have not gone.
    pub fn open(&self) -> usize {
        let (came, gone) = *self.counts.lock().unwrap();
        came - gone
    }

    /// Hangs up on every reader.
    fn cut(&self) {
        self.readers.lock().unwrap().iter().for_each(|it| drop(it.shutdown(Shutdown::Both)));
    }

    /// Serves one reader until he goes away.
    fn serve(&self, mut stream: &TcpStream, reader: &mut impl Read) -> Option<()> {
        stream.write_all(b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nid: 1\n\n").ok()?;
        let own = stream.try_clone().ok()?;
        let address = own.peer_addr().ok()?;
        self.readers.lock().unwrap().push(own);
        self.counts.lock().unwrap().0 += 1;
        // Ends with the connection, by an end or an error.
        let _ = reader.read(&mut [0]);
        self.readers.lock().unwrap().retain(|it| it.peer_addr().is_ok_and(|it| it != address));
        self.counts.lock().unwrap().1 += 1;
        Some(())
    }
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
    down: Arc<AtomicBool>,
}

impl Origin {
    /// `reply` gets the head of a request.
    pub fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, reply) = (Arc::new(Mutex::new(Seen::default())), Arc::new(reply));
        let noted = seen.clone();
        let down = Arc::new(AtomicBool::new(false));
        let is_down = down.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_down.load(Ordering::SeqCst) {
                    continue;
                }
                let (noted, reply) = (noted.clone(), reply.clone());
                thread::spawn(move || serve(&stream.unwrap(), &noted, &*reply));
            }
        });
        Self { url, seen, down }
    }

    /// How many requests for this path came.
    pub fn asked(&self, path: &str) -> usize {
        let begin = format!("GET {path}");
        self.seen.lock().unwrap().requests.iter().filter(|it| it.starts_with(&begin)).count()
    }

    /// From now on every connection is dropped at once, and those of `feed` are.
    pub fn falls(&self, feed: &Feed) {
        self.down.store(true, Ordering::SeqCst);
        feed.cut();
    }

    /// It answers again.
    pub fn rises(&self) {
        self.down.store(false, Ordering::SeqCst);
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
        Reply::Stream(feed) => feed.serve(stream, &mut reader)?,
    }
    Some(())
}
