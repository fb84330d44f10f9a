//! What a dashboard has to be for Grafana to take it, and for a person to read it.

use crate::files::{Dashboard, all, list, root, text};
use crate::kit::process::succeed;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Each rule is tried on a dashboard that breaks it, too.
fn faults(dashboard: &Dashboard) -> Vec<String> {
    let mut faults = Vec::new();
    let json = &dashboard.json;
    let mut ids = BTreeSet::new();
    let mut cells = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for panel in dashboard.panels() {
        let title = text(&panel["title"]);
        let mut say = |what: &str| faults.push(format!("{}, {title:?}: {what}", dashboard.name));
        if !ids.insert(panel["id"].as_u64()) || panel["id"].as_u64().is_none() {
            say("its id is not its own");
        }
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap_or(99);
        if at("x") + at("w") > 24 || at("w") == 0 || at("h") == 0 || at("h") > 20 {
            say("it does not fit");
        } else if !(at("y")..at("y") + at("h")).all(|y| (at("x")..at("x") + at("w")).all(|x| cells.insert((x, y)))) {
            say("it lies on another one");
        }
        if !titles.insert(title) {
            say("two of one title");
        }
        if panel["type"] == "row" {
            continue;
        }
        panel_faults(panel, &mut say);
    }
    faults.extend(references(json).into_iter().filter_map(|reference| {
        let known = [("prometheus", "${prometheus}"), ("chaoscope-events-datasource", "${chaoscope}"), ("grafana", "-- Grafana --")];
        let pair = (text(&reference["type"]), text(&reference["uid"]));
        (!known.contains(&pair)).then(|| format!("{}: a datasource {reference} that is no variable", dashboard.name))
    }));
    for variable in list(&json["templating"]["list"]).iter().filter(|it| it["type"] == "datasource") {
        let uid = format!("\"${{{}}}\"", text(&variable["name"]));
        if !json.to_string().contains(&uid) {
            faults.push(format!("{}: nobody uses {uid}", dashboard.name));
        }
    }
    if json["schemaVersion"] != 38 || !text(&json["uid"]).starts_with("chaoscope-") || json["id"] != Value::Null {
        faults.push(format!("{}: schemaVersion, uid or id", dashboard.name));
    }
    faults
}

fn panel_faults(panel: &Value, say: &mut impl FnMut(&str)) {
    let (kind, defaults) = (text(&panel["type"]), &panel["fieldConfig"]["defaults"]);
    if text(&panel["description"]).len() < 10 || text(&panel["title"]).is_empty() {
        say("no description, or no title");
    }
    let unit = if kind == "heatmap" { &panel["options"]["yAxis"]["unit"] } else { &defaults["unit"] };
    if ["stat", "timeseries", "heatmap"].contains(&kind) && text(unit).is_empty() {
        say("no unit");
    }
    if kind != "text" && text(&defaults["noValue"]).is_empty() {
        say("nothing to say where there is no value");
    }
    if kind == "state-timeline" && !has_words(defaults) {
        say("a state without a word or a colour");
    }
    let references: BTreeSet<_> = list(&panel["targets"]).iter().map(|it| text(&it["refId"])).collect();
    if references.len() != list(&panel["targets"]).len() || (kind != "text" && references.is_empty()) {
        say("no targets, or two of one name");
    }
    if panel["links"].is_array() || panel.get("datasource").is_none() != (kind == "text") {
        say("links of its own, or no datasource");
    }
}

/// Whether every state of a timeline has a word and a colour.
fn has_words(defaults: &Value) -> bool {
    let mut words = list(&defaults["mappings"]).iter().flat_map(|it| it["options"].as_object().into_iter().flatten()).peekable();
    words.peek().is_some() && words.all(|(_, it)| text(&it["text"]).len() > 1 && text(&it["color"]).starts_with('#'))
}

