//! The kit's own tests: a browser, namespaces, and the kernel that has netem.
//!
//! Apart from the tests that use these parts, so that a broken part is told from a broken Chaoscope.

mod kit;

use flate2::read::ZlibDecoder;
use kit::chromium::Chromium;
use kit::netns::Netns;
use kit::uml;
use std::fs;
use std::io::Read;
use std::path::Path;

const PAGE: &str = "<!doctype html><title>t</title><style>body { background: #fedcba }
@media (prefers-color-scheme: dark) { body { background: #123456 } }</style>
<p id=word>as sent<noscript>no script</noscript><script>word.textContent = 'by script'</script>";

#[test]
#[ignore = "needs chromium: run by make test"]
fn chromium_shows_a_page_light_and_dark_in_the_size_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, PAGE).unwrap();
    let url = format!("file://{}", page.display());
    let picture = folder.path().join("picture.png");

    Chromium { width: 640, height: 480, ..Chromium::default() }.screenshot(&url, &picture);
    assert_eq!(size_and_corner(&picture), (640, 480, [0xfe, 0xdc, 0xba]));

    Chromium { dark: true, javascript: false, ..Chromium::default() }.screenshot(&url, &picture);
    assert_eq!(size_and_corner(&picture), (1280, 800, [0x12, 0x34, 0x56]));
}

#[test]
#[ignore = "needs chromium: run by make test"]
fn chromium_gives_the_document_with_and_without_javascript() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    fs::write(&page, PAGE).unwrap();
    let url = format!("file://{}", page.display());

    let with = Chromium::default().dump_dom(&url);
    assert!(with.contains(">by script</p>"), "{with}");

    let without = Chromium { javascript: false, ..Chromium::default() }.dump_dom(&url);
    assert!(without.contains(">as sent<"), "{without}");
}

#[test]
#[ignore = "needs CAP_SYS_ADMIN: run by make test"]
fn a_namespace_is_its_own_and_goes_with_its_holder() {
    let (one, other) = (Netns::new(), Netns::new());
    one.script("ip link add here type veth peer name there; ip link set here up");
    assert!(one.run(&["ip", "-o", "link"]).contains("here@there"));
    assert!(!other.run(&["ip", "-o", "link"]).contains("here"));
    assert_eq!(other.try_run(&["ip", "link", "show", "here"]).status.code(), Some(1));
    assert_ne!(one.inode(), other.inode());

    let before = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let inside = one.inside(|| fs::read_link("/proc/thread-self/ns/net").unwrap());
    assert_eq!(inside.display().to_string(), format!("net:[{}]", one.inode()));
    assert_eq!(fs::read_link("/proc/thread-self/ns/net").unwrap(), before);

    let holder = one.path();
    drop(one);
    assert!(!holder.exists());
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn a_command_inside_user_mode_linux_gives_its_output_and_exit_code() {
    let output = uml::run(&["sh", "-c", "echo out; echo err >&2; uname -r; tc qdisc add dev lo root netem; exit 7"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let ours = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(stdout.starts_with("out\n") && !stdout.contains(&ours), "{stdout}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "err\n");
}

#[test]
#[ignore = "needs user-mode-linux: run by make test"]
fn the_trees_chaos_tools_write_are_there_and_carry_what_was_sent() {
    let script = "tc -n shapes -j -s qdisc show; tc -n chaos-mesh -j -s qdisc show; tc -n krkn -j -s qdisc show";
    let output = uml::run(&[uml::NETEM, "sh", "-euc", script]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let [shapes, mesh, krkn] = documents.map(Result::unwrap).collect::<Vec<_>>().try_into().unwrap();
    let find = |tree: &serde_json::Value, device: &str, handle: &str| {
        let qdiscs = tree.as_array().unwrap().iter();
        let mut these = qdiscs.filter(|it| it["dev"] == device && it["handle"] == handle);
        these.next().cloned().unwrap_or_else(|| panic!("{device} {handle} is not in {tree}"))
    };
    let longer = find(&shapes, "longer", "1:");
    assert_eq!((&longer["options"]["delay"]["delay"], &longer["qlen"]), (&250.into(), &7.into()));
    let loss = find(&shapes, "loss", "1:");
    assert_eq!(loss["packets"].as_u64().unwrap() + loss["drops"].as_u64().unwrap(), 20);
    assert_eq!(find(&shapes, "tbf", "1:")["bytes"], 9 * 43);
    // The rule's CLASSIFY has put all five into the fourth band.
    let banded = find(&mesh, "eth0", "5:");
    assert_eq!((&banded["kind"], &banded["parent"], &banded["packets"]), (&"netem".into(), &"1:4".into(), &5.into()));
    assert_eq!(find(&mesh, "eth0", "4:")["kind"], "sfq");
    assert_eq!(find(&krkn, "ifb0", "101:")["parent"], "100:1");
    assert_eq!(find(&krkn, "eth0", "ffff:")["kind"], "ingress");
}

/// Width, height and the first pixel of an RGB image: in its first line, no filter changes that pixel.
#[allow(clippy::unwrap_used, reason = "a picture that is none is a failed test")]
fn size_and_corner(path: &Path) -> (u32, u32, [u8; 3]) {
    let png = fs::read(path).unwrap();
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    let mut packed = Vec::new();
    let mut at = 8;
    while at < png.len() {
        let length = number(at) as usize;
        if png[at + 4..at + 8] == *b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + length]);
        }
        at += length + 12;
    }
    let mut start = [0; 4];
    ZlibDecoder::new(&*packed).read_exact(&mut start).unwrap();
    (number(16), number(20), start[1..].try_into().unwrap())
}
