//! The dashboards as JSON, and what is asked in them: panels, variables, annotations.
//!
//! Apart from what is expected of them (`shape`, `metrics`, `answers`).

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// One dashboard.
#[derive(Debug)]
pub(crate) struct Dashboard {
    /// Its file's name, without the ending.
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// One question to Prometheus.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// Who asks: a panel's title, or `annotation …`.
    pub(crate) by: String,
    pub(crate) expr: &'a str,
    /// For one moment, rather than for a range.
    pub(crate) instant: bool,
}

/// All of them, by name.
pub(crate) fn all() -> Vec<Dashboard> {
    let files = fs::read_dir(root().join("dashboards")).unwrap().map(|it| it.unwrap().path());
    let mut all: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .map(|path| Dashboard {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            json: serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|wrong| panic!("{}: {wrong}", path.display())),
        })
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(all.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["application", "components", "experiment", "node", "overview"]);
    all
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

impl Dashboard {
    pub(crate) fn panels(&self) -> &[Value] {
        list(&self.json["panels"])
    }

    /// Those one can choose values of, with their queries, in the order in which they depend on each other.
    pub(crate) fn choices(&self) -> Vec<(&str, &str)> {
        let variables = list(&self.json["templating"]["list"]).iter().filter(|it| it["type"] == "query");
        variables.map(|it| (text(&it["name"]), text(&it["query"]["query"]))).collect()
    }

    pub(crate) fn annotations(&self) -> &[Value] {
        list(&self.json["annotations"]["list"])
    }

    /// Everything that is asked of Prometheus but the variables.
    pub(crate) fn questions(&self) -> Vec<Question<'_>> {
        let mut out = Vec::new();
        for panel in self.panels() {
            let targets = list(&panel["targets"]).iter();
            out.extend(targets.map(|it| Question {
                by: format!("{}: {} {}", self.name, text(&panel["title"]), text(&it["refId"])),
                expr: text(&it["expr"]),
                instant: it["instant"] == true,
            }));
        }
        let layers = self.annotations().iter().filter(|it| it["datasource"]["type"] == "prometheus");
        out.extend(layers.map(|it| Question {
            by: format!("{}: annotation {}", self.name, text(&it["name"])),
            expr: text(&it["expr"]),
            instant: false,
        }));
        out
    }
}

/// `text` with variables replaced as Grafana does: `$name` and `${name}`. What is left over is a failure.
pub(crate) fn filled(text: &str, values: &BTreeMap<&str, String>) -> String {
    let mut out = text.replace("$__rate_interval", "20s").replace("$__range", "10m").replace("$__interval", "5s");
    for (name, value) in values.iter().rev() {
        out = out.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    assert!(!out.contains('$'), "nobody replaces a variable of {out}");
    out
}
