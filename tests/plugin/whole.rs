//! From a real Chaos Mesh's recording to what Grafana holds: the exporter tells it, the plugin asks the exporter, Grafana's own decoder reads the
//! frames. What must be there is written as somebody would say it who saw the experiment.

use crate::BINARY;
use crate::grafana_host::{Host, column, context, question, rows};
use crate::origin::{Origin, Reply};
use crate::replay::Replay;
use crate::viewer::ask;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A question about the hour until now, at a replay.
fn frames(host: &Host, context: &Value, json: &Value) -> Vec<Value> {
    frames_until(host, context, json, Timestamp::now())
}

fn frames_until(host: &Host, context: &Value, json: &Value, to: Timestamp) -> Vec<Value> {
    ask(host, context, &question("A", json, to.as_millisecond()))["frames"].as_array().unwrap().clone()
}

/// The one frame of an answer.
fn frame(host: &Host, context: &Value, json: &Value) -> Value {
    let mut frames = frames(host, context, json);
    assert_eq!(frames.len(), 1, "{json}");
    frames.remove(0)
}

fn saved(kind: &str, more: &Value) -> Value {
    let mut query = json!({ "queryType": kind, "filters": {} });
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    query
}

fn milliseconds<const N: usize>(rows: &[[Value; N]]) -> Vec<[Value; N]> {
    rows.iter().map(Replay::to_milliseconds).collect()
}

fn texts(values: &[Value]) -> BTreeSet<&str> {
    values.iter().map(|it| it.as_str().unwrap()).collect()
}

/// A workflow: a partition of two web pods from their client, then together a CPU stress and the kill of one container.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_workflow() {
    let (replay, host) = (Replay::whole("workflow"), Host::start(BINARY, &[]));
    let context = replay.context();
    let at = |time: &str| replay.at(time);
    let runs = frame(&host, &context, &saved("runs", &json!({})));
    let names = ["kind", "action", "name", "outcome", "started_at", "injected_at", "stop_requested_at", "ended_at", "targets", "parent"];
    let cut = [
        json!("NetworkChaos"),
        json!("partition"),
        json!("cut-f82rk-b2j4h"),
        json!("recovered"),
        at("14:02:17.751"),
        at("14:02:18.462"),
        at("14:02:23.020"),
        at("14:02:23.339"),
        json!(3),
        json!("Workflow shop/drill"),
    ];
    let burn = [
        json!("StressChaos"),
        json!("cpu"),
        json!("burn-wm9md-w67jd"),
        json!("recovered"),
        at("14:02:28.781"),
        at("14:02:29.142"),
        at("14:02:34.072"),
        at("14:02:34.208"),
        json!(1),
        json!("Workflow shop/drill"),
    ];
    let kill = [
        json!("PodChaos"),
        json!("container-kill"),
        json!("kill-f6gds-qf7px"),
        json!("completed"),
        at("14:02:28.829"),
        at("14:02:29.193"),
        Value::Null,
        at("14:02:29.193"),
        json!(1),
        json!("Workflow shop/drill"),
    ];
    assert_eq!(milliseconds(&rows(&runs, names)), [kill, burn, cut], "the newest first");

    let targets = frame(&host, &context, &saved("targets", &json!({ "filters": { "kind": ["NetworkChaos"] } })));
    let names = ["target_pod", "role", "state", "injected_at", "name"];
    let target = |pod: &str, role: &str, time: &str| [json!(pod), json!(role), json!("recovered"), at(time), json!("cut-f82rk-b2j4h")];
    let mut hit = milliseconds(&rows(&targets, names));
    hit.sort_by_key(|it| it[3].to_string());
    let wanted = [
        target("web-0", "selected", "14:02:18.171"),
        target("web-1", "selected", "14:02:18.289"),
        target("client-0", "peer", "14:02:18.462"),
    ];
    assert_eq!(hit, wanted);

    timelines(&host, &replay);
    annotations(&host, &replay);
    // Values for variables, of what was seen.
    for (list, wanted) in [
        ("tools", &["chaos-mesh"][..]),
        ("kinds", &["NetworkChaos", "PodChaos", "StressChaos"]),
        ("namespaces", &["shop"]),
        ("workflows", &["drill"]),
        ("schedules", &[]),
        ("experiments", &["burn-wm9md-w67jd", "cut-f82rk-b2j4h", "kill-f6gds-qf7px"]),
        ("target_pod", &["client-0", "db-0", "web-0", "web-1"]),
        ("field:outcome", &["completed", "recovered"]),
    ] {
        let values = column(&frame(&host, &context, &saved("values", &json!({ "list": list }))), "value");
        if list == "kinds" || list == "tools" || list == "field:outcome" {
            assert!(texts(&values).is_superset(&wanted.iter().copied().collect()), "{list}: {values:?}");
        } else {
            assert_eq!(values, wanted, "{list}");
        }
    }
}

