//! The command line as a person, a script and a pipeline meet it: what is printed where, and every exit code.

use crate::kit::process::finish;
use crate::lab::{Lab, PARTITION, RECOVERY};
use crate::program::{CHAOSCOPE, Program, blind, command, err, out, run};
use crate::text::values;
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

/// One line on standard error, nothing on standard output, and this exit code.
fn refused(output: &Output, code: i32, wanted: &str) {
    let said = err(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.starts_with("chaoscope: ") && said.contains(wanted), "{wanted:?} is not in {said:?}");
    assert_eq!((said.lines().count(), out(output).as_str()), (1, ""), "{said}");
}

#[test]
fn wrong_usage_is_one_line_and_exit_code_2() {
    for (words, wanted) in [
        (&["nod"][..], "unrecognized subcommand 'nod'; a similar subcommand exists: 'node'"),
        (&["node", "--no-such-flag"], "unexpected argument '--no-such-flag'"),
        (&["node", "--rules=some"], "[possible values: chaos, all]"),
        (&["node", "--web.listen-address=10765"], "the port is missing; write HOST:PORT"),
        (&["node", "--web.listen-address=http://localhost:1"], "without a scheme"),
        (&["node", "--web.telemetry-path=metrics"], "an absolute path"),
        (&["node", "--web.telemetry-path=/"], "choose another path"),
        (&["node", "--web.max-requests=0"], "0 is not in 1..=10000"),
        (&["node", "--web.scrape-timeout-offset=soon"], "write 500ms, 10s or 1m"),
        (&["node", "--web.config.file=/no/such/file"], "/no/such/file"),
        (&["node", "--runtime.endpoint=tcp://1.2.3.4:5"], "--runtime.endpoint"),
        (&["node", "--sweep.threads=0"], "0 is not in 1..=64"),
        (&["snapshot", "--pod=web-0"], "write NAMESPACE/NAME"),
        (&["snapshot", "--output=yaml"], "[possible values: text, json]"),
        (&["check", "--timeout=-1s"], "a duration cannot be negative"),
        (&["check", "extra"], "unexpected argument 'extra'"),
        (&["completion"], "<SHELL>"),
        (&["node", "--log.level=loud"], "[possible values: trace, debug, info, warn, error]"),
    ] {
        refused(&run(words), 2, wanted);
    }
}

#[test]
fn without_a_command_the_help_is_shown() {
    let output = run(&[]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
    assert!(err(&output).contains("Usage: chaoscope"));
    for words in [&["--help"][..], &["node", "--help"], &["check", "--help"], &["help", "snapshot"]] {
        let output = run(words);
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{words:?}");
        assert!(out(&output).contains("Usage: chaoscope"), "{words:?}");
    }
    let version = run(&["--version"]);
    assert_eq!((version.status.code(), out(&version)), (Some(0), format!("chaoscope {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_web_config_that_cannot_be_used_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    for (content, wanted) in [
        ("tls_server_config: [", "web.yml"),
        ("no_such_field: 1\n", "no_such_field"),
        ("tls_server_config: {cert_file: gone.pem, key_file: gone.key}\n", "gone.pem"),
        ("basic_auth_users: {me: not-a-hash}\n", "web.yml"),
    ] {
        fs::write(&file, content).unwrap();
        let output = run(&["node", "--web.listen-address=127.0.0.1:0", &format!("--web.config.file={}", file.display())]);
        refused(&output, 2, wanted);
    }
}

/// Its remedy is another flag, so it counts as wrong usage.
#[test]
fn an_address_in_use_is_one_line_and_exit_code_2() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["node", &format!("--web.listen-address={address}")]);
    refused(&output, 2, &address);
    assert!(err(&output).contains("choose another port"), "{}", err(&output));
}

#[test]
fn flags_may_be_environment_variables_and_the_flag_wins() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    command.arg("node").args(blind(folder.path())).arg("--web.max-requests=3");
    command.env("CHAOSCOPE_WEB_TELEMETRY_PATH", "/by/variable").env("CHAOSCOPE_SOURCE_HOST", "true");
    command.env("CHAOSCOPE_WEB_MAX_REQUESTS", "4").env("CHAOSCOPE_LOG_FORMAT", "json");
    let server = Program::start(command, folder);
    let page = server.get("/by/variable");
    assert_eq!(page.status, 200);
    assert_eq!(values(&page.text(), "chaoscope_scrape_source_success", &[("source", "host")]), ["1"]);
    assert!(server.log().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", server.log());

    let folder = tempfile::tempdir().unwrap();
    let check = |output: &str, more: &[&str]| {
        let mut check = self::command(folder.path());
        check.arg("check").args(blind(folder.path())).env("CHAOSCOPE_OUTPUT", output).args(more);
        check.output().unwrap()
    };
    assert!(serde_json::from_slice::<Value>(&check("json", &[]).stdout).is_ok());
    assert!(out(&check("json", &["--output=text"])).contains("could not tell"));
    refused(&check("loud", &[]), 2, "'loud'");
}

#[test]
fn log_lines_are_what_was_asked_for() {
    let server = Program::blind(&["--log.format=logfmt"]);
    let log = server.log();
    assert!(log.lines().all(|line| line.starts_with("ts=") && line.contains(" level=") && line.contains(" message=")), "{log}");
    assert!(log.contains(&format!("listening on http://{}", server.address)), "{log}");

    let server = Program::blind(&["--log.format=json", "--log.level=debug"]);
    let lines: Vec<Value> = server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "DEBUG") && lines.iter().any(|line| line["level"] == "INFO"), "{lines:?}");
}

