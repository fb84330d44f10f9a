//! The byte fixtures of the parsers' own tests, `tests/fixtures/*.hex`: what kernels answered to what is set up here. This compares how this
//! machine's kernels answer now; with `UPDATE_FIXTURES=1` it writes them anew.

use super::kit::netns::Netns;
use super::kit::uml::inside;
use super::legacy::SETS;
use super::support::{feed, saved, send};
use chaoscope::node::ipset;
use chaoscope::node::iptables::{Table, legacy, nft};
use chaoscope::node::netlink::{Buffer, Family, Request, Socket};
use chaoscope::node::netns::Traveller;
use chaoscope::node::tc;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

/// What a fixture is, for its header, and its bytes.
struct Fixture {
    name: &'static str,
    made: String,
    bytes: Vec<u8>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::bytes).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Writes the fixture, or checks that `show` says the same of the one that is there.
fn keep(fixture: &Fixture, show: impl Fn(&[u8]) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(fixture.name).with_extension("hex");
    if env::var_os("UPDATE_FIXTURES").is_some() {
        let mut text = format!("# {}: {}", fixture.name, fixture.made.trim()).replace('\n', "\n# ");
        text.push_str("\n# UPDATE_FIXTURES=1 cargo test -p chaoscope --test kernel -- --ignored record::\n");
        for line in fixture.bytes.chunks(60) {
            text.push_str(&hex(line));
            text.push('\n');
        }
        fs::write(&path, text).expect("a fixture can be written");
    }
    let kept = unhex(&fs::read_to_string(&path).expect("a fixture that is there"));
    assert_eq!(show(&fixture.bytes), show(&kept), "{}", fixture.name);
}

fn ask(family: Family, kind: u16, body: &[u8], attribute: Option<(u16, &[u8])>) -> Vec<u8> {
    let request = Request::new(kind, body);
    let request = attribute.map_or(Request::new(kind, body), |(kind, value)| request.attribute(kind, value));
    Socket::open(family).expect("a socket").dump("fixture", &request, &mut Buffer::default()).expect("a dump").to_vec()
}

/// `struct tcmsg` about a device and a parent.
fn tcmsg(ifindex: u32, parent: u32) -> Vec<u8> {
    [0_u32.to_ne_bytes(), ifindex.to_ne_bytes(), [0; 4], parent.to_ne_bytes(), [0; 4]].concat()
}

fn qdiscs(bytes: &[u8]) -> String {
    let qdiscs = tc::parse_qdiscs(bytes).expect("qdiscs");
    qdiscs.iter().map(|it| format!("{} {} {} {:?}", it.kind, it.handle, it.parent, it.options)).collect::<Vec<_>>().join("\n")
}

