//! `/`, the status page, in a real browser. Its pictures are in `target/tmp/page/`, to be looked at.

use crate::kit::chromium::Chromium;
use crate::lab::{Lab, PARTITION, RECOVERY};
use crate::program::Program;
use std::fs;
use std::path::{Path, PathBuf};

/// A pod with everything, one that has recovered, one of somebody else's leftovers under odd names, and an idle one.
fn lab() -> Lab {
    let mut lab = Lab::start();
    let web = lab.pod("shop", "web-0");
    lab.inside(web, PARTITION);
    lab.inside(
        web,
        "ipset create '<b>x_net_tgt' hash:net; iptables-legacy -w -N 'OUTPUT/<i>old_'; iptables-legacy -w -A 'OUTPUT/<i>old_' -j DROP",
    );
    let tproxy = lab.path("tproxy");
    fs::copy("/bin/bash", &tproxy).unwrap();
    // It waits for words that never come, as the real one does for its configuration.
    lab.shell(&format!("sleep infinity | nsenter --net=/proc/{web}/ns/net {} -i >/dev/null 2>&1 &", tproxy.display()));
    let done = lab.pod("shop", "recovered-0");
    lab.inside(done, PARTITION);
    lab.inside(done, RECOVERY);
    lab.pod("shop", "idle-0");
    lab.shell("ip netns add '<script>alert(1)'");
    lab.shell("tc -n '<script>alert(1)' qdisc add dev lo root handle 1: tbf rate 1mbit burst 10000 limit 20000");
    lab
}

fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn picture(server: &Program, name: &str, look: Chromium) {
    look.screenshot(&server.url(), &pictures().join(name));
}

/// The text of a document, without its tags.
fn words(document: &str) -> String {
    let body = document.split_once("<body>").unwrap().1;
    let text: String = body.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text)).collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const PLAIN: Chromium = Chromium { dark: false, javascript: false, width: 1280, height: 1800 };

#[test]
#[ignore = "needs root, ipset, iptables and chromium: run by make test"]
fn a_person_sees_what_is_in_force_and_what_is_left_over() {
    let lab = lab();
    let server = lab.serve(&[]);
    let document = PLAIN.dump_dom(&server.url());
    let text = words(&document);
    for wanted in [
        "shop/web-0 chaos in force",
        "containers app, sidecar",
        "tbf rate 1 Mbit/s burst 9.77 KiB",
        "cut-w_c356d36a67f5a_net_tgt hash:net 2",
        "-o eth0 -m set --match-set cut-w_c356d36a67f5a_set_tgt dst,dst -j DROP 5 packets active",
        "OUTPUT/&lt;i&gt;old_ -j DROP 0 packets unreachable",
        "tproxy (pid",
        "shop/recovered-0 leftovers",
        "1 namespace without anything of chaos",
        "Namespaces read 4 Host network left out Container runtime scripted 7.1 at /",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    assert!(!text.contains("idle-0"), "{text}");
    // Names are text, whatever is in them.
    assert!(text.contains("&lt;script&gt;alert(1)") && text.contains("&lt;b&gt;x_net_tgt"), "{text}");
    for tag in ["<script", "<b>", "<i>"] {
        assert!(!document.contains(tag), "{tag} in {document}");
    }
    let with_scripts = Chromium { javascript: true, ..PLAIN }.dump_dom(&server.url());
    assert!(!with_scripts.contains("<script") && words(&with_scripts).contains("&lt;script&gt;alert(1)"), "{with_scripts}");
    let raw = server.get("/");
    assert!(raw.header("content-security-policy").unwrap().starts_with("default-src 'none'"));

    picture(&server, "light.png", PLAIN);
    picture(&server, "dark.png", Chromium { dark: true, ..PLAIN });
    picture(&server, "narrow.png", Chromium { width: 400, height: 3000, ..PLAIN });
    picture(&server, "wide.png", Chromium { width: 2200, ..PLAIN });
}

#[test]
#[ignore = "needs root, ipset, iptables and chromium: run by make test"]
fn a_person_is_told_what_could_not_be_read_and_what_would_show_it() {
    let lab = lab();
    let server = lab.serve_as(&["setpriv", "--bounding-set=-net_admin"], &[]);
    let text = words(&PLAIN.dump_dom(&server.url()));
    for wanted in [
        "Not seen",
        "ipsets and packet filter rules cannot be read To see it: ",
        "Could not be read Source Error Remedy ipset",
        "permission denied add CAP_NET_ADMIN",
        "tbf rate 1 Mbit/s",
        "not read in full Namespace Source Error Remedy shop/idle-0 ipset",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    assert!(!text.contains("without anything of chaos"), "what was not read is not known to be quiet: {text}");
    picture(&server, "errors.png", PLAIN);
    picture(&server, "errors-dark-narrow.png", Chromium { dark: true, width: 400, height: 3000, ..PLAIN });
}

/// Without root, without pods, with nothing to see: a page all the same.
#[test]
#[ignore = "needs chromium: run by make test"]
fn a_page_without_anything_is_a_page() {
    let server = Program::blind(&[]);
    let text = words(&PLAIN.dump_dom(&server.url()));
    assert!(text.contains("No pod network namespace could be seen") && text.contains("Container runtime none found"), "{text}");
    picture(&server, "nothing.png", Chromium { height: 800, ..PLAIN });
}
