//! Every kind of answer as readable JSON in `golden/` (`UPDATE_GOLDEN=1` writes it anew), and what holds for any runs.

use super::*;
use crate::query::{List, Needs, Question, Rows, Window};
use chaoscope_model::run::{Outcome, Phase, Target, TargetState};
use proptest::prelude::*;
use std::path::Path;
use std::time::Duration;

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The window of the goldens: an hour, of which ten minutes are still to come.
fn now() -> Timestamp {
    at("12:50:00")
}

fn query(ask: Ask) -> Query {
    let window = Window { from: at("12:00:00"), to: at("13:00:00") };
    let question = Question { window, filter: Vec::new(), limit: 1000 };
    Query { ref_id: "A".into(), ask, question, interval: Duration::from_mins(10), max_points: 100, stream: false, notices: Vec::new() }
}

fn found<T>(items: Vec<T>) -> Found<T> {
    Found { items, cut: false, notices: Vec::new() }
}

fn run(json: Value) -> Arc<Run> {
    let mut whole = json!({
        "id": "", "tool": "chaos-mesh", "cluster": "", "kind": "NetworkChaos", "action": "", "namespace": "shop", "name": "", "uid": "",
        "ordinal": 1, "phase": "running", "outcome": null, "started_at": null, "injected_at": null, "stop_requested_at": null,
        "recovered_at": null, "expected_end_at": null, "ended_at": null, "ended_after": null, "baseline": false, "stuck_since": null,
        "overdue_since": null, "precision": {}, "parent": null, "started_by": null, "parameters": {}, "labels": {}, "targets": []
    });
    let Value::Object(told) = json else { panic!("no object") };
    whole.as_object_mut().unwrap().extend(told);
    Arc::new(serde_json::from_value(whole).unwrap())
}

fn target(json: Value) -> Value {
    let mut whole = json!({
        "id": "", "namespace": "shop", "pod": "", "container": "", "netns": "", "node": "node-1", "workload": "web", "workload_kind": "Deployment",
        "role": "selected", "state": "injected", "injected_at": null, "recovered_at": null, "precision": {}, "message": "", "verdict": null
    });
    let Value::Object(told) = json else { panic!("no object") };
    whole.as_object_mut().unwrap().extend(told);
    whole
}

/// One of each: before the window and over, open, at once, failed, lost, of a kernel.
fn sample() -> Vec<Arc<Run>> {
    let web = |state: &str, verdict: Value| {
        target(json!({"id": "shop/web-0", "pod": "web-0", "state": state, "injected_at": "2026-11-21T12:30:01.5Z", "verdict": verdict}))
    };
    vec![
        run(json!({"id": "open", "name": "web-delay", "uid": "u1", "action": "delay", "ordinal": 2, "cluster": "east",
            "started_at": "2026-11-21T12:30:00.123456789Z", "injected_at": "2026-11-21T12:30:01.5Z", "expected_end_at": "2026-11-21T12:45:00Z",
            "parameters": {"delay.latency": "100ms", "direction": "to"}, "labels": {"team": "a"}, "started_by": "kubectl",
            "parent": {"kind": "Schedule", "namespace": "shop", "name": "nightly", "uid": "s1"},
            "targets": [web("injected", json!("in_force")), target(json!({"id": "shop/web-1", "pod": "web-1", "container": "app",
                "state": "injecting", "message": "tc <failed> & 'more'", "verdict": "unknown", "verdict_reason": "not_applied",
                "verdict_since": "2026-11-21T12:30:03Z"}))]})),
        run(
            json!({"id": "over", "name": "web-delay", "uid": "u1", "action": "delay", "cluster": "east", "phase": "finished", "outcome": "recovered",
            "started_at": "2026-11-21T11:50:00Z", "injected_at": "2026-11-21T11:50:02Z", "stop_requested_at": "2026-11-21T12:05:00Z",
            "recovered_at": "2026-11-21T12:05:03Z", "ended_at": "2026-11-21T12:05:03Z",
            "targets": [target(json!({"id": "shop/web-0", "pod": "web-0", "state": "recovered", "injected_at": "2026-11-21T11:50:02Z",
                "recovered_at": "2026-11-21T12:05:03Z", "residue": "effective"}))]}),
        ),
        run(json!({"id": "once", "kind": "PodChaos", "action": "pod-kill", "name": "kill", "phase": "finished", "outcome": "completed",
            "started_at": "2026-11-21T12:20:00Z", "injected_at": "2026-11-21T12:20:00Z", "ended_at": "2026-11-21T12:20:00Z",
            "targets": [target(json!({"id": "shop/web-0", "pod": "web-0", "state": "gone", "injected_at": "2026-11-21T12:20:00Z"}))]})),
        run(json!({"id": "failed", "kind": "IOChaos", "action": "latency", "name": "slow-disk", "namespace": "bank", "phase": "finished",
            "outcome": "injection_failed", "started_at": "2026-11-21T12:10:00Z", "ended_at": "2026-11-21T12:12:00Z",
            "targets": [target(json!({"id": "bank/db-0", "namespace": "bank", "pod": "db-0", "state": "failed", "message": "no toda"}))]})),
        run(json!({"id": "lost", "kind": "StressChaos", "name": "burn", "phase": "finished", "outcome": "lost", "baseline": true,
            "started_at": "2026-11-21T12:00:30Z", "injected_at": "2026-11-21T12:01:00Z", "ended_after": "2026-11-21T12:03:00Z",
            "ended_at": "2026-11-21T12:09:00Z"})),
        run(
            json!({"id": "kernel", "tool": "kernel", "kind": "netem", "namespace": "", "name": "cni-1", "started_at": "2026-11-21T12:48:00Z",
            "injected_at": "2026-11-21T12:48:00Z", "targets": [target(json!({"netns": "cni-1", "namespace": "", "workload": "",
                "injected_at": "2026-11-21T12:48:00Z"}))]}),
        ),
    ]
}

