//! Clients that take more than their share, and a server that is told to stop.
//!
//! Limits are short here so that they are met at all; no test measures how long anything took.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use chaoscope::serve::listener::Limits;
use chaoscope::serve::web_config::WebConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::{
    Authority, Folder, Server, browser, catch_log, connect, eventually, get_and_stay, get_over, greeting, in_time, logged, plain_browser,
    tls_client, until_cut,
};

/// Long enough for a request on a busy machine, short enough to wait for.
const SHORT: Duration = Duration::from_secs(1);

fn start(app: Router, limits: Limits) -> Server {
    Server::start(app, WebConfig::load(None).expect("nothing to load"), limits)
}

async fn dial(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("connected")
}

#[tokio::test]
async fn a_slow_head_is_cut_and_holds_nobody_up() {
    let server = start(greeting(), Limits { request_head: SHORT, ..Limits::default() });
    let mut slow = dial(&server).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: te").await.expect("sent");
    let mut silent = dial(&server).await;
    assert!(get_over(dial(&server).await, "/").await.expect("answered").ends_with("hello"));
    assert_eq!(until_cut(&mut slow).await, b"");
    assert_eq!(until_cut(&mut silent).await, b"");
    assert!(get_over(dial(&server).await, "/").await.expect("answered").ends_with("hello"));
}

#[tokio::test]
async fn sending_byte_by_byte_buys_no_time() {
    let server = start(greeting(), Limits { request_head: SHORT, ..Limits::default() });
    let (mut reading, mut writing) = dial(&server).await.into_split();
    let trickle = tokio::spawn(async move {
        writing.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await?;
        loop {
            writing.write_all(b"a").await?;
            tokio::time::sleep(SHORT / 20).await;
        }
        #[allow(unreachable_code, reason = "gives the block its type")]
        Ok::<(), std::io::Error>(())
    });
    let mut rest = Vec::new();
    let _reset_or_end = in_time(tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut rest)).await;
    assert_eq!(rest, b"");
    assert!(in_time(trickle).await.expect("no panic").is_err());
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_and_then_closed() {
    let server = start(greeting(), Limits { idle: SHORT, request_head: SHORT, ..Limits::default() });
    let mut stream = dial(&server).await;
    get_and_stay(&mut stream, "/", "hello").await;
    get_and_stay(&mut stream, "/", "hello").await;
    assert_eq!(until_cut(&mut stream).await, b"");

    let mut half = dial(&server).await;
    get_and_stay(&mut half, "/", "hello").await;
    half.write_all(b"GET / HT").await.expect("sent");
    assert_eq!(until_cut(&mut half).await, b"", "a second head that never ends");
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_place() {
    let app = greeting().route("/big", get(|| async { Bytes::from(vec![b'x'; 64 << 20]) }));
    let server = start(app, Limits { connections: 1, idle: SHORT, ..Limits::default() });
    let mut greedy = dial(&server).await;
    get_and_stay(&mut greedy, "/", "hello").await; // now it has the only place
    greedy.write_all(b"GET /big HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    let answered = eventually(|| async { get_over(dial(&server).await, "/").await.ok().filter(|text| !text.is_empty()) });
    assert!(answered.await.ends_with("hello"));
    drop(greedy);
}

#[tokio::test]
async fn a_stream_that_speaks_now_and_then_is_not_cut() {
    let beats = |()| async {
        tokio::time::sleep(SHORT / 4).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(b"beat\n")), ()))
    };
    let twelve = move || async move {
        let stream = futures_util::StreamExt::take(futures_util::stream::unfold((), beats), 12);
        Body::from_stream(stream)
    };
    let server = start(Router::new().route("/beats", get(twelve)), Limits { idle: SHORT * 2, ..Limits::default() });
    let text = plain_browser().get(server.http("/beats")).send().await.expect("answered").text().await.expect("whole");
    assert_eq!(text, "beat\n".repeat(12));
}

