//! Whether the stressors of a container run: alive, in its control group, begun when the object says.
//!
//! The object tells the pid of the wrapper that enters the container's namespaces and stays in front; the tool is its child. Both begin
//! together. Nothing is missing unless every process of the host was seen.

use super::containers::{helpers, may_be, name};
use super::judge::{compared, missing, on_its_way, unknown};
use crate::node::processes::Helper;
use crate::node::sweep::Sweep;
use crate::tools::helpers::HelperKind;
use chaoscope_model::declared::{DeclaredPod, DeclaredTarget, Stressor};
use chaoscope_model::verdict::{Difference, Judgement};
use jiff::{SignedDuration, Timestamp};
use rustix::param::clock_ticks_per_second;

/// How far a start may be from the one told: that is in whole seconds, from a clock of the boot in whole seconds, and of the wrapper.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(2);

/// What a sweep says of one target.
pub(super) fn judge(declared: &DeclaredPod, target: &DeclaredTarget, processes: &[Stressor], sweep: &Sweep) -> Judgement {
    looked_up(declared, target, processes, sweep).unwrap_or_else(|why| why)
}

fn looked_up(declared: &DeclaredPod, target: &DeclaredTarget, told: &[Stressor], sweep: &Sweep) -> Result<Judgement, Judgement> {
    on_its_way(target.stage)?;
    // Elsewhere than on its node, or in another pid namespace, its pids are somebody else's.
    if !sweep.looked.iter().any(|looked| looked.pod == declared.pod.uid) {
        return Err(unknown("not_visited"));
    }
    let here = Here { declared, target, sweep };
    if told.is_empty() {
        return Err(here.untold());
    }
    let mut differences = Vec::new();
    for stressor in told {
        let kind = [HelperKind::StressNg, HelperKind::MemStress].into_iter().find(|kind| kind.as_str() == stressor.helper);
        let kind = kind.ok_or_else(|| unknown("undecodable"))?;
        match stressor.pid {
            Some(pid) => differences.extend(here.by_pid(kind, pid, stressor.started_at)?),
            None => here.by_kind(kind)?,
        }
    }
    Ok(compared(differences))
}

/// Where one target's stressors should be.
struct Here<'a> {
    declared: &'a DeclaredPod,
    target: &'a DeclaredTarget,
    sweep: &'a Sweep,
}