fn events() -> Vec<Arc<Event>> {
    let event = |key: &str, time: &str, severity: &str, reason: &str, message: &str, pod: &str| {
        let event = json!({
            "key": key, "run": "open", "tool": "chaos-mesh", "cluster": "east", "kind": "NetworkChaos", "namespace": "shop", "name": "web-delay",
            "uid": "u1", "at": format!("2026-11-21T{time}Z"), "precision": "ns", "type": severity, "reason": reason, "message": message,
            "target_namespace": if pod.is_empty() { "" } else { "shop" }, "target_pod": pod, "target_container": "", "attributes": {},
            "announced": true
        });
        Arc::new(serde_json::from_value(event).unwrap())
    };
    vec![
        event("k1", "12:30:00.5", "Normal", "Started", "Experiment has started", ""),
        event("k2", "12:30:01.5", "Normal", "Applied", "Successfully apply chaos for shop/web-0", "web-0"),
        event("k3", "12:30:02", "Warning", "Failed", "tc <failed>\nagain", "web-1"),
    ]
}

fn due() -> Vec<Upcoming> {
    let one = |time, end: Option<&str>, action: &str, schedule: &str| Upcoming {
        at: at(time),
        expected_end_at: end.map(at),
        kind: "PodChaos".into(),
        action: action.into(),
        namespace: "shop".into(),
        schedule: schedule.into(),
    };
    vec![one("12:58:00", Some("12:59:30"), "pod-failure", "nightly"), one("12:55:00", None, "pod-kill", "often")]
}

