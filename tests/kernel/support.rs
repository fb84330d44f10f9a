//! Visits a namespace as a sweep does, and writes rules as `iptables-save` does, so that both can be compared line by line.

use super::kit::netns::Netns;
use chaoscope::node::error::ReadError;
use chaoscope::node::iptables::{Family, Table};
use chaoscope::node::modules::Modules;
use chaoscope::node::netns::identify;
use chaoscope::node::visit::{Plan, Reading};
use chaoscope::node::visits::{Place, visit_all};
use std::net::UdpSocket;
use std::path::Path;
use std::time::{Duration, Instant};

/// Long enough for anything here, on a busy machine too.
pub fn later() -> Instant {
    Instant::now() + Duration::from_mins(1)
}

/// Everything is asked for, set members too.
pub fn plan() -> Plan {
    Plan { modules: Modules::find(), members: true }
}

/// One visit of one place.
pub fn visit(place: &Place) -> Result<Reading, ReadError> {
    let mut visits = visit_all(std::slice::from_ref(place), 1, plan(), later());
    visits.remove(0).expect("the deadline is far away").reading
}

/// The place behind a namespace file.
pub fn place(path: &Path) -> Place {
    Place { id: identify(path).expect("the namespace is there"), paths: vec![path.to_owned()] }
}

/// What is in a test's namespace.
pub fn look(netns: &Netns) -> Reading {
    visit(&place(&netns.path())).expect("the namespace can be entered")
}

/// Feeds `text` to a tool inside, such as `iptables-legacy-restore`.
pub fn feed(netns: &Netns, tool: &str, text: &str) {
    netns.script(&format!("{tool} <<'END'\n{}\nEND", text.trim()));
}

/// Sends `count` datagrams of one byte; those that a rule throws away are an error for the sender, which is expected.
pub fn send(netns: &Netns, to: &str, count: usize) {
    netns.inside(|| {
        let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).expect("a socket inside");
        for _ in 0..count {
            let _ = socket.send_to(b"x", to);
        }
    });
}

/// One table in the words of `iptables-save -c`, without the counters of policies.
pub fn saved(table: &Table) -> Vec<String> {
    let mut out = vec![format!("*{}", table.name)];
    out.extend(table.chains.iter().map(|chain| format!(":{} {}", chain.name, chain.policy)));
    for chain in &table.chains {
        for rule in &chain.rules {
            let text = rule.to_string();
            let space = if text.is_empty() { "" } else { " " };
            let count = rule.counters.map_or(String::new(), |count| format!("[{}:{}] ", count.packets, count.bytes));
            out.push(format!("{count}-A {}{space}{text}", chain.name));
        }
    }
    out
}

/// The tables of one family in the words of `iptables-save -c`, in the order of their names.
pub fn all_saved(tables: &[Table], family: Family) -> Vec<Vec<String>> {
    let mut out: Vec<_> = tables.iter().filter(|table| table.family == family).map(saved).collect();
    out.sort();
    out
}

/// What an `iptables-save -c` printed, table by table, brought to the form of [`all_saved`].
pub fn tool_saved(text: &str) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty() && *line != "COMMIT") {
        match line.as_bytes()[0] {
            b'*' => out.push(vec![line.to_owned()]),
            b':' => out.last_mut().expect("a table comes first").push(line.split(" [").next().expect("one piece").to_owned()),
            _ => out.last_mut().expect("a table comes first").push(line.to_owned()),
        }
    }
    out.sort();
    out
}
