//! What of a reading is chaos-like, whose it looks, and whether it is *effective* (changes traffic, files or load) or *benign* (an
//! unreferenced chain, an unused set, an empty hook chain, an idle helper).
//!
//! Effective means configured so: it is no claim about effect. To find one more thing: a function here and a line in [`Survey::of`].

use crate::node::iptables::text::Part;
use crate::node::iptables::{Chain, Rule, Table, Verdict};
use crate::node::mounts::ResolvConf;
use crate::node::sweep::{Observed, Sweep};
use crate::node::tc::filter::Filter;
use crate::node::tc::options::Options;
use crate::node::tc::{Handle, Qdisc, Tc};
use crate::tools::helpers::HelperKind;
use crate::tools::{self, FilterShape, QdiscShape};
use chaoscope_model::{Effect, Pod, Tool};
use serde::Serialize;

/// Targets of xtables that tell, count or light a lamp, and let the packet go on as it was; any other is taken to act.
const HARMLESS_TARGETS: [&str; 8] = ["LOG", "NFLOG", "ULOG", "AUDIT", "TRACE", "LED", "IDLETIMER", "RATEEST"];

/// One chaos-like thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it changes anything now.
    pub effect: Effect,
    /// `qdisc`, `filter`, `rule`, `chain`, `set`, `helper` or `mount`.
    pub what: &'static str,
    /// Which one, as a person would look for it.
    pub object: String,
    /// Whose it looks like; `kernel` when it could be anybody's.
    pub tool: Tool,
    /// What to look for among what is declared.
    #[serde(skip)]
    pub mark: Mark,
}

/// By what something found can be told from something declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A qdisc or a filter: the device, and the qdisc's handle.
    Device(String, Handle),
    /// A chain, or a rule in one.
    Chain {
        /// Its name.
        name: String,
        /// Sets that its rules match; of a rule, that this one does.
        sets: Vec<String>,
    },
    /// A set.
    Set(String),
    /// A process: what it is, its pid and its parent's, its container's id where it is known.
    Process(HelperKind, [u32; 2], Option<String>),
    /// A volume that toda is mounted over: container, mount point.
    Volume(String, String),
    /// Name servers of a container.
    Names(String),
}

/// The findings of a sweep: those of each namespace, in the sweep's order, and those tied to a pod by processes and mounts.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// One list for each namespace of the sweep.
    pub namespaces: Vec<Vec<Finding>>,
    /// Helper processes and mounts, with the pod they act on where it is known.
    pub others: Vec<(Option<Pod>, Finding)>,
}

impl Survey {
    /// Looks through a sweep.
    pub fn of(sweep: &Sweep) -> Self {
        Self { namespaces: sweep.namespaces.iter().map(of_namespace).collect(), others: others(sweep) }
    }

    /// Everything found, under the title of the namespace or pod it was found in.
    pub fn all<'a>(&'a self, sweep: &'a Sweep) -> impl Iterator<Item = (String, &'a Finding)> {
        let inside = sweep.namespaces.iter().zip(&self.namespaces);
        let inside = inside.flat_map(|(observed, findings)| findings.iter().map(|finding| (observed.namespace.title(), finding)));
        let title = |pod: &Option<Pod>| match pod {
            Some(pod) if pod.is_named() => format!("{}/{}", pod.namespace, pod.name),
            Some(pod) if !pod.uid.is_empty() => format!("pod {}", pod.uid),
            _ => "host".to_owned(),
        };
        inside.chain(self.others.iter().map(move |(pod, finding)| (title(pod), finding)))
    }
}

fn of_namespace(observed: &Observed) -> Vec<Finding> {
    let Some(reading) = observed.reading() else { return Vec::new() };
    let mut out = Vec::new();
    if let Ok(tc) = &reading.tc {
        in_tc(tc, observed.namespace.host, &mut out);
    }
    for table in reading.tables() {
        for chain in &table.chains {
            in_chain(table, chain, &mut out);
        }
    }
    // Sets that something refers to are part of the fault while a rule acts; the rest are left over.
    let acting = out.iter().any(|finding| finding.what == "rule");
    for set in reading.sets.as_deref().unwrap_or(&[]) {
        let referred = set.references != Some(0);
        if let Some(tool) = tools::set(&set.name).filter(|_| !(acting && referred)) {
            let mark = Mark::Set(set.name.clone());
            out.push(Finding { effect: Effect::Benign, what: "set", object: set.name.clone(), tool, mark });
        }
    }
    out
}

