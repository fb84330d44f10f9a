//! What dashboards of the plugin before this one hold.

use super::super::parse::query as read;
use super::super::{List, Query, Window};
use super::*;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

fn of(ref_id: &str, json: &Value) -> Result<Query, Refused> {
    let window = Window { from: Timestamp::from_second(0).unwrap(), to: Timestamp::from_second(3600).unwrap() };
    read(
        &Asked { ref_id, window, interval: Duration::from_secs(15), max_points: 100, query_type: "", from_alert: false, limit: None },
        json,
    )
}

fn pairs(query: &Query) -> Vec<(&str, &str)> {
    query.question.filter.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect()
}

#[test]
fn a_panel_query_keeps_its_filters_and_forgets_its_range() {
    let query = of(
        "A",
        &json!({"refId": "A", "datasource": {"type": "chaosmeshorg-datasource", "uid": "u"}, "object_id": "", "namespace": "shop", "name": "",
            "kind": "NetworkChaos", "limit": null, "hide": false, "start": "2024-05-01T10:00:00.000Z", "end": "x", "key": "Q-1", "more": {}}),
    )
    .unwrap();
    assert_eq!(query.ask, Ask::Legacy);
    assert_eq!(pairs(&query), [("kind", "NetworkChaos"), ("namespace", "shop")]);
    assert_eq!(query.question.limit, 10_000, "it had no limit");
    assert_eq!(query.question.window.to, Timestamp::from_second(3600).unwrap());
    assert_eq!(of("A", &json!({"limit": 25})).unwrap().question.limit, 25);
    assert_eq!(pairs(&of("A", &json!({"object_id": "6f1c"})).unwrap()), [("text", "6f1c")]);
}

#[test]
fn variables_come_as_json_and_one_left_is_refused() {
    for value in [json!(["a", "b"]), json!("[\"a\",\"b\"]"), json!("{a,b}"), json!(["a", null, "", "b"])] {
        assert_eq!(pairs(&of("A", &json!({"namespace": value})).unwrap()), [("namespace", "a"), ("namespace", "b")], "{value}");
    }
    assert_eq!(pairs(&of("A", &json!({"namespace": "\"a\""})).unwrap()), [("namespace", "a")]);
    assert_eq!(pairs(&of("A", &json!({"name": 7})).unwrap()), [("name", "7")]);
    assert!(of("A", &json!({"namespace": "$ns"})).unwrap_err().0.contains("\"$ns\" was not replaced"));
    assert!(of("A", &json!({"namespace": ["[[ns]]"]})).unwrap_err().0.contains("[[ns]]"));
    assert!(of("A", &json!({"namespace": {"a": 1}})).is_err());
}

#[test]
fn annotations_of_both_versions_become_regions() {
    let ask = Ask::Annotations { upcoming: false, topic: false };
    let new = of("Anno", &json!({"refId": "Anno", "namespace": "shop", "name": "web", "limit": 300})).unwrap();
    assert_eq!((&new.ask, pairs(&new)), (&ask, vec![("name", "web"), ("namespace", "shop")]));
    let old =
        of("A", &json!({"name": "My annotation", "enable": true, "iconColor": "red", "eventName": "web", "kind": "PodChaos"})).unwrap();
    assert_eq!((&old.ask, pairs(&old)), (&ask, vec![("kind", "PodChaos"), ("name", "web")]));
    let whole = of("A", &json!({"name": "My annotation", "enable": true, "target": {"namespace": "shop", "limit": null}})).unwrap();
    assert_eq!((&whole.ask, pairs(&whole)), (&ask, vec![("namespace", "shop")]));
    let unnamed = of("Anno", &json!({"name": "My annotation", "eventName": ""})).unwrap();
    assert_eq!((&unnamed.ask, pairs(&unnamed)), (&ask, vec![]));
}

#[test]
fn variables_list_what_they_listed() {
    for (metric, list) in [
        ("namespace", List::Namespaces),
        ("kind", List::Kinds),
        ("experiment", List::Experiments),
        ("schedule", List::Schedules),
        ("workflow", List::Workflows),
    ] {
        let query = of("A", &json!({"metric": metric, "queryString": "?namespace=my%2Dshop&name=a+b&&status=x"})).unwrap();
        assert_eq!(query.ask, Ask::Values(list));
        assert_eq!(pairs(&query), [("name", "a b"), ("namespace", "my-shop")]);
        assert_eq!(query.notices, ["\"status\" of the query string is not used"]);
    }
    assert_eq!(pairs(&of("A", &json!({"metric": "kind"})).unwrap()), []);
    assert!(of("A", &json!({"metric": "pods"})).unwrap_err().0.contains("allowed are namespace, kind, experiment"));
    assert!(of("A", &json!({"metric": "experiment", "queryString": "namespace=$ns"})).unwrap_err().0.contains("$ns"));
}

#[test]
fn escapes_of_a_url_are_undone_and_nonsense_stays() {
    for (text, plain) in [("a%20b", "a b"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%C3%A4", "ä"), ("%ff", "\u{fffd}"), ("ä", "ä")] {
        assert_eq!(decoded(text), plain);
    }
}
