//! What the processes that chaos tools start on a node look like: command name and arguments, nothing else.
//!
//! Apart from `node/`, which finds processes, because this is knowledge of the tools' source: it changes when they do.
//! Pure: no file is opened. To add a tool's process: a variant of `HelperKind`, a row in `HelperKind::of_name`, an
//! arm in `helper`.
//!
//! **What counts as one.** A fault starts a chain of processes: a wrapper that changes namespaces (`nsexec`, `nsutil`) and
//! stays in front, the tool itself, and the tool's own workers (`stress-ng-cpu [run]`, `memStress … --client 1`). The tool
//! is the instance: a wrapper is never one (it may be waiting for a tool that has not begun or has ended), and a process
//! whose parent is of the same kind is a worker. A worker that outlived its tool has another parent, so it is counted:
//! what is left behind must be seen.

use chaoscope_model::Tool;

/// A process that does a chaos tool's work on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HelperKind {
    /// `tproxy -i`: takes `HTTPChaos` configurations; stays, idle, when the last fault is recovered.
    Tproxy,
    /// `tproxy --proxy`: carries the traffic of an active `HTTPChaos`, in a network namespace of its own.
    TproxyProxy,
    /// `toda`: the file system of an `IOChaos`.
    Toda,
    /// `stress-ng` and its workers.
    StressNg,
    /// `memStress`: the memory stressor of Chaos Mesh.
    MemStress,
}

/// What ties a process to the pod it acts on. Its parents and, but for stressors, its control group belong to the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// Its network namespace is the pod's.
    NetworkNamespace,
    /// Its parent has the pod's network namespace; left alone, only its pid namespace is the target's.
    ParentsNetworkNamespace,
    /// Its mount and pid namespaces are the container's.
    ContainerNamespaces,
    /// It was moved into the container's control group.
    Cgroup,
}

impl HelperKind {
    /// The value of the label `kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tproxy => "tproxy",
            Self::TproxyProxy => "tproxy_proxy",
            Self::Toda => "toda",
            Self::StressNg => "stress_ng",
            Self::MemStress => "mem_stress",
        }
    }

    /// Whether the process running means that a fault is being applied. Toda also runs when its mount failed:
    /// the mount itself is the evidence (`node/mounts`).
    pub const fn is_active(self) -> bool {
        !matches!(self, Self::Tproxy)
    }

    /// How its target is found.
    pub const fn tie(self) -> Tie {
        match self {
            Self::Tproxy => Tie::NetworkNamespace,
            Self::TproxyProxy => Tie::ParentsNetworkNamespace,
            Self::Toda => Tie::ContainerNamespaces,
            Self::StressNg | Self::MemStress => Tie::Cgroup,
        }
    }

    /// By the name of the program; says nothing yet of its arguments.
    fn of_name(name: &str) -> Option<Self> {
        match name {
            "tproxy" => Some(Self::Tproxy),
            "toda" => Some(Self::Toda),
            "memStress" => Some(Self::MemStress),
            _ if name == "stress-ng" || name.starts_with("stress-ng-") => Some(Self::StressNg),
            _ => None,
        }
    }
}

/// Programs that enter a target's namespaces and start the tool there, and whose they are.
/// nsexec: github.com/chaos-mesh/nsexec; nsutil: litmus-go `chaoslib/litmus/stress-chaos/helper`.
const STARTERS: [(&str, Tool); 2] = [("nsexec", Tool::ChaosMesh), ("nsutil", Tool::Litmus)];

/// How Chaos Mesh begins every CPU stressor (recordings of 2.8.3), before what the user asked for.
const CHAOS_MESH_CPU: [&str; 4] = ["--cpu-load-slice", "10", "--cpu-method", "sqrt"];

/// Whether the arguments of a process of this name are worth reading.
pub fn is_candidate(comm: &str) -> bool {
    HelperKind::of_name(comm).is_some()
}

/// Whether a process of this name starts helpers, so that it must not speak for the namespace it is in.
pub fn is_starter(comm: &str) -> bool {
    STARTERS.iter().any(|(name, _)| *name == comm)
}