/// On the host's own devices a tbf is nothing: CNI's bandwidth plugin puts one on the host's end of a pod's device.
fn in_tc(tc: &Tc, host: bool, out: &mut Vec<Finding>) {
    let mut found = |what, object, tool, mark| out.push(Finding { effect: Effect::Effective, what, object, tool, mark });
    for qdisc in tc.qdiscs.iter().filter(|qdisc| !(host && qdisc.kind == "tbf")) {
        if let Some(tool) = qdisc_tool(qdisc) {
            let mark = Mark::Device(qdisc.device.clone(), qdisc.handle);
            found("qdisc", format!("{} {} dev {} parent {}", qdisc.kind, qdisc.handle, qdisc.device, qdisc.parent), tool, mark);
        }
    }
    for filter in &tc.filters {
        if let Some(tool) = filter_tool(filter) {
            let Filter { kind, device, parent, redirect, .. } = filter;
            let mark = Mark::Device(device.clone(), *parent);
            found("filter", format!("{kind} dev {device} parent {parent} redirect to {redirect}"), tool, mark);
        }
    }
}

/// Whose filter this looks like, if it is chaos-like at all.
pub fn filter_tool(filter: &Filter) -> Option<Tool> {
    tools::filter(&FilterShape { ingress: filter.parent == Handle::INGRESS_FILTERS, redirect: &filter.redirect })
}

/// Whose qdisc this looks like, if it is chaos-like at all: netem and tbf always are.
pub fn qdisc_tool(qdisc: &Qdisc) -> Option<Tool> {
    let prio = match &qdisc.options {
        Options::Prio(prio) => Some((prio.bands, &prio.priomap)),
        _ => None,
    };
    let tool = tools::qdisc(&QdiscShape { kind: &qdisc.kind, major: qdisc.handle.major(), prio });
    tool.or_else(|| matches!(qdisc.kind.as_str(), "netem" | "tbf").then_some(Tool::Kernel))
}

/// Whether a rule has to do with chaos: it is in a chaos chain, jumps to one, or has the shape of a tool's rule.
pub fn is_chaos_rule(chain: &str, rule: &Rule) -> bool {
    tools::chain(chain).is_some() || leads_on(rule) || tools::rule(chain, &rule.to_string()).is_some()
}

fn in_chain(table: &Table, chain: &Chain, out: &mut Vec<Finding>) {
    let reachable = chain.reachable != Some(false);
    let place = || format!("{} {} {} {}", table.backend.as_str(), table.family.as_str(), table.name, chain.name);
    let mark = |rules: &[Rule]| Mark::Chain { name: chain.name.clone(), sets: matched(rules) };
    let of_rule = |rule: &Rule, text: &str, tool| {
        let (object, mark) = (format!("{} {text}", place()), mark(std::slice::from_ref(rule)));
        Finding { effect: Effect::Effective, what: "rule", object, tool, mark }
    };
    let Some(tool) = tools::chain(&chain.name) else {
        let shaped = chain.rules.iter().filter(|_| reachable).map(|rule| (rule, rule.to_string()));
        out.extend(shaped.filter_map(|(rule, text)| Some(of_rule(rule, &text, tools::rule(&chain.name, &text)?))));
        return;
    };
    let acting: Vec<_> = chain.rules.iter().filter(|rule| reachable && acts(&rule.verdict)).collect();
    // A chain that is reached and leads to another of its kind is the way to that one, where the finding is.
    let leads = reachable && chain.rules.iter().any(leads_on);
    let drops = reachable && drops_by_policy(chain);
    if drops {
        let object = format!("{} policy DROP", place());
        out.push(Finding { effect: Effect::Effective, what: "chain", object, tool, mark: mark(&[]) });
    }
    if acting.is_empty() && !leads && !drops {
        out.push(Finding { effect: Effect::Benign, what: "chain", object: place(), tool, mark: mark(&chain.rules) });
    }
    out.extend(acting.into_iter().map(|rule| of_rule(rule, &rule.to_string(), tool)));
}

/// Names of the sets that rules match.
fn matched(rules: &[Rule]) -> Vec<String> {
    rules.iter().flat_map(|rule| &rule.parts).filter_map(Part::as_set).filter_map(|set| set.name.clone()).collect()
}

/// Whether it is a base chain that throws away what none of its rules decides on.
pub fn drops_by_policy(chain: &Chain) -> bool {
    chain.hooked && chain.policy == "DROP"
}

/// A jump only leads somewhere, and RETURN leads back.
fn acts(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Drop | Verdict::Accept => true,
        Verdict::Target(target) => !HARMLESS_TARGETS.contains(&target.as_str()),
        Verdict::Continue | Verdict::Return | Verdict::Jump(_) | Verdict::Goto(_) => false,
    }
}