impl Here<'_> {
    /// The object tells of none, though it says that it is injected: what there is may be anybody's.
    fn untold(&self) -> Judgement {
        let any = [HelperKind::StressNg, HelperKind::MemStress].into_iter().any(|kind| self.of_kind(kind));
        if any { unknown("ambiguous") } else { self.gone("stressor") }
    }

    fn of_kind(&self, kind: HelperKind) -> bool {
        helpers(&self.declared.pod, kind, self.sweep).any(|helper| may_be(helper, &self.target.container, self.sweep))
    }

    fn by_kind(&self, kind: HelperKind) -> Result<(), Judgement> {
        if self.of_kind(kind) { Ok(()) } else { Err(self.gone(kind.as_str())) }
    }

    /// What of the process is not as told. One that began at another time in another container has only the same pid; in its own container it
    /// is the one, and a clock has been set: times of starts are counted from the boot, whose time moves with the clock.
    fn by_pid(&self, kind: HelperKind, pid: u32, started_at: Option<Timestamp>) -> Result<Vec<Difference>, Judgement> {
        let text = format!("{} (pid {pid})", kind.as_str());
        let all = self.sweep.helpers.iter().filter(|(_, helper)| helper.kind == kind);
        let found = all.into_iter().find(|(_, helper)| helper.pid == pid || helper.parent == pid);
        let (pod, helper) = found.ok_or_else(|| self.gone(&text))?;
        let is_own = pod.as_ref().is_some_and(|pod| pod.uid == self.declared.pod.uid) && may_be(helper, &self.target.container, self.sweep);
        let in_time = match started_at {
            Some(told) => self.began(helper).ok_or_else(|| unknown("read_failed"))?.duration_since(told).abs() <= TOLERANCE,
            None => true,
        };
        match (is_own, in_time) {
            (true, true) => return Ok(Vec::new()),
            (true, false) => return Err(unknown("clock")),
            (false, false) => return Err(self.gone(&text)),
            (false, true) => {}
        }
        let read = helper.target.container_id.as_deref().map_or("", |id| name(self.sweep, id).unwrap_or(id));
        Ok(vec![Difference { parameter: "container".into(), declared: self.target.container.clone(), read: read.to_owned() }])
    }

    /// Ticks of the clock since the boot.
    fn began(&self, helper: &Helper) -> Option<Timestamp> {
        let ticks = i64::try_from(helper.start_ticks).ok()?;
        let per_second = i64::try_from(clock_ticks_per_second()).ok().filter(|ticks| *ticks > 0)?;
        let since = SignedDuration::from_secs(ticks / per_second) + SignedDuration::from_millis((ticks % per_second) * 1000 / per_second);
        self.sweep.booted?.checked_add(since).ok()
    }

    fn gone(&self, what: &str) -> Judgement {
        if self.sweep.complete.processes { missing("no_process", "process", what) } else { unknown("read_failed") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{at, declared, empty, helper, looked, pod, sweep, target};
    use super::*;
    use crate::node::namespaces::Resident;
    use chaoscope_model::Pod;
    use chaoscope_model::declared::{Expectation, Stage};

    /// As the recording of 2.8.3 has it: the object tells the wrapper's pid and whole seconds.
    fn stressor(pid: Option<u32>) -> Stressor {
        Stressor { helper: "stress_ng".into(), pid, started_at: pid.map(|_| at(500)) }
    }

    fn burning() -> Sweep {
        let mut sweep = sweep(empty());
        sweep.helpers = vec![(Some(pod()), helper(HelperKind::StressNg, 25216))];
        sweep
    }

    fn told(processes: &[Stressor], sweep: &Sweep) -> (&'static str, String) {
        let declared = declared(vec![target("StressChaos", "burn", Expectation::Stress { processes: processes.to_vec() })]);
        let judgement = judge(&declared, &declared.targets[0], processes, sweep);
        (judgement.verdict.as_str(), judgement.reason)
    }

    fn wrapper() -> Vec<Stressor> {
        vec![stressor(Some(25215))]
    }

    #[test]
    fn a_process_that_is_as_told_is_in_force() {
        for processes in [wrapper(), vec![stressor(Some(25216))], vec![stressor(None)]] {
            assert_eq!(told(&processes, &burning()), ("in_force", String::new()), "{processes:?}");
        }
        for seconds in [498, 502] {
            let told = told(&[Stressor { started_at: Some(at(seconds)), ..stressor(Some(25215)) }], &burning());
            assert_eq!(told.0, "in_force", "{seconds}");
        }
    }

    #[test]
    fn one_that_is_gone_is_missing() {
        let gone = ("missing", "no_process".to_owned());
        for processes in [vec![stressor(Some(7))], vec![Stressor { helper: "mem_stress".into(), ..stressor(Some(25215)) }]] {
            assert_eq!(told(&processes, &burning()), gone);
        }
        for processes in [wrapper(), vec![stressor(None)], vec![]] {
            assert_eq!(told(&processes, &sweep(empty())), gone, "nothing runs at all");
        }
        let both = vec![stressor(Some(25215)), Stressor { helper: "mem_stress".into(), ..stressor(None) }];
        assert_eq!(told(&both, &burning()), gone, "one of two");
    }

    #[test]
    fn a_pid_that_somebody_else_has_now_is_missing_another_place_is_a_drift_and_another_time_alone_is_a_clock() {
        let mut elsewhere = burning();
        elsewhere.namespaces[0].namespace.containers.push(Resident { name: "sidecar".into(), id: "c2".into(), pid: 101 });
        elsewhere.helpers[0].1.target.container_id = Some("c2".into());
        assert_eq!(told(&wrapper(), &elsewhere), ("drifted", "container".into()));
        assert_eq!(told(&[stressor(None)], &elsewhere), ("missing", "no_process".into()));
        elsewhere.helpers[0].0 = Some(Pod { uid: "u2".into(), ..Pod::default() });
        assert_eq!(told(&wrapper(), &elsewhere), ("drifted", "container".into()));
        let mut later = burning();
        later.helpers[0].1.start_ticks *= 2;
        assert_eq!(told(&wrapper(), &later), ("unknown", "clock".into()));
        elsewhere.helpers[0].1.start_ticks *= 2;
        assert_eq!(told(&wrapper(), &elsewhere), ("missing", "no_process".into()), "another one with its pid");
    }

    #[test]
    fn where_not_all_processes_are_seen_nothing_is_missing() {
        let mut narrow = sweep(empty());
        narrow.complete.processes = false;
        for processes in [wrapper(), vec![stressor(None)], vec![]] {
            assert_eq!(told(&processes, &narrow), ("unknown", "read_failed".into()));
        }
        let mut burning = burning();
        burning.booted = None;
        assert_eq!(told(&wrapper(), &burning), ("unknown", "read_failed".into()));
        burning.looked.clear();
        assert_eq!(told(&wrapper(), &burning), ("unknown", "not_visited".into()), "the pod is not here");
        assert_eq!(told(&[Stressor::default()], &super::tests::burning()), ("unknown", "undecodable".into()));
        assert_eq!(told(&[], &super::tests::burning()), ("unknown", "ambiguous".into()), "whose is it?");
    }

    #[test]
    fn where_nobody_knows_names_the_pod_decides() {
        let mut nameless = burning();
        nameless.namespaces[0].namespace.containers[0].name.clear();
        nameless.looked = vec![crate::node::sweep::Looked { nameless: true, ..looked("c1") }];
        assert_eq!(told(&wrapper(), &nameless), ("in_force", String::new()));
        let on_its_way = declared(vec![DeclaredTarget { stage: Stage::Recovering, ..target("StressChaos", "burn", Expectation::Dns) }]);
        assert_eq!(judge(&on_its_way, &on_its_way.targets[0], &wrapper(), &nameless).reason, "recovering");
    }
}
