//! Without a web configuration: addresses, plain HTTP, limits of the head.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use chaoscope::serve::listener::{Limits, Listeners, serve};
use chaoscope::serve::web_config::WebConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Server, get_over, greeting, in_time, plain_browser, until_cut};

#[tokio::test]
async fn every_address_is_served() {
    let addresses = ["127.0.0.1:0", "localhost:0", ":0"].map(str::to_owned);
    let listeners = Listeners::bind(&addresses, Limits::default()).expect("free ports");
    let bound = listeners.local_addrs();
    let config = WebConfig::load(None).expect("nothing to load");
    assert!(!config.is_tls());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(serve(listeners, greeting(), config, async {
        let _ = stopped.await;
    }));
    assert_eq!(bound.len(), 3);
    assert!(bound[1].ip().is_loopback());
    for address in &bound {
        let url = format!("http://127.0.0.1:{}/", address.port());
        assert_eq!(plain_browser().get(url).send().await.expect("answered").text().await.expect("text"), "hello");
    }
    drop(stop);
    in_time(served).await.expect("no panic").expect("served");
}

#[tokio::test]
async fn no_host_means_both_families_where_there_is_ipv6() {
    let listeners = Listeners::bind(&[":0".to_owned()], Limits::default()).expect("a free port");
    let bound = listeners.local_addrs()[0];
    let ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    assert_eq!(bound.is_ipv6(), ipv6, "{bound}");
    assert!(bound.ip().is_unspecified());
    assert!(std::net::TcpStream::connect(("127.0.0.1", bound.port())).is_ok());
    assert_eq!(std::net::TcpStream::connect(("::1", bound.port())).is_ok(), ipv6);

    if ipv6 {
        let listeners = Listeners::bind(&["[::1]:0".to_owned()], Limits::default()).expect("a free port");
        let bound = listeners.local_addrs()[0];
        assert!(std::net::TcpStream::connect(bound).is_ok());
        assert!(std::net::TcpStream::connect(("127.0.0.1", bound.port())).is_err(), "only what was asked for");
    }
}

#[tokio::test]
async fn one_bad_address_is_an_error_that_names_it() {
    for addresses in [vec!["127.0.0.1:0", "localhost"], vec!["192.0.2.1:0"], vec!["no.such.host.invalid:80"]] {
        let addresses: Vec<String> = addresses.into_iter().map(str::to_owned).collect();
        let line = Listeners::bind(&addresses, Limits::default()).expect_err("refused").line();
        assert!(line.contains(addresses.last().expect("one")) && !line.contains('\n'), "{line}");
    }
    assert!(Listeners::bind(&[], Limits::default()).is_err());
}

#[tokio::test]
async fn routes_see_who_asks() {
    let who = get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() });
    let server = open(Router::new().route("/who", who));
    let stream = TcpStream::connect(server.address).await.expect("connected");
    let mine = stream.local_addr().expect("an address").to_string();
    let answer = get_over(stream, "/who").await.expect("answered");
    assert!(answer.ends_with(&mine), "{mine}: {answer}");
}

#[tokio::test]
async fn a_head_without_measure_is_refused() {
    let server = open(greeting());
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\nX-Long: ").await.expect("sent");
    let (mut reading, mut writing) = stream.split();
    let flood = async { while writing.write_all(&[b'a'; 4096]).await.is_ok() {} };
    let mut answer = [0; 12];
    let read = in_time(async {
        tokio::select! {
            read = reading.read_exact(&mut answer) => read,
            () = flood => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    });
    if read.await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    } // else: cut while we were still writing
    assert_eq!(plain_browser().get(server.http("/")).send().await.expect("answered").status(), 200);
}

#[tokio::test]
async fn without_tls_http2_is_not_spoken() {
    let server = open(greeting());
    let mut stream = TcpStream::connect(server.address).await.expect("connected");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sent");
    let answer = until_cut(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
}

fn open(app: Router) -> Server {
    Server::start(app, WebConfig::load(None).expect("nothing to load"), Limits::default())
}
