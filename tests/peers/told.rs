//! What a scrape tells of peers: the readings of [`Peers`] on a page of ours.

use crate::text::{Sample, samples};
use chaoscope::exposition::{self, Format};
use chaoscope::peers::find::Peer;
use chaoscope::peers::{Config, PeerReading, Peers};
use chaoscope::scrape::{World, page};
use chaoscope::source::Source;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Asks all of them as a scrape does.
pub(crate) async fn read(peers: &Peers) -> Arc<Vec<PeerReading>> {
    peers.read(Duration::ZERO, Instant::now() + Duration::from_mins(1)).await.unwrap()
}

/// Those at these addresses.
pub(crate) fn fixed(peers: &[(&str, &str, String)]) -> Peers {
    let peer = |(name, component, url): &(&str, &str, String)| {
        let peer: Peer = format!("{component}={url}").parse().unwrap();
        Peer { name: (*name).to_owned(), ..peer }
    };
    Peers::new(Config { fixed: peers.iter().map(peer).collect(), ..Config::default() }, None)
}

/// A page with nothing but what peers told.
pub(crate) fn encode(readings: Arc<Vec<PeerReading>>, format: Format) -> Vec<u8> {
    let world = World { peers: Some(Ok(readings)), ..World::default() };
    let mut out = Vec::new();
    exposition::encode(format, page(Arc::new(world)), &mut out).unwrap();
    out
}

pub(crate) fn classic(readings: Arc<Vec<PeerReading>>) -> String {
    String::from_utf8(encode(readings, Format::Classic)).unwrap()
}

/// Name, labels but the empty ones, value: the same for two pages that mean the same.
pub(crate) type Meaning = Vec<(String, BTreeMap<String, String>, f64)>;

/// What a text page means.
pub(crate) fn meaning(page: &str) -> Meaning {
    samples(page).into_iter().map(one).collect()
}

fn one(sample: Sample) -> (String, BTreeMap<String, String>, f64) {
    let number = |text: &str| if text == "+Inf" { f64::INFINITY } else { text.parse::<f64>().unwrap() };
    let labels = sample.labels.into_iter().filter(|(_, value)| !value.is_empty());
    let labels = labels.map(|(name, value)| if name == "le" { (name, number(&value).to_string()) } else { (name, value) });
    (sample.name, labels.collect(), number(&sample.value))
}