#[test]
fn a_signal_ends_an_idle_server_with_0() {
    let mut server = Program::blind(&[]);
    assert_eq!(server.get("/healthz").text(), "ok\n");
    server.terminate();
    assert_eq!(server.exit_code(), Some(0), "{}", server.log());
}

#[test]
fn completion_scripts_are_scripts() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completion", shell]);
        assert_eq!(script.status.code(), Some(0), "{shell}");
        assert!(out(&script).contains("web.listen-address"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completion");
    fs::write(&file, run(&["completion", "bash"]).stdout).unwrap();
    let parsed = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(parsed.status.success(), "{}", err(&parsed));
}

/// Standard output that nobody reads: as `| head -1` when it has seen enough.
#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let blind = blind(folder.path());
    for (words, code) in [(&["completion", "bash"][..], 0), (&["snapshot"], 0), (&["snapshot", "--output=json"], 0), (&["check"], 3)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(folder.path());
        command.args(words).stdout(writer).stderr(Stdio::piped());
        if words[0] != "completion" {
            command.args(&blind);
        }
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), err(&output).as_str()), (Some(code), ""), "{words:?}");
    }
}

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn check_answers_with_its_exit_code() {
    let mut lab = Lab::start();
    let clean = lab.run(&["check"]);
    assert_eq!(
        (clean.status.code(), out(&clean).as_str()),
        (Some(0), "clean: 1 namespace read, the host's own among them, nothing effective\n")
    );

    let web = lab.pod("shop", "web-0");
    assert_eq!(lab.run(&["check"]).status.code(), Some(0));
    lab.inside(web, PARTITION);
    let effective = lab.run(&["check"]);
    let text = out(&effective);
    assert_eq!(effective.status.code(), Some(1), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[..3].iter().all(|line| line.starts_with("effective  shop/web-0  like chaos-mesh, owner unknown  ")));
    let objects: Vec<_> = lines[..3].iter().map(|line| line.find("tbf 1:").or_else(|| line.find("legacy ipv4"))).collect();
    assert!(objects.iter().all(|column| column.is_some() && *column == objects[0]), "{text}");
    assert_eq!(lines[3], "effective chaos state is on this host (2 namespaces read)");

    let document: Value = serde_json::from_slice(&lab.run(&["check", "--output=json"]).stdout).unwrap();
    assert_eq!((&document["answer"], &document["exit_code"]), (&"effective".into(), &1.into()));
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 3);
    assert!(findings.iter().all(|it| it["target"] == "shop/web-0" && it["owner"] == "unknown" && it["tool"] == "chaos-mesh"), "{document}");

    // What is there counts more than what could not be seen.
    let part = lab.run_as(&["setpriv", "--bounding-set=-net_admin"], &["check"]);
    assert_eq!(part.status.code(), Some(1), "{}", out(&part));
    assert!(out(&part).contains("qdisc  tbf 1: dev eth0 parent root\n") && out(&part).contains("add CAP_NET_ADMIN"), "{}", out(&part));

    lab.inside(web, RECOVERY);
    let left = lab.run(&["check"]);
    assert_eq!(left.status.code(), Some(0), "{}", out(&left));
    assert!(
        out(&left).contains("benign  shop/web-0  like chaos-mesh, owner unknown  chain  legacy ipv4 filter CHAOS-INPUT\n"),
        "{}",
        out(&left)
    );

    let nobody = lab.run_as(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], &["check"]);
    assert_eq!(nobody.status.code(), Some(3), "{}", out(&nobody));
    assert!(out(&nobody).ends_with("could not tell: something could not be read\n"));
    assert!(out(&nobody).contains("to see it: run as root, or add CAP_SYS_ADMIN"), "{}", out(&nobody));
    let nobody = lab.run_as(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], &["check", "--output=json"]);
    let document: Value = serde_json::from_slice(&nobody.stdout).unwrap();
    assert_eq!((&document["answer"], &document["exit_code"]), (&"unknown".into(), &3.into()));
    refused(&lab.run(&["check", "--no"]), 2, "'--no'");
}

