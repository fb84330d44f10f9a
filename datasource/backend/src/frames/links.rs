//! Links from a run to Chaoscope's status page, where the settings say how a browser reaches it.

use super::Frame;
use super::look::escaped;
use chaoscope_model::run::Run;
use jiff::SignedDuration;
use serde_json::json;

/// What is shown before and after a run.
const AROUND: SignedDuration = SignedDuration::from_mins(5);
const TITLE: &str = "Show in Chaoscope";

/// The page with one experiment around one run, as HTML.
pub(super) fn of_run(page: &str, run: &Run) -> String {
    let end = run.ended_at.map(|end| end.saturating_add(AROUND).unwrap_or(end).to_string());
    let begin = run.started_at.saturating_sub(AROUND).unwrap_or(run.started_at).to_string();
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("kind", run.kind.as_str()), ("namespace", &run.namespace), ("name", &run.name), ("from", &begin)] {
        query.append_pair(name, value);
    }
    query.extend_pairs(end.iter().map(|end| ("to", end)));
    let address = format!("{page}?{}", query.finish());
    format!("<a href=\"{}\" target=\"_blank\" rel=\"noopener\">{TITLE}</a>", escaped(&address, 4096))
}

/// The same for a table with the columns `kind`, `namespace` and `name`: Grafana fills in a row's own (its data links).
pub(super) fn of_rows(page: Option<&str>, mut frame: Frame) -> Frame {
    if let (Some(page), Some(name)) = (page, frame.fields.iter_mut().find(|field| field.name == "name")) {
        let of = |field| format!("{field}=${{__data.fields.{field}:percentencode}}");
        let query = ["kind", "namespace", "name"].map(of).join("&");
        let link = json!([{"title": TITLE, "url": format!("{page}?{query}&from=${{__from}}&to=${{__to}}"), "targetBlank": true}]);
        name.config.insert("links".to_owned(), link);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::super::Field;
    use super::super::Values;
    use super::*;

    #[test]
    fn a_rows_link_is_filled_in_by_grafana() {
        let frame = Frame::new("runs", vec![Field::new("name", Values::Text(vec![]))]);
        let linked = of_rows(Some("https://chaos.example.org/x/"), frame.clone());
        let wanted = "https://chaos.example.org/x/?kind=${__data.fields.kind:percentencode}&namespace=${__data.fields.namespace:percentencode}\
                      &name=${__data.fields.name:percentencode}&from=${__from}&to=${__to}";
        assert_eq!(linked.fields[0].config["links"][0]["url"], wanted);
        assert_eq!(of_rows(None, frame.clone()), frame);
    }
}
