//! The archive as it is made for a release, but with the binary of this test's own build: whether the rules of [`crate::rules`] hold for it,
//! and whether each of them notices when it does not.

use crate::rules::{Archive, File, faults};
use crate::{installed, plugin, run};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Lists an archive as JSON: names, modes, and texts where a file is one.
const LIST: &str = r#"
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
def text(name):
    try:
        return archive.read(name).decode()
    except UnicodeDecodeError:
        return None
print(json.dumps([{"name": it.filename, "mode": it.external_attr >> 16 & 0o777, "size": it.file_size, "text": text(it)} for it in archive.infolist()]))
"#;

fn read(path: &Path) -> Archive {
    let listed = run("python3", &["-c", LIST, path.to_str().unwrap()]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let file = |it: &Value| File {
        name: it["name"].as_str().unwrap().to_owned(),
        mode: it["mode"].as_u64().unwrap(),
        size: it["size"].as_u64().unwrap(),
        text: it["text"].as_str().map(str::to_owned),
    };
    Archive { files: listed.iter().map(file).collect() }
}

fn packed() -> Archive {
    let _one = installed();
    run("npm", &["run", "--silent", "build"]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("archive");
    let _ = fs::remove_dir_all(&folder);
    let binary = format!("linux_amd64={}", env!("CARGO_BIN_EXE_gpx_chaoscope"));
    let pack = plugin().join("pack.sh");
    // This build of the backend may want a loader; what is released may not.
    let said = run("env", &["PACK_ANY_LOADER=1", pack.to_str().unwrap(), folder.to_str().unwrap(), &binary]);
    read(Path::new(said.trim()))
}

/// What Grafana is given runs on an image without a C library, and on the machine its name says; anything else is not packed.
#[test]
#[ignore = "needs npm and python3: run by make test"]
fn a_binary_that_cannot_start_everywhere_is_not_packed() {
    let _one = installed();
    run("npm", &["run", "--silent", "build"]);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("refused");
    let said = |binary: &str, loader: &str| {
        let mut pack = Command::new(plugin().join("pack.sh"));
        let output = pack.env("PACK_ANY_LOADER", loader).arg(&folder).arg(binary).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let ours = env!("CARGO_BIN_EXE_gpx_chaoscope");
    let of = |name: &str, binary: &str| format!("{name}={binary}");
    let (packed, why) = said(&of("linux_amd64", ours), "");
    assert_eq!(packed, cfg!(target_feature = "crt-static"), "{why}");
    assert!(packed || why.contains("needs a loader"), "{why}");
    let (packed, why) = said(&of("linux_arm64", ours), "1");
    assert!(!packed && why.contains("is not for linux_arm64"), "{why}");
    let (packed, why) = said(&of("linux_amd64", plugin().join("pack.sh").to_str().unwrap()), "1");
    assert!(!packed && why.contains("is no program"), "{why}");
    let _ = fs::remove_dir_all(folder);
}

/// What the catalogue's validator asks of an archive, as far as it can apply to a backend that is not written in Go.
#[test]
#[ignore = "needs npm and python3: run by make test"]
fn the_archive_is_what_grafana_wants() {
    let archive = packed();
    assert_eq!(faults(&archive, env!("CARGO_PKG_VERSION")), Vec::<String>::new());

    let id = "chaoscope-events-datasource";
    for (what, broken) in [
        ("not executable", archive.with(&format!("{id}/gpx_chaoscope_linux_amd64"), |it| it.mode = 0o644)),
        ("no logo", archive.without(&format!("{id}/img/logo.svg"))),
        ("no CHANGELOG", archive.without(&format!("{id}/CHANGELOG.md"))),
        ("no dashboard", archive.without(&format!("{id}/dashboards/overview.json"))),
        ("no map", archive.without(&format!("{id}/module.js.map"))),
        ("no binary", archive.without(&format!("{id}/gpx_chaoscope_linux_amd64"))),
        ("outside", archive.with(&format!("{id}/README.md"), |it| it.name = "README.md".into())),
        ("a script in the logo", archive.with(&format!("{id}/img/logo.svg"), |it| it.text = Some("<svg><script/></svg>".into()))),
        ("no AMD", archive.with(&format!("{id}/module.js"), |it| it.text = Some("export {}".into()))),
        ("old React", archive.edited(&format!("{id}/module.js"), "define(", "findDOMNode;define(")),
        ("no backend", archive.edited(&format!("{id}/plugin.json"), "\"backend\": true", "\"backend\": false")),
        ("a key nobody knows", archive.edited(&format!("{id}/plugin.json"), "\"logs\": true", "\"logz\": true")),
        ("another version", archive.edited(&format!("{id}/plugin.json"), env!("CARGO_PKG_VERSION"), "9.9.9")),
        ("a placeholder", archive.edited(&format!("{id}/plugin.json"), "\"updated\": \"", "\"updated\": \"%TODAY%")),
        ("a bad address", archive.edited(&format!("{id}/plugin.json"), "\"url\": \"https://", "\"url\": \"http://")),
    ] {
        assert!(!faults(&broken, env!("CARGO_PKG_VERSION")).is_empty(), "nobody notices: {what}");
    }
}
