//! `process_*`: what this program itself costs, under the names every Prometheus client uses.

use crate::exposition::Exposition;
use crate::scrape::{Family, World};
use std::fmt;

pub(super) struct Process;

impl Family for Process {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(own) = &world.own else { return Ok(()) };
        out.counter("process_cpu_seconds", "User and system CPU time of this process.", [(vec![], own.cpu_seconds)])?;
        out.gauge("process_resident_memory_bytes", "Resident memory of this process.", [(vec![], own.resident_bytes)])?;
        out.gauge("process_virtual_memory_bytes", "Virtual memory of this process.", [(vec![], own.virtual_bytes)])?;
        out.gauge("process_open_fds", "Open file descriptors of this process.", own.open_fds.map(|count| (vec![], count)))?;
        out.gauge("process_max_fds", "Most file descriptors this process may open.", own.max_fds.map(|count| (vec![], count)))?;
        out.gauge("process_start_time_seconds", "When this process started, in seconds since 1970.", [(vec![], own.start_seconds)])
    }
}