/// Every kind of query with what is found for it; nothing, where `empty`.
fn answers(empty: bool) -> Vec<(&'static str, Query, Data)> {
    let by = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    let asks = [
        ("runs", Ask::Runs),
        ("events", Ask::Events { logs: false }),
        ("logs", Ask::Events { logs: true }),
        ("timeline_run", Ask::Timeline(Rows::Run)),
        ("timeline_target", Ask::Timeline(Rows::Target)),
        ("active_instant", Ask::Active { form: Form::Instant, by: vec![] }),
        ("active_instant_by", Ask::Active { form: Form::Instant, by: by(&["kind", "target_pod"]) }),
        ("active_series", Ask::Active { form: Form::Series, by: vec![] }),
        ("active_series_by", Ask::Active { form: Form::Series, by: by(&["namespace"]) }),
        ("targets", Ask::Targets),
        ("annotations", Ask::Annotations { upcoming: true, topic: false }),
        ("annotations_topic", Ask::Annotations { upcoming: false, topic: true }),
        ("upcoming", Ask::Upcoming),
        ("values", Ask::Values(List::Kinds)),
        ("legacy", Ask::Legacy),
    ];
    let data = |needs| match needs {
        Needs::Runs => Data::Runs(found(if empty { vec![] } else { sample() })),
        Needs::Events => Data::Events(found(if empty { vec![] } else { events() })),
        Needs::Upcoming => Data::Upcoming(found(if empty { vec![] } else { due() })),
        Needs::Values => Data::Values(found(if empty { vec![] } else { vec!["IOChaos".into(), "NetworkChaos".into()] })),
        Needs::RunsAndUpcoming => {
            Data::RunsAndUpcoming(found(if empty { vec![] } else { sample() }), found(if empty { vec![] } else { due() }))
        }
    };
    asks.into_iter().map(|(name, ask)| (name, data(ask.needs()), ask)).map(|(name, data, ask)| (name, query(ask), data)).collect()
}