/// Every value under a key `datasource`, and whatever else has a uid.
fn references(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(fields) => {
            let own = fields.iter().filter(|(key, _)| *key == "datasource").map(|(_, it)| it);
            own.chain(fields.values().flat_map(references)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_dashboard_is_whole() {
    let dashboards = all();
    let faults: Vec<_> = dashboards.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let mut uids: BTreeSet<_> = dashboards.iter().map(|it| text(&it.json["uid"])).collect();
    let shipped = fs::read_to_string(root().join("datasource/src/dashboards/overview.json")).unwrap();
    let shipped: Value = serde_json::from_str(&shipped).unwrap();
    uids.insert(text(&shipped["uid"]));
    assert_eq!(uids.len(), 6, "a uid twice, the plugin's own dashboard included: {uids:?}");
    let titles: BTreeSet<_> = dashboards.iter().map(|it| text(&it.json["title"])).collect();
    assert_eq!(titles.len(), 5);
}

/// A way from each to each other, and from tables to the experiment in the row.
#[test]
fn links_lead_to_dashboards_that_are_there() {
    let dashboards = all();
    let uids: BTreeSet<_> = dashboards.iter().map(|it| text(&it.json["uid"])).collect();
    for dashboard in &dashboards {
        let text_of = dashboard.json.to_string();
        let linked: BTreeSet<_> = text_of.split("\"/d/").skip(1).map(|it| it.split(['?', '"']).next().unwrap()).collect();
        assert!(linked.is_subset(&uids), "{}: {linked:?}", dashboard.name);
        assert_eq!(list(&dashboard.json["links"]).len(), 4, "{}", dashboard.name);
        for link in text_of.split("&var-").skip(1).map(|it| it.split('=').next().unwrap()) {
            let experiment = dashboards.iter().find(|it| it.name == "experiment").unwrap();
            assert!(experiment.choices().iter().any(|(name, _)| *name == link), "no variable {link} where the link leads");
        }
    }
}

#[test]
fn each_rule_is_one_that_can_be_broken() {
    type Spoil = fn(&mut Value);
    let spoils: [(&str, Spoil); 9] = [
        ("two of one title", |it| it["panels"][1]["title"] = it["panels"][0]["title"].clone()),
        ("its id is not its own", |it| it["panels"][1]["id"] = it["panels"][0]["id"].clone()),
        ("it lies on another one", |it| it["panels"][1]["gridPos"] = it["panels"][0]["gridPos"].clone()),
        ("it does not fit", |it| it["panels"][0]["gridPos"]["x"] = 22.into()),
        ("no description", |it| it["panels"][0]["description"] = Value::Null),
        ("no unit", |it| it["panels"][0]["fieldConfig"]["defaults"]["unit"] = Value::Null),
        ("nothing to say", |it| it["panels"][0]["fieldConfig"]["defaults"]["noValue"] = Value::Null),
        ("no variable", |it| it["panels"][0]["targets"][0]["datasource"]["uid"] = "PBFA97CFB590B2093".into()),
        ("schemaVersion", |it| it["schemaVersion"] = 41.into()),
    ];
    for (what, spoil) in spoils {
        let mut dashboard = all().pop().unwrap();
        spoil(&mut dashboard.json);
        let faults = faults(&dashboard);
        assert!(faults.iter().any(|it| it.contains(what)), "{what}: {faults:?}");
    }
}

/// One of each dashboard, none that makes a page slow.
#[test]
fn the_documents_show_them() {
    let told = fs::read_to_string(root().join("docs/dashboards.md")).unwrap();
    for dashboard in all() {
        let picture = format!("pictures/{}.png", dashboard.name);
        assert!(told.contains(&format!("]({picture})")) && told.contains(&format!("`{}.json`", dashboard.name)), "{picture}");
        let length = fs::metadata(root().join("docs").join(&picture)).unwrap().len();
        assert!((10_000..=200_000).contains(&length), "{picture}: {length} bytes");
    }
}

#[test]
#[ignore = "needs node: run by make test"]
fn made_anew_they_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    succeed(Command::new("node").arg(root().join("dashboards/source/build.mjs")).arg(folder.path()));
    for dashboard in all() {
        let read = |path| fs::read_to_string(path).unwrap();
        let file = format!("{}.json", dashboard.name);
        let made = read(folder.path().join(&file));
        assert!(
            made == read(root().join("dashboards").join(&file)),
            "{file} is not what dashboards/source makes: node dashboards/source/build.mjs"
        );
    }
}

/// Names, values and enumerations by the types Grafana publishes: see `schema.mjs`. The libraries are those of the datasource's front.
#[test]
#[ignore = "needs npm: run by make test"]
fn they_are_as_grafanas_types_have_them() {
    let plugin = root().join("datasource");
    let npm = |words: &[&str]| succeed(Command::new("npm").args(words).current_dir(&plugin));
    if !plugin.join("node_modules/grafana-10-1").exists() {
        npm(&["ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
    }
    let said = npm(&["run", "--silent", "dashboards"]);
    assert!(said.contains("5 dashboards are as Grafana's types have them"), "{said}");
}
