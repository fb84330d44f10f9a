//! What a Dashboard's answers mean: recordings of a real Chaos Mesh as a Dashboard would tell them, recorded answers of a real Dashboard, and
//! its status codes.

use super::fold::Known;
use super::rows::{Listed, Row};
use super::*;
use crate::origin::http::scripted::{Say, Scripted};
use crate::settings::{Given, Secret};
use chaoscope_model::run::{Target, TargetState};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures")
}

/// The events of a recording as a Dashboard stores them: whole seconds, no annotations, only objects it follows.
fn recorded(name: &str) -> Vec<Row> {
    let text = std::fs::read_to_string(fixtures().join("recordings").join(name).join("watch/events.core.jsonl")).unwrap();
    let mut rows = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = &line["watch"]["object"];
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
        let kind = text("/involvedObject/kind");
        if line["watch"]["type"] != "ADDED" || kind.starts_with("Pod") && kind != "PodChaos" || kind == "StatusCheck" {
            continue;
        }
        rows.push(Row {
            id: i64::try_from(rows.len()).unwrap() + 1,
            object_id: text("/involvedObject/uid"),
            created_at: text("/metadata/creationTimestamp").parse().unwrap(),
            namespace: text("/involvedObject/namespace"),
            name: text("/involvedObject/name"),
            kind,
            severity: text("/type"),
            reason: text("/reason"),
            message: text("/message"),
        });
    }
    rows
}

fn by_object(rows: Vec<Row>) -> BTreeMap<String, Known> {
    let mut objects: BTreeMap<String, Known> = BTreeMap::new();
    rows.into_iter().for_each(|row| objects.entry(row.object_id.clone()).or_default().rows.push(row));
    objects
}

fn runs_of(objects: &BTreeMap<String, Known>) -> Vec<Run> {
    let last = objects.values().flat_map(|known| known.rows.iter().map(|row| row.created_at)).max().unwrap();
    let mut runs: Vec<Run> = objects.values().flat_map(|known| known.runs("", last + SignedDuration::from_hours(1))).collect();
    runs.sort_by(|one, other| (one.started_at, &one.name, one.ordinal).cmp(&(other.started_at, &other.name, other.ordinal)));
    runs
}

/// A run in words; times are minute:second.
fn words(run: &Run) -> String {
    let clock = |at: Timestamp| at.strftime("%M:%S").to_string();
    let times = [
        Some(format!("from {}", clock(run.started_at))),
        run.injected_at.map(|at| format!("injected {}", clock(at))),
        run.stop_requested_at.map(|at| format!("stop {}", clock(at))),
        run.ended_at.map(|at| format!("to {}", clock(at))),
    ];
    let times: Vec<String> = times.into_iter().flatten().collect();
    let how = run.outcome.map_or_else(|| run.phase.as_str(), |outcome| outcome.as_str());
    let target = |target: &Target| format!("{} {}", target.id, target.state.as_str());
    let targets: Vec<String> = run.targets.iter().map(target).collect();
    format!("{} {} #{} {how} {}: {}", run.kind, run.name, run.ordinal, times.join(" "), targets.join(", "))
}

fn means(name: &str, expected: &[&str]) {
    let told: Vec<String> = runs_of(&by_object(recorded(name))).iter().map(words).collect();
    assert_eq!(told, expected, "{name}");
}

