//! Peers that hang, lie, flood or are not there: each is down for its reason, and the one beside it is not.

use crate::server::{Server, answer, send, text};
use crate::text::{value, values};
use crate::told::{classic, fixed, read};
use chaoscope::peers::ask::{MAX_PAGE, REASONS};
use chaoscope::peers::find::Peer;
use chaoscope::peers::{Config, Peers};
use chaoscope::source::Source;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const GOOD: &str = "# TYPE workqueue_depth gauge\nworkqueue_depth{name=\"schedule\"} 4\n";
const TEXT: &str = "Content-Type: text/plain; version=0.0.4\r\n";

/// Reads until the other end has left.
fn wait(stream: &mut TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn packed(length: usize) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&vec![b'\n'; length]).unwrap();
    packer.finish().unwrap()
}

/// The page about one that does this, asked together with one that is well.
async fn beside_a_good_one(bad: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static, patience: Duration) -> (String, usize) {
    let (good, bad) = (Server::page(GOOD), Server::start(bad));
    let peer = |name: &str, server: &Server| Peer { name: name.into(), ..format!("controller-manager={}", server.url()).parse().unwrap() };
    let fixed = vec![peer("bad", &bad), peer("good", &good)];
    let peers = Peers::new(Config { fixed, patience }, None);
    let page = classic(peers.read(Duration::ZERO, Instant::now() + Duration::from_mins(1)).await.unwrap());
    assert_eq!(value(&page, "workqueue_depth", &[("peer", "good"), ("controller", "schedule")]), "4");
    assert_eq!(value(&page, "chaoscope_peer_up", &[("peer", "good")]), "1");
    assert!(values(&page, "chaoscope_peer_down", &[("peer", "good")]).iter().all(|down| down == "0"));
    (page, bad.requests().len())
}

async fn is_down_for(reason: &str, bad: impl Fn(usize, &mut TcpStream) + Send + Sync + 'static) {
    // What hangs is waited for, what answers is not.
    let patience = if reason == "timeout" { Duration::from_secs(2) } else { Duration::from_secs(50) };
    let (page, asked) = beside_a_good_one(bad, patience).await;
    assert_eq!(asked, 1, "{reason}: nobody is asked again within a scrape, and no redirect is followed");
    assert_eq!(value(&page, "chaoscope_peer_up", &[("peer", "bad")]), "0", "{reason}");
    for one in REASONS {
        let down = value(&page, "chaoscope_peer_down", &[("peer", "bad"), ("component", "controller-manager"), ("reason", one)]);
        assert_eq!(down, u8::from(one == reason).to_string(), "{reason}: {one}");
    }
    assert_eq!(values(&page, "chaoscope_peer_sample_timestamp_seconds", &[("peer", "bad")]), Vec::<String>::new());
    assert!(values(&page, "workqueue_depth", &[("peer", "bad")]).is_empty());
}

#[tokio::test]
async fn those_who_hang() {
    is_down_for("timeout", |_, stream| wait(stream)).await;
    is_down_for("timeout", |_, stream| {
        send(stream, format!("HTTP/1.1 200 OK\r\n{TEXT}Content-Length: 100\r\n\r\nworkqueue").as_bytes());
        wait(stream);
    })
    .await;
}

#[tokio::test]
async fn those_who_hang_up() {
    is_down_for("unreachable", |_, _| ()).await;
    is_down_for("unreachable", |_, stream| send(stream, format!("HTTP/1.1 200 OK\r\n{TEXT}Content-Length: 100\r\n\r\nwork").as_bytes()))
        .await;
    is_down_for("unreachable", |_, stream| send(stream, b"220 mail.example.org ESMTP\r\n")).await;
}

#[tokio::test]
async fn those_who_answer_something_else() {
    is_down_for("status", |_, stream| send(stream, &answer("503 Service Unavailable", TEXT, GOOD.as_bytes()))).await;
    // A redirect would let a pod choose whom Chaoscope asks.
    is_down_for("status", |_, stream| send(stream, &answer("302 Found", "Location: /elsewhere\r\n", b""))).await;
    is_down_for("content_type", |_, stream| send(stream, &answer("200 OK", "Content-Type: text/html\r\n", GOOD.as_bytes()))).await;
    let open = "Content-Type: application/openmetrics-text; version=1.0.0\r\n";
    is_down_for("content_type", move |_, stream| send(stream, &answer("200 OK", open, GOOD.as_bytes()))).await;
}