#[test]
fn every_kind_of_answer_is_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    for (name, query, data) in answers(false) {
        let frames: Vec<_> = answer(&query, &data, now(), None).iter().map(json::encode).collect();
        let text = format!("{}\n", serde_json::to_string_pretty(&frames).unwrap());
        let path = folder.join(format!("{name}.json"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap();
        let differs = golden.lines().zip(text.lines()).find(|(golden, now)| golden != now);
        assert!(golden == text, "{name}: UPDATE_GOLDEN=1 rewrites it; first difference: {differs:?}");
    }
}

fn shape(frame: &Frame) -> Vec<(String, (&'static str, &'static str), bool)> {
    frame.fields.iter().map(|field| (field.name.clone(), json::names(&field.values), field.nullable)).collect()
}

#[test]
fn answers_with_nothing_keep_their_fields_their_names_and_their_zeros() {
    for ((name, query, data), (_, _, full)) in answers(true).into_iter().zip(answers(false)) {
        let frames = answer(&query, &data, now(), None);
        assert_eq!(frames.len(), 1, "{name}");
        let frame = &frames[0];
        assert!(frame.ref_id == "A" && !frame.name.is_empty(), "{name}");
        assert_eq!(shape(frame), shape(&answer(&query, &full, now(), None)[0])[..frame.fields.len()], "{name}");
        match name {
            "active_instant" | "active_instant_by" => assert_eq!(frame.fields.last().unwrap().values, Values::Number(vec![Some(0.0)])),
            "active_series" | "active_series_by" => assert_eq!(frame.fields[1].values, Values::Number(vec![Some(0.0); 6])),
            _ => assert_eq!(frame.rows(), 0, "{name}"),
        }
    }
}

#[test]
fn what_was_left_out_is_said() {
    let mut query = query(Ask::Runs);
    query.notices.push("of the query".into());
    let mut runs = found(sample());
    runs.cut = true;
    runs.notices.push("of the origin".into());
    let texts = |query: &Query, data: &Data| -> Vec<String> {
        let notices = answer(query, data, now(), None)[0].meta["notices"].as_array().unwrap().clone();
        notices.iter().map(|notice| notice["text"].as_str().unwrap().to_owned()).collect()
    };
    let said = texts(&query, &Data::Runs(runs.clone()));
    assert_eq!(said[0], "Only the newest 6 are used, there are more: narrow the filter or the time range, or raise the limit.");
    assert_eq!(&said[1..], ["of the origin", "of the query"]);
    query.question.limit = MOST_ROWS;
    assert!(texts(&query, &Data::Runs(runs)).first().unwrap().ends_with("the time range."));
    assert_eq!(texts(&query, &Data::Values(found(vec![])))[0], "what was found is not what was asked for; please report this");
}

#[test]
fn only_the_targets_asked_for_are_shown() {
    let mut query = query(Ask::Targets);
    query.question.filter = vec![("target_namespace".into(), "shop".into()), ("target_pod".into(), "*-1".into())];
    let data = Data::Runs(found(sample()));
    let frame = &answer(&query, &data, now(), None)[0];
    assert_eq!(frame.rows(), 1);
    assert_eq!(frame.fields[1].values, Values::Text(vec![Some("web-1".into())]));
    query.ask = Ask::Timeline(Rows::Target);
    assert_eq!(answer(&query, &data, now(), None).iter().map(|frame| frame.name.as_str()).collect::<Vec<_>>(), ["shop/web-1 (app)"]);
    query.ask = Ask::Active { form: Form::Instant, by: vec!["target_pod".into()] };
    let counted = &answer(&query, &data, now(), None)[0];
    assert!(
        matches!(&counted.fields[0].values, Values::Text(pods) if pods.contains(&Some("web-1".into())) && !pods.contains(&Some("web-0".into())))
    );
}

#[test]
fn two_runs_on_one_target_are_named_together() {
    let hit = |id: &str, from: &str, to: &str| {
        let times = json!({"pod": "web-0", "state": "recovered", "injected_at": format!("2026-11-21T{from}Z"), "recovered_at": format!("2026-11-21T{to}Z")});
        run(json!({"id": id, "name": id, "started_at": format!("2026-11-21T{from}Z"), "targets": [target(times)]}))
    };
    let data = Data::Runs(found(vec![hit("a", "12:00:00", "12:20:00"), hit("b", "12:10:00", "12:30:00")]));
    let frame = &answer(&query(Ask::Timeline(Rows::Target)), &data, now(), None)[0];
    let states = ["NetworkChaos shop/a", "NetworkChaos shop/a + NetworkChaos shop/b", "NetworkChaos shop/b"];
    assert_eq!(frame.fields[2].values, Values::Text(states.map(|state| Some(state.to_owned())).to_vec()));
    let ends = ["12:10:00", "12:20:00", "12:30:00"];
    assert_eq!(frame.fields[1].values, Values::Time(ends.map(|end| Some(at(end))).to_vec()));
}

#[test]
fn a_target_list_is_cut_and_counted() {
    let targets: Vec<_> = (0..25).map(|it| target(json!({"pod": format!("web-{it}")}))).collect();
    let data = Data::Runs(found(vec![run(json!({"id": "x", "name": "x", "started_at": "2026-11-21T12:10:00Z", "targets": targets}))]));
    let frame = &answer(&query(Ask::Annotations { upcoming: false, topic: false }), &data, now(), None)[0];
    let Values::Text(texts) = &frame.fields[3].values else { panic!("no texts") };
    let text = texts[0].as_ref().unwrap();
    assert!(text.ends_with("<br>shop/web-9 injected<br>and 15 more"), "{text}");
}

#[test]
fn a_number_that_leaves_sets_out_is_known_to() {
    let runs = |count: usize| -> Vec<_> {
        let one = |it| run(json!({"id": format!("{it}"), "name": format!("{it}"), "started_at": "2026-11-21T12:10:00Z"}));
        (0..count).map(one).collect()
    };
    for form in [Form::Instant, Form::Series] {
        let ask = query(Ask::Active { form, by: vec!["name".into()] });
        let partial = |count| answer(&ask, &Data::Runs(found(runs(count))), now(), None)[0].partial;
        assert_eq!((partial(10), partial(1001)), (false, true), "{form:?}");
    }
}

#[test]
fn an_annotation_leads_to_the_page_of_its_run() {
    let run =
        run(json!({"id": "x", "kind": "NetworkChaos", "namespace": "shop", "name": "\"><b>&x", "started_at": "2026-11-21T12:10:00Z"}));
    let page = Some("https://chaos.example.org/");
    let frame = &answer(&query(Ask::Annotations { upcoming: false, topic: false }), &Data::Runs(found(vec![run])), now(), page)[0];
    let Values::Text(texts) = &frame.fields[3].values else { panic!("no texts") };
    let wanted = "<br><a href=\"https://chaos.example.org/?kind=NetworkChaos&amp;namespace=shop&amp;name=%22%3E%3Cb%3E%26x\
                  &amp;from=2026-11-21T12%3A05%3A00Z\" target=\"_blank\" rel=\"noopener\">Show in Chaoscope</a>";
    assert!(texts[0].as_ref().unwrap().ends_with(wanted), "{texts:?}");
}

#[test]
fn a_preview_has_a_count_and_the_first_few() {
    let shown = preview(&Data::Runs(Found { items: sample(), cut: true, notices: vec![] }));
    assert_eq!((&shown["total"], &shown["cut"], shown["rows"].as_array().unwrap().len()), (&json!(6), &json!(true), 5));
    assert_eq!(shown["rows"][0], json!({"title": "netem cni-1", "at": "2026-11-21T12:48:00Z", "state": "running", "id": "kernel"}));
    assert_eq!(preview(&Data::Events(found(events())))["rows"][0]["state"], "Failed");
    assert_eq!(preview(&Data::Upcoming(found(due())))["rows"][0]["title"], "PodChaos shop/often");
    assert_eq!(preview(&Data::Values(found(vec!["a".into()])))["rows"], json!([{"title": "a"}]));
}

/// What somebody may call an object who means no good.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => ".{0,20}",
        2 => Just("<img src=x onerror=alert(1)>".to_owned()),
        2 => Just("a\u{0}\u{1b}[31m\r\n\"'&<b>,b".to_owned()),
        1 => Just("ä<".repeat(1 << 19)),
    ]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![20 => (1_795_262_000_i64..1_795_270_000).prop_map(second), 1 => Just(Timestamp::MIN), 1 => Just(Timestamp::MAX)]
}

