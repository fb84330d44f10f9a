//! Log lines as a host of plugins reads them: JSON on standard error, as hclog writes it, so that level and fields arrive in Grafana's log.
//!
//! `@level`, `@message`, `@module` and `@timestamp` are texts (a host fails over anything else); an event's fields stand beside them. What
//! other crates say is let through from info, of the HTTP and TLS stacks from warning: theirs may hold requests, and with them secrets.
//! The level is `log_level` below `[plugin.<id>]` of Grafana's configuration, which arrives as [`LEVEL`].

use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Debug;
use std::io::{self, Write};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Where the level comes from.
const LEVEL: &str = "GF_PLUGIN_LOG_LEVEL";

const OURS: [&str; 3] = ["chaoscope_datasource", "chaoscope_model", "gpx_chaoscope"];
const STACKS: [&str; 9] = ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tonic", "tower", "tokio", "grafana_plugin_sdk"];

/// From now on, events and panics are such lines.
pub(super) fn install() {
    let wanted = std::env::var(LEVEL).ok();
    let level = wanted.as_deref().map_or(Some(LevelFilter::INFO), |it| it.trim().parse().ok());
    // Fails only if a test installed one.
    let _ = tracing_subscriber::registry().with(Lines.with_filter(levels(level.unwrap_or(LevelFilter::INFO)))).try_init();
    if level.is_none() {
        tracing::warn!(variable = LEVEL, "no such level of logging: info is used");
    }
    // Where, and not what: a panic's text may hold anything.
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "the backend failed at a question; the rest goes on");
    }));
}

fn levels(level: LevelFilter) -> Targets {
    Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(STACKS.map(|it| (it, level.min(LevelFilter::WARN))))
        .with_targets(OURS.map(|it| (it, level)))
}

/// Writes events; spans are not shown.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // Nobody is there to be told if nobody reads.
        let _ = io::stderr().lock().write_all(line(event, Timestamp::now()).as_bytes());
    }
}

fn line(event: &Event<'_>, now: Timestamp) -> String {
    let mut fields = Fields::default();
    event.record(&mut fields);
    let Fields { message, mut all } = fields;
    let (level, target) = (event.metadata().level(), event.metadata().target());
    all.insert("@level".to_owned(), level.to_string().to_ascii_lowercase().into());
    all.insert("@message".to_owned(), message.into());
    all.insert("@module".to_owned(), target.into());
    all.insert("@timestamp".to_owned(), now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string().into());
    Value::Object(all).to_string() + "\n"
}

#[derive(Default)]
struct Fields {
    message: String,
    all: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => drop(self.all.insert(name.trim_start_matches('@').to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::Level;

    struct Kept(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Kept {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            let now = "2026-11-21T10:00:00.123456789+01:00".parse().unwrap();
            self.0.lock().unwrap().push(line(event, now));
        }
    }

    #[test]
    fn lines_are_what_a_host_reads() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Kept(lines.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "x", status = 502, retried = true, cause = %"a \"b\"\nc", "no answer from {}", "there");
        });
        let wanted = "{\"@level\":\"warn\",\"@message\":\"no answer from there\",\"@module\":\"x\",\
            \"@timestamp\":\"2026-11-21T09:00:00.123456Z\",\"cause\":\"a \\\"b\\\"\\nc\",\"retried\":true,\"status\":502}\n";
        assert_eq!(*lines.lock().unwrap(), [wanted]);
    }

    #[test]
    fn others_are_kept_quiet() {
        let trace = levels(LevelFilter::TRACE);
        assert!(trace.would_enable("chaoscope_datasource::plugin", &Level::TRACE));
        assert!(!trace.would_enable("h2::codec", &Level::INFO) && trace.would_enable("h2::codec", &Level::WARN));
        assert!(!trace.would_enable("mio", &Level::DEBUG) && trace.would_enable("mio", &Level::INFO));
        let error = levels(LevelFilter::ERROR);
        assert!(!error.would_enable("h2", &Level::WARN) && !error.would_enable("gpx_chaoscope", &Level::WARN));
    }
}
