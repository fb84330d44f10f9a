//! serve

mod address;
mod connection;
mod door;
mod episode;
mod gate;
pub mod listener;
mod pulse;
pub mod web_config;
