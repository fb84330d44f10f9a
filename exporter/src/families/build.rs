//! `chaoscope_build_info`.

use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Build;

impl Family for Build {
    fn encode(&self, _: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let labels = vec![("version", env!("CARGO_PKG_VERSION").into()), ("rustversion", env!("CARGO_PKG_RUST_VERSION").into())];
        out.gauge("chaoscope_build_info", "Version of this program; always 1.", [(labels, 1_u64)])
    }
}
