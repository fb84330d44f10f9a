//! A server that may open no more files: it says so once, does not stop, and goes on when it may.
//!
//! A process of its own, because the limit is the whole process'.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "web/support.rs"]
#[allow(dead_code, reason = "shared with the other tests of the web server")]
mod support;

use chaoscope::serve::listener::Limits;
use chaoscope::serve::web_config::WebConfig;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpSocket;

use support::{Server, catch_log, eventually, get_over, greeting, logged};

#[tokio::test]
async fn no_more_files_is_an_episode_and_not_the_end() {
    catch_log();
    let server = Server::start(greeting(), WebConfig::load(None).expect("nothing to load"), Limits::default());
    // The clients' sockets are made before, because they are files of this process too.
    let waiting = TcpSocket::new_v4().expect("a socket");
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: usual.maximum }).expect("lowered");
    let stream = waiting.connect(server.address).await;
    eventually(|| async { logged(&["Cannot accept connections"]).first().cloned() }).await;
    // Time for some more tries, which must not fill the log.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    setrlimit(Resource::Nofile, usual).expect("raised");

    let answer = get_over(stream.expect("connected"), "/").await.expect("answered");
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(logged(&["Cannot accept connections"]).len(), 1);
    assert_eq!(logged(&["Accepting connections again"]).len(), 1);
}
