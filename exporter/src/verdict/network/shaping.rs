//! Qdiscs: there, where chaos-daemon puts them, with the declared figures, and reached by the packets they are for.
//!
//! The tree (`pkg/chaosdaemon/tc_server.go`): on each device those without a set come first, in the order of the object, each below the one
//! before; below the last of them a `prio`, whose bands from the fourth on belong to one set each. A rule CLASSIFYs what matches a set into its
//! band; several qdiscs of one set hang below one another. Which band a set got is decided anew by every sync, so the rule tells.

use super::chains::{Filter, Hook, Reach, device_of, on_device, reached, set_of};
use super::{Found, Lack, device, figures};
use crate::node::iptables::{Rule, Verdict};
use crate::node::tc::options::Options;
use crate::node::tc::{Handle, Qdisc, Tc};
use crate::node::visit::Reading;
use chaoscope_model::declared::{Network, Shape, Shaping};

/// Bands of the `prio` that serve packets of no set.
const COMMON_BANDS: u16 = 3;

/// Compares the qdiscs of one experiment.
pub(super) fn check(network: &Network, source: &str, reading: &Reading, filter: &Filter<'_>, found: &mut Found) {
    let mut own = network.tcs.iter().enumerate().filter(|(_, item)| item.source == source).peekable();
    if own.peek().is_none() {
        return;
    }
    let Ok(tc) = &reading.tc else {
        return found.take(Lack::Unknown("read_failed"));
    };
    for (at, item) in own {
        match place(network, at, tc, filter) {
            Ok(qdisc) => figures::compare(&item.does, &qdisc.options).into_iter().for_each(|lack| found.take(lack)),
            Err(lack) => found.take(lack),
        }
    }
}

/// The qdisc that must be the `at`th of the object.
fn place<'a>(network: &Network, at: usize, tc: &'a Tc, filter: &Filter<'_>) -> Result<&'a Qdisc, Lack> {
    let item = &network.tcs[at];
    if !item.unreadable.is_empty() || matches!(item.does, Shape::Other { .. }) {
        return Err(Lack::Unknown("undecodable"));
    }
    on_device(tc, device(&item.device))?;
    let tree = Tree { device: device(&item.device), tc };
    // Those before it in the same place.
    let same = |other: &&Shaping| device(&other.device) == tree.device && other.set == item.set;
    let before = network.tcs[..at].iter().filter(same).count();
    let mut here = if item.set.is_empty() { tree.root() } else { Some(band(network, item, &tree, filter)?) };
    for _ in 0..before {
        here = here.and_then(|above| tree.below(above));
    }
    let fits = |qdisc: &&Qdisc| match item.does {
        Shape::Netem(_) => matches!(qdisc.options, Options::Netem(_)),
        _ => matches!(qdisc.options, Options::Tbf(_)),
    };
    here.filter(fits).ok_or_else(|| Lack::missing("no_qdisc", "qdisc", figures::described(&item.does, tree.device, &item.set)))
}

/// The qdiscs of one device.
struct Tree<'a, 'd> {
    device: &'d str,
    tc: &'a Tc,
}

impl<'a> Tree<'a, '_> {
    fn qdiscs(&self) -> impl Iterator<Item = &'a Qdisc> {
        self.tc.qdiscs.iter().filter(|qdisc| qdisc.device == self.device && !qdisc.is_default())
    }

    fn root(&self) -> Option<&'a Qdisc> {
        self.qdiscs().find(|qdisc| qdisc.parent == Handle::ROOT)
    }

    /// What hangs below a qdisc with a single place for it, which netem and tbf are.
    fn below(&self, above: &Qdisc) -> Option<&'a Qdisc> {
        self.qdiscs().find(|qdisc| qdisc.parent != Handle::ROOT && qdisc.parent.major() == above.handle.major())
    }

    fn at(&self, parent: Handle) -> Option<&'a Qdisc> {
        self.qdiscs().find(|qdisc| qdisc.parent == parent)
    }

    fn of_major(&self, major: u16) -> Option<&'a Qdisc> {
        self.qdiscs().find(|qdisc| qdisc.handle == Handle(u32::from(major) << 16))
    }
}

/// A rule that sends what matches a set into a class.
struct Choice<'a> {
    device: &'a str,
    set: &'a str,
    class: Handle,
    reach: Reach,
    chain: &'a str,
    /// Whether the chain holds something else that decides on packets.
    mixed: bool,
}

fn choices<'a>(filter: &Filter<'a>) -> Vec<Choice<'a>> {
    let mut out = Vec::new();
    for (reach, chain) in filter.chains(Hook::Output) {
        let classifies = |rule: &&Rule| matches!(&rule.verdict, Verdict::Target(target) if target == "CLASSIFY");
        let mixed = chain.rules.iter().any(|rule| !matches!(rule.verdict, Verdict::Continue | Verdict::Target(_)));
        for rule in chain.rules.iter().filter(classifies) {
            let (Some(device), Some(set)) = (device_of(rule), set_of(rule)) else { continue };
            let Some(class) = class_of(rule, device, set) else { continue };
            out.push(Choice { device, set, class, reach, chain: &chain.name, mixed });
        }
    }
    out
}