prop_compose! {
    fn any_target()(texts in proptest::collection::vec(hostile(), 8), state in 0..7_usize, times in proptest::collection::vec(proptest::option::of(any_time()), 2)) -> Target {
        let states = ["pending", "injecting", "injected", "recovering", "recovered", "failed", "gone"];
        let state: TargetState = serde_json::from_value(json!(states[state])).unwrap();
        let [id, namespace, pod, container, node, workload, message, verdict] = texts.try_into().unwrap();
        let (verdict_reason, residue) = (verdict.clone(), Some(verdict.clone()));
        Target { id, namespace, pod, container, node, workload, message, state, verdict: Some(verdict), verdict_reason, residue, injected_at: times[0], recovered_at: times[1], ..Target::default() }
    }
}

prop_compose! {
    fn any_run()(texts in proptest::collection::vec(hostile(), 8), start in any_time(), times in proptest::collection::vec(proptest::option::of(any_time()), 6),
                 phase in proptest::sample::select(Phase::ALL), outcome in proptest::option::of(proptest::sample::select(Outcome::ALL)),
                 targets in proptest::collection::vec(any_target(), 0..4)) -> Arc<Run> {
        let mut run = Run::clone(&run(json!({"started_at": start})));
        let [id, cluster, kind, action, namespace, name, uid, parameter] = texts.try_into().unwrap();
        Run { parameters: BTreeMap::from([(parameter.clone(), parameter.clone())]), started_by: Some(parameter), ..run.clone() }.clone_into(&mut run);
        Arc::new(Run { id, cluster, kind, action, namespace, name, uid, phase, outcome, targets, injected_at: times[0], stop_requested_at: times[1],
            recovered_at: times[2], expected_end_at: times[3], ended_at: times[4], ended_after: times[5], ..run })
    }
}

fn times(field: &Field) -> Vec<Timestamp> {
    let Values::Time(times) = &field.values else { panic!("{} has no times", field.name) };
    times.iter().map(|at| at.unwrap()).collect()
}

