//! Least privilege: the program as different users with different capabilities, looking at a pod that belongs to somebody else.
//!
//! Needs root, to make namespaces and to hand out capabilities; everything ends with the test. Not said anywhere else in the tests:
//! which capability shows what. A further way to run the program is one more wrapper.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests: a failure is a panic, real tools are run, metrics of counts are exact"
)]

mod kit;

#[path = "faults/cri.rs"]
mod cri;
#[path = "kit/runtime_messages.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod messages;
#[path = "faults/program.rs"]
mod program;
#[path = "kit/runtime_scripted.rs"]
#[allow(dead_code, reason = "shared with the tests of the runtime client")]
mod scripted;

use cri::{Declared, answer};
use kit::process::{Running, copy_program, succeed, until};
use program::{Program, Wrapper, copy, open_folder, run};
use scripted::Scripted;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const ROOT_OF_THREE: Wrapper<'_> = &["setpriv", "--bounding-set=-all,+sys_admin,+net_admin,+sys_ptrace", "--inh-caps=-all"];
/// As manifests/base/node.yaml has it: nothing but the three, and no way to more.
const AS_DEPLOYED: Wrapper<'_> = &["setpriv", "--no-new-privs", "--bounding-set=-all,+sys_admin,+net_admin,+sys_ptrace", "--inh-caps=-all"];
const OTHER_OF_THREE: Wrapper<'_> = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--groups=0",
    "--inh-caps=-all,+sys_admin,+net_admin,+sys_ptrace",
    "--ambient-caps=-all,+sys_admin,+net_admin,+sys_ptrace",
];
/// Root's group, because the list of legacy tables is readable for it and for nobody else.
const OTHER: Wrapper<'_> = &["setpriv", "--reuid=65534", "--regid=65534", "--groups=0", "--inh-caps=-all"];
/// Of no group that matters.
const NOBODY: Wrapper<'_> = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];

/// What a chaos tool leaves in a namespace, with one of everything that is read.
const STATE: &str = "
    tc qdisc add dev lo root handle 1: tbf rate 1mbit burst 10kb latency 50ms
    ipset create shop_netpart_0_netpart hash:net
    ipset add shop_netpart_0_netpart 10.1.0.0/16
    iptables-legacy -N CHAOS-INPUT
    iptables-legacy -A INPUT -j CHAOS-INPUT
    iptables-legacy -A CHAOS-INPUT -m set --match-set shop_netpart_0_netpart src -j DROP
    ip6tables-legacy -A OUTPUT -d 2001:db8::1 -j DROP
    iptables-nft -A OUTPUT -d 10.9.9.9 -j DROP
";

/// A pod of root's under chaos: network and mount namespace, name servers replaced, a helper beside it, and a runtime that knows it.
struct Pod {
    holder: Running,
    helper: Child,
    _runtime: Scripted,
    folder: TempDir,
    program: PathBuf,
}

impl Pod {
    fn start() -> Self {
        assert!(rustix::process::geteuid().is_root(), "this test makes namespaces and hands out capabilities: run it as root");
        let folder = open_folder();
        let ready = folder.path().join("ready");
        let script = format!(
            "mount -t tmpfs tmpfs /etc; echo nameserver 10.96.0.10 >/etc/resolv.conf.chaos.bak; echo nameserver 10.96.77.3 >/etc/resolv.conf
             ip link set lo up; {STATE} : >{}; exec sleep 600",
            ready.display()
        );
        let holder = Running::start(Command::new("unshare").args(["--net", "--mount", "sh", "-euc", &script]));
        until(|| ready.exists().then_some(()), || "the pod's state was made".into());
        let helper = helper(&folder, holder.pid());
        let socket = folder.path().join("cri.sock");
        let declared = [Declared { number: 7, pod: "web-0".into(), pid: holder.pid() }];
        let runtime = Scripted::start(&socket, move |asked, message| answer(&declared, asked, message));
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        fs::create_dir(folder.path().join("netns")).unwrap();
        let program = copy(&folder);
        Self { holder, helper, _runtime: runtime, folder, program }
    }

    fn look(&self) -> [String; 3] {
        let at = |name| self.folder.path().join(name).display().to_string();
        [
            "--runtime=cri".to_owned(),
            format!("--runtime.endpoint=unix://{}", at("cri.sock")),
            format!("--path.netns={}", at("netns")), // an empty one, so that nobody else's names are seen
        ]
    }

    fn node(&self, wrapper: Wrapper<'_>) -> Program {
        let look = self.look();
        Program::start(wrapper, &self.program, &look.each_ref().map(String::as_str))
    }