/// What kind of helper a process is, by its command name and its arguments (`argv[0]` included).
/// None for other programs that happen to have the same name: both must fit what the tool's command line accepts.
pub fn helper(comm: &str, argv: &[&str]) -> Option<HelperKind> {
    let (program, arguments) = argv.split_first()?;
    let kind = HelperKind::of_name(comm)?;
    if HelperKind::of_name(base_name(program)) != Some(kind) {
        return None;
    }
    match kind {
        HelperKind::Tproxy | HelperKind::TproxyProxy => tproxy(arguments),
        HelperKind::Toda => has_option(arguments, "--path").then_some(kind),
        HelperKind::MemStress => has_option(arguments, "--size").then_some(kind),
        HelperKind::StressNg => Some(kind),
    }
}

/// Whose a helper is, by its parent's command name and its own arguments; [`Tool::Other`] for a stress-ng of unknown origin.
pub fn tool(kind: HelperKind, argv: &[&str], parent: Option<&str>) -> Tool {
    let starter = STARTERS.iter().find(|(name, _)| parent == Some(name));
    match (starter, kind) {
        (Some((_, tool)), _) => *tool,
        (None, _) if parent == Some("chaosd") => Tool::Chaosd,
        (None, HelperKind::StressNg) if !argv.get(1..).is_some_and(|rest| rest.starts_with(&CHAOS_MESH_CPU)) => Tool::Other,
        (None, _) => Tool::ChaosMesh,
    }
}

/// chaos-tproxy's options: `-i|--interactive`, `-v…|--verbose`, `--proxy`, `--ipc-path=…`
/// (`chaos-tproxy-controller/src/cmd/command_line.rs`).
fn tproxy(arguments: &[&str]) -> Option<HelperKind> {
    let is_interactive = |argument: &&str| matches!(*argument, "-i" | "--interactive");
    if arguments.contains(&"--proxy") && has_option(arguments, "--ipc-path") {
        return Some(HelperKind::TproxyProxy);
    }
    let only_known = arguments.iter().all(|argument| is_interactive(argument) || argument.starts_with("-v") || *argument == "--verbose");
    (only_known && arguments.iter().any(is_interactive)).then_some(HelperKind::Tproxy)
}

/// Whether `--name value` or `--name=value` is among the arguments; Go programs also accept one dash.
fn has_option(arguments: &[&str], name: &str) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.split_once('=').map_or(*argument, |(option, _)| option);
        argument == name || name.strip_prefix('-') == Some(argument)
    })
}