fn timelines(host: &Host, replay: &Replay) {
    let at = |time: &str| replay.at(time);
    let of = |frames: &[Value], row: &str| {
        let found = frames.iter().find(|it| it["schema"]["name"] == row).unwrap_or_else(|| panic!("no row {row}"));
        milliseconds(&rows(found, ["state", "time", "end"]))
    };
    let stretch = |state: &str, start: &str, end: &str| [json!(state), at(start), at(end)];
    let by_run = frames(host, &replay.context(), &saved("timeline", &json!({ "rows": "run" })));
    assert_eq!(by_run.len(), 3, "a row per experiment");
    let cut = [
        stretch("injecting", "14:02:17.751", "14:02:18.462"),
        stretch("running", "14:02:18.462", "14:02:23.020"),
        stretch("recovering", "14:02:23.020", "14:02:23.339"),
    ];
    assert_eq!(of(&by_run, "NetworkChaos shop/cut-f82rk-b2j4h"), cut);
    let kill = of(&by_run, "PodChaos shop/kill-f6gds-qf7px");
    assert_eq!((kill.len(), &kill[0][0], &kill[0][1]), (1, &json!("completed"), &at("14:02:28.829")));
    assert!(kill[0][2].as_str() > at("14:02:29.193").as_str(), "wide enough to be seen: {kill:?}");
    let by_target = frames(host, &replay.context(), &saved("timeline", &json!({ "rows": "target" })));
    let named: BTreeSet<_> = by_target.iter().map(|it| it["schema"]["name"].as_str().unwrap()).collect();
    assert_eq!(named, BTreeSet::from(["shop/client-0", "shop/db-0 (sidecar)", "shop/web-0", "shop/web-0 (web)", "shop/web-1"]));
    let web = of(&by_target, "shop/web-1");
    assert_eq!((web.len(), &web[0][0], &web[0][1]), (1, &json!("NetworkChaos shop/cut-f82rk-b2j4h"), &at("14:02:18.289")));
}

fn annotations(host: &Host, replay: &Replay) {
    let layer = frame(host, &replay.context(), &saved("annotations", &json!({})));
    let marks = milliseconds(&rows(&layer, ["title", "time", "timeEnd", "newState", "tags"]));
    let wanted = [
        [
            json!("NetworkChaos partition shop/cut-f82rk-b2j4h"),
            replay.at("14:02:17.751"),
            replay.at("14:02:23.339"),
            json!("ok"),
            json!("chaos-mesh,NetworkChaos,partition,shop,recovered"),
        ],
        [
            json!("StressChaos cpu shop/burn-wm9md-w67jd"),
            replay.at("14:02:28.781"),
            replay.at("14:02:34.208"),
            json!("ok"),
            json!("chaos-mesh,StressChaos,cpu,shop,recovered"),
        ],
        [
            json!("PodChaos container-kill shop/kill-f6gds-qf7px"),
            replay.at("14:02:28.829"),
            Value::Null,
            json!("ok"),
            json!("chaos-mesh,PodChaos,container-kill,shop,completed"),
        ],
    ];
    assert_eq!(marks, wanted, "regions from true start to true end, a kill is a tick");
    let text = column(&layer, "text")[0].as_str().unwrap().to_owned();
    for said in ["recovered", "made by Workflow shop/drill", "shop/web-0 recovered", "shop/client-0 recovered"] {
        assert!(text.contains(said), "{said} is not in {text}");
    }
    let panel = frame(host, &replay.context(), &saved("annotations", &json!({ "topic": true })));
    assert_eq!(panel["schema"]["meta"]["dataTopic"], "annotations");
    assert_eq!(column(&panel, "isRegion"), [true, true, false]);
    assert_eq!(column(&panel, "tags")[2], json!(["chaos-mesh", "PodChaos", "container-kill", "shop", "completed"]));
    assert!(layer["schema"]["meta"]["dataTopic"].is_null(), "a layer's own frame says nothing of it");
}

