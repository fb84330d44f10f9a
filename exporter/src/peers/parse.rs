//! A component's page in the text format 0.0.4 → what of it is passed through; pure, and made for pages that lie.
//!
//! Two kinds of wrong are kept apart. A line that is not in the format means that the page is not what it claims to be: nothing of it is
//! taken. A line in the format that makes no sense (NaN, a counter below 0, a series that is there twice, a label that is ours) costs its own
//! series, and is counted. Lines of families that nobody wants are not looked at behind their names. Every limit is here: [`MAX_LINE`],
//! [`MAX_SAMPLES`], [`MAX_LABELS`], [`MAX_TEXT`], [`MAX_BUCKETS`]. Which families are taken is in [`wanted`](super::wanted).

use super::find::Component;
use super::lines::{self, Body, Fault, Line};
use super::rename;
use super::wanted::{self, Part, Replica, Wanted};
use crate::exposition::{Distribution, Kind};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Longest line, in bytes; the longest of a real page have some 300.
pub const MAX_LINE: usize = 64 << 10;
/// Most samples that are passed through of one page; a controller that ran everything has 3 200.
pub const MAX_SAMPLES: usize = 20_000;
/// Most labels of one series.
pub const MAX_LABELS: usize = 16;
/// Longest value of a label, in bytes.
pub const MAX_TEXT: usize = 512;
/// Most buckets of one histogram.
pub const MAX_BUCKETS: usize = 256;

/// What a page is passed through as.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Page {
    /// Series by the name of their family, which is one of [`wanted::WANTED`]; sorted by labels.
    pub families: BTreeMap<&'static str, Vec<Series>>,
    /// Samples that made no sense.
    pub left_out: u64,
}

/// One series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Its labels, sorted by name.
    pub labels: Labels,
    /// What it says.
    pub value: Value,
}

/// Names and values.
pub type Labels = Vec<(String, String)>;

/// What a series says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Value {
    /// Finite; of a counter not below 0.
    Number(f64),
    /// Consistent: its counts ascend, and its last bucket has as many as it counts in all.
    Histogram(Distribution),
}

/// Why a page is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A line is not in the format.
    #[error("line {0} {1}")]
    Line(usize, Fault),
    /// A line is longer than [`MAX_LINE`].
    #[error("line {0} is longer than {MAX_LINE} bytes")]
    Long(usize),
    /// More than [`MAX_SAMPLES`].
    #[error("it has more than {MAX_SAMPLES} samples that would be passed through")]
    Many,
}

