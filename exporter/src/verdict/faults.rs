//! What of a sweep is a fault that becomes a run: netem and tbf in any swept namespace, rules that throw packets away in the shapes chaos tools
//! write and within reach of a hook, and processes of chaos tools that are at work.
//!
//! Apart from `findings`, which also tells of what is left over and harms nobody: that is no run. Docker's isolation, ufw and fail2ban throw
//! packets away too; they are nothing here, for only a chain or a rule that a file in `tools/` knows counts. How the figures of a fault are
//! written is in `parameters`. To find one more kind: a function here and a line in [`seen`].

mod parameters;

use super::findings::{drops_by_policy, qdisc_tool};
use crate::node::iptables::{Backend, Chain, Table, Verdict};
use crate::node::namespaces::Namespace;
use crate::node::processes::Helper;
use crate::node::sweep::{Observed, Sweep};
use crate::node::tc::options::Options;
use crate::node::tc::{Qdisc, Tc};
use crate::tools;
use chaoscope_model::kernel::{self, Fault, Kind, Netns, Place, Source};
use chaoscope_model::run::Target;
use chaoscope_model::{Pod, Tool, shortened};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most characters of a rule's text that are shown; all of it makes it this rule and no other.
const RULE_SHOWN: usize = 256;

/// What the kernel's history is told of a sweep. `node`: what this host is called.
pub fn seen(sweep: &Sweep, node: &str) -> kernel::Sweep {
    let took = jiff::SignedDuration::try_from(sweep.took.min(Duration::from_hours(1))).unwrap_or(jiff::SignedDuration::ZERO);
    let mut out = kernel::Sweep { began: sweep.at, at: sweep.at.saturating_add(took).unwrap_or(sweep.at), ..kernel::Sweep::default() };
    for observed in &sweep.namespaces {
        in_namespace(observed, node, &mut out);
    }
    if sweep.complete.processes {
        out.read.insert((None, Source::Processes));
    }
    out.faults
        .extend(sweep.helpers.iter().filter(|(_, helper)| helper.active).map(|(pod, helper)| of_helper(sweep, pod.as_ref(), helper, node)));
    out.present = sweep.complete.namespaces.then(|| sweep.namespaces.iter().map(|observed| netns(&observed.namespace)).collect());
    out
}

const fn netns(namespace: &Namespace) -> Netns {
    Netns { device: namespace.place.id.dev, inode: namespace.place.id.ino }
}

fn in_namespace(observed: &Observed, node: &str, out: &mut kernel::Sweep) {
    let Some(reading) = observed.reading() else { return };
    let namespace = &observed.namespace;
    let place = Some(netns(namespace));
    let read = [(Source::Tc, reading.tc.is_ok()), (Source::Legacy, reading.legacy.is_ok()), (Source::Nft, reading.nft.is_ok())];
    out.read.extend(read.into_iter().filter(|(_, whole)| *whole).map(|(source, _)| (place, source)));
    let mut found = Vec::new();
    if let Ok(tc) = &reading.tc {
        in_tc(tc, namespace.host, &mut found);
    }
    for table in reading.tables() {
        for chain in table.chains.iter().filter(|chain| chain.reachable != Some(false)) {
            in_chain(table, chain, &mut found);
        }
    }
    let (home, target) = whom(namespace, node);
    out.faults.extend(found.into_iter().map(|fault| Fault { place, home: home.clone(), target: target.clone(), ..fault }));
}

/// Uid of the pod that lives in a namespace, and what a run there touches.
fn whom(namespace: &Namespace, node: &str) -> (String, Target) {
    let pod = namespace.pod.clone().unwrap_or_default();
    (pod.uid, Target { namespace: pod.namespace, pod: pod.name, netns: namespace.called(), node: node.to_owned(), ..Target::default() })
}

/// A fault whose place is not filled in yet.
fn fault(source: Source, kind: Kind, key: String, action: &str, parameters: BTreeMap<String, String>, tool: Tool) -> Fault {
    let looks_like = Some(tool).filter(|tool| !matches!(tool, Tool::Kernel | Tool::Other));
    let (place, home, target): (Place, _, _) = (None, String::new(), Target::default());
    Fault { place, source, key, kind, action: action.to_owned(), parameters, looks_like, home, target }
}

