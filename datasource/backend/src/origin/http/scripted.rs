//! A server on loopback that answers as a test says: whole, half, late, never, too much, over TLS; and remembers what it was asked.

use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) target: String,
    /// By lower-case name.
    pub(crate) headers: BTreeMap<String, String>,
}

/// What goes out.
#[derive(Clone, Debug)]
pub(crate) enum Say {
    /// A whole answer.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, for as long as somebody waits.
    Nothing,
    /// An answer after a while.
    Late(Duration, Box<Say>),
    /// So many MiB, without saying how many.
    Much(usize),
}

impl Say {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: vec![("content-type", "application/json".to_owned())], body: body.into() }
    }

    pub(crate) fn page(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: vec![("content-type", "text/html; charset=utf-8".to_owned())], body: body.into() }
    }

    pub(crate) fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Answer { status, mut headers, body } => {
                headers.push((name, value.into()));
                Self::Answer { status, headers, body }
            }
            other => other,
        }
    }
}

/// A server; it ends with the value.
pub(crate) struct Scripted {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Callers that went away while they were waiting.
    left: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Script = Arc<dyn Fn(&Asked) -> Say + Send + Sync>;

impl Scripted {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::with(None, script).await
    }

    pub(crate) async fn with(tls: Option<ServerConfig>, script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (script, seen, gone): (Script, _, _) = (Arc::new(script), Arc::clone(&asked), Arc::clone(&left));
        let connections = Arc::new(AtomicUsize::new(0));
        let connected = Arc::clone(&connections);
        let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                connected.fetch_add(1, Ordering::SeqCst);
                let (script, seen, gone, acceptor) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&gone), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &script, &seen, &gone).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &script, &seen, &gone).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, asked, left, connections, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many callers went away unanswered.
    pub(crate) async fn lost(&self, callers: usize) {
        while self.left.load(Ordering::SeqCst) < callers {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, script: &Script, seen: &Mutex<Vec<Asked>>, gone: &AtomicUsize) {
    let mut pending = Vec::new();
    if pending.is_empty() && is_tls(&mut stream, &mut pending).await {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await;
        return;
    }
    while let Some(asked) = request(&mut stream, &mut pending).await {
        seen.lock().unwrap().push(asked.clone());
        let mut say = script(&asked);
        while let Say::Late(wait, then) = say {
            tokio::time::sleep(wait).await;
            say = *then;
        }
        match say {
            Say::Answer { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {}\r\n", body.len());
                head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
                if stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.is_err() {
                    return;
                }
            }
            Say::Bytes(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Say::Much(mebibytes) => {
                let piece = vec![b' '; 1 << 20];
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut fine = stream.write_all(head).await.is_ok();
                for _ in 0..mebibytes {
                    fine = fine
                        && stream.write_all(b"100000\r\n").await.is_ok()
                        && stream.write_all(&piece).await.is_ok()
                        && stream.write_all(b"\r\n").await.is_ok();
                }
                if !fine {
                    gone.fetch_add(1, Ordering::SeqCst);
                }
                return;
            }
            Say::Nothing | Say::Late(..) => {
                let _ = stream.read(&mut [0; 64]).await;
                gone.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
}

/// Whether somebody begins to speak TLS here, which no server of plain HTTP waits for the end of.
async fn is_tls<S: AsyncRead + Unpin>(stream: &mut S, pending: &mut Vec<u8>) -> bool {
    let mut piece = [0; 4096];
    let length = stream.read(&mut piece).await.unwrap_or(0);
    pending.extend_from_slice(&piece[..length]);
    pending.first() == Some(&0x16)
}

async fn request<S: AsyncRead + Unpin>(stream: &mut S, pending: &mut Vec<u8>) -> Option<Asked> {
    let end = loop {
        if let Some(end) = pending.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => pending.extend_from_slice(&piece[..length]),
        }
    };
    let head = String::from_utf8_lossy(&pending[..end]).into_owned();
    pending.drain(..end + 4);
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Some(Asked { target, headers })
}