/// Where Chaoscope's own fold knows more (`tests/recordings.rs`): times to the nanosecond, roles, targets nothing was ever applied to, and an
/// end that only the object's absence tells.
#[test]
fn recordings_mean_what_they_mean_to_chaoscope() {
    means("delay", &["NetworkChaos slow-web #1 injection_failed from 58:18 stop 58:46 to 58:46: "]);
    means(
        "pause-resume",
        &[
            "NetworkChaos pausable #1 recovered from 03:12 injected 03:12 stop 03:14 to 03:14: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
            "NetworkChaos pausable #2 recovered from 03:17 injected 03:17 stop 03:19 to 03:19: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
            "NetworkChaos pausable #3 recovered from 03:21 injected 03:21 stop 03:22 to 03:22: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
            "NetworkChaos born-paused #1 recovered from 03:29 injected 03:29 stop 03:30 to 03:30: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
        ],
    );
    means(
        "schedule",
        &[
            "NetworkChaos every-ten-w96vd #1 recovered from 00:59 injected 00:59 stop 01:03 to 01:03: shop/db-0 recovered",
            "NetworkChaos every-ten-rl7p8 #1 recovered from 01:09 injected 01:09 stop 01:13 to 01:13: shop/db-0 recovered",
            "NetworkChaos every-ten-dftpg #1 recovered from 01:19 injected 01:19 stop 01:23 to 01:23: shop/db-0 recovered",
            "NetworkChaos every-ten-c5nmz #1 recovered from 01:29 injected 01:29 stop 01:33 to 01:33: shop/db-0 recovered",
            "NetworkChaos every-ten-hwt6f #1 recovered from 01:48 injected 01:49 stop 01:52 to 01:52: shop/db-0 recovered",
            "NetworkChaos every-ten-qrxxp #1 recovered from 01:58 injected 01:58 stop 02:02 to 02:02: shop/db-0 recovered",
        ],
    );
    means("pod-kill", &["PodChaos kill-one-web #1 completed from 59:55 injected 59:55 to 59:55: shop/web-1 injected"]);
    means(
        "zero-match",
        &[
            "NetworkChaos no-target #1 no_targets from 03:41 stop 03:51 to 03:51: ",
            "NetworkChaos nobody-there #1 no_targets from 03:41 stop 03:51 to 03:51: ",
        ],
    );
    means(
        "delete-running",
        &[
            "NetworkChaos cut-web-from-client #1 recovered from 04:09 injected 04:10 stop 04:16 to 04:17: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
        ],
    );
    means(
        "forced-finalizer",
        &[
            "NetworkChaos cut-web-from-client #1 lost from 04:48 injected 04:49 stop 04:52 to 05:21: shop/client-0 injected, shop/web-0 injected, shop/web-1 injected",
        ],
    );
    means(
        "workflow",
        &[
            "NetworkChaos cut-f82rk-b2j4h #1 recovered from 02:17 injected 02:18 stop 02:23 to 02:23: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
            "StressChaos burn-wm9md-w67jd #1 recovered from 02:28 injected 02:29 stop 02:34 to 02:34: shop/web-0/web recovered",
            "PodChaos kill-f6gds-qf7px #1 completed from 02:28 injected 02:29 to 02:29: shop/db-0/sidecar injected",
        ],
    );
    means(
        "controller-down",
        &[
            "NetworkChaos cut-web-from-client #1 recovered from 39:43 injected 39:45 stop 40:26 to 40:27: shop/client-0 recovered, shop/web-0 recovered, shop/web-1 recovered",
        ],
    );
    means(
        "dashboard-crud",
        &[
            "NetworkChaos by-dashboard #1 recovered from 02:51 injected 02:51 stop 02:52 to 02:52: shop/db-0 recovered",
            "NetworkChaos by-dashboard #2 recovered from 02:55 injected 02:55 stop 02:58 to 02:58: shop/db-0 recovered",
        ],
    );
}