/// A schedule of partitions every ten seconds, in the middle of its fourth.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_schedule_under_way() {
    let (replay, host) = (Replay::until("schedule", "14:01:31"), Host::start(BINARY, &[]));
    let context = replay.context();
    let children = ["every-ten-c5nmz", "every-ten-dftpg", "every-ten-rl7p8", "every-ten-w96vd"];
    let runs = frame(&host, &context, &saved("runs", &json!({})));
    assert_eq!(column(&runs, "name"), children);
    assert_eq!(column(&runs, "phase"), ["running", "finished", "finished", "finished"]);
    assert_eq!(column(&runs, "ended_at")[0], Value::Null);
    assert_eq!(column(&runs, "parent"), ["Schedule shop/every-ten"; 4]);
    let layer = frame(&host, &context, &saved("annotations", &json!({ "upcoming": true })));
    let open = column(&layer, "title").iter().position(|it| it == "NetworkChaos partition shop/every-ten-c5nmz").unwrap();
    assert_eq!(column(&layer, "newState")[open], "alerting");
    assert!(column(&layer, "timeEnd")[open].as_str() > replay.at("14:01:29.066").as_str(), "what is open is a region until now");

    // What is to come, in a window that ends in ten minutes.
    let soon = Timestamp::now() + SignedDuration::from_mins(10);
    let due = frames_until(&host, &context, &saved("upcoming", &json!({})), soon).remove(0);
    let upcoming = rows(&due, ["at", "kind", "namespace", "schedule"]);
    assert!(upcoming.len() > 30, "every ten seconds: {upcoming:?}");
    assert!(upcoming.iter().all(|it| it[1..] == [json!("NetworkChaos"), json!("shop"), json!("every-ten")]), "{upcoming:?}");
    assert!(column(&due, "at").is_sorted_by_key(Value::to_string), "the soonest first");
    let layer = frames_until(&host, &context, &saved("annotations", &json!({ "upcoming": true })), soon).remove(0);
    let marks = rows(&layer, ["title", "time", "timeEnd", "tags"]);
    let coming: Vec<_> = marks.iter().filter(|it| it[0] == "NetworkChaos partition due").collect();
    assert!(
        coming.len() > 30 && coming.iter().all(|it| it[2].is_string() && it[3] == "upcoming,NetworkChaos,partition,shop"),
        "{coming:?}"
    );
    assert_eq!(marks.len() - coming.len(), 4, "and the runs beside it");

    active(&host, &replay);
    let values = column(&frame(&host, &context, &saved("values", &json!({ "list": "schedules" }))), "value");
    assert_eq!(values, ["every-ten"]);
}

