//! The connection alone, with times of a test's own: whatever the other side does, what was told is kept, and it is connected again.

use crate::desk::{Asked, Desk};
use crate::kit::process::until;
use chaoscope::config;
use chaoscope::declared::{Declared, LONGEST_EVENT, Link, Listener, MOST_PODS, Standing, Times};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::Pod;
use chaoscope_model::verdict::Report;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Keeps a connection while it lives.
struct Kept {
    link: Arc<Link>,
    names: Arc<Names>,
    runtime: Runtime,
}

#[derive(Default)]
struct Names {
    wanted: bool,
    told: Mutex<Vec<Pod>>,
}

impl Listener for Names {
    fn wants_names(&self) -> bool {
        self.wanted
    }

    fn named(&self, pods: &[Pod]) {
        self.told.lock().unwrap().extend_from_slice(pods);
    }
}

fn flags(url: &str) -> config::Link {
    config::Link { url: Some(url.to_owned()), node_name: Some("n-1".into()), ..config::Link::default() }
}

impl Kept {
    fn start(flags: &config::Link, times: Times, wants_names: bool) -> Self {
        let link = Arc::new(Link::new(flags, times).unwrap().unwrap());
        let names = Arc::new(Names { wanted: wants_names, ..Names::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (keeper, listener) = (Arc::clone(&link), Arc::clone(&names));
        runtime.spawn(async move { keeper.keep(&*listener).await });
        Self { link, names, runtime }
    }

    fn to(desk: &Desk, times: Times) -> Self {
        Self::start(&flags(&desk.url()), times, false)
    }

    /// Waits until it is like this.
    fn comes_to(&self, what: &str, like: impl Fn(&Declared) -> bool) -> Declared {
        until(|| Some(self.link.now()).filter(&like), || format!("{what}: {:#?}", self.link.now()))
    }

    fn connected(&self) -> Declared {
        self.comes_to("connected", |it| it.connected)
    }

    fn report(&self, connection: &str) -> Result<(), String> {
        let report = Report { connection: connection.into(), complete: true, ..Report::default() };
        self.runtime.block_on(self.link.report(&report)).map_err(|error| error.to_string())
    }
}

fn pod(uid: &str) -> Value {
    json!({"pod": {"namespace": "shop", "name": format!("pod-{uid}"), "uid": uid}})
}

fn told(line: &Asked, connection: &str, uids: &[&str]) {
    line.hello(connection);
    for uid in uids {
        line.say("pod", &pod(uid));
    }
    line.ready();
}

fn uids(declared: &Declared) -> Vec<&str> {
    declared.pods.keys().map(String::as_str).collect()
}

#[test]
fn what_is_told_is_kept_over_a_lost_connection_and_replaced_as_a_whole() {
    let desk = Desk::start();
    let kept = Kept::start(&flags(&desk.url()), Times::default(), true);
    let first = desk.line(0);
    assert_eq!((first.node.as_str(), first.query.as_str()), ("n-1", "names=true"));
    first.hello("a-1");
    first.say("pod", &pod("u1"));
    first.say("names", &json!({"pods": [{"namespace": "other", "name": "idle", "uid": "u9"}]}));
    let before = kept.comes_to("something was said", |it| it.version >= 3);
    assert_eq!((before.connected, before.standing, before.pods.len()), (false, Standing::Untold, 0), "not everything was told");
    first.ready();
    let now = kept.connected();
    assert_eq!((uids(&now), now.connection.as_str(), now.standing), (vec!["u1"], "a-1", Standing::Current));
    let names: Vec<_> = kept.names.told.lock().unwrap().iter().map(|pod| pod.name.clone()).collect();
    assert_eq!(names, ["pod-u1", "idle"]);
    first.say("pod", &pod("u2"));
    first.say("gone", &json!({"uid": "u1"}));
    kept.comes_to("one for the other", |it| uids(it) == ["u2"]);
    // it ends; what was told holds, also while the next one has only begun
    desk.refuse(503);
    drop(first);
    desk.hang_up();
    let lost = kept.comes_to("lost", |it| !it.connected);
    assert_eq!((uids(&lost), lost.standing, lost.connection.as_str()), (vec!["u2"], Standing::Current, ""));
    kept.comes_to("why", |it| it.failure.contains("503"));
    desk.refuse(200);
    let refused = desk.asked().iter().filter(|asked| asked.is_over()).count();
    let second = desk.line(refused);
    second.hello("a-2");
    second.say("pod", &pod("u3"));
    kept.comes_to("half of it", |it| it.version > lost.version + 1 && uids(it) == ["u2"]);
    second.ready();
    kept.comes_to("all of it", |it| uids(it) == ["u3"] && it.connected && it.failure.is_empty());
}

#[test]
fn what_is_too_much_or_makes_no_sense_ends_the_connection_and_not_the_node() {
    let desk = Desk::start();
    let kept = Kept::to(&desk, Times::default());
    let mut number = 0;
    let mut next = |failure: &str, bad: &dyn Fn(&Asked)| {
        let line = desk.line(number);
        number += 1;
        told(&line, "a", &["u1"]);
        kept.connected();
        bad(&line);
        kept.comes_to(failure, |it| !it.connected && it.failure.contains(failure) && uids(it) == ["u1"]);
        drop(line);
    };
    next("more than", &|line| line.raw(vec![b'x'; LONGEST_EVENT + 2]));
    next("more than", &|line| (0..1100).for_each(|_| line.raw(format!("data: {}\n", "x".repeat(1000)))));
    next("cannot be read", &|line| line.raw("event: gone\ndata: {\"uid\": 7}\n\n"));
    next("cannot be read", &|line| line.raw("event: pod\ndata: \u{fffd}{[\n\n"));
    next("cannot be read", &|line| line.say("hello", &json!({"connection": null})));
    // what a later release may say ends nothing
    let line = desk.line(number);
    told(&line, "b", &["u1", "u2"]);
    line.raw("event: tomorrow\ndata: ?\n\n: a heartbeat\n\nid: 7\n\n");
    line.say("pod", &json!({"pod": {"namespace": "shop", "name": "x", "uid": "u2"}, "network": {"spec": "of another shape"}}));
    line.say("pod", &pod("u3"));
    let now = kept.comes_to("the next one is taken", |it| it.pods.contains_key("u3"));
    assert_eq!((uids(&now), now.unclear.iter().map(String::as_str).collect()), (vec!["u1", "u3"], vec!["u2"]));
    assert!(now.connected);
}

#[test]
fn a_thousand_pods_are_told_and_more_than_fit_are_said_to_be_unclear() {
    let desk = Desk::start();
    let kept = Kept::to(&desk, Times::default());
    let line = desk.line(0);
    line.hello("a");
    for number in 0..MOST_PODS + 100 {
        line.say("pod", &pod(&format!("u{number}")));
    }
    line.ready();
    let now = kept.connected();
    assert_eq!((now.pods.len(), now.unclear.len()), (MOST_PODS, 100));
    line.say("gone", &json!({"uid": "u0"}));
    line.say("pod", &pod("late"));
    kept.comes_to("one more fits", |it| it.pods.contains_key("late") && it.pods.len() == MOST_PODS);
}

#[test]
fn one_that_never_says_it_all_or_says_nothing_is_left() {
    let soon = Duration::from_millis(300);
    let desk = Desk::start();
    let kept = Kept::to(&desk, Times { ready: soon, ..Times::default() });
    let line = desk.line(0);
    line.hello("a");
    line.say("pod", &pod("u1"));
    let chatter = Talk::start(&line, ": still here\n\n");
    kept.comes_to("it is not waited for", |it| it.failure.contains("not told everything"));
    assert!(kept.link.now().standing == Standing::Untold && kept.link.now().pods.is_empty());
    drop(chatter);

    let desk = Desk::start();
    let kept = Kept::to(&desk, Times { silence: Duration::from_secs(1), ..Times::default() });
    let line = desk.line(0);
    told(&line, "a", &["u1"]);
    kept.connected();
    kept.comes_to("silence", |it| !it.connected && it.failure.contains("nothing came"));
    // bytes that never become a line are silence, too
    let line = desk.line(1);
    told(&line, "b", &["u1"]);
    kept.connected();
    let dribble = Talk::start(&line, "x");
    kept.comes_to("a dribble", |it| !it.connected && it.failure.contains("nothing came") && it.connection.is_empty());
    drop(dribble);
}

/// Says the same again and again, until it is dropped.
struct Talk(Arc<Mutex<bool>>, Option<std::thread::JoinHandle<()>>);

impl Talk {
    fn start(line: &Asked, text: &'static str) -> Self {
        let (going, line) = (Arc::new(Mutex::new(true)), line.clone());
        let on = Arc::clone(&going);
        let talk = std::thread::spawn(move || {
            while *on.lock().unwrap() {
                line.raw(text);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self(going, Some(talk))
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        *self.0.lock().unwrap() = false;
        self.1.take().unwrap().join().unwrap();
    }
}

#[test]
fn what_was_told_gets_stale_and_is_forgotten() {
    let desk = Desk::start();
    let times = Times { keep: Duration::from_secs(2), forget: Duration::from_secs(4), ..Times::default() };
    let kept = Kept::to(&desk, times);
    told(&desk.line(0), "a", &["u1"]);
    kept.connected();
    desk.refuse(500);
    desk.hang_up();
    let lost = kept.comes_to("lost", |it| !it.connected);
    assert_eq!((lost.standing, uids(&lost)), (Standing::Current, vec!["u1"]));
    let stale = kept.comes_to("stale", |it| it.standing == Standing::Stale);
    assert_eq!(uids(&stale), ["u1"]);
    let forgotten = kept.comes_to("forgotten", |it| it.standing == Standing::Forgotten);
    assert!(forgotten.pods.is_empty() && forgotten.failure.contains("500"));
}

#[test]
fn a_token_is_read_again_and_a_refusal_names_its_remedy() {
    let folder = TempDir::new().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "first\n").unwrap();
    let desk = Desk::start();
    desk.refuse(401);
    let kept = Kept::start(&config::Link { token_file: Some(token.clone()), ..flags(&desk.url()) }, Times::default(), false);
    assert_eq!(desk.line(0).token, "Bearer first");
    kept.comes_to("refused", |it| it.failure.contains("401") && it.failure.contains("--cluster.token-file"));
    desk.refuse(403);
    kept.comes_to("refused", |it| it.failure.contains("403") && it.failure.contains("--node-name"));
    fs::write(&token, "").unwrap();
    kept.comes_to("no token", |it| it.failure.contains("--cluster.token-file") && it.failure.contains("one token"));
    fs::write(&token, "second").unwrap();
    desk.refuse(200);
    let line = until(|| desk.asked().into_iter().find(|asked| !asked.is_over()), || "it asks again".into());
    assert_eq!(line.token, "Bearer second");
    told(&line, "a", &[]);
    kept.connected();
}

#[test]
fn a_report_of_another_connection_makes_a_new_one_and_other_refusals_do_not() {
    let desk = Desk::start();
    let kept = Kept::to(&desk, Times::default());
    assert!(kept.report("").unwrap_err().contains("not connected"));
    told(&desk.line(0), "a", &["u1"]);
    kept.connected();
    assert_eq!(kept.report("a"), Ok(()));
    assert!(desk.reports()[0].complete && desk.reports()[0].connection == "a");
    desk.answer_reports(500);
    assert!(kept.report("a").unwrap_err().contains("500"));
    desk.answer_reports(409);
    assert!(kept.report("older").is_err());
    assert_eq!((desk.asked().len(), kept.link.now().connected), (1, true), "that was about a connection we left ourselves");
    assert!(kept.report("a").is_err());
    told(&desk.line(1), "b", &["u1"]);
    kept.comes_to("the next", |it| it.connected && it.connection == "b");
}

#[test]
fn tls_needs_an_authority_that_is_trusted() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(path("server.crt"), certificate.pem()).unwrap();
    fs::write(path("server.key"), key.serialize_pem()).unwrap();
    fs::write(path("web.yml"), "tls_server_config: {cert_file: server.crt, key_file: server.key}\n").unwrap();
    let desk = Desk::start_with(WebConfig::load(Some(&path("web.yml"))).unwrap());
    let url = desk.url().replace("http:", "https:");
    let with = |ca_file: PathBuf| config::Link { ca_file: Some(ca_file), ..flags(&url) };

    let other = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap();
    fs::write(path("other.crt"), other.pem()).unwrap();
    let kept = Kept::start(&with(path("other.crt")), Times::default(), false);
    kept.comes_to("not trusted", |it| it.failure.contains("--cluster.ca-file"));
    // an authority that changes is read again
    fs::copy(path("server.crt"), path("other.crt")).unwrap();
    told(&desk.line(0), "a", &["u1"]);
    kept.connected();
    assert_eq!(kept.report("a"), Ok(()));

    let plain = Kept::to(&desk, Times::default());
    plain.comes_to("TLS is needed", |it| !it.failure.is_empty());
    assert!(Link::new(&with(path("none.crt")), Times::default()).err().unwrap().to_string().contains("--cluster.ca-file"));
    assert!(Link::new(&flags("cluster:10765"), Times::default()).err().unwrap().remedy().contains("--cluster.url"));
}