    /// `snapshot --output json`, and the same as a table.
    fn snapshot(&self, wrapper: Wrapper<'_>) -> (Value, String) {
        let look = self.look();
        let mut words = vec!["snapshot"];
        words.extend(look.iter().map(String::as_str));
        let table = run(wrapper, &self.program, &words);
        assert!(table.status.success(), "{table:?}");
        words.push("--output=json");
        let json = run(wrapper, &self.program, &words);
        assert!(json.status.success(), "{json:?}");
        (serde_json::from_slice(&json.stdout).unwrap(), String::from_utf8(table.stdout).unwrap())
    }

    /// Exit code of `check`, and what it says.
    fn check(&self, wrapper: Wrapper<'_>) -> (i32, String) {
        let look = self.look();
        let mut words = vec!["check"];
        words.extend(look.iter().map(String::as_str));
        let output = run(wrapper, &self.program, &words);
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// With file capabilities: `caps` as setcap(8) takes them.
    fn set_file_capabilities(&self, caps: &str) {
        succeed(Command::new("setcap").arg(caps).arg(&self.program));
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.helper.kill();
        let _ = self.helper.wait();
    }
}

/// A process that looks like Chaos Mesh's idle proxy, in the pod's network namespace: a shell that waits for its input.
fn helper(folder: &TempDir, pod: u32) -> Child {
    let tproxy = folder.path().join("tproxy");
    copy_program("/bin/dash", &tproxy);
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{pod}/ns/net")).arg(&tproxy).arg("-i");
    let helper = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let comm = format!("/proc/{}/comm", helper.id());
    until(|| (fs::read_to_string(&comm).unwrap().trim() == "tproxy").then_some(()), || "the helper runs".into());
    helper
}

/// The pod's namespace in a snapshot.
fn pod(document: &Value) -> Option<&Value> {
    document["namespaces"].as_array().unwrap().iter().find(|namespace| namespace["namespace"]["pod"]["name"] == "web-0")
}

/// Everything a snapshot says about the pod, less the times.
fn all_of_it(document: &Value) -> Value {
    let mut pod = pod(document).unwrap_or_else(|| panic!("no pod in {document:#}")).clone();
    pod.as_object_mut().unwrap().remove("took_seconds");
    let of_pod = |entries: &Value| -> Vec<Value> {
        entries.as_array().unwrap().iter().filter(|entry| entry["pod"]["name"] == "web-0").cloned().collect()
    };
    serde_json::json!({"namespace": pod, "helpers": of_pod(&document["helpers"]), "mounts": of_pod(&document["mounts"])})
}

fn limitations(document: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    document["limitations"].as_array().unwrap().iter().map(|one| (text(&one["what"]), text(&one["remedy"]))).collect()
}

fn assert_is_all(document: &Value) {
    let all = all_of_it(document);
    let reading = &all["namespace"]["reading"];
    let text = reading.to_string();
    for source in ["tc", "sets", "legacy", "nft"] {
        assert!(reading[source].get("error").is_none(), "{source}: {}", reading[source]);
    }
    for word in ["tbf", "shop_netpart_0_netpart", "CHAOS-INPUT", "2001:db8::1", "10.9.9.9"] {
        assert!(text.contains(word), "{word} in {reading:#}");
    }
    assert_eq!(all["helpers"][0]["kind"], "tproxy", "{all:#}");
    assert_eq!(all["mounts"][0]["resolv_conf"], "replaced", "{all:#}");
}

fn assert_page_is_all(node: &Program) {
    let page = node.scrape();
    let target = [("namespace", "shop"), ("pod", "web-0")];
    let with = |more: &[(&'static str, &'static str)]| [&target, more].concat();
    assert_eq!(page.value("chaoscope_tbf_rate_bytes_per_second", &target), 125_000.0);
    assert_eq!(page.value("chaos_daemon_ipset_members", &target), 1.0);
    assert_eq!(page.value("chaoscope_iptables_chain_reachable", &with(&[("chain", "CHAOS-INPUT")])), 1.0);
    assert_eq!(page.value("chaoscope_helper_processes", &with(&[("kind", "tproxy")])), 1.0);
    assert_eq!(page.value("chaoscope_fault_mounts", &with(&[("kind", "resolv_conf")])), 1.0);
    assert_eq!(page.errors(), Vec::<&str>::new());
    assert!(page.success("runtime") && page.success("namespaces") && page.success("processes"));
    assert_eq!(blinding(&page), 0.0, "{page:?}");
    own_figures_are_right(&page, node);
}

/// How many things chaos may hide behind.
fn blinding(page: &program::Page) -> f64 {
    page.value("chaoscope_limitations", &[("blinds", "true")])
}

/// A page that shows nothing of the pod says that it could not.
fn assert_page_is_no_clean_one(page: &program::Page, limitations: f64) {
    assert_eq!(blinding(page), limitations, "{page:?}");
    assert!(!page.success("processes"), "{page:?}");
    assert!(page.value("chaoscope_netns_read_errors", &[("source", "namespace"), ("reason", "permission")]) >= 1.0, "{page:?}");
}

/// `process_*` must be about the program itself, whatever /proc lets it see of itself.
fn own_figures_are_right(page: &program::Page, node: &Program) {
    let pid = node.pid();
    let start = page.value("process_start_time_seconds", &[]);
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: f64 = stat.rsplit_once(')').unwrap().1.split(' ').nth(20).unwrap().parse().unwrap();
    let boot = fs::read_to_string("/proc/stat").unwrap();
    let boot: f64 = boot.lines().find_map(|line| line.strip_prefix("btime ")).unwrap().parse().unwrap();
    assert!((start - boot - ticks / rustix::param::clock_ticks_per_second() as f64).abs() < 2.0, "{start}");
    assert!(page.value("process_resident_memory_bytes", &[]) > 1e6);
    for open in page.values("process_open_fds", &[]) {
        assert!(open > 5.0, "{open}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn three_capabilities_give_root_and_others_the_same_full_view() {
    let pod = Pod::start();
    let full = pod.snapshot(&[]).0;
    assert_is_all(&full);
    for wrapper in [ROOT_OF_THREE, AS_DEPLOYED, OTHER_OF_THREE] {
        let (document, table) = pod.snapshot(wrapper);
        assert_eq!(all_of_it(&document), all_of_it(&full), "{wrapper:?}");
        assert_eq!(limitations(&document), limitations(&full), "{wrapper:?}");
        assert!(table.contains("shop/web-0  [CHAOS]"), "{table}");
        assert_eq!(pod.check(wrapper).0, 1);
        assert_page_is_all(&pod.node(wrapper));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setcap: run by make test"]
async fn file_capabilities_give_the_same_full_view() {
    let pod = Pod::start();
    let full = pod.snapshot(&[]).0;
    pod.set_file_capabilities("cap_sys_admin,cap_net_admin,cap_sys_ptrace=ep");
    let (document, _) = pod.snapshot(OTHER);
    assert_eq!(all_of_it(&document), all_of_it(&full));
    assert_eq!(limitations(&document), limitations(&full));
    assert_page_is_all(&pod.node(OTHER));
}

/// As [`OTHER_OF_THREE`], less one.
fn without(capability: &str) -> [String; 6] {
    let kept: Vec<_> = ["sys_admin", "net_admin", "sys_ptrace"].into_iter().filter(|one| *one != capability).collect();
    let caps = format!("-all,+{}", kept.join(",+"));
    let [setpriv, uid, gid, groups, ..] = OTHER_OF_THREE else { panic!("six words") };
    let words = [setpriv, uid, gid, groups].map(|word| (*word).to_owned());
    let [setpriv, uid, gid, groups] = words;
    [setpriv, uid, gid, groups, format!("--inh-caps={caps}"), format!("--ambient-caps={caps}")]
}

/// Everything the program says when `capability` is missing: a document, a table, the answer of `check`, a page of metrics, the status page.
struct Said {
    document: Value,
    table: String,
    check: (i32, String),
    metrics: program::Page,
    status: String,
    log: String,
}

fn say(pod: &Pod, wrapper: Wrapper<'_>) -> Said {
    let (document, table) = pod.snapshot(wrapper);
    let node = pod.node(wrapper);
    let metrics = node.scrape();
    let (code, status) = node.get("/", "");
    assert_eq!(code, 200);
    Said { document, table, check: pod.check(wrapper), metrics, status, log: node.log() }
}

impl Said {
    /// Said once by every outlet: what is missing, and what would show it.
    fn says_once(&self, what: &str, remedy: &str) {
        let rest = self.table.split_once("Not seen:").unwrap_or_else(|| panic!("{}", self.table)).1;
        for text in [rest, &self.check.1, &self.log, &self.status] {
            assert_eq!(text.matches(what).count(), 1, "{what:?} in {text}");
            assert!(text.contains(remedy), "{remedy:?} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn without_net_admin_there_is_still_traffic_control() {
    let pod = Pod::start();
    let full = all_of_it(&pod.snapshot(&[]).0);
    let wrapper = without("net_admin");
    let said = say(&pod, &wrapper.each_ref().map(String::as_str));
    said.says_once("ipsets and packet filter rules cannot be read", "run as root, or add CAP_NET_ADMIN");
    let all = all_of_it(&said.document);
    let reading = &all["namespace"]["reading"];
    assert_eq!(reading["tc"], full["namespace"]["reading"]["tc"]);
    for source in ["sets", "legacy", "nft"] {
        assert_eq!(reading[source]["reason"], "permission", "{reading:#}");
        assert_eq!(reading[source]["remedy"], "add CAP_NET_ADMIN", "{reading:#}");
    }
    assert_eq!((&all["helpers"], &all["mounts"]), (&full["helpers"], &full["mounts"]));
    assert_eq!(said.check.0, 1, "tbf and the name servers are seen: {}", said.check.1);
    let page = &said.metrics;
    assert_eq!(page.values("chaoscope_tbf_rate_bytes_per_second", &[("pod", "web-0")]).len(), 1);
    assert_eq!(page.values("chaoscope_ipset_members", &[]).len(), 0, "missing beats wrong");
    assert_eq!(page.values("chaoscope_iptables_chain_reachable", &[]).len(), 0);
    assert_eq!(page.values("chaos_daemon_ipset_members", &[]).len(), 0);
    for source in ["ipset", "iptables_legacy", "nftables"] {
        assert!(page.value("chaoscope_netns_read_errors", &[("source", source), ("reason", "permission")]) >= 1.0);
    }
    assert!(
        page.errors().iter().all(|error| error.contains("permission") && !error.contains("\"tc\"") && !error.contains("\"namespace\""))
    );
    // The one limitation is the capability: what follows from it in each namespace is not said again.
    assert_eq!(limitations(&said.document).len(), limitations(&pod.snapshot(&[]).0).len() + 1, "{:#}", said.document["limitations"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn without_sys_admin_namespaces_stay_closed_and_processes_are_seen() {
    let pod = Pod::start();
    let full = all_of_it(&pod.snapshot(&[]).0);
    let wrapper = without("sys_admin");
    let said = say(&pod, &wrapper.each_ref().map(String::as_str));
    said.says_once("network namespaces cannot be entered", "run as root, or add CAP_SYS_ADMIN");
    let all = all_of_it(&said.document);
    assert_eq!(all["namespace"]["error"]["reason"], "permission", "{all:#}");
    assert_eq!(all["namespace"]["error"]["remedy"], "add CAP_SYS_ADMIN", "{all:#}");
    assert_eq!((&all["helpers"], &all["mounts"]), (&full["helpers"], &full["mounts"]), "they take no namespace to enter");
    assert_eq!(said.check.0, 1, "the name servers are seen: {}", said.check.1);
    assert_eq!(limitations(&said.document).len(), limitations(&pod.snapshot(&[]).0).len() + 1, "{:#}", said.document["limitations"]);
    let page = &said.metrics;
    assert_eq!(page.visited(), 0);
    assert!(page.value("chaoscope_netns_read_errors", &[("source", "namespace"), ("reason", "permission")]) >= 1.0);
    assert_eq!(page.values("chaoscope_tbf_rate_bytes_per_second", &[]).len(), 0);
    assert_eq!(page.value("chaoscope_fault_mounts", &[("pod", "web-0"), ("kind", "resolv_conf")]), 1.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn without_sys_ptrace_namespaces_of_others_are_not_known() {
    let pod = Pod::start();
    let wrapper = without("sys_ptrace");
    let said = say(&pod, &wrapper.each_ref().map(String::as_str));
    said.says_once("namespaces and mounts of processes of other users cannot be seen", "run as root, or add CAP_SYS_PTRACE");
    assert!(self::pod(&said.document).is_none(), "{:#}", said.document);
    assert_eq!(said.document["mounts"], serde_json::json!([]));
    assert_eq!(said.check.0, 3, "{}", said.check.1);
    assert!(said.check.1.ends_with("could not tell: something could not be read\n"), "{}", said.check.1);
    assert_eq!(said.metrics.values("chaoscope_tbf_rate_bytes_per_second", &[]).len(), 0);
    assert_eq!(limitations(&said.document).len(), 1, "{:#}", said.document["limitations"]);
    assert_page_is_no_clean_one(&said.metrics, 1.0);
}

/// Another user needs root's group for one file; without it, legacy rules are unknown and nothing else is.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setcap: run by make test"]
async fn without_roots_group_only_legacy_rules_are_not_known() {
    let pod = Pod::start();
    let full = all_of_it(&pod.snapshot(&[]).0);
    pod.set_file_capabilities("cap_sys_admin,cap_net_admin,cap_sys_ptrace=ep");
    let (document, table) = pod.snapshot(NOBODY);
    let all = all_of_it(&document);
    for source in ["tc", "sets", "nft"] {
        assert_eq!(all["namespace"]["reading"][source], full["namespace"]["reading"][source]);
    }
    assert_eq!(all["namespace"]["reading"]["legacy"]["reason"], "permission");
    assert!(table.contains("run with group 0 (runAsGroup: 0), or add CAP_DAC_READ_SEARCH"), "{table}");
    pod.set_file_capabilities("cap_sys_admin,cap_net_admin,cap_sys_ptrace,cap_dac_read_search=ep");
    assert_eq!(all_of_it(&pod.snapshot(NOBODY).0), full, "what the remedy says helps");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn an_ordinary_user_is_served_and_told_what_is_missing() {
    let pod = Pod::start();
    let said = say(&pod, NOBODY);
    said.says_once("network namespaces cannot be entered", "add CAP_SYS_ADMIN");
    said.says_once("ipsets and packet filter rules cannot be read", "add CAP_NET_ADMIN");
    said.says_once("namespaces and mounts of processes of other users cannot be seen", "add CAP_SYS_PTRACE");
    assert_eq!(limitations(&said.document).len(), 3, "{:#}", said.document["limitations"]);
    assert_eq!(said.check.0, 3, "{}", said.check.1);
    assert!(said.metrics.success("runtime"), "{:?}", said.metrics);
    assert_page_is_no_clean_one(&said.metrics, 3.0);
    assert_eq!(said.metrics.values("process_resident_memory_bytes", &[]).len(), 1);
}

/// A folder that cannot be listed is not an empty one.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn a_closed_folder_of_names_is_noticed() {
    let pod = Pod::start();
    fs::set_permissions(pod.folder.path().join("netns"), fs::Permissions::from_mode(0o700)).unwrap();
    let (document, table) = pod.snapshot(OTHER_OF_THREE);
    assert_is_all(&document);
    assert!(table.contains("named network namespaces are not known: cannot list "), "{table}");
    assert!(pod.check(OTHER_OF_THREE).1.contains("named network namespaces are not known"), "{table}");
}

/// /proc may keep other users' processes to itself; only the capability decides.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root, namespaces and setpriv: run by make test"]
async fn a_proc_that_hides_processes_is_noticed() {
    let pod = Pod::start();
    let hide = |rest: &str| format!("mount -t proc -o hidepid=2 proc /proc; exec {rest} \"$0\" \"$@\"");
    let full = pod.snapshot(&[]).0;

    let seeing = hide(&OTHER_OF_THREE.join(" "));
    let (document, _) = pod.snapshot(&["unshare", "--mount", "sh", "-euc", &seeing]);
    assert_eq!(all_of_it(&document), all_of_it(&full));
    assert_eq!(limitations(&document), limitations(&full));

    let blind = hide(&NOBODY.join(" "));
    let said = say(&pod, &["unshare", "--mount", "sh", "-euc", &blind]);
    said.says_once("namespaces and mounts of processes of other users cannot be seen", "add CAP_SYS_PTRACE");
    assert!(self::pod(&said.document).is_none());
    assert_eq!(said.check.0, 3, "{}", said.check.1);
    assert_eq!(said.metrics.values("process_resident_memory_bytes", &[]).len(), 1, "it still sees itself");
    assert_eq!(blinding(&said.metrics), 3.0, "{:?}", said.metrics);
    assert!(!said.metrics.success("processes"), "{:?}", said.metrics);
}

/// Without the host's process ids almost nothing is seen, and nothing seen must not pass for nothing there.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs root and namespaces: run by make test"]
async fn a_pid_namespace_of_its_own_is_noticed() {
    let pod = Pod::start();
    let wrapper: Wrapper<'_> = &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let (document, table) = pod.snapshot(wrapper);
    let said = limitations(&document);
    let only = ("only processes of one pid namespace are seen, not all of the host", "share the host's process ids (hostPID)");
    assert!(said.contains(&(only.0.to_owned(), only.1.to_owned())), "{said:?}");
    assert!(table.contains(only.0) && table.contains(only.1), "{table}");
    assert!(table.contains("\nNo pod network namespace could be seen.\n"), "{table}");
    let (code, text) = pod.check(wrapper);
    assert_eq!(code, 3, "{text}");
    let page = pod.node(wrapper).scrape();
    assert_eq!(blinding(&page), 1.0, "{page:?}");
    assert!(!page.success("processes"), "{page:?}");
    assert!(pod.holder.pid() > 1);
}