fn check(name: &str, query: &Query, frame: &Frame) {
    assert!(frame.fields.iter().all(|field| field.values.len() == frame.rows()), "{name}: lengths");
    for field in &frame.fields {
        if let Values::Text(texts) = &field.values {
            assert!(
                texts.iter().flatten().all(|text| text.len() < 64 * 1024 && !text.chars().any(char::is_control)),
                "{name}: {}",
                field.name
            );
        }
    }
    match name {
        "annotations" | "annotations_topic" => {
            assert!(times(&frame.fields[0]).is_sorted());
            for column in ["title", "text"] {
                let field = frame.fields.iter().find(|field| field.name == column).unwrap();
                let Values::Text(texts) = &field.values else { panic!("no texts") };
                assert!(texts.iter().flatten().all(|text| !text.replace("<br>", "").contains(['<', '>', '"'])), "{texts:?}");
            }
        }
        "active_series" | "active_series_by" => {
            let times = times(&frame.fields[0]);
            assert!(times.len() <= query.max_points && times.windows(2).all(|pair| pair[0] < pair[1]));
        }
        "timeline_run" | "timeline_target" => {
            let (starts, ends) = (times(&frame.fields[0]), times(&frame.fields[1]));
            assert!(
                starts.iter().zip(&ends).all(|(start, end)| start < end)
                    && ends.iter().zip(&starts[1.min(starts.len())..]).all(|(end, next)| end <= next)
            );
        }
        _ => {}
    }
    arrow::encode(frame).unwrap();
    let packet: Value = serde_json::from_str(&json::packet(frame)).unwrap();
    assert_eq!(packet, json::encode(frame));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_runs_make_whole_frames(runs in proptest::collection::vec(any_run(), 0..6), points in 1..50_usize, from in any_time(), to in any_time()) {
        for (name, mut query, data) in answers(false) {
            let data = match data {
                Data::Runs(_) => Data::Runs(found(runs.clone())),
                Data::RunsAndUpcoming(_, due) => Data::RunsAndUpcoming(found(runs.clone()), due),
                other => other,
            };
            query.question.window = Window { from, to };
            query.max_points = points;
            for frame in answer(&query, &data, now(), None) {
                check(name, &query, &frame);
            }
        }
    }

    #[test]
    fn a_series_counts_what_was_open_in_each_interval(runs in proptest::collection::vec(any_run(), 0..8), points in 2..40_usize) {
        let mut query = query(Ask::Active { form: Form::Series, by: vec![] });
        query.max_points = points;
        query.interval = Duration::from_mins(1);
        let frame = &answer(&query, &Data::Runs(found(runs.clone())), now(), None)[0];
        let times = times(&frame.fields[0]);
        let Values::Number(counts) = &frame.fields[1].values else { panic!("no numbers") };
        let step = times.get(1).map(|next| next.duration_since(times[0]));
        for (index, (at, count)) in times.iter().zip(counts).enumerate() {
            // The last interval ends with the window.
            let next = times.get(index + 1).copied().or_else(|| step.and_then(|step| at.checked_add(step).ok())).unwrap_or(Timestamp::MAX);
            let open = |run: &&Arc<Run>| {
                let end = run.ended_at.map(|end| if end <= run.started_at { run.started_at } else { end - jiff::SignedDuration::from_nanos(1) });
                run.started_at < next && end.is_none_or(|end| end >= *at)
            };
            prop_assert_eq!(count, &Some(runs.iter().filter(open).count() as f64), "at {}", at);
        }
    }
}

#[test]
fn an_arrow_file_says_what_the_frame_says() {
    for (name, query, data) in answers(false) {
        for frame in answer(&query, &data, now(), None) {
            let bytes = arrow::encode(&frame).unwrap();
            let mut reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
            let schema = reader.schema();
            assert_eq!((schema.metadata()["name"].as_str(), schema.metadata()["refId"].as_str()), (frame.name.as_str(), "A"));
            for (field, own) in schema.fields().iter().zip(&frame.fields) {
                assert_eq!((field.name(), field.is_nullable()), (&own.name, own.nullable), "{name}");
                assert_eq!(
                    field.metadata().get("config").map(|it| serde_json::from_str(it).unwrap()),
                    (!own.config.is_empty()).then(|| json!(own.config))
                );
                assert_eq!(
                    field.metadata().get("labels").map(|it| serde_json::from_str(it).unwrap()),
                    (!own.labels.is_empty()).then(|| json!(own.labels))
                );
            }
            let batch = reader.next().unwrap().unwrap();
            assert_eq!((batch.num_rows(), batch.num_columns()), (frame.rows(), frame.fields.len()), "{name}");
            assert!(reader.next().is_none(), "one batch");
        }
    }
    let crooked = Frame::new("x", vec![Field::new("a", Values::Count(vec![])), Field::new("b", Values::Count(vec![Some(1)]))]);
    assert!(arrow::encode(&crooked).is_err());
    assert!(arrow::encode(&Frame::new("x", vec![Field::new("a", Values::Flag(vec![None])).required()])).is_err());
}
