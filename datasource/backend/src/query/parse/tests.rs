//! Saved queries, good and bad.

use super::*;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

fn asked(query_type: &str, from_alert: bool) -> Asked<'_> {
    let window = Window { from: Timestamp::from_second(0).unwrap(), to: Timestamp::from_second(3600).unwrap() };
    Asked { ref_id: "A", window, interval: Duration::from_secs(15), max_points: 100, query_type, from_alert, limit: None }
}

fn of(json: &Value) -> Result<Query, Refused> {
    query(&asked("", false), json)
}

fn refusal(json: &Value) -> String {
    of(json).unwrap_err().0
}

fn pairs(query: &Query) -> Vec<(&str, &str)> {
    query.question.filter.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect()
}

#[test]
fn every_kind_of_query_is_read() {
    for (json, ask) in [
        (json!({"queryType": "runs"}), Ask::Runs),
        (json!({"queryType": "events"}), Ask::Events { logs: false }),
        (json!({"queryType": "logs"}), Ask::Events { logs: true }),
        (json!({"queryType": "timeline"}), Ask::Timeline(Rows::Run)),
        (json!({"queryType": "timeline", "rows": "target"}), Ask::Timeline(Rows::Target)),
        (json!({"queryType": "active"}), Ask::Active { form: Form::Instant, by: vec![] }),
        (
            json!({"queryType": "active", "form": "series", "by": ["kind", "kind", "target_pod", ""]}),
            Ask::Active { form: Form::Series, by: vec!["kind".into(), "target_pod".into()] },
        ),
        (json!({"queryType": "targets"}), Ask::Targets),
        (json!({"queryType": "annotations", "upcoming": true}), Ask::Annotations { upcoming: true, topic: false }),
        (json!({"queryType": "annotations", "topic": "true"}), Ask::Annotations { upcoming: false, topic: true }),
        (json!({"queryType": "upcoming"}), Ask::Upcoming),
        (json!({"queryType": "values", "list": "tools"}), Ask::Values(List::Tools)),
        (json!({"queryType": "values", "list": "target_pod"}), Ask::Values(List::Targets("target_pod".into()))),
        (json!({"queryType": "values", "list": "field:reason"}), Ask::Values(List::Field("reason".into()))),
        (json!({"filters": {}}), Ask::Runs),
        (json!({"refId": "A"}), Ask::Legacy),
    ] {
        assert_eq!(of(&json).unwrap().ask, ask, "{json}");
    }
    assert_eq!(query(&asked("logs", false), &json!({})).unwrap().ask, Ask::Events { logs: true });
}

#[test]
fn what_is_unknown_is_refused_with_what_is_allowed() {
    for (json, text) in [
        (json!({"queryType": "metrics"}), "there is no query type \"metrics\"; allowed are runs, events,"),
        (json!({"queryType": "timeline", "rows": "pod"}), "there is no rows \"pod\"; allowed are run, target"),
        (json!({"queryType": "active", "form": "table"}), "there is no form \"table\"; allowed are instant, series"),
        (json!({"queryType": "active", "by": ["pod"]}), "allowed are tool, cluster, kind"),
        (json!({"queryType": "active", "by": {"a": 1}}), "by: a value must be a text"),
        (json!({"queryType": "active", "form": "series", "by": ["phase"]}), "only the present phase"),
        (json!({"queryType": "values"}), "there is no list \"\"; allowed are tools, clusters"),
        (json!({"queryType": "values", "list": "field:pod"}), "there is no field \"pod\"; allowed are tool,"),
        (json!({"queryType": "runs", "filters": {"pod": "x"}}), "there is no field to filter by \"pod\"; allowed are tool, cluster,"),
        (json!({"queryType": "runs", "filters": "kind=x"}), "filters must be an object"),
        (json!({"queryType": "runs", "filters": [{"key": "kind"}]}), "filters must be an object"),
        (json!({"queryType": "runs", "filters": {"kind": {"a": 1}}}), "kind: a value must be a text"),
        (json!({"queryType": "runs", "filters": {"kind": [["x"]]}}), "kind: a value must be a text"),
        (json!({"queryType": "runs", "filters": {"phase": "done"}}), "phase: \"done\" is none of selecting"),
        (json!({"queryType": "runs", "filters": {"name": "~("}}), "name: not a regular expression"),
        (json!({"queryType": "runs", "filters": {"label": "app"}}), "label: a label is asked for as key=value"),
        (json!({"queryType": "runs", "filters": {"name": "$app"}}), "name: the variable \"$app\" was not replaced"),
    ] {
        let found = refusal(&json);
        assert!(found.contains(text), "{json}: {found}");
    }
}

