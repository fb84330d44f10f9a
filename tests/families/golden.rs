//! The whole page of a cluster made of plain values, byte by byte, in `tests/golden/cluster.prom`. `UPDATE_GOLDEN=1` writes it anew.
//!
//! `tests/contracts.rs` holds the README's table of metrics against that file.

use crate::encoded;
use crate::kit::prometheus::promtool_check_metrics;
use crate::world::{at, world};
use chaoscope::cluster::now::{ExperimentNow, Now, Phase};
use chaoscope::scrape::World;
use chaoscope::source::Error;
use chaoscope_model::run::{Outcome, TargetState};
use jiff::SignedDuration;
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/cluster.prom");

#[test]
fn the_page_is_the_golden_one() {
    // A release is no change of the page.
    let now = encoded(world()).replace(env!("CARGO_PKG_VERSION"), "VERSION");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &now).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap();
    let differs = now.lines().zip(golden.lines()).find(|(now, golden)| now != golden);
    assert!(now == golden, "UPDATE_GOLDEN=1 rewrites it; first difference: {differs:?}");
}

#[test]
#[ignore = "needs promtool: run by make test"]
fn promtool_has_nothing_to_say() {
    let (_, said) = promtool_check_metrics(&encoded(world()));
    // Chaos Mesh's own names, which its dashboards need, are what they are.
    let ours: Vec<_> = said.lines().filter(|line| !line.starts_with("chaos_controller_manager_")).collect();
    assert_eq!(ours, Vec::<&str>::new());
}

/// What is in the cluster at that moment, changed, as a page.
fn changed(change: impl FnOnce(&mut Now)) -> String {
    let mut world = world();
    let mut now = (**world.cluster.as_ref().unwrap().as_ref().unwrap()).clone();
    change(&mut now);
    world.cluster = Some(Ok(Arc::new(now)));
    encoded(world)
}

fn lines<'a>(page: &'a str, start: &str) -> Vec<&'a str> {
    page.lines().filter(|line| line.starts_with(start)).collect()
}

fn values(page: &str, family: &str, label: &str) -> Vec<String> {
    let samples = lines(page, family).into_iter().filter(|line| line.contains(label));
    samples.map(|line| line.rsplit_once(' ').unwrap().1.to_owned()).collect()
}

/// Before the first list is in nothing is known of the cluster, and what was counted still is.
#[test]
fn a_cluster_that_is_not_known_gives_no_sample() {
    let page = encoded(World { cluster: Some(Err(Error::Failed("the first list is not in".into()))), ..world() });
    for family in
        ["chaoscope_experiment_", "chaoscope_schedule_", "chaos_controller_manager_chaos_", "chaoscope_target_", "chaoscope_watch_"]
    {
        assert_eq!(lines(&page, family), Vec::<&str>::new());
    }
    assert_eq!(lines(&page, "chaoscope_runs_total").len(), 14, "seven outcomes each of two kinds");
    assert_eq!(lines(&page, "chaos_controller_manager_emitted_event_total").len(), 1);
}

#[test]
fn a_role_without_a_source_has_nothing_of_it() {
    let page = encoded(World::default());
    let families: BTreeSet<_> = lines(&page, "# TYPE").iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(families, BTreeSet::from(["chaoscope_build_info".to_owned()]));
}

/// A one-shot run is over at once; whoever joins with it needs some minutes. Nothing outlives that.
#[test]
fn a_target_is_told_until_five_minutes_after() {
    const FAMILY: &str = "chaoscope_target_chaos_start_timestamp_seconds{";
    let killed = |minutes: i64| {
        changed(|now| {
            let ended = now.experiments.iter().filter_map(|it| it.run.as_ref()?.ended_at).max().unwrap();
            now.at = ended + SignedDuration::from_mins(minutes);
        })
    };
    assert_eq!(values(&killed(5), FAMILY, "experiment=\"kill\"").len(), 1);
    assert_eq!(values(&killed(6), FAMILY, "experiment=\"kill\"").len(), 0);
    assert_eq!(values(&killed(6), FAMILY, "experiment=\"cut\"").len(), 2, "which goes on");
}

/// Whoever is selected and was never touched must not be silenced.
#[test]
fn a_target_that_was_never_injected_is_not_told() {
    let page = changed(|now| {
        let run = Arc::make_mut(now.experiments[0].run.as_mut().unwrap());
        for (target, state) in run.targets.iter_mut().zip([TargetState::Pending, TargetState::Injecting, TargetState::Failed]) {
            (target.state, target.injected_at) = (state, None);
        }
    });
    let told = lines(&page, "chaoscope_target_chaos_start_timestamp_seconds{");
    let cut: Vec<_> = told.iter().filter(|line| line.contains("experiment=\"cut\"")).collect();
    assert_eq!((cut.len(), cut[0].contains("pod=\"web-1\"")), (1, true), "only the one on which it is being tried: {cut:?}");
}

/// What is not known exactly is absent and not 0.
#[test]
fn times_that_are_not_known_are_absent() {
    let page = changed(|now| {
        let run = Arc::make_mut(now.experiments[0].run.as_mut().unwrap());
        run.baseline = true;
        let run = Arc::make_mut(now.experiments[1].run.as_mut().unwrap());
        run.outcome = Some(Outcome::Lost);
        now.schedules[0].active = None;
        now.schedules[0].next_at = None;
    });
    let count = |family: &str, name: &str| values(&page, family, &format!("experiment=\"{name}\"")).len();
    assert_eq!(count("chaoscope_experiment_start_timestamp_seconds{", "cut"), 0);
    assert_eq!(count("chaoscope_experiment_injected_timestamp_seconds{", "cut"), 1);
    assert_eq!(count("chaoscope_experiment_end_timestamp_seconds{", "kill"), 0);
    assert_eq!(
        (count("chaoscope_schedule_active{", "every-ten"), count("chaoscope_schedule_next_timestamp_seconds{", "every-ten")),
        (0, 0)
    );
    assert_eq!(count("chaoscope_schedule_missed_total{", "every-ten"), 1);
}

/// Deleted and made again within the minutes a deleted one is shown: one series, that of the one that is there.
#[test]
fn of_one_name_the_newest_counts() {
    let page = changed(|now| {
        let old = ExperimentNow { gone_at: Some(at(-60)), phase: Phase::Finished, ..now.experiments[0].clone() };
        now.experiments.insert(0, old.clone());
        now.experiments.push(old);
    });
    let family = "chaoscope_experiment_phase{";
    let own: Vec<_> = lines(&page, family).into_iter().filter(|line| line.contains("experiment=\"cut\"")).collect();
    assert_eq!(own.len(), 6);
    assert!(own.iter().any(|line| line.contains("phase=\"running\"") && line.ends_with(" 1")), "{own:?}");
    assert_eq!(lines(&page, "chaos_controller_manager_chaos_experiments{").len(), 2, "what is gone is not counted");
}