/// Numbers, as the alert engine takes them.
fn active(host: &Host, replay: &Replay) {
    let alert = |json: &Value, to: Timestamp| {
        let answer = ask(host, &replay.context(), &question("A", json, to.as_millisecond()));
        (answer["alert"].clone(), answer["frames"].as_array().unwrap().clone())
    };
    let numbers = |json: &Value, to: Timestamp| {
        let (alert, _) = alert(json, to);
        assert_eq!((&alert["takes"], &alert["schemas"]), (&json!("numbers"), &json!(["not"])), "{alert}");
        alert["rows"].clone()
    };
    let instant = |by: &[&str]| saved("active", &json!({ "form": "instant", "by": by }));
    let (during, between, now) = (replay.moment("14:01:20"), replay.moment("14:01:25"), Timestamp::now());
    assert_eq!(numbers(&instant(&[]), now), json!([{ "labels": {}, "value": 1 }]), "the fourth");
    assert_eq!(numbers(&instant(&[]), during), json!([{ "labels": {}, "value": 1 }]), "the third");
    assert_eq!(numbers(&instant(&[]), between), json!([{ "labels": {}, "value": 0 }]), "nothing is 0, not no data");
    let none = saved("active", &json!({ "form": "instant", "by": ["kind"], "filters": { "kind": ["IOChaos"] } }));
    assert_eq!(numbers(&none, now), json!([{ "labels": { "kind": "" }, "value": 0 }]));
    let by = numbers(&instant(&["kind", "target_pod"]), during);
    assert_eq!(by, json!([{ "labels": { "kind": "NetworkChaos", "target_pod": "db-0" }, "value": 1 }]));
    for by in [&[][..], &["kind"]] {
        let (alert, frames) = alert(&saved("active", &json!({ "form": "series", "by": by })), now);
        assert_eq!((&alert["takes"], &alert["schemas"]), (&json!("series"), &json!(["wide"])), "{alert}");
        let labels = &frames[0]["schema"]["fields"][1]["labels"];
        assert_eq!(labels["kind"], if by.is_empty() { Value::Null } else { json!("NetworkChaos") }, "{labels}");
        let counts = column(&frames[0], "active");
        assert!(counts.len() > 50 && counts[0] == 0.0 && counts.iter().any(|it| it.as_f64().unwrap() >= 1.0), "{counts:?}");
    }
    // What is no number is no rule's: it must not be taken for one.
    let (alert, _) = alert(&saved("runs", &json!({})), now);
    assert!(alert["takes"].as_str().unwrap().starts_with("error"), "{alert}");
}

/// Injection failed, again and again, until somebody took the finalizer away.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_failed_injection() {
    let (replay, host) = (Replay::whole("delay"), Host::start(BINARY, &[]));
    let context = replay.context();
    let runs = frame(&host, &context, &saved("runs", &json!({})));
    let wanted = [json!("slow-web"), json!("injection_failed"), replay.at("13:58:18.919"), Value::Null, replay.at("13:59:18.132")];
    assert_eq!(milliseconds(&rows(&runs, ["name", "outcome", "started_at", "injected_at", "ended_at"])), [wanted]);
    assert!(column(&runs, "parameters")[0].as_str().unwrap().contains("delay.latency="), "{runs}");
    let state = column(&frame(&host, &context, &saved("annotations", &json!({}))), "newState");
    assert_eq!(state, ["nodata"], "not green");

    let events = frame(&host, &context, &saved("events", &json!({})));
    let told = rows(&events, ["type", "reason", "name", "kind"]);
    assert!(told.iter().any(|it| it[..2] == [json!("Warning"), json!("Failed")]), "{told:?}");
    let (own, pods): (Vec<_>, Vec<_>) = told.iter().partition(|it| it[2..] == [json!("slow-web"), json!("NetworkChaos")]);
    assert!(pods.iter().all(|it| it[3] == "PodNetworkChaos" && it[2].as_str().unwrap().starts_with("web-")), "{pods:?}");
    assert!(column(&events, "time").is_sorted_by(|one, other| one.as_str() >= other.as_str()), "the newest first");
    let warnings = frame(&host, &context, &saved("events", &json!({ "filters": { "type": ["Warning"] } })));
    assert_eq!(column(&warnings, "type").len(), told.iter().filter(|it| it[0] == "Warning").count());

    let logs = frame(&host, &context, &saved("logs", &json!({})));
    assert_eq!(
        (&logs["schema"]["meta"]["type"], &logs["schema"]["meta"]["preferredVisualisationType"]),
        (&json!("log-lines"), &json!("logs"))
    );
    let fields: Vec<_> = logs["schema"]["fields"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(fields, ["timestamp", "body", "severity", "id", "labels"]);
    let lines = rows(&logs, ["severity", "labels", "body"]);
    assert_eq!(lines.len(), told.len(), "a line per event");
    let failed = lines.iter().find(|it| it[1]["reason"] == "Failed" && it[1]["name"] == "slow-web").unwrap();
    assert!(
        failed[0] == "warning" && failed[1]["kind"] == "NetworkChaos" && failed[2].as_str().unwrap().starts_with("Failed: "),
        "{failed:?}"
    );
    assert_eq!(column(&logs, "id").iter().map(Value::to_string).collect::<BTreeSet<_>>().len(), lines.len(), "ids are unique");

    // A query that the plugin before this one saved, of version 3.
    let old = json!({ "object_id": "", "namespace": "shop", "name": "slow-web", "kind": "NetworkChaos", "limit": null });
    let legacy = frame(&host, &context, &old);
    assert_eq!(column(&legacy, "created_at").len(), own.len());
    assert_eq!(texts(&column(&legacy, "name")), BTreeSet::from(["slow-web"]));
    let shown: Vec<_> = legacy["schema"]["fields"].as_array().unwrap().iter().map(|it| it["config"]["displayName"].clone()).collect();
    assert!(shown.contains(&"Time".into()) && shown.contains(&"Object ID".into()), "{shown:?}");
}

