//! The exposition formats: which one a scraper asks for ([`Format::negotiate`]), and what families write into ([`Exposition`]).
//!
//! prometheus-client encodes `OpenMetrics` 1.0; the classic text format 0.0.4 differs in a few lines, which [`classic`] changes on the
//! way out; [`protobuf`] writes its own messages. All three are written from the same samples, described once. Nothing here knows a metric.
//! To add a format: a variant of [`Format`] and an arm in [`encode`].

mod classic;
pub mod distribution;
mod negotiate;
mod protobuf;

pub use distribution::Distribution;
pub use negotiate::{Format, accepts_gzip};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Once};

/// Label names and values of one sample. Values are any text; the encoder escapes them.
pub type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// The same with names that are not ours, as a page of somebody else has them.
pub type Named<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// A sample's value: counts stay exact, measurements are floating point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(u64),
    /// A measurement.
    Float(f64),
}

impl Value {
    fn as_f64(self) -> f64 {
        match self {
            Self::Int(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(u64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up; its samples are called `…_total`.
    Counter,
    /// How often which values were seen.
    Histogram,
}

/// What stands behind a sample's labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample<'a> {
    /// Of a gauge or a counter.
    Value(Value),
    /// Of a histogram.
    Histogram(&'a Distribution),
}

/// What a family writes into. Each family name may be used once: a second use is an error, because a page may have one description of a
/// family only. A label set may be there once in a family: a scraper refuses the whole page for a second one, so that is left out, and
/// logged.
pub struct Exposition<'a> {
    outlet: Outlet<'a>,
    seen: BTreeSet<String>,
}

enum Outlet<'a> {
    Text(DescriptorEncoder<'a>),
    Protobuf(protobuf::Writer<'a>),
}

impl Exposition<'_> {
    /// A gauge family. A family without samples is left out.
    pub fn gauge<'s, V: Into<Value>>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'s>, V)>) -> fmt::Result {
        self.family(name, help, Kind::Gauge, samples.into_iter().map(|(labels, value)| (labels, Sample::Value(value.into()))))
    }

    /// A counter family; `name` comes without `_total`.
    pub fn counter<'s, V: Into<Value>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, V)>,
    ) -> fmt::Result {
        self.family(name, help, Kind::Counter, samples.into_iter().map(|(labels, value)| (labels, Sample::Value(value.into()))))
    }

    /// A histogram family.
    pub fn histogram<'s>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, &'s Distribution)>,
    ) -> fmt::Result {
        self.family(name, help, Kind::Histogram, samples.into_iter().map(|(labels, value)| (labels, Sample::Histogram(value))))
    }

    /// A family taken over from elsewhere, with label names that only its page knew. `name` is as [`Self::counter`] wants it; a sample
    /// that is none of this `kind` is an error.
    pub fn foreign<'s>(
        &mut self,
        name: &str,
        help: &str,
        kind: Kind,
        samples: impl IntoIterator<Item = (Named<'s>, Sample<'s>)>,
    ) -> fmt::Result {
        self.family(name, help, kind, samples)
    }

    fn family<'s>(
        &mut self,
        name: &str,
        help: &str,
        kind: Kind,
        samples: impl IntoIterator<Item = (Named<'s>, Sample<'s>)>,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        if !self.seen.insert(name.to_owned()) {
            tracing::error!(family = name, "a metric family is written twice");
            return Err(fmt::Error);
        }
        match &mut self.outlet {
            Outlet::Text(encoder) => {
                let mut encoder = encoder.encode_descriptor(name, help, None, kind.into())?;
                each_once(name, samples, |labels, sample| match labels.as_slice() {
                    [] => text_sample(&mut encoder, kind, sample),
                    _ => text_sample(&mut encoder.encode_family(labels)?, kind, sample),
                })
            }
            Outlet::Protobuf(writer) => {
                each_once(name, samples, |labels, sample| writer.sample(kind, labels, sample))?;
                writer.finish(name, help, kind)
            }
        }
    }
}

/// Hands over each series once.
fn each_once<'s>(
    name: &str,
    samples: impl Iterator<Item = (Named<'s>, Sample<'s>)>,
    mut write: impl FnMut(&Named<'s>, Sample<'s>) -> fmt::Result,
) -> fmt::Result {
    let mut written: HashSet<Named<'s>> = HashSet::new();
    for (labels, sample) in samples {
        if written.contains(&labels) {
            repeated(name, &labels);
            continue;
        }
        write(&labels, sample)?;
        written.insert(labels);
    }
    Ok(())
}

fn text_sample(encoder: &mut MetricEncoder<'_>, kind: Kind, sample: Sample<'_>) -> fmt::Result {
    type None = [(&'static str, &'static str); 0];
    match (kind, sample) {
        (Kind::Gauge, Sample::Value(Value::Int(value))) => encoder.encode_gauge(&value),
        (Kind::Gauge, Sample::Value(Value::Float(value))) => encoder.encode_gauge(&value),
        (Kind::Counter, Sample::Value(Value::Int(value))) => encoder.encode_counter::<None, u64, f64>(&value, Option::None),
        (Kind::Counter, Sample::Value(Value::Float(value))) => encoder.encode_counter::<None, f64, f64>(&value, Option::None),
        (Kind::Histogram, Sample::Histogram(value)) => {
            let buckets: Vec<_> = value.buckets().collect();
            encoder.encode_histogram::<None>(value.sum(), value.count(), &buckets, Option::None)
        }
        _ => Err(fmt::Error),
    }
}