/// On the host's own devices a tbf is nothing: CNI's bandwidth plugin puts one on the host's end of a pod's device.
fn in_tc(tc: &Tc, host: bool, found: &mut Vec<Fault>) {
    for qdisc in tc.qdiscs.iter().filter(|qdisc| !qdisc.is_default()) {
        let kind = match &qdisc.options {
            Options::Netem(_) => Kind::Netem,
            Options::Tbf(_) if !host => Kind::Tbf,
            _ => continue,
        };
        let Qdisc { ifindex, parent, handle, .. } = qdisc;
        let key = format!("{} {ifindex} {:x} {:x}", kind.as_str(), parent.0, handle.0);
        let tool = qdisc_tool(qdisc).unwrap_or(Tool::Kernel);
        found.push(fault(Source::Tc, kind, key, parameters::action(&qdisc.options), parameters::of_qdisc(qdisc), tool));
    }
}

fn in_chain(table: &Table, chain: &Chain, found: &mut Vec<Fault>) {
    let own = tools::chain(&chain.name);
    let mut refusals: Vec<(String, &str, Tool)> = Vec::new();
    if let Some(tool) = own.filter(|_| drops_by_policy(chain)) {
        refusals.push(("policy DROP".to_owned(), "drop", tool));
    }
    for rule in &chain.rules {
        let Some(action) = refusal(&rule.verdict) else { continue };
        let text = rule.to_string();
        let tool = own.or_else(|| tools::rule(&chain.name, &text));
        refusals.extend(tool.map(|tool| (text, action, tool)));
    }
    let source = if table.backend == Backend::Legacy { Source::Legacy } else { Source::Nft };
    let mut times: BTreeMap<&str, u32> = BTreeMap::new(); // the same rule may stand there more than once
    for (text, action, tool) in &refusals {
        let time = times.entry(text).or_insert(0);
        *time += 1;
        let key = format!("drop {} {} {} {} {time} {text}", table.backend.as_str(), table.family.as_str(), table.name, chain.name);
        let rule = shortened(text, RULE_SHOWN);
        let shown = [
            ("backend", table.backend.as_str()),
            ("family", table.family.as_str()),
            ("table", &table.name),
            ("chain", &chain.name),
            ("rule", &rule),
        ];
        let shown = shown.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        found.push(fault(source, Kind::Drop, key, action, shown, *tool));
    }
}

/// What a rule does to packets it refuses.
fn refusal(verdict: &Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Drop => Some("drop"),
        Verdict::Target(target) if target == "REJECT" => Some("reject"),
        _ => None,
    }
}

/// Tied to the pod it acts on, whichever namespace it is in.
fn of_helper(sweep: &Sweep, pod: Option<&Pod>, helper: &Helper, node: &str) -> Fault {
    let kind = helper.kind.as_str();
    let key = format!("process {kind} {} {}", helper.pid, helper.start_ticks);
    let parameters = BTreeMap::from([("helper".to_owned(), kind.to_owned()), ("pid".to_owned(), helper.pid.to_string())]);
    let namespaces = || sweep.namespaces.iter().map(|observed| &observed.namespace);
    let container = helper.target.container_id.as_deref().unwrap_or_default();
    let resident = |namespace: &Namespace| namespace.containers.iter().find(|resident| resident.id == container).cloned();
    let is_home = |namespace: &&Namespace| namespace.is_home_of(pod) || Some(namespace.place.id) == helper.netns;
    let home = namespaces().find(is_home).or_else(|| namespaces().find(|namespace| resident(namespace).is_some()));
    let resident = namespaces().find_map(resident);
    let container = resident.as_ref().map(|resident| resident.name.as_str()).filter(|name| !name.is_empty()).unwrap_or(container);
    let pod = pod.cloned().unwrap_or_default();
    let target = Target {
        namespace: pod.namespace,
        pod: pod.name,
        container: container.to_owned(),
        netns: home.map_or_else(String::new, Namespace::called),
        node: node.to_owned(),
        ..Target::default()
    };
    Fault { home: pod.uid, target, ..fault(Source::Processes, Kind::Process, key, kind, parameters, helper.tool) }
}

#[cfg(test)]
mod tests;