/// Recovery hung, and somebody took the finalizer away: the targets are as they were.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_forced_end() {
    let (replay, host) = (Replay::whole("forced-finalizer"), Host::start(BINARY, &[]));
    let context = replay.context();
    let runs = frame(&host, &context, &saved("runs", &json!({ "filters": { "outcome": ["forced"] } })));
    let wanted = [json!("forced"), replay.at("14:04:48.868"), replay.at("14:05:28.144")];
    assert_eq!(milliseconds(&rows(&runs, ["outcome", "started_at", "ended_at"])), [wanted]);
    let targets = frame(&host, &context, &saved("targets", &json!({ "filters": { "target_pod": ["web-*"] } })));
    let mut hit = rows(&targets, ["target_pod", "state", "recovered_at"]);
    hit.sort_by_key(|it| it[0].to_string());
    assert_eq!(hit, [[json!("web-0"), json!("injected"), Value::Null], [json!("web-1"), json!("injected"), Value::Null]]);
    // It was in force in the middle of it, and is over.
    let active = saved("active", &json!({ "form": "instant" }));
    for (time, count) in [("14:05:00", 1.0), ("14:05:30", 0.0)] {
        assert_eq!(column(&frames_until(&host, &context, &active, replay.moment(time))[0], "active"), [count], "{time}");
    }
}

/// The same recording by the Dashboard's own shapes, which have whole seconds.
#[test]
#[ignore = "needs Go: run by make test"]
fn a_dashboards_shapes_give_the_same_runs() {
    let host = Host::start(BINARY, &[]);
    for name in ["workflow", "schedule", "pod-kill", "delay"] {
        let replay = Replay::whole(name);
        let mut dashboard = replay.context();
        dashboard["uid"] = format!("dashboard-{name}").into();
        dashboard["json"] = json!({ "origin": "dashboard" });
        // A Dashboard never says when an object went that could not recover, nor whom it did not hit.
        let columns: &[&str] = match name {
            "delay" => &["kind", "name", "outcome", "started_at"],
            _ => &["kind", "name", "outcome", "started_at", "ended_at", "targets"],
        };
        let told = |context: &Value| {
            let runs = frame(&host, context, &saved("runs", &json!({})));
            let second = |value: &Value| match value.as_str().map(str::parse::<Timestamp>) {
                Some(Ok(at)) => at.as_second().into(),
                _ => value.clone(),
            };
            let columns: Vec<_> = columns.iter().map(|it| column(&runs, it)).collect();
            let row = |at: usize| columns.iter().map(|column| second(&column[at]).to_string()).collect::<Vec<_>>();
            (0..columns[0].len()).map(row).collect::<BTreeSet<_>>()
        };
        let own = told(&replay.context());
        assert!(!own.is_empty());
        assert_eq!(told(&dashboard), own, "{name}");
    }
}

#[test]
#[ignore = "needs Go: run by make test"]
fn fifty_panels_of_one_range_are_one_question() {
    let origin = Origin::start(|_| {
        std::thread::sleep(std::time::Duration::from_millis(200));
        Reply::Json(200, "{\"runs\":[],\"next\":null}".to_owned())
    });
    let host = Host::start(BINARY, &[]);
    let kinds = ["runs", "timeline", "targets", "annotations"];
    let asked: Vec<_> = (0..50)
        .map(|at| {
            // Panels of one dashboard differ by milliseconds.
            let query = question("A", &saved(kinds[at % kinds.len()], &json!({})), 1_795_255_200_000 + i64::try_from(at).unwrap());
            host.ask("query", json!({ "context": context(&origin.url), "queries": [query] }))
        })
        .collect();
    for answer in asked {
        assert_eq!(answer.recv().unwrap()["ok"]["A"]["status"], 200);
    }
    assert_eq!(origin.asked("/api/v1/runs"), 1);
    // What counts wants all there is, not the newest, which is another question; so is another filter.
    for (kind, filters) in [("active", json!({})), ("runs", json!({ "name": ["x"] })), ("active", json!({}))] {
        ask(&host, &context(&origin.url), &question("A", &saved(kind, &json!({ "filters": filters })), 1_795_255_200_000));
    }
    assert_eq!(origin.asked("/api/v1/runs"), 3);
}