impl From<Kind> for MetricType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Gauge => Self::Gauge,
            Kind::Counter => Self::Counter,
            Kind::Histogram => Self::Histogram,
        }
    }
}

/// Says that a series was there twice, the first time only: the next scrape would most likely say it again.
fn repeated(name: &str, labels: &Named<'_>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::error!(family = name, ?labels, "a series is written twice: the second value is left out (please report it)");
    });
}

/// Writes one family after the other; pure.
pub type Page = dyn Fn(&mut Exposition<'_>) -> fmt::Result + Send + Sync;

/// Encodes a page in the format asked for.
pub fn encode(format: Format, page: Arc<Page>, out: &mut impl io::Write) -> io::Result<()> {
    match format {
        Format::OpenMetrics => text::encode(&mut Utf8(out), &registry(page)),
        Format::Classic => {
            let mut out = Utf8(out);
            let mut classic = classic::Classic::new(&mut out);
            text::encode(&mut classic, &registry(page)).and_then(|()| classic.finish())
        }
        Format::Protobuf => page(&mut Exposition { outlet: Outlet::Protobuf(protobuf::Writer::new(out)), seen: BTreeSet::new() }),
    }
    .map_err(io::Error::other)
}

fn registry(page: Arc<Page>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(OnePage(page)));
    registry
}

/// Text on its way into bytes, without a copy of the whole page in between.
struct Utf8<'a, W>(&'a mut W);

impl<W: io::Write> fmt::Write for Utf8<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_all(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

struct OnePage(Arc<Page>);

impl fmt::Debug for OnePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnePage")
    }
}

impl Collector for OnePage {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        (self.0)(&mut Exposition { outlet: Outlet::Text(encoder), seen: BTreeSet::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format, page: impl Fn(&mut Exposition<'_>) -> fmt::Result + Send + Sync + 'static) -> io::Result<String> {
        let mut out = Vec::new();
        encode(format, Arc::new(page), &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    fn sample(out: &mut Exposition<'_>) -> fmt::Result {
        out.counter("chaoscope_x", "Things.", [(vec![("name", Cow::from("a\"b\\c\nd"))], u64::MAX)])?;
        out.gauge("chaoscope_y", "Others.", [(vec![], 0.25)])
    }

    #[test]
    fn open_metrics_is_what_the_library_writes() {
        let text = page(Format::OpenMetrics, sample).unwrap();
        assert_eq!(
            text,
            "# HELP chaoscope_x Things.\n# TYPE chaoscope_x counter\nchaoscope_x_total{name=\"a\\\"b\\\\c\\nd\"} 18446744073709551615\n\
             # HELP chaoscope_y Others.\n# TYPE chaoscope_y gauge\nchaoscope_y 0.25\n# EOF\n"
        );
    }

    #[test]
    fn classic_names_counters_with_total_and_has_no_end_mark() {
        let text = page(Format::Classic, sample).unwrap();
        assert_eq!(
            text,
            "# HELP chaoscope_x_total Things.\n# TYPE chaoscope_x_total counter\nchaoscope_x_total{name=\"a\\\"b\\\\c\\nd\"} 18446744073709551615\n\
             # HELP chaoscope_y Others.\n# TYPE chaoscope_y gauge\nchaoscope_y 0.25\n"
        );
    }

    #[test]
    fn a_family_written_twice_is_an_error_and_an_empty_one_is_nothing() {
        let twice = |out: &mut Exposition<'_>| {
            out.gauge("a", "A.", [(vec![], 1u64)])?;
            out.gauge("a", "A.", [(vec![], 1u64)])
        };
        assert!(page(Format::Classic, twice).is_err());
        let empty = |out: &mut Exposition<'_>| out.gauge("a", "A.", std::iter::empty::<(Labels<'_>, u64)>());
        assert_eq!(page(Format::Classic, empty).unwrap(), "");
    }

    #[test]
    fn a_series_that_is_there_twice_is_written_once() {
        let label = |value: &'static str| vec![("name", Cow::from(value))];
        let text = page(Format::Classic, move |out| {
            out.gauge("a", "A.", [(label("x"), 1u64), (label("y"), 2), (label("x"), 3)])?;
            out.gauge("b", "B.", [(vec![], 1u64), (vec![], 2)])?;
            out.gauge("c", "C.", [(label("x"), 4u64)])
        });
        let text = text.unwrap();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["a{name=\"x\"} 1", "a{name=\"y\"} 2", "b 1", "c{name=\"x\"} 4"]);
    }

    #[test]
    fn histograms_cumulate_and_end_with_infinity() {
        let text = page(Format::Classic, |out| {
            let mut seconds = Distribution::with_bounds(&[0.1, 1.0]);
            for value in [0.05, 0.5, 5.0] {
                seconds.observe(value);
            }
            out.histogram("t_seconds", "T.", [(vec![], &seconds)])
        })
        .unwrap();
        assert!(text.contains("t_seconds_bucket{le=\"1.0\"} 2\n") && text.contains("t_seconds_bucket{le=\"+Inf\"} 3\n"), "{text}");
    }
}
