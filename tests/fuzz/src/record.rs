//! Seeds from a real kernel: the answers it gives about the network namespace this thread is in, as each target takes them.

use chaoscope::node::iptables::{self, legacy};
use chaoscope::node::netlink::{Buffer, Family, Request, Socket};
use chaoscope::node::netns::Traveller;
use std::fs;
use std::path::Path;

/// Dumps over `NETLINK_ROUTE`: target, message type. Body: `struct tcmsg` about lo, whose index is 1.
const ROUTE: [(&str, u16); 3] = [("tc_qdiscs", 38), ("tc_classes", 42), ("tc_filters", 46)];
/// `IPSET_CMD_LIST` with `IPSET_ATTR_PROTOCOL` 7.
const SETS: u16 = (6 << 8) | 7;
/// `NFT_MSG_GETCHAIN`, `NFT_MSG_GETRULE`.
const NFT: [u16; 2] = [(10 << 8) | 4, (10 << 8) | 7];

/// Writes `DIR/<target>/kernel-N` for all that is there.
pub fn record(folder: &Path) {
    let mut buffer = Buffer::default();
    let mut route = Socket::open(Family::Route).expect("netlink");
    let mut lo = [0; 20];
    lo[4] = 1;
    for (target, kind) in ROUTE {
        let bytes = route.dump("dump", &Request::new(kind, &lo), &mut buffer).expect("dump");
        save(folder, target, bytes);
        save(folder, "messages", bytes);
    }
    let mut netfilter = Socket::open(Family::Netfilter).expect("netlink");
    for flags in [0u32, 4] {
        let request = Request::new(SETS, &[2, 0, 0, 0]).attribute(1, &[7]).attribute(6, &flags.to_be_bytes());
        save(folder, "ipset", netfilter.dump("ipset", &request, &mut buffer).expect("ipset"));
    }
    let [chains, rules] = NFT.map(|kind| netfilter.dump("nft", &Request::new(kind, &[0; 4]), &mut buffer).expect("nft").to_vec());
    let length = u16::try_from(chains.len()).expect("few chains").to_le_bytes();
    save(folder, "nft", &[&length[..], &chains, &rules].concat());
    let traveller = Traveller::new().expect("own namespace");
    for dump in legacy::dumps(&traveller).expect("legacy") {
        let target = if dump.family == iptables::Family::Ipv4 { "legacy_v4" } else { "legacy_v6" };
        save(folder, target, &[&dump.info[..], &dump.entries].concat());
    }
}

fn save(folder: &Path, target: &str, bytes: &[u8]) {
    let folder = folder.join(target);
    fs::create_dir_all(&folder).expect("a folder for seeds");
    let count = fs::read_dir(&folder).expect("its files").count();
    if !bytes.is_empty() {
        fs::write(folder.join(format!("kernel-{count}")), bytes).expect("a seed");
    }
}