fn rules(tables: &[Table]) -> String {
    let counted = |line: &String| line.split_once("] ").map_or(line.clone(), |(_, rest)| rest.to_owned());
    tables.iter().flat_map(saved).map(|line| counted(&line) + "\n").collect()
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN, iproute2, ipset, iptables and nftables: run by make test"]
fn kernels_answer_as_the_fixtures_do() {
    let netns = Netns::new();
    let qdisc_script = "tc qdisc add dev lo root handle 1: tbf rate 1mbps burst 10000 limit 20971520
tc qdisc add dev lo clsact
tc filter add dev lo ingress protocol ip u32 match ip dst 10.9.0.9/32 action mirred egress redirect dev lo";
    netns.script(qdisc_script);
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a kernel");
    let release = release.split(['-', '\n']).next().unwrap_or_default();
    let made = |call: &str, script: &str| format!("Linux {release}, {}, {call} after\n{script}\n", env::consts::ARCH);
    let bytes = netns.inside(|| ask(Family::Route, 38, &[0; 20], None));
    keep(&Fixture { name: "qdisc-tbf", made: made("RTM_GETQDISC", qdisc_script), bytes }, qdiscs);
    let bytes = netns.inside(|| ask(Family::Route, 46, &tcmsg(1, 0xffff_fff2), None));
    let filters = |bytes: &[u8]| format!("{:?}", tc::filter::parse(bytes, "lo").expect("filters"));
    keep(&Fixture { name: "filter-u32", made: made("RTM_GETTFILTER", qdisc_script), bytes }, filters);

    feed(&netns, "ipset restore", SETS);
    let bytes = netns.inside(|| ask(Family::Netfilter, 6 << 8 | 7, &[2, 0, 0, 0], Some((1, &[7]))));
    let made_sets = made("IPSET_CMD_LIST", &format!("ipset restore{}", SETS.trim_end()));
    keep(&Fixture { name: "ipset-list", made: made_sets, bytes }, |bytes| format!("{:?}", ipset::parse(bytes).expect("sets")));

    for tool in ["iptables-legacy", "ip6tables-legacy", "iptables-nft"] {
        feed(&netns, &format!("{tool}-restore"), rule_set(tool));
    }
    feed(&netns, "nft -f -", NATIVE);
    send(&netns, "127.0.0.1:9", 3);
    let dumps = netns.inside(|| legacy::dumps(&Traveller::new().expect("a traveller")).expect("tables"));
    for (dump, (name, tool)) in dumps.iter().zip([("legacy-v4", "iptables-legacy"), ("legacy-v6", "ip6tables-legacy")]) {
        let parse = if tool == "iptables-legacy" { legacy::parse_v4 } else { legacy::parse_v6 };
        let made = made("IPT_SO_GET_INFO, then IPT_SO_GET_ENTRIES without its header,", &format!("{tool}-restore{}", rule_set(tool)));
        let show = |bytes: &[u8]| rules(&[parse("filter", &bytes[..84], &bytes[84..]).expect("a table")]);
        keep(&Fixture { name, made, bytes: [&dump.info, &dump.entries[..]].concat() }, show);
    }
    let nft_script = format!("iptables-nft-restore{}\nnft -f -{}", rule_set("iptables-nft"), NATIVE.trim_end());
    let [chains, all] = [4, 7].map(|kind| netns.inside(|| ask(Family::Netfilter, 10 << 8 | kind, &[0; 4], None)));
    let show = |chains: &[u8], all: &[u8]| rules(&nft::parse(&[], chains, all).expect("tables"));
    keep(&Fixture { name: "nft-chains", made: made("NFT_MSG_GETCHAIN", &nft_script), bytes: chains.clone() }, |it| show(it, &[]));
    keep(&Fixture { name: "nft-rules", made: made("NFT_MSG_GETRULE", &nft_script), bytes: all }, |it| show(&chains, it));
}

/// Few rules with much in them.
fn rule_set(tool: &str) -> &'static str {
    if tool == "ip6tables-legacy" {
        return "
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT DROP
:CHAOS-OUTPUT -
-A INPUT -s fe80::/10 -i lo+ -p ipv6-icmp -j ACCEPT
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-OUTPUT -d 2001:db8::/33 -m set --match-set six dst -j DROP
COMMIT
";
    }
    "
*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
:CHAOS-OUTPUT -
:TC-TABLES-0 -
-A INPUT ! -s 10.0.0.0/9 -i eth+ -p tcp -m tcp --sport 1024:65535 --dport 80 -j DROP
-A INPUT -p tcp -m state --state NEW,ESTABLISHED -m tcp --dport 6443 -j DROP
-A OUTPUT -j CHAOS-OUTPUT
-A CHAOS-OUTPUT -m set --match-set web-s_5e00029ea14a1_set_tgt dst,dst -j DROP
-A CHAOS-OUTPUT -g TC-TABLES-0
-A TC-TABLES-0 -o eth0 -m set --match-set web-s_5e00029ea14_net_netgt dst -j CLASSIFY --set-class 0001:0004
-A TC-TABLES-0 -p tcp -m limit --limit 5/sec -j REJECT --reject-with icmp-port-unreachable
COMMIT
"
}

const NATIVE: &str = "
table inet house {
  map rooms { type inet_service : verdict; elements = { 80 : drop } }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname lo udp dport 9 counter accept
    tcp dport vmap @rooms
    quota over 30 bytes drop
    goto cellar
  }
  chain cellar { return; }
}
";

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn a_kernel_with_netem_answers_as_the_fixtures_do() {
    const SETUP: [(&str, &str, u16); 4] =
        [("qdisc-netem", "shapes", 38), ("qdisc-chaos-mesh", "chaos-mesh", 38), ("qdisc-krkn", "krkn", 38), ("class-krkn", "krkn", 42)];
    let before = [super::kit::uml::NETEM];
    let said = inside("record::a_kernel_with_netem_answers_as_the_fixtures_do", &before, || {
        for (name, netns, kind) in SETUP {
            let path = Path::new("/run/netns").join(netns);
            let bytes = std::thread::spawn(move || {
                let id = chaoscope::node::netns::identify(&path).expect("it is there");
                let traveller = Traveller::new().expect("a traveller");
                traveller.enter(chaoscope::node::netns::open(&path, id).expect("it is there")).expect("it can be entered");
                // eth0 is the second device of its namespace.
                ask(Family::Route, kind, &tcmsg(if kind == 42 { 2 } else { 0 }, 0), None)
            });
            println!("FIXTURE {name} {}", hex(&bytes.join().expect("a dump")));
        }
    });
    let Some(said) = said else { return };
    for (name, netns, kind) in SETUP {
        let line = said.lines().find_map(|line| line.split_once(&format!("FIXTURE {name} "))).expect(name).1;
        let call = if kind == 38 { "RTM_GETQDISC" } else { "RTM_GETTCLASS of eth0" };
        let made = format!("{call} in the namespace {netns} of tests/uml/netem.sh, in that kernel, Linux 6.1, {}", env::consts::ARCH);
        let classes = |bytes: &[u8]| {
            format!("{:?}", tc::parse_classes(bytes, "eth0").expect("classes").iter().map(|it| it.options.clone()).collect::<Vec<_>>())
        };
        let fixture = Fixture { name, made, bytes: unhex(line.trim()) };
        if kind == 38 { keep(&fixture, qdiscs) } else { keep(&fixture, classes) }
    }
}
