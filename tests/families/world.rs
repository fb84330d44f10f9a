//! A whole cluster as plain values: everything a scrape can see, once, without an API server. What is counted is counted by a journal.

use chaoscope::cluster::now::{ExperimentNow, JudgedNow, NodeNow, NodesNow, Now, Phase, ScheduleNow, WatchNow};
use chaoscope::exposition::Distribution;
use chaoscope::journal::{BOUNDS, Batch, Config, Journal, Status};
use chaoscope::scrape::{Counted, Outcome as Answer, Streams, World};
use chaoscope_model::event::{Event, Severity};
use chaoscope_model::observation::{Desired, Object, TargetName};
use chaoscope_model::plan::{Schedule, Workflow, WorkflowNode};
use chaoscope_model::run::{self, Outcome, Run, Target, TargetState};
use chaoscope_model::time::Precision;
use chaoscope_model::verdict::{Judgement, Verdict};
use chaoscope_model::{Reference, Tool};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Seconds after the moment of the page.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_793_275_200 + seconds).unwrap()
}

pub(crate) fn world() -> World {
    static COUNTED: LazyLock<Counted> = LazyLock::new(counted);
    let took = Answer { success: true, took: Duration::from_millis(1) };
    let sources = BTreeMap::from([("cluster", took)]);
    World { cluster: Some(Ok(Arc::new(now()))), journal: Some(COUNTED.clone()), streams: Some(streams()), sources, ..World::default() }
}

fn streams() -> Streams {
    Streams { open: 2, ended: vec![("left", 5), ("slow", 1)], refused: 0, caught_up: 3 }
}

fn now() -> Now {
    Now {
        at: at(0),
        experiments: vec![cut(), kill()],
        schedules: vec![schedule()],
        workflows: vec![Arc::new(workflow())],
        workflow_nodes: vec![Arc::new(node())],
        watches: vec![
            WatchNow {
                resource: "networkchaos",
                up: true,
                objects: 1,
                changes: 17,
                last_change_at: Some(at(-1)),
                listed_at: Some(at(-60)),
                ..WatchNow::default()
            },
            WatchNow { resource: "remoteclusters", reason: "forbidden".to_owned(), restarts: 3, ..WatchNow::default() },
        ],
        nodes: Some(nodes()),
        ..Now::default()
    }
}

/// One node that is connected and one that is not; and a target whose pod is gone.
fn nodes() -> NodesNow {
    let node = |name: &str, since| NodeNow {
        name: name.into(),
        connected_since: since,
        heard_at: since,
        awaited: since.is_none(),
        ..NodeNow::default()
    };
    let target = TargetName { namespace: "shop".to_owned(), pod: "web-1".to_owned(), container: String::new() };
    let judgement = Judgement::new(Verdict::Missing, "pod_gone");
    let judged = JudgedNow { experiment: about("NetworkChaos", "cut"), target, judgement };
    NodesNow { nodes: vec![node("n1", Some(at(-90))), node("n2", None)], judged: vec![judged] }
}

pub(crate) fn about(kind: &str, name: &str) -> Reference {
    Reference { kind: kind.to_owned(), namespace: "shop".to_owned(), name: name.to_owned(), uid: format!("uid-{name}") }
}

/// A partition that a schedule made: two of three pods are injected, by container and on both sides.
fn cut() -> ExperimentNow {
    let parent = Some(about("Schedule", "every-ten"));
    let object = Object {
        parent: parent.clone(),
        started_by: Some("kubectl-create".to_owned()),
        ..object(about("NetworkChaos", "cut"), "partition")
    };
    let target = |pod: &str, container: &str, injected: f64| Target { container: container.to_owned(), ..target(pod, injected) };
    let targets = vec![target("web-0", "app", 0.25), target("web-1", "app", 0.75), target("web-1", "log", 0.5)];
    let run = Run { parent, expected_end_at: Some(at(5)), injected_at: Some(at(-9)), targets, ..run(&object, -10) };
    ExperimentNow { object: Arc::new(object), run: Some(Arc::new(run)), phase: Phase::Running, upstream_phase: "running", gone_at: None }
}

/// A kill, over and deleted; the other one's counts come from it too.
fn kill() -> ExperimentNow {
    let object = Object { one_shot: true, ..object(about("PodChaos", "kill"), "pod-kill") };
    let targets = vec![Target { workload: "db".to_owned(), workload_kind: "StatefulSet".to_owned(), ..target("db-0", 0.1) }];
    let run = Run {
        phase: run::Phase::Finished,
        outcome: Some(Outcome::Completed),
        stop_requested_at: Some(at(-19)),
        recovered_at: Some(at(-18)),
        ended_at: Some(at(-18)),
        targets,
        ..run(&object, -20)
    };
    ExperimentNow { object: Arc::new(object), run: Some(Arc::new(run)), phase: Phase::Finished, upstream_phase: "finished", gone_at: None }
}

pub(crate) fn object(about: Reference, action: &str) -> Object {
    Object {
        about,
        tool: Tool::ChaosMesh,
        version: 7,
        seen: at(0),
        created_at: Some(at(-10)),
        deletion_at: None,
        paused: false,
        forced: false,
        desired: Some(Desired::Run),
        one_shot: false,
        remote: false,
        action: action.to_owned(),
        duration: Some(SignedDuration::from_secs(15)),
        selected: true,
        all_injected: true,
        records: Vec::new(),
        parent: None,
        started_by: None,
        parameters: BTreeMap::new(),
        labels: BTreeMap::new(),
    }
}

