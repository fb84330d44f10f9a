//! The whole page of a node made of plain values, byte by byte, in `tests/golden/node.prom`. `UPDATE_GOLDEN=1` writes it anew.
//!
//! `tests/contracts.rs` holds the README's table of metrics against that file.

use crate::kit::prometheus::promtool_check_metrics;
use crate::kit::protobuf;
use crate::text::samples;
use crate::world::world;
use chaoscope::exposition::{self, Format};
use chaoscope::scrape::{Seen, page};
use chaoscope::verdict::Survey;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/node.prom");

fn encoded(host: bool, format: Format) -> String {
    String::from_utf8(bytes(host, format)).expect("text")
}

fn bytes(host: bool, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    exposition::encode(format, page(Arc::new(world(host))), &mut out).expect("a page");
    out
}

#[test]
fn the_page_is_the_golden_one() {
    // A release is no change of the page.
    let now = encoded(true, Format::Classic).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &now).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    let differs = now.lines().zip(golden.lines()).find(|(now, golden)| now != golden);
    assert!(now == golden, "UPDATE_GOLDEN=1 rewrites it; first difference: {differs:?}");
}

/// The same names and values, whatever the format.
#[test]
fn both_text_formats_tell_the_same() {
    let lines = |format| -> Vec<String> {
        let text = encoded(true, format);
        text.lines().filter(|line| !line.starts_with('#')).map(ToOwned::to_owned).collect()
    };
    assert_eq!(lines(Format::Classic), lines(Format::OpenMetrics));
    assert!(encoded(true, Format::OpenMetrics).ends_with("\n# EOF\n"));
}

/// Protobuf read by a decoder of the tests' own: every sample of the classic page, each family with its type and description.
#[test]
fn protobuf_tells_the_same_and_native_buckets_too() {
    let families = protobuf::families(&bytes(true, Format::Protobuf));
    let classic = encoded(true, Format::Classic);
    let number = |text: &str| if text == "+Inf" { f64::INFINITY } else { text.parse().unwrap() };
    let told = samples(&classic).into_iter().map(|mut sample| {
        if let Some(le) = sample.labels.get_mut("le") {
            *le = number(le).to_string(); // both are numbers, however they are written
        }
        (sample.name, sample.labels, number(&sample.value))
    });
    assert_eq!(protobuf::flat(&families), told.collect::<Vec<_>>());
    for family in &families {
        let kind = match family.kind {
            0 => "counter",
            1 => "gauge",
            _ => "histogram",
        };
        let described = format!("# HELP {0} {1}\n# TYPE {0} {kind}\n", family.name, family.help);
        assert!(classic.contains(&described), "{described}");
    }
    let durations = families.iter().find(|family| family.name == "chaoscope_netns_read_duration_seconds").unwrap();
    let native = durations.metric[0].histogram.as_ref().unwrap();
    // 50 µs, twice 0.5 ms, 20 ms: 2^(-114/8), 2^(-87/8) and 2^(-45/8) are the bounds just above.
    assert_eq!((native.schema, native.zero_count, native.positive_delta.as_slice()), (3, 0, &[1, 1, -1][..]));
    let spans: Vec<_> = native.positive_span.iter().map(|span| (span.offset, span.length)).collect();
    assert_eq!(spans, [(-114, 1), (26, 1), (41, 1)]);
    assert!(native.zero_threshold > 0.0);
}

/// A pod's process made itself another namespace with as much chaos in it: its series are told apart, and chaos-daemon's are not there twice.
#[test]
fn a_further_namespace_of_a_pod_repeats_no_series() {
    let series = |world| {
        let mut out = Vec::new();
        exposition::encode(Format::Classic, page(Arc::new(world)), &mut out).expect("a page");
        let out = String::from_utf8(out).expect("text");
        let names = out.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        names.filter(|name| name.contains("pod=\"web-0\"")).collect::<Vec<_>>()
    };
    let alone = series(world(false));
    let mut world = world(false);
    let seen = world.sweep.as_mut().and_then(|sweep| sweep.as_mut().ok()).expect("a sweep");
    let mut sweep = (*seen.sweep).clone();
    let mut further = sweep.namespaces[0].clone();
    (further.namespace.primary, further.namespace.inode) = (false, 99);
    sweep.namespaces.push(further);
    for container in &mut sweep.namespaces[0].namespace.containers[1..] {
        container.name.clear(); // only its cgroup told of it
    }
    *seen = Seen { survey: Survey::of(&sweep), sweep: Arc::new(sweep) };
    let both = series(world);
    let distinct: BTreeSet<_> = both.iter().collect();
    assert_eq!(distinct.len(), both.len());
    let ours = |name: &&String| name.starts_with("chaoscope_iptables_");
    let told = both.iter().filter(ours).filter(|name| name.contains("netns=\"99\"")).count();
    assert_eq!((told, told > 0), (alone.iter().filter(ours).count(), true));
    let upstream = |all: &[String]| all.iter().filter(|name| name.starts_with("chaos_daemon_")).count();
    assert_eq!(upstream(&both) * 2, upstream(&alone), "one of two containers, once");
}

#[test]
#[ignore = "needs promtool: run by make test"]
fn promtool_has_nothing_to_say() {
    assert_eq!(promtool_check_metrics(&encoded(false, Format::Classic)), (0, String::new()));
    let (_, said) = promtool_check_metrics(&encoded(true, Format::Classic));
    // node_exporter's own names, which its dashboards need, are not lint-clean.
    let others: Vec<_> = said.lines().filter(|line| !line.starts_with("node_")).collect();
    assert_eq!(others, Vec::<&str>::new());
}
