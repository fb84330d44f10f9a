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

    /// What of the process is not as told. One that began at another time in another container has only the same pid.
    fn by_pid(&self, kind: HelperKind, pid: u32, started_at: Option<Timestamp>) -> Result<Vec<Difference>, Judgement> {
        let text = format!("{} (pid {pid})", kind.as_str());
        let all = self.sweep.helpers.iter().filter(|(_, helper)| helper.kind == kind);
        let found = all.into_iter().find(|(_, helper)| helper.pid == pid || helper.parent == pid);
        let (pod, helper) = found.ok_or_else(|| self.gone(&text))?;
        let is_own = pod.as_ref().is_some_and(|pod| pod.uid == self.declared.pod.uid) && may_be(helper, &self.target.container, self.sweep);
        let mut out = Vec::new();
        if let Some(told) = started_at {
            let began = self.began(helper).ok_or_else(|| unknown("read_failed"))?;
            if began.duration_since(told).abs() > TOLERANCE {
                let read = began.round(jiff::Unit::Second).unwrap_or(began);
                out.push(Difference { parameter: "started_at".into(), declared: told.to_string(), read: read.to_string() });
            }
        }
        if is_own {
            return Ok(out);
        }
        if !out.is_empty() {
            return Err(self.gone(&text));
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