#[tokio::test]
async fn those_who_lie() {
    is_down_for("malformed", |_, stream| send(stream, &text("<!doctype html><title>Sign in</title>"))).await;
    let invalid = [b"workqueue_depth{name=\"\xff\xfe\"} 1\n", GOOD.as_bytes()].concat();
    is_down_for("malformed", move |_, stream| send(stream, &answer("200 OK", TEXT, &invalid))).await;
    let endless = vec![b'a'; 1 << 20];
    is_down_for("malformed", move |_, stream| send(stream, &answer("200 OK", TEXT, &endless))).await;
    let coded = |coding: &str| format!("{TEXT}Content-Encoding: {coding}\r\n");
    is_down_for("malformed", move |_, stream| send(stream, &answer("200 OK", &coded("gzip"), GOOD.as_bytes()))).await;
    is_down_for("malformed", move |_, stream| send(stream, &answer("200 OK", &coded("br"), GOOD.as_bytes()))).await;
    let mut cut = packed(1 << 20);
    cut.truncate(cut.len() / 2);
    is_down_for("malformed", move |_, stream| send(stream, &answer("200 OK", &coded("gzip"), &cut))).await;
}

#[tokio::test]
async fn those_who_flood() {
    // 100 MiB without a length, as fast as they are taken.
    is_down_for("too_large", |_, stream| {
        send(stream, format!("HTTP/1.1 200 OK\r\n{TEXT}Connection: close\r\n\r\n").as_bytes());
        let part = vec![b'\n'; 1 << 20];
        let _ = (0..100).try_for_each(|_| stream.write_all(&part));
    })
    .await;
    let bomb = packed(MAX_PAGE + 1);
    assert!(bomb.len() < MAX_PAGE / 100);
    let headers = format!("{TEXT}Content-Encoding: gzip\r\n");
    is_down_for("too_large", move |_, stream| send(stream, &answer("200 OK", &headers, &bomb))).await;
    let many: Vec<_> = (0..30_000).map(|number| format!("workqueue_depth{{name=\"{number}\"}} 1\n")).collect();
    let many = many.concat();
    is_down_for("too_large", move |_, stream| send(stream, &text(&many))).await;
}

/// A page that is right but for a few samples loses those, and says how many.
#[tokio::test]
async fn one_sample_that_makes_no_sense_costs_no_other() {
    let odd = "workqueue_depth{name=\"a\"} NaN\nworkqueue_depth{name=\"b\"} 1\nworkqueue_depth{name=\"c\",peer=\"good\"} 9\n";
    let (page, _) = beside_a_good_one(|_, stream| send(stream, &text(odd)), Duration::from_secs(50)).await;
    assert_eq!(values(&page, "workqueue_depth", &[("peer", "bad")]), ["1"]);
    assert_eq!(values(&page, "workqueue_depth", &[("peer", "good")]), ["4"], "nobody speaks for another one");
    assert_eq!(value(&page, "chaoscope_peer_left_out_samples", &[("peer", "bad")]), "2");
}

/// A scrape's deadline comes before a peer's patience is over: what the others told is there.
#[tokio::test]
async fn a_deadline_gives_what_was_told_by_then() {
    let (good, hanging) = (Server::page(GOOD), Server::start(|_, stream| wait(stream)));
    let peers = fixed(&[("bad", "controller-manager", hanging.url()), ("good", "controller-manager", good.url())]);
    let readings = peers.read(Duration::ZERO, Instant::now() + Duration::from_secs(3)).await.expect("those who answered");
    let page = classic(readings);
    assert_eq!(values(&page, "chaoscope_peer_up", &[]), ["0", "1"]);
    assert_eq!(value(&page, "chaoscope_peer_down", &[("peer", "bad"), ("reason", "timeout")]), "1");
}

/// Down and up again, without a restart of ours.
#[tokio::test]
async fn one_who_comes_back_is_up_again() {
    let flaky =
        Server::start(|asked, stream| if asked == 0 { send(stream, &answer("500 Oh", TEXT, b"")) } else { send(stream, &text(GOOD)) });
    let peers = fixed(&[("flaky", "controller-manager", flaky.url())]);
    assert_eq!(values(&classic(read(&peers).await), "chaoscope_peer_up", &[]), ["0"]);
    assert_eq!(values(&classic(read(&peers).await), "chaoscope_peer_up", &[]), ["1"]);
}
