//! `chaoscope runs` and `chaoscope doctor` as whole programs, against a server with a real journal and API.

use crate::kit::http::free_address;
use crate::kit::process::{PATIENCE, Running, until};
use crate::server::{Server, Start, ago, ended, run, target, watch};
use chaoscope::serve::doctor::{Facts, Group};
use chaoscope::serve::web_config::WebConfig;
use chaoscope_model::run::{Outcome, Phase, Run, TargetState};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const CHAOSCOPE: &str = env!("CARGO_BIN_EXE_chaoscope");

/// `chaoscope WORDS`, without any of our variables.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(CHAOSCOPE);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"CHAOSCOPE_")) {
        command.env_remove(name);
    }
    command.args(words).stdin(Stdio::null());
    command
}

fn ask(server: &str, words: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(words).arg("--server").arg(server).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// What must be answered.
fn answer(server: &Server, words: &[&str]) -> String {
    let (code, out, err) = ask(&server.url(), words);
    assert_eq!((code, err.as_str()), (0, ""), "{words:?}: {out}");
    out
}

fn some() -> Server {
    let server = Server::plain("cluster");
    let mut stuck = Run { phase: Phase::Injecting, injected_at: None, ..run("slow", 1000) };
    stuck.targets = vec![target("web-0", TargetState::Injecting), target("web-1", TargetState::Injected)];
    let done = ended(Run { kind: "PodChaos".into(), ..run("done", 600) }, 500, Outcome::Recovered);
    server.record(&[stuck, done, run("cut", 60)]);
    server
}

#[test]
fn runs_are_a_table_newest_first_with_what_is_wrong_marked() {
    let server = some();
    let out = answer(&server, &["runs"]);
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].contains("STARTED") && lines[0].contains("WHOM"), "{out}");
    assert!(lines[1].starts_with(" *") && lines[1].contains("shop/cut"), "{out}");
    assert!(lines[2].contains("recovered") && lines[2].contains("PodChaos"), "{out}");
    assert!(lines[3].starts_with(" !") && lines[3].contains("stuck injecting") && lines[3].contains("1 of 2 injected"), "{out}");
    assert!(out.contains("! shop/slow is stuck injecting since"), "{out}");
    assert_eq!(answer(&Server::plain("cluster"), &["runs"]), "No runs in the last hour (see --from).\n");
}

#[test]
fn every_filter_goes_to_the_api() {
    let server = some();
    let names = |words: &[&str]| {
        let document: Value = serde_json::from_str(&answer(&server, &[&["runs", "--output=json"], words].concat())).unwrap();
        document["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--kind=PodChaos", "--kind=IOChaos"]), ["done"]);
    assert_eq!(names(&["--filter=phase=stuck"]), ["slow"]);
    assert_eq!(names(&["--target-pod=web-1"]), ["slow"]);
    assert_eq!(names(&["--outcome", "!recovered"]), ["cut", "slow"]);
    assert_eq!(names(&["--text=CUT", "-n", "shop", "--name=c*"]), ["cut"]);
    assert_eq!(names(&["--from=2m"]), ["cut", "slow"], "what ended before is not asked for");
    assert_eq!(names(&["--from", &ago(700).to_string(), "--to", &ago(400).to_string()]), ["done", "slow"]);
    assert_eq!(names(&["--limit=2"]), ["cut", "done"]);
    let (code, _, err) = ask(&server.url(), &["runs", "--phase=runing"]);
    assert!(code == 2 && err.contains("400 Bad Request: phase: \"runing\" is none of") && err.lines().count() == 1, "{code} {err}");
    for wrong in [&["runs", "--filter=nmae=x"][..], &["runs", "--from=soon"], &["runs", "--limit=0"], &["runs", "--server=h:1"]] {
        let output = command(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {output:?}");
    }
}

#[test]
fn how_long_ago_is_counted_by_the_servers_clock() {
    let server = Server::plain("replay");
    server.record(
        &[run("then", 100_000), run("now", 10)]
            .map(|run| ended(run.clone(), if run.name == "then" { 99_000 } else { 5 }, Outcome::Recovered)),
    );
    server.world.facts.lock().unwrap().at = ago(98_000);
    let out = answer(&server, &["runs", "--from=1h", "--to=0s"]);
    assert!(out.contains("shop/then") && !out.contains("shop/now"), "{out}");
}

