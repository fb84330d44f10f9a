//! `basic_auth_users`, `http_server_config.headers` and `rate_limit` as a client sees them.

use axum::Router;
use axum::routing::get;
use chaoscope::serve::listener::Limits;
use reqwest::header::WWW_AUTHENTICATE;

use crate::support::{Folder, Server, catch_log, logged, plain_browser};

/// A hash as cheap as bcrypt allows.
pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).expect("a hash")
}

async fn status(server: &Server, path: &str, claim: Option<(&str, &str)>) -> reqwest::Response {
    let mut request = plain_browser().get(server.http(path));
    if let Some((user, password)) = claim {
        request = request.basic_auth(user, Some(password));
    }
    request.send().await.expect("answered")
}

#[tokio::test]
async fn only_the_right_password_of_a_known_user_opens_any_route() {
    let users = format!("basic_auth_users:\n  alice: {}\n  \"bob b\": {}\n", hash("a:b"), hash("secret"));
    let folder = Folder::with(&users);
    let app = Router::new().route("/", get(|| async { "hello" })).route("/healthz", get(|| async { "ok" }));
    let config = folder.load().unwrap_or_else(|error| panic!("{}", error.line()));
    let server = Server::start(app, config, Limits::default());
    for path in ["/", "/healthz", "/no/such/route"] {
        for claim in [None, Some(("alice", "secret")), Some(("alice", "")), Some(("mallory", "secret"))] {
            let answer = status(&server, path, claim).await;
            assert_eq!(answer.status(), 401, "{path} {claim:?}");
            let challenge = answer.headers().get(WWW_AUTHENTICATE).expect("a challenge");
            assert!(challenge.to_str().expect("text").starts_with("Basic realm="), "{challenge:?}");
        }
    }
    for (user, password) in [("alice", "a:b"), ("bob b", "secret"), ("alice", "a:b")] {
        let answer = status(&server, "/", Some((user, password))).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.expect("text").as_str()), (200, "hello"), "{user}");
        assert_eq!(status(&server, "/no/such/route", Some((user, password))).await.status(), 404);
    }
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let folder = Folder::with(&format!("basic_auth_users: {{alice: {}}}", hash("wonderland")));
    let server = Server::of(&folder);
    let asks = (0..40).map(|number| {
        let password = if number % 2 == 0 { "wonderland" } else { "wrong" };
        status(&server, "/", Some(("alice", password)))
    });
    let answers = futures_util::future::join_all(asks).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [200, 401].repeat(20));
}

#[tokio::test]
async fn passwords_and_hashes_are_not_logged() {
    catch_log();
    let hash = hash("pass-word-of-alice");
    let folder = Folder::with(&format!("basic_auth_users: {{alice: {hash}}}"));
    let server = Server::of(&folder);
    status(&server, "/", Some(("alice", "pass-word-of-alice"))).await;
    status(&server, "/", Some(("alice", "pass-word-of-mallory"))).await;
    folder.write("web.yml", &format!("basic_auth_users: {{alice: {hash}x}}"));
    assert_eq!(status(&server, "/", Some(("alice", "pass-word-of-alice"))).await.status(), 200);
    let place = folder.path("web.yml").display().to_string();
    assert_eq!(logged(&[&place, "not good"]).len(), 1, "the log is caught");
    for secret in ["pass-word", &hash, &hash[7..]] {
        assert_eq!(logged(&[secret]), Vec::<String>::new());
    }
}

#[tokio::test]
async fn configured_headers_are_on_every_answer() {
    let folder = Folder::with(&format!(
        "http_server_config:\n  headers:\n    Content-Security-Policy: \"default-src 'self'\"\n    X-Frame-Options: deny\n    \
         X-Content-Type-Options: nosniff\n    X-XSS-Protection: 0\n    Strict-Transport-Security: ''\n\
         basic_auth_users: {{alice: {}}}\n",
        hash("wonderland")
    ));
    let server = Server::of(&folder);
    for claim in [None, Some(("alice", "wonderland"))] {
        let answer = status(&server, "/", claim).await;
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(header("Content-Security-Policy").as_deref(), Some("default-src 'self'"));
        assert_eq!(header("X-Frame-Options").as_deref(), Some("deny"));
        assert_eq!(header("X-Content-Type-Options").as_deref(), Some("nosniff"));
        assert_eq!(header("X-XSS-Protection").as_deref(), Some("0"));
        assert_eq!(header("Strict-Transport-Security"), None, "blank means unset");
    }
}

#[tokio::test]
async fn more_than_the_burst_is_turned_away() {
    let folder = Folder::with("rate_limit: {interval: 24h, burst: 2}");
    let server = Server::of(&folder);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(status(&server, "/", None).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429]);

    let unlimited = Folder::with("rate_limit: {interval: 0, burst: 1}");
    let server = Server::of(&unlimited);
    for _ in 0..5 {
        assert_eq!(status(&server, "/", None).await.status(), 200);
    }
}
