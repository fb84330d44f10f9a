//! What `manifests/` makes: kustomize's and the chart's results, taken by a real API server, equal to each other, and no more than promised.
//!
//! Rendered and applied by the very kubectl and helm of `tests/deploy/build.sh`. To add a component: a folder, its overlay, and a line in
//! [`render::VARIANTS`] with the chart's values for the same; everything here then holds for it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests: a failure is a panic, real tools are run"
)]

mod kit;

#[path = "manifests/chart.rs"]
mod chart;
#[path = "manifests/image.rs"]
mod image;
#[path = "manifests/pods.rs"]
mod pods;
#[path = "manifests/program.rs"]
mod program;
#[path = "manifests/render.rs"]
mod render;
#[path = "manifests/rules.rs"]
mod rules;
#[path = "manifests/server.rs"]
mod server;
#[path = "kit/runtime_world.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod world;