#[test]
fn every_recording_folds_and_no_time_claims_more_than_a_second() {
    let folders = std::fs::read_dir(fixtures().join("recordings")).unwrap().map(|entry| entry.unwrap());
    for folder in folders.filter(|folder| folder.path().join("watch/events.core.jsonl").exists()) {
        let objects = by_object(recorded(folder.file_name().to_str().unwrap()));
        for run in runs_of(&objects) {
            let times = [Some(run.started_at), run.injected_at, run.stop_requested_at, run.recovered_at, run.ended_at, run.ended_after];
            assert!(times.iter().flatten().all(|at| at.subsec_nanosecond() == 0), "{run:?}");
            assert!(run.ended_at.is_none_or(|end| end >= run.started_at), "{run:?}");
            assert!(run.precision.values().all(|precision| precision.as_str() != "ns"), "{run:?}");
            assert!(
                run.targets.iter().all(|target| target.state != TargetState::Gone && target.precision.values().all(|p| p.as_str() != "ns"))
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// The order of an answer does not matter, nor does a Dashboard that restarted and stored everything again, some of it twice.
    #[test]
    fn shuffled_and_doubled_rows_are_the_same_runs(
        scenario in prop::sample::select(vec!["pause-resume", "schedule", "workflow", "forced-finalizer", "zero-match", "pod-kill"]),
        seeds in prop::collection::vec(any::<u32>(), 300),
        doubled in prop::collection::vec(any::<bool>(), 300),
    ) {
        let rows = recorded(scenario);
        let mut mixed = rows.clone();
        mixed.extend(rows.iter().zip(&doubled).filter(|(_, doubled)| **doubled).map(|(row, _)| Row { id: row.id + 10_000, ..row.clone() }));
        let mut order: Vec<_> = mixed.into_iter().zip(seeds.into_iter().cycle()).enumerate().map(|(n, (row, seed))| (seed, n, row)).collect();
        order.sort_by_key(|(seed, n, _)| (*seed, *n));
        let (straight, mixed) = (by_object(rows), by_object(order.into_iter().map(|(_, _, row)| row).collect()));
        prop_assert_eq!(runs_of(&straight), runs_of(&mixed));
        let events = |objects: &BTreeMap<String, Known>| objects.values().flat_map(|known| known.events("", Timestamp::MAX, Window { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX }).1).collect::<Vec<_>>();
        prop_assert_eq!(events(&straight), events(&mixed));
    }
}

#[test]
fn what_is_there_is_as_the_list_says() {
    let rows = || {
        recorded("delete-running").into_iter().filter(|row| row.created_at < "2026-11-21T14:04:12Z".parse().unwrap()).collect::<Vec<_>>()
    };
    let listed = |status: &str| Listed {
        uid: rows()[0].object_id.clone(),
        namespace: "shop".to_owned(),
        name: "cut-web-from-client".to_owned(),
        kind: "NetworkChaos".to_owned(),
        created_at: Some("2026-11-21T14:04:09Z".parse().unwrap()),
        status: status.to_owned(),
    };
    let now = "2026-11-21T14:04:13Z".parse().unwrap();
    let told =
        |known: Known| known.runs("blue", now).iter().map(|run| words(run).split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
    for (status, expected) in
        [("running", "running"), ("injecting", "injecting"), ("deleting", "recovering"), ("finished", "recovered"), ("paused", "recovered")]
    {
        let told = told(Known { live: Some(listed(status)), rows: rows(), ..Known::default() });
        assert_eq!(told, [format!("NetworkChaos cut-web-from-client #1 {expected} from 04")], "{status}");
    }
    let fresh = told(Known { rows: rows(), ..Known::default() });
    assert_eq!(fresh, ["NetworkChaos cut-web-from-client #1 running from 04"], "in no list yet: it may be younger than the list");
    let archived = told(Known { rows: rows(), archived: Some(listed("")), ..Known::default() });
    assert_eq!(archived, ["NetworkChaos cut-web-from-client #1 lost from 04"], "gone, and its last words were not stored");
    let silent = told(Known { live: Some(listed("running")), ..Known::default() });
    assert_eq!(silent, ["NetworkChaos cut-web-from-client #1 running from 04"], "its events are gone or not there yet");
}

fn answer(path: &str) -> Say {
    let text = std::fs::read_to_string(fixtures().join("dashboard-answers").join(path)).unwrap();
    let (_, reply) = text.split_once("---\n").unwrap();
    let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Say::json(status, body.trim_end_matches('\n'))
}

/// A Dashboard that answers as recorded, and filters as a real one does.
fn replayed(folder: &'static str) -> impl Fn(&crate::origin::http::scripted::Asked) -> Say + Send + Sync + 'static {
    move |asked| {
        let url = reqwest::Url::parse(&format!("http://d{}", asked.target)).unwrap();
        let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let route = url.path().trim_start_matches("/api/");
        let file = match route {
            "events" | "experiments" | "archives" | "schedules" | "workflows" => format!("{folder}/{route}.http"),
            "archives/schedules" | "archives/workflows" => format!("{folder}/{}.http", route.replace('/', "-")),
            "common/config" => "tokens/cluster-viewer-config.http".to_owned(),
            route if route.starts_with("experiments/") => {
                let uid = route.trim_start_matches("experiments/");
                let is_it = |file: &&String| {
                    std::fs::read_to_string(fixtures().join("dashboard-answers").join(file)).is_ok_and(|text| text.contains(uid))
                };
                let files = [format!("{folder}/experiment-0.http"), format!("{folder}/experiment-1.http")];
                match files.iter().find(is_it) {
                    Some(file) => file.clone(),
                    None => return Say::json(404, ""),
                }
            }
            _ => return Say::json(404, ""),
        };
        let Say::Answer { status, headers, body } = answer(&file) else { unreachable!() };
        let Ok(Value::Array(rows)) = serde_json::from_str(&body) else { return Say::Answer { status, headers, body } };
        let exact = ["object_id", "namespace", "name", "kind"];
        let passes = |row: &Value| {
            let at = row["created_at"].as_str().unwrap();
            exact.iter().all(|field| value(field).is_none_or(|value| row[*field] == value.as_str()))
                && value("start").is_none_or(|start| at >= start.as_str())
                && value("end").is_none_or(|end| at <= end.as_str())
        };
        let rows: Vec<Value> = rows.into_iter().filter(passes).collect();
        Say::Answer { status, headers, body: Value::Array(rows).to_string() }
    }
}

fn dashboard(url: &str, json: &str, now: fn() -> Timestamp) -> Dashboard {
    let json = format!(r#"{{"origin":"dashboard",{json}"timeout":5}}"#);
    let secrets = [("token", Secret::from("hunter2-hunter2".to_owned()))].into();
    let settings = Settings::parse(&Given { url, basic_auth: None, json: json.as_bytes(), secrets }).unwrap();
    Dashboard { now, ..Dashboard::new(&settings).unwrap() }
}

fn question(from: &str, to: &str, filter: &[(&str, &str)]) -> Question {
    let filter = filter.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect();
    let at = |clock: &str| format!("2026-11-21T{clock}Z").parse().unwrap();
    Question { window: Window { from: at(from), to: at(to) }, filter, limit: 100 }
}

fn resumed() -> Timestamp {
    "2026-11-21T14:02:02Z".parse().unwrap()
}

fn nobody() -> Identity {
    Identity::default()
}

#[tokio::test]
async fn a_real_dashboards_answers_become_runs() {
    let server = Scripted::start(replayed("schedule")).await;
    let dashboard = dashboard(&server.url(), r#""cluster":"blue","#, resumed);
    let found = dashboard.runs(&question("14:01:40", "14:02:02", &[]), &nobody()).await.unwrap();
    let told: Vec<_> = found.items.iter().map(|run| words(run)).collect();
    assert_eq!(
        told,
        [
            "NetworkChaos every-ten-qrxxp #1 recovered from 01:58 injected 01:58 stop 02:02 to 02:02: shop/db-0 recovered",
            "NetworkChaos every-ten-hwt6f #1 recovered from 01:48 injected 01:49 stop 01:52 to 01:52: shop/db-0 recovered",
        ]
    );
    let run = &found.items[0];
    assert_eq!((run.action.as_str(), run.cluster.as_str(), run.parameters["duration"].as_str()), ("partition", "blue", "4s"));
    let parent = run.parent.as_ref().unwrap();
    assert_eq!((parent.kind.as_str(), parent.name.as_str()), ("Schedule", "every-ten"));
    assert!(!found.cut && found.notices.is_empty(), "{:?}", found.notices);
    let before = server.count();
    dashboard.runs(&question("14:01:40", "14:02:02", &[]), &nobody()).await.unwrap();
    assert_eq!(server.count() - before, 3, "specifications are remembered");
}

#[tokio::test]
async fn a_run_that_began_long_before_is_found() {
    let later = || "2026-11-21T18:00:00Z".parse().unwrap();
    let server = Scripted::start(replayed("during")).await;
    let found = dashboard(&server.url(), "", later).runs(&question("17:00:00", "18:00:00", &[]), &nobody()).await.unwrap();
    let told: Vec<_> = found.items.iter().map(|run| words(run)).collect();
    assert_eq!(
        told,
        [
            "NetworkChaos cut-web-from-client #1 running from 56:47 injected 56:48: shop/client-0 injected, shop/web-0 injected, shop/web-1 injected"
        ]
    );
    assert!(server.asked().iter().any(|asked| asked.target.contains("object_id=396c6b8e")), "its whole story was asked for");
}

#[tokio::test]
async fn filters_hold_whatever_a_dashboard_can_do_itself() {
    let server = Scripted::start(replayed("schedule")).await;
    let dashboard = dashboard(&server.url(), r#""filters":{"namespace":["shop"]},"#, resumed);
    let names = async |filter: &[(&str, &str)]| {
        let found = dashboard.runs(&question("14:00:00", "14:02:02", filter), &nobody()).await.unwrap();
        found.items.iter().map(|run| run.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&[("name", "every-ten-q*")]).await, ["every-ten-qrxxp"]);
    assert_eq!(names(&[("target_pod", "db-0"), ("label", "managed-by=every-ten")]).await, ["every-ten-qrxxp", "every-ten-hwt6f"]);
    assert_eq!(names(&[("kind", "PodChaos"), ("outcome", "completed")]).await, ["kill-sidecar"]);
    assert!(names(&[("namespace", "lab")]).await.is_empty());
    assert!(server.asked().iter().all(|asked| asked.target.contains("namespace=shop")), "a token of one namespace must say so each time");
    assert!(
        server
            .asked()
            .iter()
            .any(|asked| asked.target.starts_with("/api/events?namespace=shop&kind=PodChaos&start=2026-11-21T13%3A00%3A00Z&end="))
    );
    let events = dashboard.events(&question("14:01:58", "14:02:02", &[("reason", "Applied")]), &nobody()).await.unwrap();
    assert_eq!(events.items.len(), 1);
    let event = &events.items[0];
    assert_eq!(
        (event.target_pod.as_str(), event.message.as_str(), event.at.to_string().as_str()),
        ("db-0", "Successfully apply chaos for shop/db-0", "2026-11-21T14:01:58Z")
    );
    assert!(event.run.is_some());
    let limited = dashboard.events(&Question { limit: 2, ..question("14:00:00", "14:02:02", &[]) }, &nobody()).await.unwrap();
    assert!(limited.cut && limited.items.len() == 2 && limited.items[0].at >= limited.items[1].at);
}

#[tokio::test]
async fn lists_have_their_values() {
    let server = Scripted::start(replayed("schedule")).await;
    let dashboard = dashboard(&server.url(), r#""cluster":"blue","#, resumed);
    let values =
        async |list: List| dashboard.values(&list, &question("14:00:00", "14:02:02", &[]), &nobody()).await.unwrap().items.join(" ");
    assert_eq!(values(List::Tools).await, "chaos-mesh");
    assert_eq!(values(List::Clusters).await, "blue");
    assert_eq!(values(List::Kinds).await, "NetworkChaos PodChaos");
    assert_eq!(values(List::Namespaces).await, "shop");
    assert!(values(List::Experiments).await.starts_with("cut-external cut-web-from-client every-ten-hwt6f"));
    assert_eq!(values(List::Schedules).await, "every-ten");
    assert_eq!(values(List::Workflows).await, "");
    assert!(values(List::Targets("target_pod".to_owned())).await.contains("db-0"));
    assert!(values(List::Field("reason".to_owned())).await.contains("TimeUp"));
    assert!(dashboard.upcoming(&question("14:00:00", "14:02:02", &[]), &nobody()).await.unwrap().notices[0].contains("Chaoscope does"));
}

#[tokio::test]
async fn its_status_codes_mean_something_else() {
    type Is = fn(&Error) -> bool;
    let unknown: Is = |error| matches!(error, Error::Unauthenticated(_));
    let forbidden: Is = |error| matches!(error, Error::Forbidden(_));
    for (file, is, cause, remedy) in [
        ("no-token-events", unknown, "it wants a token and got none", "token"),
        ("no-token-workflows-shop", unknown, "the answer is empty", "token"),
        ("wrong-token-events", unknown, "wrong or expired", "token"),
        ("wrong-token-experiments", unknown, "wrong or expired", "token"),
        ("shop-manager-events", forbidden, "may not see the whole cluster", "filter each query by namespace"),
        ("nobody-events-shop", forbidden, "may not see that namespace", "Set the namespace filter"),
    ] {
        let server = Scripted::start(move |_| answer(&format!("tokens/{file}.http"))).await;
        let error = dashboard(&server.url(), "", resumed).runs(&question("14:00:00", "14:02:02", &[]), &nobody()).await.unwrap_err();
        assert!(is(&error) && error.to_string().contains(cause) && error.remedy().contains(remedy), "{file}: {error:?}");
        assert!(!error.to_string().contains("github.com"), "no stack of theirs: {error}");
    }
}

#[tokio::test]
async fn null_is_nothing_and_a_broken_archive_is_said() {
    let server =
        Scripted::start(|asked| if asked.target.starts_with("/api/archives") { Say::json(500, "") } else { Say::json(200, "null") }).await;
    let dashboard = dashboard(&server.url(), "", resumed);
    let found = dashboard.runs(&question("14:00:00", "14:02:02", &[]), &nobody()).await.unwrap();
    assert!(found.items.is_empty() && found.notices[0].starts_with("The archive did not answer"), "{:?}", found.notices);
    for list in [List::Kinds, List::Workflows] {
        let found = dashboard.values(&list, &question("14:00:00", "14:02:02", &[]), &nobody()).await.unwrap();
        assert!(found.notices[0].starts_with("The archive did not answer"), "{:?}", found.notices);
    }
}

#[tokio::test]
async fn save_and_test_asks_what_needs_the_token() {
    let server = Scripted::start(replayed("schedule")).await;
    let health = dashboard(&server.url(), "", resumed).check(&nobody()).await;
    assert!(health.ok && health.message.starts_with("Chaos Dashboard v2.8.3 answers: "), "{health:?}");
    let server = Scripted::start(|asked| {
        if asked.target.contains("common/config") {
            answer("tokens/cluster-viewer-config.http")
        } else {
            answer("tokens/wrong-token-events.http")
        }
    })
    .await;
    let health = dashboard(&server.url(), "", resumed).check(&nobody()).await;
    assert!(!health.ok && health.message.contains("wrong or expired") && health.details[0].contains("Give a token"), "{health:?}");
    let server = Scripted::start(|_| Say::page(200, "<title>Grafana</title>")).await;
    let health = dashboard(&server.url(), "", resumed).check(&nobody()).await;
    assert!(!health.ok && health.message.contains("Grafana itself"), "{health:?}");
}

#[test]
fn a_specification_tells_what_its_run_is() {
    let Say::Answer { body, .. } = answer("crud/archive.http") else { unreachable!() };
    let detail = Detail::of(&serde_json::from_str(&body).unwrap()).unwrap();
    let Say::Answer { body, .. } = answer("crud/events.http") else { unreachable!() };
    let objects = by_object(serde_json::from_str(&body).unwrap());
    let known = Known { detail: Some(Arc::new(detail)), ..objects.into_values().next().unwrap() };
    let runs = known.runs("", resumed());
    let run = &runs[0];
    let parameters: Vec<_> = run.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(parameters.join(" "), "action=partition direction=to duration=30s externalTargets=10.89.0.0/16 mode=all");
    assert_eq!((run.labels["team"].as_str(), run.action.as_str()), ("one", "partition"));
}

/// Kinds without an action say what they do in the same words as Chaoscope's own runs.
#[test]
fn a_kind_without_an_action_has_one_all_the_same() {
    let spec = serde_json::json!({ "stressors": { "cpu": { "workers": 1 }, "memory": {} }, "duration": "30s" });
    let detail = Detail::of(&serde_json::json!({ "kind": "StressChaos", "kube_object": { "spec": spec } })).unwrap();
    let mut run = crate::origin::tests_run("shop", "burn");
    detail.tell(&mut run, None);
    assert_eq!((run.action.as_str(), run.parameters["stressors.cpu.workers"].as_str()), ("cpu+memory", "1"));
    assert_eq!(detail.one_shot, Some(false));
}

#[tokio::test]
async fn an_event_that_cannot_be_read_costs_itself() {
    let good = r#"{"id":1,"object_id":"u","created_at":"2026-11-21T14:01:50Z","namespace":"shop","name":"a","kind":"NetworkChaos","type":"Normal","reason":"Started","message":"Experiment has started"}"#;
    let bad = [r#"{"id":2,"object_id":"u","created_at":null}"#, r#"{"id":"3","object_id":null}"#, "7"].join(",");
    let told = |rows: String| async move {
        let server = Scripted::start(move |asked| Say::json(200, if asked.target.starts_with("/api/events") { &rows } else { "[]" })).await;
        dashboard(&server.url(), "", resumed).events(&question("14:01:40", "14:02:02", &[]), &nobody()).await
    };
    assert_eq!(told(format!("[{bad},{good}]")).await.unwrap().items.len(), 1);
    assert!(matches!(told(format!("[{bad}]")).await.unwrap_err(), Error::Nonsense(_)));
}