/// Whether it jumps to a chaos chain.
fn leads_on(rule: &Rule) -> bool {
    matches!(&rule.verdict, Verdict::Jump(to) | Verdict::Goto(to) if tools::chain(to).is_some())
}

fn others(sweep: &Sweep) -> Vec<(Option<Pod>, Finding)> {
    let mut out = Vec::new();
    for (pod, helper) in &sweep.helpers {
        let effect = if helper.active { Effect::Effective } else { Effect::Benign };
        let object = format!("{} (pid {})", helper.kind.as_str(), helper.pid);
        let mark = Mark::Process(helper.kind, [helper.pid, helper.parent], helper.target.container_id.clone());
        out.push((pod.clone(), Finding { effect, what: "helper", object, tool: helper.tool, mark }));
    }
    for files in &sweep.mounts {
        let container = &files.container;
        let tool = Tool::ChaosMesh;
        let mut found = |effect, object, mark| out.push((files.pod.clone(), Finding { effect, what: "mount", object, tool, mark }));
        for point in &files.toda {
            found(Effect::Effective, format!("toda at {point} in {container}"), Mark::Volume(container.clone(), point.clone()));
        }
        let names = || Mark::Names(container.clone());
        match files.resolv_conf {
            Some(ResolvConf::Replaced) => found(Effect::Effective, format!("resolv.conf replaced in {container}"), names()),
            Some(ResolvConf::Restored) => found(Effect::Benign, format!("resolv.conf backup left in {container}"), names()),
            Some(ResolvConf::Untouched) | None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::iptables::{Backend, Family};

    fn filter(parent: Handle, redirect: &str) -> Filter {
        Filter {
            device: "eth0".into(),
            kind: "matchall".into(),
            parent,
            priority: 1,
            actions: vec!["mirred".into()],
            redirect: redirect.into(),
            redirect_index: Some(9),
        }
    }

    fn rule(verdict: Verdict) -> Rule {
        Rule { parts: vec![], verdict, counters: None, verdict_map: false }
    }

    fn found_in(chain: Chain) -> Vec<(Effect, &'static str, String)> {
        let chain = Chain { name: "CHAOS-INPUT".into(), ..chain };
        let mut found = Vec::new();
        let table = Table { backend: Backend::Nft, family: Family::Inet, name: "t".into(), chains: vec![] };
        in_chain(&table, &chain, &mut found);
        found.into_iter().map(|finding| (finding.effect, finding.what, finding.object)).collect()
    }

    #[test]
    fn a_target_that_changes_no_traffic_is_not_effective() {
        let target = |name: &str| rule(Verdict::Target(name.into()));
        let chain = |rules| Chain { policy: "-", reachable: Some(true), rules, ..Chain::default() };
        let quiet = HARMLESS_TARGETS.iter().map(|name| target(name)).collect();
        assert_eq!(found_in(chain(quiet)), [(Effect::Benign, "chain", "nft inet t CHAOS-INPUT".to_owned())]);
        for name in ["REJECT", "CLASSIFY", "MARK", "TPROXY", "REDIRECT", "DNAT", "TTL", "SOMETHING-NEW"] {
            let found = found_in(chain(vec![target("LOG"), target(name)]));
            assert!(matches!(found.as_slice(), [(Effect::Effective, "rule", _)]), "{name}: {found:?}");
        }
    }

    #[test]
    fn a_chain_that_drops_by_policy_is_effective_while_it_is_reached() {
        let chain = |policy, reachable| Chain { hooked: true, policy, reachable: Some(reachable), ..Chain::default() };
        assert_eq!(found_in(chain("DROP", true)), [(Effect::Effective, "chain", "nft inet t CHAOS-INPUT policy DROP".to_owned())]);
        let benign = [(Effect::Benign, "chain", "nft inet t CHAOS-INPUT".to_owned())];
        assert_eq!((found_in(chain("ACCEPT", true)), found_in(chain("DROP", false))), (benign.to_vec(), benign.to_vec()));
    }

    #[test]
    fn a_redirect_of_ingress_to_an_ifb_is_effective() {
        let clsact = Handle(0xffff_fff2);
        let filters = vec![filter(Handle::INGRESS_FILTERS, "ifb0"), filter(clsact, "ifb0"), filter(Handle::INGRESS_FILTERS, "")];
        let mut found = Vec::new();
        in_tc(&Tc { filters, ..Tc::default() }, false, &mut found);
        let object = "matchall dev eth0 parent ffff: redirect to ifb0".to_owned();
        let mark = Mark::Device("eth0".to_owned(), Handle::INGRESS_FILTERS);
        assert_eq!(found, [Finding { effect: Effect::Effective, what: "filter", object, tool: Tool::Krkn, mark }]);
    }
}