/// An open run of an experiment, known to the nanosecond.
pub(crate) fn run(object: &Object, started: i64) -> Run {
    let about = &object.about;
    let exact = ["started_at", "stop_requested_at"].map(|field| (field.to_owned(), Precision::Ns));
    Run {
        id: Run::id_of("", &about.uid, 1),
        tool: object.tool,
        cluster: String::new(),
        kind: about.kind.clone(),
        action: object.action.clone(),
        namespace: about.namespace.clone(),
        name: about.name.clone(),
        uid: about.uid.clone(),
        ordinal: 1,
        phase: run::Phase::Running,
        outcome: None,
        started_at: at(started),
        injected_at: None,
        stop_requested_at: None,
        recovered_at: None,
        expected_end_at: None,
        ended_at: None,
        ended_after: None,
        baseline: false,
        stuck_since: None,
        overdue_since: None,
        precision: exact.into(),
        parent: None,
        started_by: None,
        parameters: BTreeMap::new(),
        labels: BTreeMap::new(),
        targets: Vec::new(),
    }
}

/// A target injected so many seconds after the beginning of the first experiment.
pub(crate) fn target(pod: &str, after: f64) -> Target {
    let exact = ["injected_at", "recovered_at"].map(|field| (field.to_owned(), Precision::Ns));
    Target {
        id: format!("shop/{pod}"),
        namespace: "shop".to_owned(),
        pod: pod.to_owned(),
        node: "node-1".to_owned(),
        workload: "web".to_owned(),
        workload_kind: "Deployment".to_owned(),
        role: "selected".to_owned(),
        state: TargetState::Injected,
        injected_at: Some(at(-10) + SignedDuration::from_secs_f64(after)),
        precision: exact.into(),
        ..Target::default()
    }
}

fn schedule() -> ScheduleNow {
    let schedule = Schedule { about: about("Schedule", "every-ten"), last_at: Some(at(-10)), ..Schedule::default() };
    ScheduleNow { schedule: Arc::new(schedule), next_at: Some(at(0)), missed: 2, forbidden: 1, active: Some(1) }
}

fn workflow() -> Workflow {
    let started_at = Some(at(-30));
    Workflow {
        about: about("Workflow", "flow"),
        started_at,
        ended_at: Some(at(-3)),
        scheduled: true,
        accomplished: true,
        ..Workflow::default()
    }
}

fn node() -> WorkflowNode {
    WorkflowNode {
        about: about("WorkflowNode", "slow-x7k2p"),
        workflow: "flow".to_owned(),
        template: "slow".to_owned(),
        makes: "NetworkChaos".to_owned(),
        started_at: Some(at(-29)),
        deadline_at: Some(at(31)),
        conditions: vec!["ChaosInjected".to_owned()],
        child: Some(about("NetworkChaos", "slow-x7k2p-9qzvd")),
        ..WorkflowNode::default()
    }
}

/// What a journal counts when those runs come, and events of them.
fn counted() -> Counted {
    let config = Config { folder: None, retention: None, max_bytes: None, settle: Duration::ZERO };
    let (journal, _) = Journal::open(&config).unwrap();
    let ended = |it: ExperimentNow| {
        let mut run = (*it.run.unwrap()).clone();
        (run.stop_requested_at, run.ended_at, run.outcome) = (Some(at(5)), Some(at(6)), run.outcome.or(Some(Outcome::Recovered)));
        run.targets.iter_mut().for_each(|target| target.recovered_at = Some(at(5) + SignedDuration::from_millis(40)));
        run
    };
    let runs = vec![ended(cut()), ended(kill())];
    let failed = |operation: &str| Event {
        reason: "Failed".to_owned(),
        severity: Severity::Warning,
        ..event(&runs[0], &[("operation", operation)])
    };
    let events = vec![Event { announced: true, ..event(&runs[0], &[("type", "applied")]) }, failed("apply"), failed("recover")];
    let batch = Batch { runs, events, ..Batch::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(journal.record(batch)).unwrap();
    Counted { tally: journal.tally(), status: status() }
}

fn event(run: &Run, attributes: &[(&str, &str)]) -> Event {
    let attributes: BTreeMap<_, _> = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Event {
        key: format!("{attributes:?}"),
        run: Some(run.id.clone()),
        tool: run.tool,
        cluster: String::new(),
        kind: run.kind.clone(),
        namespace: run.namespace.clone(),
        name: run.name.clone(),
        uid: run.uid.clone(),
        at: at(-9),
        precision: Precision::Ns,
        severity: Severity::Normal,
        reason: "Applied".to_owned(),
        message: String::new(),
        target_namespace: String::new(),
        target_pod: String::new(),
        target_container: String::new(),
        attributes,
        announced: false,
        replaces: None,
    }
}

fn status() -> Status {
    let mut commit_seconds = Distribution::with_bounds(&BOUNDS[..3]);
    commit_seconds.observe(0.004);
    commit_seconds.observe(0.03);
    Status {
        bytes: 65_536,
        runs: 2,
        open_runs: 1,
        events: 3,
        oldest: Some(at(-20)),
        commit_seconds,
        last_commit_at: Some(at(-1)),
        ..Status::default()
    }
}
