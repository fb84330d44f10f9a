//! A reader of the protobuf exposition of its own: the messages of `prometheus/client_model` as the tests need them.
//!
//! Apart from what the exporter writes with, so that a mistake there is not made twice.

use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub struct Label {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Number {
    #[prost(double, tag = "1")]
    pub value: f64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Bucket {
    #[prost(uint64, tag = "1")]
    pub cumulative_count: u64,
    #[prost(double, tag = "2")]
    pub upper_bound: f64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Span {
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Histogram {
    #[prost(uint64, tag = "1")]
    pub sample_count: u64,
    #[prost(double, tag = "2")]
    pub sample_sum: f64,
    #[prost(message, repeated, tag = "3")]
    pub bucket: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    pub schema: i32,
    #[prost(double, tag = "6")]
    pub zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    pub zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    pub positive_span: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    pub positive_delta: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    #[prost(message, repeated, tag = "1")]
    pub label: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    pub counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Family {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub help: String,
    /// 0 counter, 1 gauge, 4 histogram.
    #[prost(int32, tag = "3")]
    pub kind: i32,
    #[prost(message, repeated, tag = "4")]
    pub metric: Vec<Metric>,
}

/// Every family of a page.
pub fn families(mut page: &[u8]) -> Vec<Family> {
    let mut families = Vec::new();
    while !page.is_empty() {
        families.push(Family::decode_length_delimited(&mut page).expect("a family"));
    }
    families
}

/// Name and labels of a sample, in the labels' order, with its value.
pub type Flat = Vec<(String, BTreeMap<String, String>, f64)>;

/// The samples as a text format would have them; native buckets are left out.
pub fn flat(families: &[Family]) -> Flat {
    let mut out = Vec::new();
    for family in families {
        for metric in &family.metric {
            let labels: BTreeMap<_, _> = metric.label.iter().map(|label| (label.name.clone(), label.value.clone())).collect();
            let mut push = |suffix: &str, le: Option<f64>, value: f64| {
                let le = le.map(|le| ("le".to_owned(), le.to_string()));
                out.push((format!("{}{suffix}", family.name), labels.clone().into_iter().chain(le).collect(), value));
            };
            let number = match family.kind {
                0 => metric.counter.as_ref(),
                1 => metric.gauge.as_ref(),
                4 => None,
                kind => panic!("{}: a family of kind {kind}", family.name),
            };
            if let Some(number) = number {
                push("", None, number.value);
                continue;
            }
            let histogram = metric.histogram.as_ref().expect("a value of the family's kind");
            push("_sum", None, histogram.sample_sum);
            push("_count", None, histogram.sample_count as f64);
            for bucket in &histogram.bucket {
                push("_bucket", Some(bucket.upper_bound), bucket.cumulative_count as f64);
            }
        }
    }
    out
}
