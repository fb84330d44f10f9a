//! Rules that throw packets away: those of chaos tools are runs, those of everybody else are not. And processes of chaos tools.

use crate::kit::netns::Netns;
use crate::kit::process::Running;
use crate::program::Standalone;
use chaoscope_model::run::Outcome;
use std::process::Command;

/// What a partition of Chaos Mesh 2.8 builds, by iptables-legacy, in both directions.
const PARTITION: &str = "
    ipset create cut-w_c356d36a67f5a_net_tgt hash:net
    ipset create cut-w_c356d36a67f5a_set_tgt list:set
    ipset add cut-w_c356d36a67f5a_set_tgt cut-w_c356d36a67f5a_net_tgt
    for chain in CHAOS-INPUT CHAOS-OUTPUT INPUT/cut-w_c356d36a67f5a2_ OUTPUT/cut-w_c356d36a67f5a_; do iptables-legacy -w -N $chain; done
    iptables-legacy -w -A INPUT -j CHAOS-INPUT
    iptables-legacy -w -A OUTPUT -j CHAOS-OUTPUT
    iptables-legacy -w -A INPUT/cut-w_c356d36a67f5a2_ -i eth0 -m set --match-set cut-w_c356d36a67f5a_set_tgt src,dst -j DROP
    iptables-legacy -w -A OUTPUT/cut-w_c356d36a67f5a_ -o eth0 -m set --match-set cut-w_c356d36a67f5a_set_tgt dst,dst -j DROP
    iptables-legacy -w -A CHAOS-INPUT -j INPUT/cut-w_c356d36a67f5a2_
    iptables-legacy -w -A CHAOS-OUTPUT -j OUTPUT/cut-w_c356d36a67f5a_";
/// What its recovery does: the rules stay, and nothing leads to them any more.
const RECOVERY: &str = "iptables-legacy -w -F CHAOS-INPUT; iptables-legacy -w -F CHAOS-OUTPUT";

/// As `iptables-save` shows Docker's isolation, ufw and fail2ban: DROP and REJECT within reach, none of chaos.
const OTHERS: &str = "*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER-ISOLATION-STAGE-1 -
:DOCKER-ISOLATION-STAGE-2 -
:ufw-before-input -
:ufw-user-input -
:f2b-sshd -
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd
-A f2b-sshd -s 203.0.113.9/32 -j REJECT --reject-with icmp-port-unreachable
-A INPUT -j ufw-before-input
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 23 -j DROP
-A INPUT -s 198.51.100.0/24 -j DROP
COMMIT";

#[test]
#[ignore = "needs root, iptables and ipset: run by make test"]
fn a_partition_is_a_run_for_each_direction_until_nothing_leads_to_its_rules() {
    let pod = Netns::new();
    let name = pod.inode().to_string();
    let mut it = Standalone::start();
    it.looks();
    pod.script(PARTITION);
    it.tells(2, "Applied", &name);
    pod.script(RECOVERY);
    it.tells(2, "Recovered", &name);
    it.stop();
    let mut runs = it.runs(&name);
    runs.sort_by_key(|run| run.parameters["chain"].clone());
    let shown: Vec<_> = runs.iter().map(|run| (run.kind.as_str(), run.action.as_str(), run.parameters["chain"].as_str())).collect();
    assert_eq!(shown, [("drop", "drop", "INPUT/cut-w_c356d36a67f5a2_"), ("drop", "drop", "OUTPUT/cut-w_c356d36a67f5a_")]);
    let rule = "-o eth0 -m set --match-set cut-w_c356d36a67f5a_set_tgt dst,dst -j DROP";
    assert_eq!((runs[1].parameters["rule"].as_str(), runs[1].parameters["backend"].as_str()), (rule, "legacy"));
    assert!(runs.iter().all(|run| run.labels["looks_like"] == "chaos-mesh" && run.outcome == Some(Outcome::Recovered)), "{runs:#?}");
}

#[test]
#[ignore = "needs root and iptables: run by make test"]
fn dockers_isolation_ufw_and_fail2ban_are_no_runs_and_a_rule_of_krkn_among_them_is() {
    let (legacy, nft) = (Netns::new(), Netns::new());
    let names = [legacy.inode().to_string(), nft.inode().to_string()];
    let mut it = Standalone::start();
    it.looks();
    for (netns, tool) in [(&legacy, "iptables-legacy"), (&nft, "iptables-nft")] {
        netns.script(&format!("{tool}-restore <<'END'\n{OTHERS}\nEND"));
    }
    it.looks();
    for (netns, tool) in [(&legacy, "iptables-legacy"), (&nft, "iptables-nft")] {
        netns.script(&format!("{tool} -w -I INPUT 1 -p tcp --dport 80 -m state --state NEW,RELATED,ESTABLISHED -j DROP"));
    }
    for (name, tool) in names.iter().zip(["iptables-legacy", "iptables-nft"]) {
        it.tells(1, "Applied", name);
        let netns = if tool == "iptables-nft" { &nft } else { &legacy };
        netns.script(&format!("{tool} -w -D INPUT 1"));
        it.tells(1, "Recovered", name);
    }
    it.stop();
    for name in &names {
        let run = it.run(name);
        assert_eq!((run.labels["looks_like"].as_str(), run.parameters["chain"].as_str()), ("krkn", "INPUT"));
    }
}

#[test]
#[ignore = "needs root: run by make test"]
fn a_stressor_is_a_run_as_long_as_it_lives() {
    let mut it = Standalone::start();
    it.looks();
    let stressor = Running::start(Command::new(&it.marker).arg("600"));
    let pid = stressor.pid().to_string();
    it.says(1, &["\"Applied: ", &format!(" pid={pid}\"")]);
    drop(stressor);
    it.says(1, &["\"Recovered: ", &format!(" pid={pid}\"")]);
    it.stop();
    let runs: Vec<_> = it.runs("").into_iter().filter(|run| run.parameters["pid"] == pid).collect();
    let shown: Vec<_> = runs.iter().map(|run| (run.kind.as_str(), run.action.as_str(), run.outcome)).collect();
    assert_eq!(shown, [("process", "stress_ng", Some(Outcome::Recovered))]);
}