#[tokio::test]
async fn a_silent_handshake_is_cut() {
    let authority = Authority::new();
    let folder = Folder::with("tls_server_config: {cert_file: server.crt, key_file: server.key}");
    folder.put(&authority.server());
    let config = folder.load().unwrap_or_else(|error| panic!("{}", error.line()));
    let limits = Limits { handshake: SHORT, request_head: SHORT, ..Limits::default() };
    let server = Server::start(greeting(), config, limits);
    let mut silent = dial(&server).await;
    let mut begun = dial(&server).await;
    begun.write_all(&[22, 3, 1]).await.expect("sent");
    assert_eq!(until_cut(&mut silent).await, b"");
    assert_eq!(until_cut(&mut begun).await, b"");
    // Encrypted and then silent: as HTTP/1 and as HTTP/2, whose client speaks first too.
    for protocol in ["http/1.1", "h2"] {
        let mut config = tls_client(&authority, &[&rustls::version::TLS13], None);
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let mut stream = connect(server.address, config).await.expect("a handshake");
        let _end = in_time(tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut Vec::new())).await;
    }
    assert_eq!(browser(&authority).build().expect("a client").get(server.https("/")).send().await.expect("answered").status(), 200);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    catch_log();
    let server = start(greeting(), Limits { connections: 2, ..Limits::default() });
    let (mut first, mut second) = (dial(&server).await, dial(&server).await);
    get_and_stay(&mut first, "/", "hello").await;
    get_and_stay(&mut second, "/", "hello").await;
    for _ in 0..3 {
        assert_eq!(until_cut(&mut dial(&server).await).await, b"");
    }
    get_and_stay(&mut first, "/", "hello").await;
    drop(second);
    let answered = eventually(|| async { get_over(dial(&server).await, "/").await.ok().filter(|text| !text.is_empty()) });
    assert!(answered.await.ends_with("hello"));
    assert_eq!(logged(&["Too many connections", "limit=2"]).len(), 1);
}

/// A route that says when it was entered and answers when it may.
fn held(entered: &Arc<Notify>, leave: &Arc<Notify>) -> Router {
    let (entered, leave) = (Arc::clone(entered), Arc::clone(leave));
    let wait = move || {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        async move {
            entered.notify_one();
            leave.notified().await;
            "finished"
        }
    };
    greeting().route("/held", get(wait))
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_server_stops() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = start(held(&entered, &leave), Limits::default());
    let address = server.address;
    let mut idle = dial(&server).await;
    get_and_stay(&mut idle, "/", "hello").await;
    let asked = tokio::spawn(plain_browser().get(server.http("/held")).send());
    in_time(entered.notified()).await;

    let stopping = server.stop();
    assert_eq!(until_cut(&mut idle).await, b"", "an idle connection is closed at once");
    eventually(|| async { TcpStream::connect(address).await.err() }).await;
    assert!(!stopping.is_finished());
    leave.notify_one();
    let answer = in_time(asked).await.expect("no panic").expect("answered");
    assert_eq!(answer.text().await.expect("text"), "finished");
    in_time(stopping).await.expect("no panic").expect("stopped");
}

#[tokio::test]
async fn the_same_over_http_2() {
    let authority = Authority::new();
    let folder = Folder::with("tls_server_config: {cert_file: server.crt, key_file: server.key}");
    folder.put(&authority.server());
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let config = folder.load().unwrap_or_else(|error| panic!("{}", error.line()));
    let server = Server::start(held(&entered, &leave), config, Limits::default());
    let client = browser(&authority).build().expect("a client");
    let asked = tokio::spawn(client.get(server.https("/held")).send());
    in_time(entered.notified()).await;
    let stopping = server.stop();
    leave.notify_one();
    let answer = in_time(asked).await.expect("no panic").expect("answered");
    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
    assert_eq!(answer.text().await.expect("text"), "finished");
    in_time(stopping).await.expect("no panic").expect("stopped");
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = start(held(&entered, &leave), Limits { drain: SHORT, ..Limits::default() });
    let mut asking = dial(&server).await;
    asking.write_all(b"GET /held HTTP/1.1\r\nHost: test\r\n\r\n").await.expect("sent");
    in_time(entered.notified()).await;
    in_time(server.stop()).await.expect("no panic").expect("stopped");
    assert_eq!(until_cut(&mut asking).await, b"");
}