#[test]
fn json_is_what_the_api_answers_page_after_page() {
    let server = Server::plain("cluster");
    let runs: Vec<_> = (0..250).map(|index| run(&format!("run-{index}"), 10 + index)).collect();
    server.record(&runs);
    let one = answer(&server, &["runs", "--output=json", "--limit=3", "--to", &ago(0).to_string()]);
    let raw = crate::kit::http::get(server.address, server.asked("runs")[0].split(' ').next().unwrap()).unwrap();
    assert_eq!((200, one.trim_end()), (raw.0, raw.1.trim_end()), "one page is the answer, byte for byte");

    let out = answer(&server, &["runs", "--output=json", "--limit=201"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<_> = document["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, (0..201).map(|index| format!("run-{index}")).collect::<Vec<_>>());
    assert!(document["next"].is_string());
    assert_eq!(answer(&server, &["runs", "--limit=1000"]).lines().count(), 251);
    assert!(answer(&server, &["runs", "--limit=10"]).ends_with("\nThere are more: raise --limit, or narrow the search.\n"));
}

/// A `runs --follow` whose output goes to a file.
struct Follower {
    _process: Running,
    out: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Follower {
    fn start(server: &str, words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let file = File::create(&out).unwrap();
        let mut command = command(&["runs", "--follow", "--server", server]);
        command.args(words).stderr(file.try_clone().unwrap()).stdout(file);
        Self { _process: Running::start(&mut command), out, _folder: folder }
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    fn says(&self, wanted: &str) {
        until(|| self.text().contains(wanted).then_some(()), || format!("{wanted} in {}", self.text()));
    }
}

#[test]
fn following_tells_every_change_once_also_after_the_stream_broke() {
    let server = some();
    let follower = Follower::start(&server.url(), &["--namespace=shop"]);
    follower.says("shop/cut: running, 1 injected (shop/web-0)");
    until(|| (server.streaming() == 1).then_some(()), || "it streams".to_owned());
    server.change(&run("newer", 0));
    follower.says("shop/newer: running");
    server.change(&Run { namespace: "elsewhere".into(), ..run("foreign", 0) });
    // What happens while nobody listens is told afterwards, from the position that was reached.
    for _ in 0..3 {
        server.answers(503, "text/plain", "later\n");
    }
    server.cut();
    server.change(&ended(run("cut", 60), 0, Outcome::Recovered));
    follower.says("Connected again");
    follower.says("shop/cut: recovered, 1 recovered (shop/web-0)");
    let text = follower.text();
    assert_eq!(text.matches("shop/newer: running").count(), 1, "{text}");
    assert_eq!(text.matches("shop/cut:").count(), 2, "{text}");
    assert_eq!((text.matches("The stream broke").count(), text.matches("Connected again").count()), (1, 1), "{text}");
    assert!(!text.contains("foreign"), "{text}");
    let resumed = server.asked("stream");
    assert!(resumed[0].ends_with(" -") && !resumed.last().unwrap().ends_with(" -") && resumed.len() >= 4, "{resumed:#?}");
    assert!(resumed.iter().all(|line| line.contains("namespace=shop")), "{resumed:#?}");
}

#[test]
fn following_says_when_a_run_is_stuck_and_when_it_is_not_as_asked_for() {
    let server = some();
    let follower = Follower::start(&server.url(), &["--phase=running", "--phase=injecting", "--output=json"]);
    follower.says("\"name\":\"cut\"");
    until(|| (server.streaming() == 1).then_some(()), || "it streams".to_owned());
    server.change(&Run { phase: Phase::Selecting, ..run("never", 1) });
    server.change(&ended(run("cut", 60), 0, Outcome::Recovered));
    server.change(&Run { phase: Phase::Injecting, ..run("crawl", 298) });
    let changes = || -> Vec<Value> { follower.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
    let stuck = |change: &Value| change["run"]["name"] == "crawl" && change["run"]["stuck_since"].is_string();
    until(|| changes().iter().any(stuck).then_some(()), || follower.text());
    let left: Vec<_> = changes().into_iter().filter(|change| change["change"] == "left").collect();
    assert_eq!(
        (left.len(), &left[0]["left"]),
        (1, &serde_json::json!({ "id": run("cut", 60).id })),
        "what was never said is not taken back"
    );
    assert!(left[0]["id"].is_string());
    let text = Follower::start(&server.url(), &["--phase=injecting"]);
    text.says("shop/crawl: stuck injecting");
    until(|| (server.streaming() == 2).then_some(()), || "it streams".to_owned());
    server.change(&run("crawl", 298));
    text.says("NetworkChaos shop/crawl: not as asked for any more\n");
}

#[test]
fn following_goes_on_with_another_journal() {
    let address = free_address();
    let start = || Start { address: address.to_string(), ..Start::plain("cluster") };
    let first = Server::start(start());
    first.change(&run("before", 10));
    let follower = Follower::start(&first.url(), &["--output=json"]);
    follower.says("\"name\":\"before\"");
    until(|| (first.streaming() == 1).then_some(()), || "it streams".to_owned());
    first.change(&run("during", 5));
    follower.says("\"name\":\"during\"");
    drop(first);
    let second = until(|| std::panic::catch_unwind(|| Server::start(start())).ok(), || "the port is free again".to_owned());
    second.change(&run("after", 1));
    follower.says("\"change\":\"reset\"");
    follower.says("\"name\":\"after\"");
    for line in follower.text().lines().filter(|line| line.starts_with('{')) {
        let change: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let what = change["change"].as_str().unwrap();
        assert!(change[what].is_object(), "{line}");
    }
}

#[test]
fn what_cannot_be_asked_is_said_with_its_remedy() {
    let server = Server::plain("cluster");
    let url = server.url();
    let one_line = |code: i32, server: &str, words: &[&str], wanted: &[&str]| {
        let (got, out, err) = ask(server, words);
        assert!(got == code && out.is_empty() && err.lines().count() == 1, "{words:?}: {got} {out} {err}");
        assert!(wanted.iter().all(|wanted| err.contains(wanted)), "{wanted:?} are not all in {err}");
    };
    one_line(1, &format!("http://{}", free_address()), &["runs"], &["cannot be reached", "nobody listens there"]);
    one_line(1, "http://no-such-host.invalid", &["runs"], &["no-such-host.invalid", "the name is not known here"]);
    one_line(1, &url.replace("http:", "https:"), &["runs"], &["cannot be reached", "does it speak TLS (https) or not (http)?"]);
    for (status, media, body, wanted) in [
        (200, "text/html", "<h1>Log in</h1>", &["text/html instead of application/json", "login page"][..]),
        (401, "application/problem+json", r#"{"detail":"A token is needed."}"#, &["401 Unauthorized: A token is needed.", "--token-file"]),
        (404, "text/plain", "nothing here\n", &["404 Not Found: nothing here", "is it a Chaoscope with an API"]),
        (302, "text/html", "", &["302 Found"]),
        (503, "text/plain", "busy\n", &["503", "try again"]),
        (200, "application/json", "{\"runs\":[{}]}", &["a run of its list cannot be read"]),
        (200, "application/json", "[", &["its list of runs cannot be read"]),
    ] {
        server.answers(status, media, body);
        one_line(1, &url, &["runs"], wanted);
        server.answers(status, media, body);
        let (code, out, _) = ask(&url, &["doctor"]);
        assert_eq!((code, out.as_str()), (3, ""), "{status}: a doctor who could not ask");
    }
    let nowhere = tempfile::tempdir().unwrap().path().join("nothing");
    one_line(2, &url, &["runs", "--token-file", nowhere.to_str().unwrap()], &["--token-file", "No such file"]);
    one_line(2, "https://127.0.0.1:1", &["runs", "--tls.ca-file", nowhere.to_str().unwrap()], &["--tls.ca-file", "No such file"]);
}

/// A certificate of our own making for 127.0.0.1, and the web configuration that shows it.
fn certificate(folder: &Path) -> WebConfig {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(folder.join("web.yml"), "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n").unwrap();
    WebConfig::load(Some(&folder.join("web.yml"))).unwrap()
}

#[test]
fn tokens_and_certificates_are_shown_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, ca) = (folder.path().join("tokens"), folder.path().join("cert.pem"));
    fs::write(&tokens, "one-token-that-is-long-enough-for-anybody\n").unwrap();
    let start = Start { web: certificate(folder.path()), tokens: Some(tokens.clone()), ..Start::plain("cluster") };
    let server = Server::start(start);
    server.change(&run("cut", 60));
    let url = format!("https://{}", server.address);
    let (ca, tokens) = (ca.to_str().unwrap(), tokens.to_str().unwrap());
    let (code, out, err) = ask(&url, &["runs", "--tls.ca-file", ca, "--token-file", tokens]);
    assert!(code == 0 && out.contains("shop/cut") && err.is_empty(), "{out} {err}");
    let (code, _, err) = ask(&url, &["runs", "--tls.ca-file", ca]);
    assert!(code == 1 && err.contains("401") && err.contains("--token-file"), "{err}");
    let (code, _, err) = ask(&url, &["runs", "--token-file", tokens]);
    assert!(code == 1 && err.contains("certificate") && err.contains("--tls.ca-file"), "{err}");
    assert!(!err.contains("long-enough"));
    let (code, out, _) = ask(&url, &["doctor", "--tls.ca-file", ca, "--token-file", tokens]);
    assert!(code == 0 && out.contains("✔"), "{out}");
    let follower = Follower::start(&url, &["--tls.ca-file", ca, "--token-file", tokens]);
    follower.says("shop/cut");
}

#[test]
fn the_doctor_says_what_works_and_what_would_mend_the_rest() {
    let server = Server::plain("cluster");
    let well = Facts { watches: vec![watch("networkchaos", ""), watch("podchaos", "")], ..server.world.facts.lock().unwrap().clone() };
    server.world.facts.lock().unwrap().watches.clone_from(&well.watches);
    let out = answer(&server, &["doctor"]);
    assert!(out.contains("✔ 2 watches up, with 6 objects") && out.contains("? nobody has scraped /metrics"), "{out}");
    assert!(out.ends_with("Nothing is wrong; 1 to look at.\n"), "{out}");

    server.world.facts.lock().unwrap().watches.push(watch("iochaos", "forbidden"));
    server.world.facts.lock().unwrap().groups = Some(vec![Group { name: "chaos-mesh.org".into(), served: vec![] }]);
    let (code, out, _) = ask(&server.url(), &["doctor"]);
    assert!(code == 1 && out.contains("✘ no right to list and watch iochaos") && out.contains("resources: [iochaos]"), "{out}");
    assert!(out.contains("install Chaos Mesh") && out.contains("2 to mend."), "{out}");
    let (code, out, _) = ask(&server.url(), &["doctor", "--output=json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 1 && report["well"] == false && report["lines"][0]["mark"] == "bad", "{out}");
}

/// Two jobs of one server are two connections that go on asking.
#[test]
fn metrics_scraped_twice_are_noticed() {
    let server = Server::plain("cluster");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let job = || reqwest::blocking::Client::builder().tls_certs_only([]).no_proxy().user_agent("Prometheus/3").build().unwrap();
    let scrape = |job: &reqwest::blocking::Client| assert_eq!(job.get(server.url() + "metrics").send().unwrap().text().unwrap(), "up 1\n");
    let (one, other) = (job(), job());
    for _ in 0..3 {
        scrape(&one);
        scrape(&job()); // a look
    }
    assert!(answer(&server, &["doctor"]).contains("✔ /metrics is scraped by Prometheus/3 from 127.0.0.1, last "));
    for _ in 0..3 {
        scrape(&other);
    }
    let out = answer(&server, &["doctor"]);
    assert!(out.contains("? /metrics is scraped 2 times over: ") && out.contains("drop one of them"), "{out}");
}

#[test]
fn readiness_is_what_is_waited_for() {
    let server = Server::plain("cluster");
    let ready = |path: &str| crate::kit::http::get(server.address, path).unwrap();
    assert_eq!(ready("/readyz"), (200, "ok\n".to_owned()));
    server.world.facts.lock().unwrap().watches = vec![watch("iochaos", "missing"), watch("networkchaos", "starting")];
    let (status, page) = ready("/readyz");
    assert!(
        status == 503 && page.contains("[-]watch networkchaos failed: not listed yet\n[") || page.contains("readyz check failed"),
        "{page}"
    );
    server.world.facts.lock().unwrap().watches[1] = watch("networkchaos", "");
    let (status, page) = ready("/readyz?verbose");
    assert!(status == 200 && page.ends_with("[+]watch networkchaos ok\nreadyz check passed\n"), "{page}");
}

/// A reader of our output that leaves is no error, and ends us.
#[test]
fn following_ends_with_whoever_reads() {
    let server = some();
    let mut child = command(&["runs", "--follow", "--server", &server.url()]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    let end = std::time::Instant::now() + PATIENCE;
    let status = loop {
        server.change(&run("again", 0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(std::time::Instant::now() < end, "it goes on without a reader");
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(0));
}
