//! The exposition formats: which one a scraper asks for ([`Format::negotiate`]), and what families write into ([`Exposition`]).
//!
//! prometheus-client encodes `OpenMetrics` 1.0; the classic text format 0.0.4 differs in a few lines, which [`classic`] changes on the
//! way out. Nothing here knows a metric. To add a format: a variant of [`Format`] and an arm in [`encode`].

mod classic;
pub mod distribution;
mod negotiate;

pub use distribution::Distribution;
pub use negotiate::{Format, accepts_gzip};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::{Arc, Once};

/// Label names and values of one sample. Values are any text; the encoder escapes them.
pub type Labels<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// A sample's value: counts stay exact, measurements are floating point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(u64),
    /// A measurement.
    Float(f64),
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

/// What a family writes into. Each family name may be used once: a second use is an error, because prometheus-client would print a
/// second `# TYPE` line. A label set may be there once in a family: a scraper refuses the whole page for a second one, so that is left
/// out, and logged.
pub struct Exposition<'a> {
    encoder: DescriptorEncoder<'a>,
    seen: BTreeSet<String>,
}

impl Exposition<'_> {
    /// A gauge family. A family without samples is left out.
    pub fn gauge<'s, V: Into<Value>>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels<'s>, V)>) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, |encoder, value| match value.into() {
            Value::Int(value) => encoder.encode_gauge(&value),
            Value::Float(value) => encoder.encode_gauge(&value),
        })
    }

    /// A counter family; `name` comes without `_total`.
    pub fn counter<'s, V: Into<Value>>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, V)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, |encoder, value| match value.into() {
            Value::Int(value) => encoder.encode_counter::<[(&str, &str); 0], u64, f64>(&value, None),
            Value::Float(value) => encoder.encode_counter::<[(&str, &str); 0], f64, f64>(&value, None),
        })
    }

    /// A histogram family.
    pub fn histogram<'s>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'s>, &'s Distribution)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, samples, |encoder, value| {
            let buckets: Vec<_> = value.buckets().collect();
            encoder.encode_histogram::<[(&str, &str); 0]>(value.sum(), value.count(), &buckets, None)
        })
    }

    fn family<'s, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'s>, V)>,
        encode: impl Fn(&mut MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        if !self.seen.insert(name.to_owned()) {
            tracing::error!(family = name, "a metric family is written twice");
            return Err(fmt::Error);
        }
        let mut encoder = self.encoder.encode_descriptor(name, help, None, kind)?;
        let mut written: HashSet<Labels<'s>> = HashSet::new();
        for (labels, value) in samples {
            if written.contains(&labels) {
                repeated(name, &labels);
                continue;
            }
            if labels.is_empty() {
                encode(&mut encoder, value)?;
            } else {
                encode(&mut encoder.encode_family(&labels)?, value)?;
            }
            written.insert(labels);
        }
        Ok(())
    }
}

/// Says that a series was there twice, the first time only: the next scrape would most likely say it again.
fn repeated(name: &str, labels: &Labels<'_>) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::error!(family = name, ?labels, "a series is written twice: the second value is left out (please report it)");
    });
}

/// Writes one family after the other; pure.
pub type Page = dyn Fn(&mut Exposition<'_>) -> fmt::Result + Send + Sync;

/// Encodes a page in the format asked for.
pub fn encode(format: Format, page: Arc<Page>, out: &mut impl fmt::Write) -> fmt::Result {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(OnePage(page)));
    match format {
        Format::OpenMetrics => text::encode(out, &registry),
        Format::Classic => {
            let mut classic = classic::Classic::new(out);
            text::encode(&mut classic, &registry)?;
            classic.finish()
        }
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
        (self.0)(&mut Exposition { encoder, seen: BTreeSet::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(format: Format, page: impl Fn(&mut Exposition<'_>) -> fmt::Result + Send + Sync + 'static) -> Result<String, fmt::Error> {
        let mut out = String::new();
        encode(format, Arc::new(page), &mut out).map(|()| out)
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