#[test]
fn a_limit_is_read_as_far_as_it_makes_sense() {
    for (limit, rows) in [
        (json!(null), 1000),
        (json!(25), 25),
        (json!(25.9), 25),
        (json!("25"), 25),
        (json!(""), 1000),
        (json!("NaN"), 1000),
        (json!("inf"), 10_000),
        (json!(0), 1000),
        (json!(-3), 1000),
        (json!(1e300), 10_000),
        (json!([5]), 1000),
    ] {
        let query = of(&json!({"queryType": "runs", "limit": limit})).unwrap();
        assert_eq!(query.question.limit, rows, "{limit}");
        assert_eq!(query.notices.is_empty(), limit != json!(1e300) && limit != json!("inf"), "{limit}");
    }
    assert_eq!(of(&json!({"queryType": "active", "limit": 5})).unwrap().question.limit, MOST_ROWS, "a count of some is no count");
    for (configured, json, rows) in [(300, json!(null), 300), (300, json!(5), 5), (0, json!(null), 1), (1 << 40, json!(null), 10_000)] {
        let asked = Asked { limit: Some(configured), ..asked("runs", false) };
        assert_eq!(query(&asked, &json!({ "limit": json })).unwrap().question.limit, rows, "{configured} {json}");
    }
}

#[test]
fn a_dashboard_that_nobody_filled_in_is_refused_and_not_left_unfiltered() {
    let text = refusal(&json!({"queryType": "annotations", "matchDashboard": true, "filters": {}}));
    assert!(text.contains("public dashboards do not fill in"), "{text}");
}

#[test]
fn unknown_keys_and_types_do_not_matter() {
    let query = of(&json!({
        "queryType": "runs", "hide": "yes", "datasource": 7, "refId": null, "stream": "true", "matchDashboard": false, "more": {"a": [1]},
        "filters": {"namespace": ["shop", null, "", " shop "], "name": 5, "kind": null, "what": [], "else": ""}
    }))
    .unwrap();
    assert_eq!(pairs(&query), [("name", "5"), ("namespace", "shop")]);
    assert!(query.stream);
    assert_eq!(of(&json!("text")).unwrap().ask, Ask::Legacy);
}

#[test]
fn several_values_are_one_question() {
    let query =
        of(&json!({"queryType": "runs", "filters": {"namespace": "{b,a}", "target_pod": ["x-{1,2}*", "!y"], "kind": "a,b"}})).unwrap();
    let values =
        [("kind", "a,b"), ("namespace", "a"), ("namespace", "b"), ("target_pod", "!y"), ("target_pod", "x-1*"), ("target_pod", "x-2*")];
    assert_eq!(pairs(&query), values);
    let many: Vec<_> = (0..101).map(|it| it.to_string()).collect();
    let text = refusal(&json!({"queryType": "runs", "filters": {"name": many}}));
    assert!(text.contains("more than 100 values; give the variable the custom all value *"), "{text}");
}