/// What Krkn leaves of an ingress fault whose tree went first. Another redirect beside it is nobody's.
#[test]
#[ignore = "needs root and iproute2, with ifb and cls_u32 in the kernel: run by make test"]
fn a_redirect_of_ingress_to_an_ifb_is_found() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.inside(
        web,
        "ip link add bwp0 type ifb; ip link add ifb0 type ifb; ip link add eth7 type veth peer name eth8
         tc qdisc add dev eth7 ingress
         tc filter add dev eth7 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev bwp0",
    );
    assert_eq!(lab.run(&["check"]).status.code(), Some(0), "{}", out(&lab.run(&["check"])));

    lab.inside(
        web,
        "tc qdisc add dev lo ingress
         tc filter add dev lo parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ifb0",
    );
    let check = lab.run(&["check"]);
    let text = out(&check);
    assert_eq!(check.status.code(), Some(1), "{text}");
    let wanted = "effective  shop/web-0  like krkn, owner unknown  filter  u32 dev lo parent ffff: redirect to ifb0\n";
    assert!(text.starts_with(wanted) && text.lines().count() == 2, "{text}");
    let table = out(&lab.run(&["snapshot", "--pod=shop/web-0"]));
    let rows: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(rows.contains(&"filter lo ffff: u32 redirect to ifb0 krkn".to_owned()), "{table}");
    assert!(rows.contains(&"filter eth7 ffff: u32 redirect to bwp0".to_owned()), "{table}");
    let page = lab.serve(&[]).get("/").text();
    assert!(page.contains("chaos in force") && page.contains(">u32 redirect to ifb0</td>"), "{page}");

    lab.inside(web, "tc qdisc del dev lo ingress");
    assert_eq!(lab.run(&["check"]).status.code(), Some(0), "{}", out(&lab.run(&["check"])));
}

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn a_snapshot_is_an_aligned_table() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    let done = lab.pod("shop", "done-0");
    lab.pod("shop", "idle-0");
    lab.inside(web, PARTITION);
    lab.inside(done, PARTITION);
    lab.inside(done, RECOVERY);
    let output = lab.run(&["snapshot"]);
    let text = out(&output);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{text}");
    let blocks: Vec<&str> = text.trim_end().split("\n\n").collect();
    assert!(blocks.len() >= 4, "{text}");
    assert!(blocks[0].starts_with("3 namespaces read in ") && blocks[0].contains("container runtime: scripted 7.1 at /"), "{text}");
    assert!(blocks[1].starts_with("shop/web-0  [CHAOS]\n  netns ") && blocks[2].starts_with("shop/done-0  [leftovers]\n"), "{text}");
    assert_eq!(blocks[3], "1 namespace without anything of chaos.");
    for block in &blocks[1..3] {
        // The first two columns of every row begin where those of the others do.
        let rows: Vec<&str> = block.lines().skip(2).collect();
        assert!(rows.len() >= 6 && rows.iter().all(|row| row.starts_with("  ") && !row[2..].starts_with(' ')), "{text}");
        let widest = rows.iter().map(|row| row[2..].find("  ").unwrap() + 2).max().unwrap();
        assert!(rows.iter().all(|row| &row[widest..widest + 2] == "  " && !row[widest + 2..].starts_with(' ')), "{text}");
        assert!(rows.iter().all(|row| row.trim_end() == *row), "no blanks at the end: {text:?}");
    }
    assert!(blocks[1].contains("tbf rate 1 Mbit/s burst 9.77 KiB") && blocks[2].contains("rule (inactive)"), "{text}");
}

