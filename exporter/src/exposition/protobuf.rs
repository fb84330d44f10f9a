//! The protobuf exposition: one length-delimited `MetricFamily` after the other, with native histograms.
//!
//! The messages are those of `prometheus/client_model`, `io/prometheus/client/metrics.proto`, as far as Chaoscope fills them; numbers of
//! fields are from there. They are written here, and not by prometheus-client, because that one keeps every family of a page in memory
//! before it writes the first: here it is one family at a time. To add a field: a line in its message.

use super::{Kind, Named, Sample};
use prost::Message;
use prost::encoding::{encode_varint, message};
use std::fmt;
use std::io::Write;

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

/// A gauge, or a counter: both have their value in the first field.
#[derive(Clone, Copy, PartialEq, Message)]
struct Number {
    #[prost(double, tag = "1")]
    value: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    cumulative_count: u64,
    #[prost(double, tag = "2")]
    upper_bound: f64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct BucketSpan {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    sample_count: u64,
    #[prost(double, tag = "2")]
    sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_span: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "13")]
    positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

/// A `MetricFamily` but for its metrics, which follow as field [`METRIC`].
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
}

/// `MetricFamily.metric`.
const METRIC: u32 = 4;

/// Writes families as they come.
pub(super) struct Writer<'a> {
    out: &'a mut dyn Write,
    /// The metrics of the family under way, encoded.
    metrics: Vec<u8>,
    /// Used again for each sample, with the memory of its labels.
    metric: Metric,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, metrics: Vec::new(), metric: Metric::default() }
    }

    /// One sample of the family under way.
    pub(super) fn sample(&mut self, kind: Kind, labels: &Named<'_>, sample: Sample<'_>) -> fmt::Result {
        let metric = &mut self.metric;
        metric.label.resize_with(labels.len(), LabelPair::default);
        for (pair, (name, value)) in metric.label.iter_mut().zip(labels) {
            pair.name.clear();
            pair.name.push_str(name);
            pair.value.clear();
            pair.value.push_str(value);
        }
        (metric.gauge, metric.counter, metric.histogram) = (None, None, None);
        match (kind, sample) {
            (Kind::Gauge, Sample::Value(value)) => metric.gauge = Some(Number { value: value.as_f64() }),
            (Kind::Counter, Sample::Value(value)) => metric.counter = Some(Number { value: value.as_f64() }),
            (Kind::Histogram, Sample::Histogram(distribution)) => metric.histogram = Some(histogram(distribution)),
            _ => return Err(fmt::Error),
        }
        message::encode(METRIC, metric, &mut self.metrics);
        Ok(())
    }

    /// Ends the family under way: only now its length is known.
    pub(super) fn finish(&mut self, name: &str, help: &str, kind: Kind) -> fmt::Result {
        let (name, kind) = match kind {
            Kind::Counter => (format!("{name}_total"), 0),
            Kind::Gauge => (name.to_owned(), 1),
            Kind::Histogram => (name.to_owned(), 4),
        };
        let head = Head { name, help: help.to_owned(), kind };
        let mut front = Vec::new();
        encode_varint((head.encoded_len() + self.metrics.len()) as u64, &mut front);
        front.extend(head.encode_to_vec());
        let written = self.out.write_all(&front).and_then(|()| self.out.write_all(&self.metrics));
        self.metrics.clear();
        written.map_err(|_| fmt::Error)
    }
}

fn histogram(distribution: &super::Distribution) -> Histogram {
    let mut cumulative_count = 0;
    let bucket = distribution.buckets().map(|(upper_bound, count)| {
        cumulative_count += count;
        Bucket { cumulative_count, upper_bound }
    });
    let classic =
        Histogram { bucket: bucket.collect(), sample_count: distribution.count(), sample_sum: distribution.sum(), ..Default::default() };
    let Some(native) = distribution.native() else { return classic };
    Histogram {
        schema: super::distribution::SCHEMA,
        zero_threshold: super::distribution::ZERO_THRESHOLD,
        zero_count: native.zero(),
        positive_span: native.spans().into_iter().map(|(offset, length)| BucketSpan { offset, length }).collect(),
        positive_delta: native.deltas().collect(),
        ..classic
    }
}