#[test]
#[ignore = "needs Go: run by make test"]
fn frames_without_rows_keep_their_columns() {
    let (replay, host) = (Replay::whole("workflow"), Host::start(BINARY, &[]));
    for (kind, more) in [
        ("runs", json!({})),
        ("events", json!({})),
        ("logs", json!({})),
        ("timeline", json!({ "rows": "run" })),
        ("timeline", json!({ "rows": "target" })),
        ("targets", json!({})),
        ("annotations", json!({})),
        ("annotations", json!({ "topic": true, "upcoming": true })),
        ("values", json!({ "list": "experiments" })),
        ("upcoming", json!({})),
    ] {
        let columns = |name: &str| {
            let mut query = saved(kind, &more);
            query["filters"] = json!({ "name": [name] });
            let frame = frames(&host, &replay.context(), &query).remove(0);
            let fields = frame["schema"]["fields"].as_array().unwrap().clone();
            let rows = frame["data"]["values"][0].as_array().map_or(0, Vec::len);
            (fields.iter().map(|it| (it["name"].clone(), it["typeInfo"].clone())).collect::<Vec<_>>(), rows)
        };
        let ((empty, none), (full, some)) = (columns("nobody"), columns("*"));
        assert_eq!(none, 0, "{kind} {more}");
        assert!(some > 0 || kind == "upcoming", "{kind} {more}");
        assert!(!empty.is_empty() && empty == full, "{kind} {more}: {empty:?} {full:?}");
    }
}

/// What docs/grafana/without-the-plugin.md promises a generic JSON datasource.
#[test]
#[ignore = "needs the exporter beside the plugin: run by make test"]
fn without_the_plugin_the_apis_shape_will_do() {
    let page = include_str!("../../docs/grafana/without-the-plugin.md");
    let selectors: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert_eq!(selectors, ["started_at", "ended_at", "name", "action", "kind", "id"]);
    let replay = Replay::until("schedule", "14:01:31");
    let address = replay.url.strip_prefix("http://").unwrap().parse().unwrap();
    let get = |from: Timestamp, to: Timestamp, namespace: &str| {
        // As `${__from}` and `${__to}` are: epoch milliseconds.
        let (from, to) = (from.as_millisecond(), to.as_millisecond());
        let path = format!("/api/v1/runs?from={from}&to={to}&target_namespace={namespace}&limit=500");
        let (status, body) = crate::http::get(address, &path).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["runs"].as_array().unwrap().clone()
    };
    let now = Timestamp::now();
    let runs = get(now - SignedDuration::from_hours(1), now, "shop");
    assert_eq!(runs.len(), 4);
    for run in &runs {
        for selector in &selectors {
            assert!(run[*selector].is_string() || run[*selector].is_null() && *selector == "ended_at", "{selector}: {run}");
        }
        for (name, value) in run.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_at")) {
            let utc = value.as_str().is_none_or(|it| it.ends_with('Z') && it.parse::<Timestamp>().is_ok());
            assert!(utc && (value.is_string() || value.is_null()), "{name}: {value}");
        }
    }
    let open: Vec<_> = runs.iter().filter(|it| it["ended_at"].is_null()).map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(open, ["every-ten-c5nmz"], "what is open has no end");
    // To the millisecond: of the two that ended by then, and of none.
    let second = replay.moment("14:01:13.500");
    assert_eq!(get(second - SignedDuration::from_secs(60), second, "shop").len(), 2);
    assert_eq!(get(second, second + SignedDuration::from_millis(1), "shop").len(), 0);
    assert_eq!(get(now - SignedDuration::from_hours(1), now, "lab"), Vec::<Value>::new(), "nothing is an empty array");
}
