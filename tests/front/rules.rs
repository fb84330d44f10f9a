//! What an archive of a plugin has to be: the rules of the catalogue's validator that can apply to a backend in Rust, on plain values.
//!
//! Left out are those about Go (build information, its SDK), about signatures, and about the catalogue's own pages. One rule is one function
//! that answers faults; a new one is a line in [`faults`].

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// One entry of an archive.
#[derive(Clone)]
pub(crate) struct File {
    pub name: String,
    pub mode: u64,
    pub size: u64,
    pub text: Option<String>,
}

/// An archive's entries.
#[derive(Clone)]
pub(crate) struct Archive {
    pub files: Vec<File>,
}

impl Archive {
    fn find(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|it| it.name == name)
    }

    fn text(&self, name: &str) -> &str {
        self.find(name).and_then(|it| it.text.as_deref()).unwrap_or("")
    }

    pub(crate) fn with(&self, name: &str, change: impl Fn(&mut File)) -> Self {
        let mut out = self.clone();
        change(out.files.iter_mut().find(|it| it.name == name).expect("a file of that name"));
        out
    }

    pub(crate) fn without(&self, name: &str) -> Self {
        let mut out = self.clone();
        out.files.retain(|it| it.name != name);
        assert!(out.files.len() < self.files.len(), "no {name}");
        out
    }

    pub(crate) fn edited(&self, name: &str, from: &str, to: &str) -> Self {
        assert!(self.text(name).contains(from), "{name} has no {from}");
        self.with(name, |it| it.text = it.text.as_ref().map(|text| text.replacen(from, to, 1)))
    }
}

const KEYS: [&str; 17] = [
    "$schema",
    "type",
    "name",
    "id",
    "category",
    "backend",
    "executable",
    "metrics",
    "logs",
    "annotations",
    "alerting",
    "streaming",
    "multiValueFilterOperators",
    "queryOptions",
    "info",
    "includes",
    "dependencies",
];

/// Everything wrong with an archive, in words.
pub(crate) fn faults(archive: &Archive, version: &str) -> Vec<String> {
    let roots: BTreeSet<_> = archive.files.iter().filter_map(|it| it.name.split('/').next()).collect();
    let Some(root) = roots.first().filter(|_| roots.len() == 1) else { return vec![format!("not one folder: {roots:?}")] };
    let metadata: Value = serde_json::from_str(archive.text(&format!("{root}/plugin.json"))).unwrap_or(Value::Null);
    let parts = [
        layout(archive, root, &metadata),
        meaning(&metadata, version),
        paths(archive, root, &metadata),
        binaries(archive, root, &metadata),
        documents(archive, root),
        module(archive, root),
        pictures(archive),
    ];
    parts.concat()
}

/// Collects what does not hold.
fn unless(rules: Vec<(bool, String)>) -> Vec<String> {
    rules.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect()
}

fn layout(archive: &Archive, root: &str, metadata: &Value) -> Vec<String> {
    let odd = |name: &str| {
        name.contains("..") || name.starts_with('/') || name.contains("/.") || name.contains("node_modules") || name.contains("test")
    };
    let mut faults = unless(vec![(metadata["id"] == root, format!("the folder {root} is not named as the id"))]);
    for file in &archive.files {
        let binary = file.name.contains("/gpx_");
        let wanted = if file.name.ends_with('/') || binary { 0o755 } else { 0o644 };
        if file.mode != wanted {
            faults.push(format!("{}: mode {:o} instead of {wanted:o}", file.name, file.mode));
        }
        if odd(&file.name) {
            faults.push(format!("{}: does not belong into an archive", file.name));
        }
    }
    faults
}

