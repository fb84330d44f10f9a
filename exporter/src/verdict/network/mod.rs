//! What a pod's `PodNetworkChaos` has from one experiment, held against what was read of the pod's own network namespace: its qdiscs
//! ([`shaping`]), its chains ([`chains`]) and its sets ([`sets`]).
//!
//! Here is how many findings become one judgement: something missing is told before something that differs, and either before what could not
//! be looked at, because it is true whatever the rest is. To compare one more thing: a file here, and a line in [`checked`].

mod chains;
mod figures;
mod sets;
mod shaping;

use super::judge::{Homes, declared_by, unknown};
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, Network};
use chaoscope_model::shortened;
use chaoscope_model::verdict::{Difference, Judgement, Verdict};

/// Where chaos-daemon puts what names no device (`pkg/chaosdaemon/tc_server.go`).
const USUAL_DEVICE: &str = "eth0";
/// Longest text of a difference, in characters.
const LONGEST: usize = 256;

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, homes: &Homes<'_>) -> Judgement {
    checked(declared, target, homes).unwrap_or_else(|judgement| judgement)
}

fn checked(declared: &DeclaredPod, target: &DeclaredTarget, homes: &Homes<'_>) -> Result<Judgement, Judgement> {
    let source = format!("{}/{}", target.experiment.namespace, target.experiment.name);
    let network = declared_by(declared.network.as_ref(), target.stage, &source, |network| has(network, &source))?;
    let reading = homes.reading(&declared.pod)?;
    let filter = chains::Filter::of(reading);
    let mut found = Found::default();
    shaping::check(network, &source, reading, &filter, &mut found);
    chains::check(network, &source, reading, &filter, &mut found);
    sets::check(network, &source, reading, &mut found);
    Ok(found.judgement())
}

fn has(network: &Network, source: &str) -> bool {
    let sources = network.tcs.iter().map(|it| &it.source).chain(network.chains.iter().map(|it| &it.source));
    sources.chain(network.sets.iter().map(|it| &it.source)).any(|it| it == source)
}

/// A device as declared, by name.
fn device(declared: &str) -> &str {
    if declared.is_empty() { USUAL_DEVICE } else { declared }
}

/// One thing that is not as declared.
enum Lack {
    /// It is not there.
    Missing(&'static str, Difference),
    /// It is there, with another parameter.
    Drifted(Difference),
    /// It could not be looked at.
    Unknown(&'static str),
}

impl Lack {
    /// Something that is not there, and what was looked for.
    fn missing(reason: &'static str, parameter: &str, declared: impl AsRef<str>) -> Self {
        Self::Missing(reason, difference(parameter, declared.as_ref(), ""))
    }

    /// Something else than declared.
    fn drifted(parameter: &str, declared: impl AsRef<str>, read: impl AsRef<str>) -> Self {
        Self::Drifted(difference(parameter, declared.as_ref(), read.as_ref()))
    }
}

fn difference(parameter: &str, declared: &str, read: &str) -> Difference {
    Difference { parameter: parameter.to_owned(), declared: shortened(declared, LONGEST), read: shortened(read, LONGEST) }
}

/// All that was found of one target so far.
#[derive(Default)]
struct Found {
    missing: Option<&'static str>,
    unknown: Option<&'static str>,
    drifted: Option<String>,
    differences: Vec<Difference>,
}

impl Found {
    fn take(&mut self, lack: Lack) {
        match lack {
            Lack::Missing(reason, difference) => {
                self.missing.get_or_insert(reason);
                self.differences.push(difference);
            }
            Lack::Drifted(difference) => {
                self.drifted.get_or_insert_with(|| difference.parameter.clone());
                self.differences.push(difference);
            }
            Lack::Unknown(reason) => drop(self.unknown.get_or_insert(reason)),
        }
    }

    fn judgement(self) -> Judgement {
        let differences = self.differences;
        match (self.missing, self.drifted, self.unknown) {
            (Some(reason), ..) => Judgement { differences, ..Judgement::new(Verdict::Missing, reason) },
            (None, Some(parameter), _) => Judgement { differences, ..Judgement::new(Verdict::Drifted, &parameter) },
            (None, None, Some(reason)) => unknown(reason),
            (None, None, None) => Judgement::in_force(),
        }
    }
}