/// The class of a rule that is exactly the one chaos-daemon writes for this device and set.
fn class_of(rule: &Rule, device: &str, set: &str) -> Option<Handle> {
    let text = rule.to_string();
    let class = text.strip_prefix(&format!("-o {device} -m set --match-set {set} dst,dst -j CLASSIFY --set-class "))?;
    let (major, minor) = class.split_once(':')?;
    let number = |digits: &str| u16::from_str_radix(digits, 16).ok().map(u32::from);
    Some(Handle(number(major)? << 16 | number(minor)?))
}

/// The first qdisc in the band of a set.
fn band<'a>(network: &Network, item: &Shaping, tree: &Tree<'a, '_>, filter: &Filter<'_>) -> Result<&'a Qdisc, Lack> {
    let choices = choices(filter);
    let choice = choice(&choices, item, tree.device, filter)?;
    let class = choice.class;
    let chosen = || class.to_string();
    // Two sets never share a band.
    let shared = |other: &&Choice<'_>| {
        let ours = other.device == tree.device && other.set != item.set && other.class == class && other.reach == Reach::Fully;
        ours && network.tcs.iter().any(|tc| tc.set == other.set && device(&tc.device) == tree.device)
    };
    if let Some(other) = choices.iter().find(shared) {
        return Err(Lack::drifted("class", "a band of its own", format!("{class}, which is also that of {}", other.set)));
    }
    let lacks = || Lack::missing("no_qdisc", "qdisc", figures::described(&item.does, tree.device, &item.set));
    let prios = || tree.qdiscs().filter(|qdisc| matches!(qdisc.options, Options::Prio(_)));
    let Some(prio) = prios().find(|prio| Some(prio.handle) == tree.of_major(class.major()).map(|qdisc| qdisc.handle)) else {
        return Err(prios().next().map_or_else(lacks, |prio| Lack::drifted("class", format!("a band of {}", prio.handle), chosen())));
    };
    standing(network, prio, tree)?;
    let Options::Prio(options) = &prio.options else { return Err(lacks()) };
    if class.minor() <= COMMON_BANDS || u32::from(class.minor()) > options.bands {
        return Err(Lack::drifted("class", format!("a band of {} from {} on", prio.handle, COMMON_BANDS + 1), chosen()));
    }
    if options.priomap.iter().any(|band| u16::from(*band) >= COMMON_BANDS) {
        return Err(Lack::drifted("priomap", "packets of no set in the first three bands", format!("{:?}", options.priomap)));
    }
    tree.at(class).ok_or_else(lacks)
}

/// The rule for a set: of several the last one, whose word is what stays with a packet.
fn choice<'a, 'c>(choices: &'c [Choice<'a>], item: &Shaping, device: &str, filter: &Filter<'_>) -> Result<&'c Choice<'a>, Lack> {
    let of_set = || choices.iter().filter(|choice| choice.set == item.set);
    let here = || of_set().rev().filter(|choice| choice.device == device);
    let best = here().map(|choice| choice.reach).max();
    let Some(choice) = here().find(|choice| Some(choice.reach) == best) else {
        // Elsewhere it may be for another item of the same set.
        let rule = format!("-o {device} … --match-set {} … CLASSIFY", item.set);
        return Err(match of_set().find(|choice| choice.reach == Reach::Fully) {
            Some(other) if !other.device.is_empty() => Lack::drifted("device", device, other.device),
            _ => filter.absent(Lack::missing("no_rule", "rule", rule)),
        });
    };
    reached(choice.reach, Hook::Output, choice.chain)?;
    if choice.mixed {
        return Err(Lack::drifted("rule", format!("{} classifies only", choice.chain), "another verdict in that chain"));
    }
    Ok(choice)
}

/// Whether the `prio` is below the last qdisc without a set, or at the root where there is none.
fn standing(network: &Network, prio: &Qdisc, tree: &Tree<'_, '_>) -> Result<(), Lack> {
    let above = network.tcs.iter().filter(|tc| tc.set.is_empty() && device(&tc.device) == tree.device).count();
    let mut here = tree.root();
    for _ in 0..above {
        here = here.and_then(|qdisc| tree.below(qdisc));
    }
    if here.is_some_and(|qdisc| qdisc.handle == prio.handle) {
        return Ok(());
    }
    let place = if above == 0 { "the root".to_owned() } else { format!("below {above} others") };
    Err(Lack::drifted("parent", format!("{} at {place}", prio.handle), prio.parent.to_string()))
}
