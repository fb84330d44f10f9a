//! What this process counts of itself, for Grafana's page of a plugin's metrics.
//!
//! One set per process ([`METRICS`]), because everything that counts serves the same page. To add one: a field, its line in
//! [`Metrics::registry`], and where it is counted.

use prometheus_client::encoding::{EncodeLabelSet, text::encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::LazyLock;

/// What is counted.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::default);

/// All of it.
#[derive(Default)]
pub struct Metrics {
    /// Queries that were answered, or were not.
    pub queries: Family<Query, Counter>,
    /// Requests to origins, repeated ones too.
    pub origin_requests: Family<Outcome, Counter>,
    /// What was asked of the cache.
    pub cache: Family<Cache, Counter>,
    /// Streams open now.
    pub streams: Gauge,
    /// Packets sent on them.
    pub stream_packets: Counter,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Query {
    /// What was asked: `runs`, `events`, …; `unreadable` where that is not known.
    pub ask: &'static str,
    /// `ok`, `cancelled`, or the failure.
    pub outcome: &'static str,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    /// See [`status`]; `unreachable`; `given_up`: nobody waits any more, or too late.
    pub outcome: &'static str,
}

/// What the cache had.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Cache {
    /// `hit`, `miss`, or `shared`: somebody else was asking the same.
    pub result: &'static str,
}

impl Metrics {
    /// The page, in Prometheus' classic text format.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry())?;
        Ok(classic(&text))
    }

    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("chaoscope_datasource");
        let info = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which version this is", info);
        registry.register("queries", "Queries, by what was asked and how it ended", self.queries.clone());
        registry.register("origin_requests", "Requests to origins, repeated ones too, by how they ended", self.origin_requests.clone());
        registry.register("cache_lookups", "Questions the cache was asked, by what it had", self.cache.clone());
        registry.register("streams", "Streams open now", self.streams.clone());
        registry.register("stream_packets", "Packets sent on streams", self.stream_packets.clone());
        registry
    }
}

/// From `OpenMetrics`, which names a counter without its `_total` and an info without its `_info`, to the classic format, which has neither
/// infos nor such names.
fn classic(text: &str) -> String {
    let suffix = |name: &str| {
        let kind = |kind: &str| text.contains(&format!("# TYPE {name} {kind}\n"));
        if kind("counter") {
            "_total"
        } else if kind("info") {
            "_info"
        } else {
            ""
        }
    };
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        match line.strip_prefix("# ").and_then(|it| it.split_once(' ')).and_then(|(word, rest)| Some((word, rest.split_once(' ')?))) {
            Some((word, (name, rest))) => {
                let rest = if (word, rest) == ("TYPE", "info") { "gauge" } else { rest };
                lines.extend(["# ", word, " ", name, suffix(name), " ", rest, "\n"]);
            }
            None => lines.extend([line, "\n"]),
        }
    }
    lines
}

/// Counts one query when it ends, however it does.
#[derive(Debug)]
pub struct Counting {
    /// See [`Query::ask`].
    pub ask: &'static str,
    /// See [`Query::outcome`].
    pub outcome: &'static str,
}

impl Default for Counting {
    fn default() -> Self {
        Self { ask: "unreadable", outcome: "cancelled" }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() { "internal" } else { self.outcome };
        METRICS.queries.get_or_create(&Query { ask: self.ask, outcome }).inc();
    }
}

/// Counts one request to an origin when it ends, however it does.
#[derive(Debug)]
pub struct Requested {
    /// See [`Outcome::outcome`].
    pub outcome: &'static str,
}

impl Default for Requested {
    fn default() -> Self {
        Self { outcome: "given_up" }
    }
}

impl Drop for Requested {
    fn drop(&mut self) {
        METRICS.origin_requests.get_or_create(&Outcome { outcome: self.outcome }).inc();
    }
}

/// The word for an HTTP status: `ok` below 400, `refused` below 500, `failed` from there on.
pub const fn status(status: u16) -> &'static str {
    match status {
        ..400 => "ok",
        400..500 => "refused",
        500.. => "failed",
    }
}

/// Counts what the cache had: see [`Cache::result`].
pub fn looked_up(result: &'static str) {
    METRICS.cache.get_or_create(&Cache { result }).inc();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_classic() {
        let metrics = Metrics::default();
        metrics.queries.get_or_create(&Query { ask: "runs", outcome: "ok" }).inc();
        metrics.streams.set(2);
        let version = env!("CARGO_PKG_VERSION");
        let wanted = format!(
            "# HELP chaoscope_datasource_build_info Which version this is.\n\
             # TYPE chaoscope_datasource_build_info gauge\n\
             chaoscope_datasource_build_info{{version=\"{version}\"}} 1\n\
             # HELP chaoscope_datasource_queries_total Queries, by what was asked and how it ended.\n\
             # TYPE chaoscope_datasource_queries_total counter\n\
             chaoscope_datasource_queries_total{{ask=\"runs\",outcome=\"ok\"}} 1\n\
             # HELP chaoscope_datasource_streams Streams open now.\n\
             # TYPE chaoscope_datasource_streams gauge\n\
             chaoscope_datasource_streams 2\n\
             # HELP chaoscope_datasource_stream_packets_total Packets sent on streams.\n\
             # TYPE chaoscope_datasource_stream_packets_total counter\n\
             chaoscope_datasource_stream_packets_total 0\n"
        );
        assert_eq!(metrics.text().unwrap(), wanted);
    }
}
