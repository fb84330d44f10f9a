//! What keeps the shape of the code: rules the compiler does not know, each a test that names the file and line.
//!
//! Most are read from the sources' tokens ([`source`]), the rest from `cargo metadata`. To add a rule: one test here, one line in
//! ARCHITECTURE.md's invariants. An exception belongs into the rule's own table, with its reason.

#![allow(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    reason = "asks cargo; and a rule that cannot be checked is a failed test"
)]

#[path = "contracts/licence.rs"]
mod licence;
#[path = "contracts/manifests.rs"]
mod manifests;
#[path = "contracts/metrics.rs"]
mod metrics;
#[path = "contracts/rules.rs"]
mod rules;
#[path = "contracts/source.rs"]
mod source;

use serde_json::Value;
use source::{Source, report, where_word};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static ROOT: LazyLock<&Path> = LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
static EXPORTER: LazyLock<Vec<Source>> = LazyLock::new(|| Source::all(&ROOT, "exporter"));
static DATASOURCE: LazyLock<Vec<Source>> = LazyLock::new(|| Source::all(&ROOT, "datasource/backend"));
static MODEL: LazyLock<Vec<Source>> = LazyLock::new(|| Source::all(&ROOT, "model"));
static TESTS: LazyLock<Vec<Source>> = LazyLock::new(|| Source::all(&ROOT, "tests"));

/// Where facts come from. These do not know each other: who needs two of them is above them.
const SOURCES: [&str; 5] = ["cluster", "journal", "node", "peers", "recording"];

/// The direction of imports: `serve → families → verdict → {cluster, node, peers, journal} → tools → model`.
///
/// Each module of the exporter and what it may use of the others, nearest the model first. These are not in that row:
/// - `exposition` knows only text, `source` only the contract of whoever reads: everybody above `tools` may use both;
/// - `config` names the types of what it configures, so it may use all; everybody above `tools` may use it;
/// - `client` is what asks a running instance: it shares the words and the printing of `serve`, and nobody uses it;
/// - `scrape` holds what families are given and the one runner that calls them: families and `serve` may use it, and it
///   may use everything but `serve`;
/// - `declared` is the node role's connection to the cluster role, a source like the others, which asks with `instance`, as `client` does;
/// - `rounds` visits what is declared and compares: it knows `declared`, `node` and `verdict`, none of which knows the others;
/// - `standalone` is a role: it folds what `node` reads into what `journal` keeps, and only `main.rs` uses it.
///
/// One exception in the row: `cluster` knows where components are, and says so by the trait of `peers::find`, which knows nothing but addresses.
///
/// - `desk` is the cluster role's side of the nodes' connections: it looks at the index through `ingest`, and `serve` answers nodes by it;
/// - `ingest` and `standalone` are the paths from what is seen to the journal, `recording` is files, `client` asks a running instance,
///   and `roles` wires all of them.
///
/// `lib.rs` holds nothing but modules, `main.rs` wires and may use all. Test code may look anywhere.
fn may_use(module: &str) -> Option<Vec<&'static str>> {
    let verdict = [&["tools", "exposition", "source", "config"][..], &SOURCES].concat();
    Some(match module {
        "tools" | "exposition" | "source" => vec![],
        "cluster" => [&verdict[..4], &["peers::find"]].concat(),
        "journal" | "node" | "peers" | "recording" => verdict[..4].to_vec(),
        "verdict" => verdict,
        "instance" => vec!["config"],
        "declared" => [&verdict[..4], &["instance"]].concat(),
        "rounds" => vec!["source", "node", "declared", "verdict"],
        "ingest" => vec!["tools", "config", "cluster", "journal"],
        "desk" => vec!["tools", "config", "cluster", "journal", "verdict", "ingest"],
        "roles" => {
            let all = ["verdict", "declared", "rounds", "families", "scrape", "serve", "ingest", "desk", "standalone", "recording"];
            [&verdict[..], &all].concat()
        }
        "standalone" => [&verdict[..], &["verdict"]].concat(),
        "families" => [&verdict[..], &["verdict", "declared", "scrape"]].concat(),
        "scrape" => [&verdict[..], &["verdict", "declared", "rounds", "families"]].concat(),
        "serve" => [&verdict[..], &["verdict", "declared", "scrape", "families", "desk"]].concat(),
        "client" => vec!["config", "serve", "instance"],
        "migration" => vec!["config", "serve"],
        "config" => [&verdict[..], &["verdict", "scrape", "families", "serve"]].concat(),
        _ => return None,
    })
}

/// The same for the datasource: `plugin → live → instance → {origin, cache} → query`, and `frames → query`, which are pure.
///
/// An answer's frames are made of what an origin found, so `frames` knows `origin`'s types. `settings` says how an origin is reached;
/// `metrics` only counts, so everybody but the pure may use it.
fn datasource_may_use(module: &str) -> Option<Vec<&'static str>> {
    Some(match module {
        "query" | "metrics" | "settings" => vec![],
        "cache" => vec!["metrics", "query", "origin", "frames"],
        "origin" => vec!["metrics", "query", "settings"],
        "frames" | "signal" => vec!["query", "origin"],
        "instance" => vec!["metrics", "query", "settings", "origin", "cache", "frames", "signal"],
        "live" => vec!["metrics", "query", "settings", "origin", "cache", "frames", "signal", "instance"],
        "plugin" => vec!["metrics", "query", "settings", "origin", "frames", "instance", "live"],
        _ => return None,
    })
}

#[test]
fn imports_go_one_way() {
    let mut faults = one_way(&EXPORTER, "exporter/src/", may_use);
    faults.extend(one_way(&DATASOURCE, "datasource/backend/src/", datasource_may_use));
    report("imports go one way", &faults);
}

