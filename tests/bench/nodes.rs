//! What idle nodes cost the cluster role: a thousand connections that nothing is declared for, as processor time and as memory.
//!
//! `cargo bench -p chaoscope --bench nodes`. The program is a process of its own beside a real API server, so the clients are not counted.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "a program for a person at a terminal: what is missing ends it, with the reason"
)]

#[path = "../kit/mod.rs"]
mod kit;
#[path = "../cluster/program.rs"]
mod program;

use kit::kube::Kube;
use program::Program;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Connected at once.
const NODES: usize = 1000;
/// How long each state is looked at: several heartbeats.
const LOOK: Duration = Duration::from_mins(1);

fn main() {
    let kube = Kube::start();
    kube.define_all();
    let program = Program::cluster(&kube.kubeconfig(), &[]);
    let pid = program.pid().expect("it runs");
    println!("| nodes connected | CPU of a core | RSS | more for each |\n|---|---|---|---|");
    let (alone, before) = (busy(pid), memory(pid));
    println!("| 0 | {:.2} % | {before:.1} MiB | |", alone * 100.0);
    let nodes: Vec<_> = (0..NODES).map(|number| connect(&program, number)).collect();
    let connected = busy(pid);
    let after = memory(pid);
    let each = (after - before) * 1024.0 / NODES as f64;
    println!("| {} | {:.2} % | {after:.1} MiB | {each:.1} KiB |", nodes.len(), connected * 100.0);
    assert!(nodes.iter().all(|node| node.peek(&mut [0]).is_ok_and(|read| read > 0)), "a connection is over");
}

/// A connection that was told everything there is.
fn connect(program: &Program, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(program.address).expect("a connection");
    write!(stream, "GET /api/v1/node/node-{number} HTTP/1.1\r\nHost: bench\r\nUser-Agent: chaoscope/bench\r\n\r\n").unwrap();
    let mut lines = BufReader::new(&stream).lines();
    while lines.next().expect("more").expect("a line") != "event: ready" {}
    drop(lines);
    stream
}

/// Share of a core that a process takes, over [`LOOK`].
fn busy(pid: u32) -> f64 {
    let (from, since) = (cpu(pid), Instant::now());
    std::thread::sleep(LOOK);
    (cpu(pid) - from) / since.elapsed().as_secs_f64()
}

/// Seconds of processor time so far: fields 14 and 15 of `/proc/PID/stat`, in ticks (proc(5)).
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// MiB a process holds.
fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