#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn a_snapshot_for_scripts_has_everything() {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.pod("shop", "idle-0");
    lab.inside(web, PARTITION);
    let snapshot = |more: &[&str]| -> Value {
        let output = lab.run(&[&["snapshot", "--output=json"], more].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(&output)))
    };
    let document = snapshot(&[]);
    let namespaces = document["namespaces"].as_array().unwrap();
    assert_eq!(namespaces.len(), 3, "both pods and the host: {document}");
    let find = |name: &str| namespaces.iter().find(|it| it["namespace"]["pod"]["name"] == name).unwrap();
    let (web, idle) = (find("web-0"), find("idle-0"));
    assert_eq!(web["namespace"]["containers"].as_array().unwrap().len(), 2);
    assert_eq!((web["findings"].as_array().unwrap().len(), idle["findings"].as_array().unwrap().len()), (3, 0));
    let qdiscs = web["reading"]["tc"]["qdiscs"].as_array().unwrap();
    let tbf = qdiscs.iter().find(|it| it["kind"] == "tbf").unwrap();
    assert_eq!((&tbf["device"], &tbf["handle"], &tbf["options"]["rate_bytes_per_second"]), (&"eth0".into(), &"1:".into(), &125_000.into()));
    assert_eq!(web["reading"]["sets"].as_array().unwrap().len(), 2);
    assert_eq!(web["reading"]["legacy"][0]["name"], "filter");
    assert_eq!(idle["reading"]["legacy"], serde_json::json!([]));
    assert!(namespaces.iter().any(|it| it["skipped"] == "host_network"));
    assert!(document["runtime"].as_str().unwrap().starts_with("scripted 7.1 at"));
    assert!(document["limitations"].as_array().unwrap().iter().all(|it| it["blinds"] == false), "{document}");

    let members = snapshot(&["--members", "--pod=shop/web-0"]);
    assert_eq!(members["namespaces"].as_array().unwrap().len(), 1);
    let sets = members["namespaces"][0]["reading"]["sets"].as_array().unwrap();
    let set = sets.iter().find(|it| it["name"] == "cut-w_c356d36a67f5a_net_tgt").unwrap();
    let mut list: Vec<_> = set["list"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    list.sort_unstable();
    assert_eq!(list, ["10.9.0.7", "10.9.0.8"]);

    let table = out(&lab.run(&["snapshot", "--pod=shop/web-0"]));
    assert!(table.contains("shop/web-0  [CHAOS]") && !table.contains("idle-0") && table.starts_with("1 namespace read"), "{table}");
    refused(&lab.run(&["snapshot", "--pod=shop/web-1"]), 1, "no pod shop/web-1 here: is it on this node?");
    let without = run(&["snapshot", "--pod=shop/web-1", "--runtime=none"]);
    refused(&without, 1, "no container runtime told any pod's name (see --runtime)");
}

/// The first command of a newcomer: any user, any machine, an empty folder.
#[test]
fn a_first_look_needs_nothing() {
    let output = run(&["snapshot", "--runtime=none"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).contains("container runtime: none: pods are known by uid only"), "{}", out(&output));
    assert!(fs::exists(CHAOSCOPE).unwrap());
}

/// What Krkn does to a node is in the host's own namespace. A tbf there is CNI's.
#[test]
#[ignore = "needs root, ipset and iptables: run by make test"]
fn check_looks_at_the_host_itself() {
    let mut lab = Lab::start();
    let host = lab.host_process();
    lab.inside(host, "tc qdisc add dev lo root handle 1: tbf rate 100mbit burst 32kb latency 50ms");
    assert_eq!(lab.run(&["check"]).status.code(), Some(0));
    lab.inside(host, "iptables-legacy -A INPUT -s 203.0.113.1 -m state --state NEW,RELATED,ESTABLISHED -j DROP");
    let found = lab.run(&["check"]);
    assert_eq!(found.status.code(), Some(1), "{}", out(&found));
    assert!(out(&found).contains("like krkn"), "{}", out(&found));
    let without = lab.run(&["check", "--skip-host-network"]);
    let text = "clean: 0 namespaces read, nothing effective; the host's own was left out\n";
    assert_eq!((without.status.code(), out(&without).as_str()), (Some(0), text));
}

/// A check that cannot start must not look like one that found something.
#[test]
fn check_without_files_or_time_could_not_tell() {
    for limit in ["7", "8"] {
        let script = format!("ulimit -n {limit}; exec \"$0\" check --runtime=none");
        let output = finish(Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_chaoscope")]));
        assert_eq!(output.status.code(), Some(3), "{limit}: {}", err(&output));
    }
    let late = finish(Command::new(env!("CARGO_BIN_EXE_chaoscope")).args(["check", "--runtime=none", "--timeout=0s", "--output=json"]));
    let document: Value = serde_json::from_slice(&late.stdout).unwrap();
    assert_eq!((late.status.code(), &document["answer"]), (Some(3), &"unknown".into()));
}
