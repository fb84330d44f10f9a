//! `chaoscope_nodes`: how many node roles are connected, and how many should be and are not.

use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Nodes;

impl Family for Nodes {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(nodes) = world.now().and_then(|now| now.nodes.as_ref()) else { return Ok(()) };
        let connected = nodes.nodes.iter().filter(|node| node.connected_since.is_some()).count() as u64;
        let silent = nodes.nodes.iter().filter(|node| node.connected_since.is_none() && node.awaited).count() as u64;
        let states = [("connected", connected), ("silent", silent)].map(|(state, count)| (vec![("state", state.into())], count));
        let help =
            "Nodes whose node role is connected (connected), and those that have a target of an open run and are not connected (silent).";
        out.gauge("chaoscope_nodes", help, states)
    }
}
