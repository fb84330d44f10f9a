//! What older releases say differently, and that it means the same: scenes of our own making, `tests/fixtures/older`.

use crate::{recording, told, words};

fn means(name: &str, runs: &[&str]) {
    assert_eq!(told(&format!("../older/{name}")), runs, "{name}");
}

/// The one run of a scene after so many of its lines.
fn after(name: &str, lines: usize) -> String {
    let observations = recording::observations(&format!("../older/{name}")).into_iter().take(lines);
    let (_, changes) = recording::indexed(observations);
    let [run] = &changes.runs[..] else { panic!("{name}: {} runs after {lines} lines", changes.runs.len()) };
    words(run)
}

/// Before 2.7.0 an experiment without records claims to be injected, and recovered, both at once: it is neither.
#[test]
fn nobody_selected_yet_is_selecting_in_every_release() {
    for version in ["2.5", "2.6", "2.7"] {
        let (scene, late) = (format!("{version}-late-target"), format!("NetworkChaos delay late-{} #1", &version[2..]));
        for lines in 2..6 {
            let wanted = format!("{late}: selecting; started_at 00:00.123, expected_end_at ~05:00; on nobody");
            assert_eq!(after(&scene, lines), wanted, "{scene} after {lines} lines");
        }
        let whole = format!(
            "{late}: recovered; started_at 00:00.123, injected_at 01:02.123, expected_end_at ~05:00, stop_requested_at 02:00.123, \
             ended_at 02:02.123; on shop/web-0 recovered 01:02.123"
        );
        means(&scene, &[&whole]);
    }
}

#[test]
fn nobody_ever_selected_is_no_targets_in_every_release() {
    for version in ["2.5", "2.6", "2.7"] {
        let scene = format!("{version}-no-target");
        let nobody = format!("StressChaos cpu nobody-{} #1", &version[2..]);
        assert_eq!(after(&scene, 2), format!("{nobody}: selecting; started_at ~00:00, expected_end_at ~00:30; on nobody"), "{scene}");
        let end = "started_at ~00:00, expected_end_at ~00:30, stop_requested_at 00:31.123, ended_at 00:31.123";
        means(&scene, &[&format!("{nobody}: no_targets; {end}; on nobody")]);
    }
}

/// All events of a record (2.6) or its newest hundred (2.7), which the first application is not among any more: the same two runs.
#[test]
fn a_record_may_keep_all_of_its_events_or_the_newest() {
    for (scene, name, target) in [
        ("2.6-many-tries", "IOChaos latency stubborn-6", "shop/web-0/web"),
        ("2.7-many-tries", "NetworkChaos netem stubborn-7", "shop/web-0"),
    ] {
        let first = "started_at ~00:00, injected_at 04:04.123, stop_requested_at 05:00.123, ended_at 05:01.123";
        let second = "started_at 06:00.123, injected_at 08:00.123, stop_requested_at 09:00.123, ended_at 09:01.123";
        let runs = [
            format!("{name} #1: recovered; {first}; on {target} recovered 04:04.123"),
            format!("{name} #2: recovered; {second}; on {target} recovered 08:00.123"),
        ];
        means(scene, &[&runs[0], &runs[1]]);
    }
}

/// What 2.7 brought is among the parameters.
#[test]
fn a_rate_of_netem_is_a_parameter() {
    let (_, changes) = recording::indexed(recording::observations("../older/2.7-many-tries"));
    assert_eq!(changes.runs[0].parameters.get("rate.rate").map(String::as_str), Some("1mbps"));
}

/// Before 2.7.0 nothing is told here of what happens in another cluster: no targets would be a claim.
#[test]
fn of_another_cluster_only_what_was_told_is_said() {
    means(
        "2.6-remote",
        &[
            "PodChaos pod-failure far-6 #1: lost; started_at ~00:00, expected_end_at ~00:30, stop_requested_at ~01:00, ended_at ~01:00; on nobody",
        ],
    );
    means(
        "2.7-remote",
        &["PodChaos pod-failure far-7 #1: recovered; started_at ~00:00, injected_at ~00:02, expected_end_at ~00:30, \
           stop_requested_at ~00:32, ended_at ~00:32; on shop/web-0 recovered ~00:02"],
    );
}
