//! What the flags mean together. Who sees what is in `sight`; the real API server is asked in `tests/access.rs`.

use super::*;
use axum::http::{HeaderValue, header};
use std::path::Path;

const LOOPBACK: [&str; 3] = ["127.0.0.1:10765", "[::1]:10765", "[::ffff:127.8.9.1]:10765"];
const OPEN: [&str; 4] = ["0.0.0.0:10765", "[::]:10765", "192.0.2.7:10765", "[::ffff:192.0.2.7]:10765"];

fn config(flags: &Api, address: &str) -> Result<Config, Error> {
    let web = WebConfig::load(None).expect("no file");
    Config::of(flags, &[address.parse().expect("an address")], &web, None)
}

fn api(auth: Auth) -> Api {
    Api { auth, ..Api::default() }
}

fn refusal(flags: &Api, address: &str) -> String {
    config(flags, address).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn everybody_sees_everything_on_loopback_and_elsewhere_only_when_told() {
    for address in LOOPBACK {
        assert!(matches!(config(&api(Auth::None), address), Ok(Config { mode: Mode::None })), "{address}");
    }
    for address in OPEN {
        let refusal = refusal(&api(Auth::None), address);
        assert!(refusal.contains("--api.allow-anonymous") && refusal.contains("--api.auth=token"), "{address}: {refusal}");
        let allowed = Api { allow_anonymous: true, ..api(Auth::None) };
        assert!(matches!(config(&allowed, address), Ok(Config { mode: Mode::None })), "{address}");
    }
    let web = WebConfig::load(None).expect("no file");
    let both = [LOOPBACK[0], OPEN[0]].map(|address| address.parse().expect("an address"));
    assert!(matches!(Config::of(&api(Auth::None), &both, &web, None), Err(Error::Anonymous(open)) if open == both[1]), "one is enough");
}

#[test]
fn flags_that_cannot_be_meant_together_are_refused() {
    let file = vec![PathBuf::from("tokens")];
    assert!(refusal(&api(Auth::Token), OPEN[0]).contains("--api.token-file"));
    assert!(refusal(&Api { token_file: file.clone(), ..api(Auth::None) }, LOOPBACK[0]).contains("--api.auth=token"));
    assert!(refusal(&Api { token_file: file.clone(), ..api(Auth::Kubernetes) }, LOOPBACK[0]).contains("--api.auth=token"));
    assert!(refusal(&api(Auth::Kubernetes), LOOPBACK[0]).contains("chaoscope cluster"));
    assert!(
        matches!(config(&Api { token_file: file, ..api(Auth::Token) }, OPEN[0]), Ok(Config { mode: Mode::Token { files } }) if files.len() == 1)
    );
}

#[test]
fn basic_authentication_and_tokens_do_not_share_a_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("web.yml");
    std::fs::write(&file, format!("basic_auth_users: {{ alice: {:?} }}\n", bcrypt::hash("x", 4).expect("a hash"))).expect("written");
    let web = WebConfig::load(Some(&file)).unwrap_or_else(|error| panic!("{}", error.line()));
    let of = |flags: &Api| Config::of(flags, &[LOOPBACK[0].parse().expect("an address")], &web, None);
    let tokens = Api { token_file: vec![PathBuf::from("tokens")], ..api(Auth::Token) };
    for flags in [tokens, api(Auth::Kubernetes)] {
        let refusal = of(&flags).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refusal.contains("basic_auth_users") && refusal.contains("Authorization"), "{refusal}");
    }
    assert!(of(&api(Auth::None)).is_ok());
}

fn header(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a header"))])
}

fn tokens(file: &Path, content: &str) -> Access {
    std::fs::write(file, content).expect("written");
    Access::open(Config { mode: Mode::Token { files: vec![file.to_path_buf()] } }).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_token_opens_everything_until_it_is_withdrawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tokens");
    let access = tokens(&file, "alpha\n");
    let viewer = access.viewer(&header("Bearer alpha")).await.unwrap_or_else(|denied| panic!("{denied}"));
    assert_eq!(viewer.complete(), Ok(()));
    assert!(viewer.renewed().await.is_ok());
    std::fs::write(&file, "beta\n").expect("written");
    assert!(viewer.renewed().await.is_err(), "a stream ends with its token");
}

#[tokio::test]
async fn a_denial_says_what_to_do_and_repeats_no_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let access = tokens(&folder.path().join("tokens"), "alpha\n");
    for headers in [HeaderMap::new(), header("Basic YTpi"), header("Bearer k33p-me-quiet")] {
        let denied = access.viewer(&headers).await.err().expect("denied");
        assert_eq!((denied.status().as_u16(), denied.challenge()), (401, Some("Bearer realm=\"chaoscope\"")));
        assert!(denied.detail().contains("--api.token-file") && !format!("{denied:?}").contains("k33p"), "{denied}");
    }
}

#[tokio::test]
async fn where_nobody_is_asked_any_header_will_do() {
    let access = Access::open(Config { mode: Mode::None }).unwrap_or_else(|error| panic!("{error}"));
    for headers in [HeaderMap::new(), header("Bearer x"), header("Basic YTpi")] {
        assert!(access.viewer(&headers).await.is_ok());
    }
}
