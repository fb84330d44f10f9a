//! The contract held against the server by schemathesis: every operation, every check, and links between them.
//!
//! What a schema cannot say is left out by `tests/api/schemathesis.py`, which says why.

use crate::kit::process;
use crate::world::{World, event, open, plans, run};
use chaoscope::cluster::now::Now;
use chaoscope::serve::api::Limits;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where `tests/install.sh` puts it.
const PROGRAM: &str = "lib/chaoscope/python/bin/schemathesis";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs schemathesis: run by make test"]
async fn schemathesis_finds_nothing() {
    // Streams end at once here: a fuzzer waits for the end of every answer.
    let limits = Limits { longest: Duration::from_millis(30), ..Limits::default() };
    let schedules = [("cut", "@every 10s", "NetworkChaos"), ("nightly", "0 3 * * *", "Workflow")];
    let world = World::planned(limits, Now::default(), plans(&schedules));
    let runs: Vec<_> = (0..30).map(|at| run(&format!("run-{at}"), 60 + at)).chain([open("open", 900)]).collect();
    let events = runs.iter().map(|run| event(run, "applied", 30)).collect();
    world.record(runs, events).await;
    let address = world.url("/api/v1/openapi.json");
    let done = tokio::task::spawn_blocking(move || {
        let prefix = std::env::var("PREFIX").unwrap_or_else(|_| "/usr/local".to_owned());
        let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/api/schemathesis.py");
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(Path::new(&prefix).join(PROGRAM));
        command.args([
            "run",
            &address,
            "--checks=all",
            "--mode=all",
            "--max-examples=25",
            "--seed=1",
            "--no-color",
            "--request-timeout=60",
        ]);
        // This world has no nodes to connect, so their addresses always answer 404: that warning is left out.
        command.arg("--warnings=missing_auth,validation_mismatch");
        command.args(["--generation-database=none", "--suppress-health-check=all", "--continue-on-failure"]);
        process::finish(command.env("SCHEMATHESIS_HOOKS", hooks).current_dir(folder.path()))
    });
    let output = done.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("No issues found"), "{said}");
}