fn one_way(sources: &[Source], folder: &str, may_use: impl Fn(&str) -> Option<Vec<&'static str>>) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|it| it.path.starts_with(folder)) {
        let module = source.module();
        let Some(from) = module.first().filter(|it| *it != "main") else {
            continue;
        };
        let Some(allowed) = may_use(from) else {
            faults.push(format!("{}: no rule for the module {from}", source.path));
            continue;
        };
        for (path, line) in source.references.iter().filter(|(_, line)| !source.is_test(*line)) {
            let path = path.join("::");
            let below = |it: &str| path == *it || path.strip_prefix(it).is_some_and(|rest| rest.starts_with("::"));
            if !below(from) && !allowed.iter().any(|it| below(it)) {
                faults.push(format!("{}:{line}: {from} may not use {path}", source.path));
            }
        }
    }
    faults
}

#[test]
fn every_file_says_what_it_holds() {
    let silent = EXPORTER.iter().chain(&*DATASOURCE).chain(&*MODEL).chain(&*TESTS);
    let silent = silent.filter(|it| !it.text.starts_with("//! "));
    let faults: Vec<_> = silent.map(|it| it.path.clone()).collect();
    report("these files do not begin with `//! `", &faults);
}

/// 300 lines are the limit, 150 the aim; test code is not counted.
#[test]
fn no_file_is_long() {
    const EXCEPTIONS: [(&str, &str); 0] = [];
    let limited = EXPORTER.iter().chain(&*DATASOURCE).chain(&*MODEL).filter(|it| it.length() > 300);
    let long = limited.filter(|it| EXCEPTIONS.iter().all(|(path, _)| *path != it.path));
    let faults: Vec<_> = long.map(|it| format!("{}: {} lines", it.path, it.length())).collect();
    report("more than 300 lines outside of tests", &faults);
}

/// The kernel gives legacy tables by a getsockopt no safe crate offers.
#[test]
fn unsafe_is_in_one_file() {
    let mut found = where_word(EXPORTER.iter().chain(&*DATASOURCE).chain(&*MODEL).chain(&*TESTS), &["unsafe"], true);
    found.remove("exporter/src/node/iptables/legacy.rs");
    assert!(found.is_empty(), "unsafe at {found:?}");
}

/// Whoever else changed a thread's namespace could leave it there.
#[test]
fn one_file_changes_namespaces() {
    let calls = ["move_into_link_name_space", "move_into_thread_name_spaces", "setns", "unshare", "unshare_unsafe"];
    let mut found = where_word(EXPORTER.iter().chain(&*DATASOURCE).chain(&*MODEL), &calls, false);
    found.remove("exporter/src/node/netns.rs");
    assert!(found.is_empty(), "namespaces are changed at {found:?}");
}

/// Get, list and watch by `cluster`, and `create` of the two reviews about callers; `kube` offers far more.
#[test]
fn one_file_creates_anything_in_an_api_server() {
    const TYPED: [&str; 6] = ["DeleteParams", "EvictParams", "Patch", "PatchParams", "PostParams", "ReplaceParams"];
    const RAW: [&str; 6] = ["DELETE", "PATCH", "POST", "PUT", "patch", "post"];
    let mut found = where_word(&*EXPORTER, &TYPED, false);
    found.remove("exporter/src/serve/access/reviews.rs");
    found.extend(where_word(EXPORTER.iter().filter(|it| it.path.starts_with("exporter/src/cluster/")), &RAW, false));
    assert!(found.is_empty(), "an API server may be changed at {found:?}");
}

#[test]
fn the_model_depends_on_pure_crates_alone() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let model = packages.iter().find(|it| it["name"] == "chaoscope-model").unwrap();
    let names = model["dependencies"].as_array().unwrap().iter();
    let names: Vec<_> = names.filter(|it| it["kind"] != "dev").map(|it| &it["name"]).collect();
    assert_eq!(
        names,
        ["jiff", "regex", "serde", "serde_json", "thiserror", "utoipa", "uuid"],
        "what the model needs besides is I/O, or belongs to a program"
    );
}

/// Licences, bans and registries as in `deny.toml`, for the platform the tests run on.
#[test]
fn dependencies_are_what_deny_toml_allows() {
    let deny = std::fs::read_to_string(ROOT.join("deny.toml")).unwrap();
    let allowed = licence::strings(&deny, "allow", None);
    let banned = licence::strings(&deny, "deny", Some("crate = "));
    for never in ["openssl-sys", "native-tls", "aws-lc-sys"] {
        assert!(banned.iter().any(|it| it == never), "deny.toml no longer bans {never}");
    }

    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "cargo metadata lists only {} packages", packages.len());
    let mut faults = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let licence = package["license"].as_str().unwrap_or_default();
        if !licence::is_met(licence, &allowed) {
            faults.push(format!("{name}: licence {licence:?}"));
        }
        if banned.iter().any(|it| it == name) {
            faults.push(format!("{name}: banned"));
        }
        if package["source"].as_str().is_some_and(|it| !it.starts_with("registry+")) {
            faults.push(format!("{name}: from {}", package["source"]));
        }
    }
    report("not allowed by deny.toml", &faults);
}

/// Every package of the tree, on this platform.
fn metadata() -> Value {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &platform])
        .current_dir(*ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The README tells every metric with its type and labels, and none that is not there.
#[test]
fn the_readme_tells_the_metrics_of_the_golden_pages() {
    report("metrics told otherwise than they are", &metrics::differences(&ROOT));
}
