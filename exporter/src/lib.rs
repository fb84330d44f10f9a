//! `chaoscope`, the exporter: follow the arrow *world → reading → page*.
//!
//! Where a fact comes from decides the folder: [`node`] reads this host's kernel and processes, [`tools`] knows what each
//! chaos tool leaves behind, [`verdict`] compares, [`families`] writes metrics, [`serve`] shows them to Prometheus and people.
//! Imports go one way: `serve → families → verdict → node → tools → model` (held by `tests/contracts.rs`).

pub mod client;
pub mod cluster;
pub mod config;
pub mod declared;
pub mod desk;
pub mod exposition;
pub mod families;
pub mod ingest;
pub mod instance;
pub mod journal;
pub mod migration;
pub mod node;
pub mod peers;
pub mod recording;
pub mod roles;
pub mod rounds;
pub mod scrape;
pub mod serve;
pub mod source;
pub mod standalone;
pub mod tools;
pub mod verdict;