/// Reads the page of one component.
pub fn parse(component: Component, page: &[u8]) -> Result<Page, Refused> {
    let mut gathered = Gathered::default();
    // Samples of one family stand together, so one answer is kept.
    let mut known: (&str, Option<(&'static Wanted, Part)>) = ("", None);
    for (number, bytes) in page.split(|byte| *byte == b'\n').enumerate() {
        let number = number + 1;
        if bytes.len() > MAX_LINE {
            return Err(Refused::Long(number));
        }
        match lines::line(bytes).map_err(|fault| Refused::Line(number, fault))? {
            None => {}
            Some(Line::Type(name, kind)) => gathered.declare(component, rename::name(name), kind),
            Some(Line::Sample(name, rest)) => {
                if known.0 != name {
                    known = (name, wanted::find(component, rename::name(name)));
                }
                if let Some((wanted, part)) = known.1 {
                    let body = lines::body(rest).map_err(|fault| Refused::Line(number, fault))?;
                    gathered.add(wanted, part, body)?;
                }
            }
        }
    }
    Ok(gathered.finish())
}

impl Page {
    /// Whether this replica leads, where its page tells.
    pub fn leads(&self) -> Option<bool> {
        let mut held = self.families.get("leader_election_master_status")?.iter();
        Some(held.any(|lease| lease.value == Value::Number(1.0)))
    }

    /// Whether this family is to be taken from this page: not what only a leader's page tells rightly, when another one leads.
    pub fn may_tell(&self, wanted: &Wanted) -> bool {
        wanted.of == Replica::Every || self.leads() != Some(false)
    }
}

#[derive(Default)]
struct Gathered {
    families: BTreeMap<&'static str, BTreeMap<Labels, Built>>,
    /// Families whose page says another type than it should.
    mistyped: BTreeSet<&'static str>,
    samples: usize,
    left_out: u64,
}

/// A series under way.
struct Built {
    /// How many samples it was made of.
    samples: u64,
    parts: Parts,
}

enum Parts {
    Number(f64),
    Histogram(Buckets),
    /// Something of it made no sense.
    Broken,
}

#[derive(Default)]
struct Buckets {
    /// Upper bound, observations up to it.
    cumulative: Vec<(f64, u64)>,
    sum: Option<f64>,
    count: Option<u64>,
}

impl Gathered {
    fn declare(&mut self, component: Component, name: &str, kind: &str) {
        let wanted = wanted::WANTED.iter().find(|wanted| wanted.name == name && wanted.from.contains(&component));
        let right = |wanted: &&Wanted| match wanted.kind {
            Kind::Gauge => kind == "gauge",
            Kind::Counter => kind == "counter",
            Kind::Histogram => kind == "histogram",
        };
        // Without a type of its own a family may still be what we take it for.
        if kind != "untyped"
            && let Some(wanted) = wanted.filter(|wanted| !right(wanted))
        {
            self.mistyped.insert(wanted.name);
        }
    }

    fn add(&mut self, wanted: &'static Wanted, part: Part, body: Body<'_>) -> Result<(), Refused> {
        self.samples += 1;
        if self.samples > MAX_SAMPLES {
            return Err(Refused::Many);
        }
        let Some((labels, bound)) = sorted(wanted, part, body.labels) else {
            self.left_out += 1;
            return Ok(());
        };
        let family = self.families.entry(wanted.name).or_default();
        if wanted.kind != Kind::Histogram {
            let sense = body.value.is_finite() && (wanted.kind == Kind::Gauge || body.value >= 0.0);
            // Of two samples of one series nobody knows which is right.
            let parts = if sense && !family.contains_key(&labels) { Parts::Number(body.value) } else { Parts::Broken };
            let samples = 1 + family.get(&labels).map_or(0, |built| built.samples);
            family.insert(labels, Built { samples, parts });
            return Ok(());
        }
        let built = family.entry(labels).or_insert_with(|| Built { samples: 0, parts: Parts::Histogram(Buckets::default()) });
        built.samples += 1;
        if let Parts::Histogram(buckets) = &mut built.parts
            && buckets.add(part, bound, body.value).is_none()
        {
            built.parts = Parts::Broken;
        }
        Ok(())
    }

    fn finish(self) -> Page {
        let mut page = Page { families: BTreeMap::new(), left_out: self.left_out };
        for (name, family) in self.families {
            let mut series = Vec::new();
            for (labels, built) in family {
                match built.parts.value().filter(|_| !self.mistyped.contains(name)) {
                    Some(value) => series.push(Series { labels, value }),
                    None => page.left_out += built.samples,
                }
            }
            if !series.is_empty() {
                page.families.insert(name, series);
            }
        }
        page
    }
}

impl Parts {
    fn value(self) -> Option<Value> {
        match self {
            Self::Number(value) => Some(Value::Number(value)),
            Self::Histogram(buckets) => buckets.distribution().map(Value::Histogram),
            Self::Broken => None,
        }
    }
}

impl Buckets {
    /// None: this makes no sense in a histogram.
    fn add(&mut self, part: Part, bound: Option<f64>, value: f64) -> Option<()> {
        match part {
            Part::Bucket if self.cumulative.len() < MAX_BUCKETS => self.cumulative.push((bound?, whole(value)?)),
            Part::Sum if self.sum.is_none() => self.sum = Some(value),
            Part::Count if self.count.is_none() => self.count = Some(whole(value)?),
            _ => return None,
        }
        Some(())
    }

    fn distribution(mut self) -> Option<Distribution> {
        self.cumulative.sort_by(|one, two| one.0.total_cmp(&two.0));
        let distribution = Distribution::cumulative(&self.cumulative, self.sum?).ok()?;
        (distribution.count() == self.count?).then_some(distribution)
    }
}

/// A count: whole, not below 0, and small enough to be exact.
pub fn whole(value: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(clippy::cast_sign_loss, reason = "it was just looked at")]
    let count = ((0.0..=EXACT).contains(&value) && value.fract() == 0.0).then_some(value as u64);
    count
}

/// Today's labels in order, and apart from them the bound of a bucket. None for labels that are too many, too long, there twice, or ours.
fn sorted(wanted: &Wanted, part: Part, told: Vec<(&str, Cow<'_, str>)>) -> Option<(Labels, Option<f64>)> {
    if told.len() > MAX_LABELS || told.iter().any(|(_, value)| value.len() > MAX_TEXT) {
        return None;
    }
    let mut labels: Labels = Vec::with_capacity(told.len() + 1);
    let mut bound = None;
    for (name, value) in told {
        match name {
            "le" if part == Part::Bucket && bound.is_none() => bound = Some(value.parse().ok()?),
            "peer" | "job" | "instance" | "le" => return None,
            _ if name.starts_with("__") => return None,
            _ if value.is_empty() => {} // to Prometheus the same as no label
            _ => labels.push((name.to_owned(), value.into_owned())),
        }
    }
    rename::labels(wanted.name, &mut labels);
    labels.sort_unstable();
    let distinct = labels.windows(2).all(|pair| pair[0].0 != pair[1].0);
    distinct.then_some((labels, bound))
}

#[cfg(fuzzing)]
mod fuzzing {
    use super::{Component, parse};

    /// The first byte says whose page it is. What is parsed can be shown, whatever it was.
    pub fn fuzz(data: &[u8]) {
        let Some((first, page)) = data.split_first() else { return };
        let component = Component::ALL[usize::from(*first) % Component::ALL.len()];
        match parse(component, page) {
            Ok(page) => assert!(serde_json::to_writer(std::io::sink(), &page).is_ok(), "what was parsed can be shown"),
            Err(refused) => assert!(!refused.to_string().is_empty(), "a refusal says something"),
        }
    }
}
#[cfg(fuzzing)]
pub use fuzzing::fuzz;

#[cfg(test)]
mod tests;