fn meaning(metadata: &Value, version: &str) -> Vec<String> {
    let text = |pointer: &str| metadata.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    let id: Vec<_> = text("/id").split('-').collect();
    let plain = id.iter().all(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    let known = metadata.as_object().is_some_and(|it| it.keys().all(|key| KEYS.contains(&key.as_str())));
    let list = |pointer: &str| metadata.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let addresses = list("/info/links").into_iter().map(|it| it["url"].as_str().unwrap_or("").to_owned());
    let addresses: Vec<_> = addresses.chain([text("/info/author/url").to_owned()]).collect();
    let licence = list("/info/links").iter().any(|it| it["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("license")));
    let day = text("/info/updated").split('-').map(|it| it.parse::<u32>().ok()).collect::<Option<Vec<_>>>();
    unless(vec![
        (known, "plugin.json: a key that nobody knows, or no object".to_owned()),
        (
            text("/type") == "datasource" && (2..=3).contains(&id.len()) && id.last() == Some(&"datasource") && plain,
            "plugin.json: type or id".to_owned(),
        ),
        (!text("/name").is_empty() && text("/info/description").len() > 20, "plugin.json: name or description".to_owned()),
        (!list("/info/keywords").is_empty(), "plugin.json: no keywords".to_owned()),
        (text("/info/version") == version, format!("plugin.json: version {} instead of {version}", text("/info/version"))),
        (day.is_some_and(|it| it.len() == 3), format!("plugin.json: updated {:?}", text("/info/updated"))),
        (text("/dependencies/grafanaDependency").starts_with(">="), "plugin.json: grafanaDependency".to_owned()),
        (addresses.iter().all(|it| it.starts_with("https://")), format!("plugin.json: addresses {addresses:?}")),
        (licence, "plugin.json: no link to the licence".to_owned()),
        (metadata["alerting"] != true || metadata["backend"] == true, "plugin.json: alerting without a backend".to_owned()),
        (metadata["streaming"] != true || metadata["backend"] == true, "plugin.json: streaming without a backend".to_owned()),
        (
            metadata["annotations"] == true || metadata["metrics"] == true || metadata["logs"] == true,
            "plugin.json: answers nothing".to_owned(),
        ),
    ])
}

/// Every file that plugin.json names is there.
fn paths(archive: &Archive, root: &str, metadata: &Value) -> Vec<String> {
    let logos = ["/info/logos/small", "/info/logos/large"].map(|it| metadata.pointer(it).and_then(Value::as_str).unwrap_or("").to_owned());
    let of = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().map(|it| it["path"].as_str().unwrap_or("").to_owned()).collect()
    };
    let named = logos.into_iter().chain(of(&metadata["includes"])).chain(of(&metadata["info"]["screenshots"]));
    let missing = named.filter(|it| archive.find(&format!("{root}/{it}")).is_none_or(|file| file.size == 0));
    missing.map(|it| format!("plugin.json names {it:?}, which is not there")).collect()
}

fn binaries(archive: &Archive, root: &str, metadata: &Value) -> Vec<String> {
    let executable = metadata["executable"].as_str().unwrap_or("");
    let prefix = format!("{root}/{executable}_");
    let found: Vec<_> = archive.files.iter().filter(|it| it.name.contains("/gpx_")).collect();
    unless(vec![
        (executable.starts_with("gpx_"), format!("plugin.json: executable {executable:?}")),
        (found.iter().any(|it| it.name == format!("{prefix}linux_amd64") && it.size > 10_000), "no binary for linux_amd64".to_owned()),
        (found.iter().all(|it| it.name.starts_with(&prefix)), "a binary with another name".to_owned()),
    ])
}

fn documents(archive: &Archive, root: &str) -> Vec<String> {
    let text = |name: &str| archive.text(&format!("{root}/{name}")).to_owned();
    let readme = text("README.md");
    let jargon = ["yarn", "npm ", "nodejs", "mage ", "create-plugin", "scaffold", "TODO", "lorem ipsum"];
    let found: Vec<_> = jargon.into_iter().filter(|it| readme.to_lowercase().contains(&it.to_lowercase())).collect();
    unless(vec![
        (readme.starts_with("# ") && readme.len() > 1000, "README.md: too little".to_owned()),
        (found.is_empty(), format!("README.md: for developers: {found:?}")),
        (text("CHANGELOG.md").contains("\n## "), "CHANGELOG.md: no version".to_owned()),
        (text("LICENSE").contains("Apache License"), "LICENSE: another one".to_owned()),
    ])
}

fn module(archive: &Archive, root: &str) -> Vec<String> {
    let text = archive.text(&format!("{root}/module.js"));
    let map: Value = serde_json::from_str(archive.text(&format!("{root}/module.js.map"))).unwrap_or(Value::Null);
    let begins = text.lines().find(|it| !it.starts_with("/*") && !it.is_empty()).is_some_and(|it| it.starts_with("define(["));
    // Not in React 19 any more, or not shared by every Grafana since 10.4.
    let old =
        ["findDOMNode", "unmountComponentAtNode", ".defaultProps", ".propTypes", "contextTypes", "__SECRET_INTERNALS", "react/jsx-runtime"];
    let old: Vec<_> = old.into_iter().filter(|it| text.contains(it)).collect();
    let unwanted: Vec<_> = ["eval(", "new Function(", "console.log(", "innerHTML"].into_iter().filter(|it| text.contains(it)).collect();
    let sources = map["sourcesContent"].as_array().is_some_and(|it| !it.is_empty() && it.iter().all(Value::is_string));
    unless(vec![
        (begins, "module.js: not AMD".to_owned()),
        (old.is_empty(), format!("module.js: {old:?}")),
        (unwanted.is_empty(), format!("module.js: {unwanted:?}")),
        (text.len() < 500_000, format!("module.js: {} bytes, so something shared is bundled", text.len())),
        (sources && text.contains("sourceMappingURL=module.js.map"), "module.js.map: no sources".to_owned()),
    ])
}

/// A picture cannot run or fetch anything.
fn pictures(archive: &Archive) -> Vec<String> {
    let never = ["<script", "<foreignobject", "javascript:", " on", "<image", "xlink:", "<!entity", "<style"];
    let pictures = archive.files.iter().filter(|it| Path::new(&it.name).extension().is_some_and(|it| it == "svg"));
    let unsafe_ones =
        pictures.filter(|it| it.text.as_ref().is_none_or(|text| never.iter().any(|never| text.to_lowercase().contains(never))));
    unsafe_ones.map(|it| format!("{}: may do more than be seen", it.name)).collect()
}