/// The last part of a path, and of a title like `stress-ng-cpu [run]` its first word.
fn base_name(program: &str) -> &str {
    let name = program.rsplit('/').next().unwrap_or(program);
    name.split(' ').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(comm: &str, line: &str) -> Option<HelperKind> {
        helper(comm, &line.split(' ').collect::<Vec<_>>())
    }

    /// Processes of the stressed container, as recorded from Chaos Mesh 2.8.3 (scenario stress-cpu, during): comm, arguments.
    const STRESS_CPU: [(&str, &str); 3] = [
        ("nsexec", "/usr/local/bin/nsexec -p /proc/24456/ns/pid -- stress-ng --cpu-load-slice 10 --cpu-method sqrt --cpu 1 --cpu-load 20"),
        ("stress-ng", "stress-ng --cpu-load-slice 10 --cpu-method sqrt --cpu 1 --cpu-load 20"),
        ("stress-ng-cpu", "stress-ng-cpu [run]"),
    ];

    #[test]
    fn the_recorded_stressor_and_its_worker_are_recognised_and_the_wrapper_is_not() {
        let found = STRESS_CPU.map(|(comm, line)| of(comm, line));
        assert_eq!(found, [None, Some(HelperKind::StressNg), Some(HelperKind::StressNg)]);
        assert!(is_starter(STRESS_CPU[0].0) && !is_candidate(STRESS_CPU[0].0));
    }

    #[test]
    fn each_tool_is_recognised_by_what_it_is_started_with() {
        let rows = [
            ("tproxy", "/usr/local/bin/tproxy -i -vv", Some(HelperKind::Tproxy)),
            ("tproxy", "tproxy --interactive --verbose", Some(HelperKind::Tproxy)),
            ("tproxy", "/usr/local/bin/tproxy -vv --proxy --ipc-path=/tmp/1f0c.sock", Some(HelperKind::TproxyProxy)),
            ("toda", "/usr/local/bin/toda --path /data --verbose info", Some(HelperKind::Toda)),
            ("memStress", "memStress --workers 2 --size 256MB", Some(HelperKind::MemStress)),
            ("memStress", "memStress --size 256MB --workers 2 --time 0s --client 1", Some(HelperKind::MemStress)),
            ("memStress", "memStress -size=256MB", Some(HelperKind::MemStress)),
            ("stress-ng-vm", "stress-ng-vm [run]", Some(HelperKind::StressNg)),
            ("stress-ng", "/usr/bin/stress-ng --vm 1", Some(HelperKind::StressNg)),
        ];
        for (comm, line, kind) in rows {
            assert_eq!(of(comm, line), kind, "{line}");
            assert!(is_candidate(comm), "{comm}");
        }
    }

    #[test]
    fn namesakes_are_nothing() {
        let rows = [
            ("tproxy", "tproxy -l 0 -r 127.0.0.1:3306"),
            ("tproxy", "tproxy"),
            ("tproxy", "tproxy --proxy http://cache:3128"),
            ("toda", "toda list"),
            ("memStress", "memStress"),
            ("ip", "ip netns exec 0123456789abcns /usr/local/bin/tproxy -vv --proxy --ipc-path=/tmp/1f0c.sock"),
            ("pause", "/usr/local/bin/pause nsexec -p /proc/1/ns/pid -- stress-ng --cpu 1"),
            ("sh", "stress-ng --cpu 1"),
            ("stress-ng", "sleep 60"),
            ("stress-ngx", "stress-ngx"),
            ("grep", "grep stress-ng"),
            ("stress-ng", ""),
        ];
        for (comm, line) in rows {
            assert_eq!(of(comm, line), None, "{line}");
        }
        assert_eq!(helper("toda", &[]), None);
    }

    #[test]
    fn the_parent_says_whose_a_stressor_is() {
        let recorded: Vec<&str> = STRESS_CPU[1].1.split(' ').collect();
        let plain = ["stress-ng", "--cpu", "1"];
        let rows = [
            (HelperKind::StressNg, &plain[..], Some("nsexec"), Tool::ChaosMesh),
            (HelperKind::StressNg, &plain[..], Some("nsutil"), Tool::Litmus),
            (HelperKind::StressNg, &plain[..], Some("chaosd"), Tool::Chaosd),
            (HelperKind::StressNg, &plain[..], Some("sh"), Tool::Other),
            (HelperKind::StressNg, &plain[..], None, Tool::Other),
            (HelperKind::StressNg, &recorded[..], None, Tool::ChaosMesh),
            (HelperKind::Tproxy, &["tproxy", "-i"][..], None, Tool::ChaosMesh),
            (HelperKind::StressNg, &[][..], None, Tool::Other),
        ];
        for (kind, argv, parent, expected) in rows {
            assert_eq!(tool(kind, argv, parent), expected, "{kind:?} {argv:?} {parent:?}");
        }
    }

    #[test]
    fn only_the_idle_main_process_of_tproxy_is_inactive() {
        let all = [HelperKind::Tproxy, HelperKind::TproxyProxy, HelperKind::Toda, HelperKind::StressNg, HelperKind::MemStress];
        assert_eq!(all.map(HelperKind::is_active), [false, true, true, true, true]);
        assert_eq!(all.map(HelperKind::as_str), ["tproxy", "tproxy_proxy", "toda", "stress_ng", "mem_stress"]);
    }

    proptest! {
        #[test]
        fn any_arguments_give_an_answer(
            comm in prop_oneof![Just("tproxy"), Just("toda"), Just("memStress"), Just("stress-ng"), Just("")],
            argv in prop::collection::vec("[-=/a-z \u{0}-\u{7f}é]{0,12}", 0..8),
        ) {
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            if let Some(kind) = helper(comm, &argv) {
                prop_assert_eq!(HelperKind::of_name(base_name(argv[0])).is_some(), true);
                tool(kind, &argv, Some(comm));
            }
        }
    }
}