#[test]
fn alert_rules_are_told_what_would_be_wrong_in_silence() {
    let json = json!({"queryType": "active", "stream": true, "filters": {"reason": "Failed"}});
    let shown = of(&json).unwrap();
    assert_eq!(shown.notices, ["reason is about events: runs are not filtered by it"]);
    assert!(query(&asked("", true), &json).unwrap_err().0.contains("reason is about events"));
    assert!(!query(&asked("", true), &json!({"queryType": "active", "stream": true})).unwrap().stream);
    assert_eq!(pairs(&of(&json!({"queryType": "logs", "filters": {"reason": "Failed"}})).unwrap()), [("reason", "Failed")]);
}

/// The same examples are read by the front's tests.
#[test]
fn the_front_and_the_back_read_the_same() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("../../../../query.examples.json")).unwrap();
    assert!(examples.len() > 20);
    for example in examples {
        let (name, found) = (&example["name"], of(&example["query"]));
        if let Some(word) = example["error"].as_str() {
            let text = found.unwrap_err().0;
            assert!(text.contains(word), "{name}: {text}");
            continue;
        }
        let found = found.unwrap();
        let kind = match found.ask {
            Ask::Runs => "runs",
            Ask::Events { logs: false } => "events",
            Ask::Events { logs: true } => "logs",
            Ask::Timeline(_) => "timeline",
            Ask::Active { .. } => "active",
            Ask::Targets => "targets",
            Ask::Annotations { .. } => "annotations",
            Ask::Upcoming => "upcoming",
            Ask::Values(_) => "values",
            Ask::Legacy => "legacy",
        };
        assert_eq!(kind, example["ok"]["type"], "{name}");
        assert_eq!(json!(pairs(&found)), example["ok"]["filter"], "{name}");
        assert!(example["ok"]["limit"].is_null() || example["ok"]["limit"] == found.question.limit, "{name}");
    }
}

/// What a dashboard of ours asks the backend, it understands.
#[test]
fn the_example_dashboards_annotation_is_understood() {
    let dashboard: Value = serde_json::from_str(include_str!("../../../../../dashboards/application.json")).unwrap();
    let layers = dashboard["annotations"]["list"].as_array().unwrap().iter();
    let ours: Vec<_> = layers.filter(|it| it["datasource"]["type"] == "chaoscope-events-datasource").collect();
    assert_eq!(ours.len(), 1);
    let (saved, mut sent) = (&ours[0]["target"], ours[0]["target"].clone());
    assert!(refusal(saved).contains("Match this dashboard"), "who sends it as it was saved is told");
    // The front fills in the dashboard's variables: `namespace` and `pod`.
    sent.as_object_mut().unwrap().remove("matchDashboard");
    sent["filters"] = json!({"target_namespace": ["shop"], "target_pod": ["web-0"]});
    assert!(matches!(of(&sent).unwrap().ask, Ask::Annotations { .. }));
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        proptest::sample::select(vec![
            "queryType",
            "filters",
            "limit",
            "by",
            "form",
            "rows",
            "list",
            "runs",
            "active",
            "values",
            "timeline",
            "metric",
            "queryString",
            "namespace",
            "kind",
            "target",
            "eventName",
            "text",
            "label",
            "phase",
            "$x",
            "~(",
            "{a,b}",
            "[[x",
            "?namespace=%4",
            "series",
            "a=b"
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(word.clone(), inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_understood_or_refused_in_bounds(json in any_json(), points in any::<i64>()) {
        let asked = Asked { max_points: points, ..asked("", false) };
        match query(&asked, &json) {
            Ok(query) => {
                prop_assert!((1..=MOST_ROWS).contains(&query.question.limit) && (1..=11_000).contains(&query.max_points));
                prop_assert!(query.question.filter.is_sorted());
                let mut filter = Filter::default();
                prop_assert!(query.question.filter.iter().all(|(field, value)| filter.add(field, value) == Ok(true)));
            }
            Err(Refused(text)) => prop_assert!(!text.is_empty() && text.len() < 4096),
        }
    }
}
