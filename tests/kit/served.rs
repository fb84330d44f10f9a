//! A page of metrics on loopback, whose text the test changes while it is scraped.
//!
//! Apart because it is the one part of the kit that is not another program: for states that no program here can be brought into.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// The page; it ends with this value.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    text: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves `text`, in Prometheus' text format, whatever the path.
    pub fn new(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port of 127.0.0.1");
        let address = listener.local_addr().expect("its address");
        let (text, ended) = (Arc::new(Mutex::new(text.to_owned())), Arc::new(AtomicBool::new(false)));
        let (shown, over) = (Arc::clone(&text), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let page = shown.lock().expect("no test panics while it changes a page").clone();
                // Who hangs up comes again.
                let _ = stream.and_then(|stream| answer(stream, &page));
            }
        });
        Self { address, text, ended, thread: Some(thread) }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next scrape on.
    pub fn say(&self, text: &str) {
        text.clone_into(&mut self.text.lock().expect("no other test changes this page"));
    }
}

fn answer(mut stream: TcpStream, page: &str) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let mut piece = [0; 1024];
    while !asked.windows(4).any(|it| it == b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            read => asked.extend_from_slice(&piece[..read]),
        }
    }
    let length = page.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
    )
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread; if that fails it ended before.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
