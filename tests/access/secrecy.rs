//! An API server that answers nonsense: callers get 503, and no token is in what is logged or answered.
//!
//! Apart because it needs no real one: what a real one never does is the point.

use crate::world::bearer;
use axum::Router;
use axum::http::StatusCode;
use chaoscope::serve::access::{Access, Config, Mode};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

const TOKEN: &str = "k33p-me-qu13t";

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// What is logged and answered when the API server answers every review by `answer`. The log is as loud as the program's loudest.
fn told(answer: fn(String) -> (StatusCode, String)) -> String {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines.clone());
    let subscriber = tracing_subscriber::registry().with(EnvFilter::new("info,chaoscope=trace")).with(layer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let denied = tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = Router::new().fallback(move |body: String| async move { answer(body) });
            tokio::spawn(async move { axum::serve(listener, app).await });
            let client = kube::Client::try_from(kube::Config::new(format!("http://{address}").parse().unwrap())).unwrap();
            let access = Access::open(Config { mode: Mode::Kubernetes { client, cluster: String::new() } }).unwrap();
            access.viewer(&bearer(TOKEN)).await.err().unwrap()
        })
    });
    assert_eq!(denied.status().as_u16(), 503, "{denied}");
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("cannot be asked"), "{log}");
    format!("{log}\n{denied}\n{denied:?}")
}

#[test]
fn nonsense_from_the_api_server_is_503_and_spills_no_token() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answers: [fn(String) -> (StatusCode, String); 7] = [
        |body| (StatusCode::CREATED, format!("{body}}}")),
        |body| (StatusCode::CREATED, format!("[{body}]")),
        |body| (StatusCode::CREATED, body.replace("\"audiences\":[\"chaoscope\"]", "\"audiences\":7")),
        |_| (StatusCode::CREATED, "a".repeat(2 << 20)),
        |body| (StatusCode::INTERNAL_SERVER_ERROR, body),
        |body| (StatusCode::FORBIDDEN, format!("{{\"kind\":\"Status\",\"message\":{body:?}}}")),
        |body| (StatusCode::MOVED_PERMANENTLY, body),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let told = told(answer);
        assert!(!told.contains(TOKEN), "answer {number}: {told}");
    }
}

#[test]
fn a_review_without_a_verdict_is_no() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let statuses = [
        "{}",
        r#"{"authenticated":false,"user":{"username":"a"},"audiences":["chaoscope"]}"#,
        r#"{"authenticated":true,"user":{"username":"a"}}"#,
        r#"{"authenticated":true,"user":{"username":"a"},"audiences":["other"]}"#,
        r#"{"authenticated":true,"user":{"username":""},"audiences":["chaoscope"]}"#,
        r#"{"authenticated":true,"audiences":["chaoscope"]}"#,
        r#"{"user":{"username":"a"},"audiences":["chaoscope"]}"#,
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for status in statuses {
        let denied = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let review =
                format!(r#"{{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{{"token":"x"}},"status":{status}}}"#);
            let app = Router::new().fallback(move || async move { (StatusCode::CREATED, review) });
            tokio::spawn(async move { axum::serve(listener, app).await });
            let client = kube::Client::try_from(kube::Config::new(format!("http://{address}").parse().unwrap())).unwrap();
            let access = Access::open(Config { mode: Mode::Kubernetes { client, cluster: String::new() } }).unwrap();
            access.viewer(&bearer(TOKEN)).await.err().map(|denied| denied.status().as_u16())
        });
        assert_eq!(denied, Some(401), "{status}");
    }
}
