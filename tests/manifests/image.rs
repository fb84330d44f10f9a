//! The Dockerfile: what it promises, read from it, and the stage without a build made by a real Docker.
//!
//! The stages that build need a network and are not run here; their one step of ours is that of `make dist`.

use crate::kit::process::{succeed, until};
use crate::render::ROOT;
use crate::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// A stage: what it is from, and its instructions in order.
#[derive(Debug, Default)]
struct Stage {
    from: String,
    steps: Vec<(String, String)>,
}

impl Stage {
    fn of(&self, instruction: &str) -> Vec<&str> {
        self.steps.iter().filter(|(name, _)| name == instruction).map(|(_, rest)| &**rest).collect()
    }
}

/// The stages by name; the last one's is empty.
fn stages() -> BTreeMap<String, Stage> {
    let text = fs::read_to_string(ROOT.join("Dockerfile")).unwrap().replace("\\\n", " ");
    let mut stages: Vec<(String, Stage)> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (instruction, rest) = line.split_once(' ').unwrap();
        if instruction == "FROM" {
            let (from, name) = rest.split_once(" AS ").unwrap_or((rest, ""));
            stages.push((name.to_owned(), Stage { from: from.to_owned(), ..Stage::default() }));
        } else {
            stages.last_mut().expect("FROM comes first").1.steps.push((instruction.to_owned(), rest.trim().to_owned()));
        }
    }
    assert_eq!(stages.last().unwrap().0, "", "the last stage is what is built unless told otherwise");
    stages.into_iter().collect()
}

#[test]
fn the_image_is_one_static_program_of_an_ordinary_user() {
    let stages = stages();
    let empty = &stages["empty"];
    assert_eq!(empty.from, "scratch");
    assert_eq!(empty.of("USER"), ["65532:65532"]);
    assert_eq!(empty.of("ENTRYPOINT"), ["[\"/chaoscope\"]"]);
    assert!(empty.of("LABEL")[0].contains(concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"")));
    for last in ["", "prebuilt"] {
        let stage = &stages[last];
        assert_eq!(stage.from, "empty");
        assert!(stage.steps.iter().all(|(name, _)| name == "COPY"), "{stage:?}: nothing can be run in an empty root");
        assert!(stage.of("COPY").iter().any(|it| it.contains("/chaoscope")), "{stage:?}");
    }
    assert!(stages.values().all(|stage| stage.of("HEALTHCHECK").is_empty()), "there is nothing to ask with in the image");
    assert!(stages["build"].of("RUN")[0].contains("target-feature=+crt-static"), "else it needs a C library that is not there");
}

#[test]
fn it_builds_with_our_compiler_and_says_what_it_copies() {
    let toolchain = fs::read_to_string(ROOT.join("rust-toolchain.toml")).unwrap();
    let version = toolchain.split_once("channel = \"").unwrap().1.split('"').next().unwrap();
    let stages = stages();
    assert_eq!(stages["build"].from, format!("rust:{version}-bookworm"));
    for (name, stage) in &stages {
        let ours = ["scratch", "empty"].contains(&&*stage.from);
        assert!(ours || stage.from.contains(':') && !stage.from.ends_with(":latest"), "{name}: {}", stage.from);
        for copied in stage.of("COPY").iter().filter_map(|it| it.strip_prefix("--from=")) {
            let from = copied.split(' ').next().unwrap();
            assert!(stages.contains_key(from), "{name} copies from {from}, which is no stage");
        }
    }
    // The context has the sources and dist/, and none of what a build makes.
    let left_out = fs::read_to_string(ROOT.join(".dockerignore")).unwrap();
    let left_out: Vec<_> = left_out.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(left_out.contains(&"**/target") && left_out.contains(&".git") && !left_out.contains(&"dist"), "{left_out:?}");
}

/// The context that `make dist` leaves, with another program in the place of ours: a release build is not this test's business.
fn context(world: &World) {
    let version = concat!("context/dist/chaoscope-", env!("CARGO_PKG_VERSION"), "-linux-x86_64");
    fs::create_dir_all(world.path(version)).unwrap();
    for (from, to) in [("/bin/busybox".into(), "chaoscope"), (ROOT.join("LICENSE"), "LICENSE")] {
        fs::copy(from, world.path(version).join(to)).unwrap();
    }
    for file in ["Dockerfile", ".dockerignore"] {
        fs::copy(ROOT.join(file), world.path("context").join(file)).unwrap();
    }
    succeed(Command::new("tar").arg("-C").arg(world.path("context")).arg("-cf").arg(world.path("context.tar")).arg("."));
}

#[test]
#[ignore = "needs root, a real dockerd, curl and busybox-static: run by make test"]
fn docker_makes_the_image_from_a_program_that_is_there() {
    let mut world = World::start();
    context(&world);
    let (folder, cgroup) = (world.path("").display().to_string(), world.cgroup().to_owned());
    let options = "--exec-root /run/docker --pidfile /run/docker.pid --storage-driver vfs --bridge none --iptables=false";
    let command = format!("dockerd --host unix:///run/docker.sock --data-root {folder}/docker {options} --cgroup-parent /{cgroup}");
    world.spawn("dockerd", &command);
    let socket = world.root().join("run/docker.sock");
    let ask = |arguments: &[&str], path: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--noproxy", "*", "--unix-socket"]).arg(&socket).args(arguments);
        curl.arg(format!("http://docker{path}")).output().unwrap()
    };
    until(|| ask(&[], "/_ping").status.success().then_some(()), || format!("dockerd answers\n{}", world.log("dockerd")));
    let tar = format!("@{}", world.path("context.tar").display());
    let post = ["--header", "Content-Type: application/x-tar", "--data-binary", &tar];
    let built = ask(&post, "/build?target=prebuilt&t=chaoscope:test");
    let said = String::from_utf8_lossy(&built.stdout);
    assert!(said.contains("Successfully built"), "{said}\n{}", world.log("dockerd"));
    let image: Value = serde_json::from_slice(&ask(&[], "/images/chaoscope:test/json").stdout).unwrap();
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532", "{image:#}");
    assert_eq!(config["Entrypoint"], json!(["/chaoscope"]));
    assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));
    assert!(config["Healthcheck"].is_null());
    let size: u64 = ["/bin/busybox", "LICENSE"].map(|file| fs::metadata(ROOT.join(file)).unwrap().len()).iter().sum();
    assert_eq!(image["Size"], size, "the two files and nothing else");
}
