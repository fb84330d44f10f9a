//! `node_*`: the host in the words of `node_exporter`, so that its dashboards and rules work unchanged.
//!
//! Names, labels, units and types are `node_exporter`'s (`collector/*_linux.go`; its version 1.5 and this agreed on one
//! host); a part of the host that could not be read gives no samples. To add a family: a line in `samples`, and a part of
//! `Host` if it is not there yet.

use crate::exposition::{Exposition, Labels};
use crate::node::host::{Filesystem, Host, Pressure};
use crate::scrape::{Family, World};
use procfs::DiskStat;
use procfs::net::DeviceStatus;
use std::borrow::Cow;
use std::fmt;

pub(super) struct Node;

impl Family for Node {
    fn encode(&self, world: &World, out: &mut Exposition<'_>) -> fmt::Result {
        let Some(Ok(host)) = &world.host else { return Ok(()) };
        for group in samples(host) {
            match group.kind {
                Kind::Gauge => out.gauge(&group.name, &group.help, group.samples)?,
                Kind::Counter => out.counter(&group.name, &group.help, group.samples)?,
            }
        }
        Ok(())
    }
}

/// How a family's values behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up; the exposition adds `_total` to the name.
    Counter,
}

/// One metric family with its samples.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// Metric name, a counter's without `_total`.
    pub(super) name: Cow<'static, str>,
    /// Help text.
    pub(super) help: Cow<'static, str>,
    /// Type.
    pub(super) kind: Kind,
    /// Labels and values.
    pub(super) samples: Vec<(Labels<'static>, f64)>,
}

/// Bytes of a sector in `/proc/diskstats`, whatever the disk's own are (Documentation/block/stat.rst).
const SECTOR: f64 = 512.0;

/// Every family of the host, each once, without those that have no sample.
pub(super) fn samples(host: &Host) -> Vec<Group> {
    let mut all = general(host);
    all.extend(host.memory.iter().flatten().map(|(field, bytes)| {
        gauge(format!("node_memory_{field}_bytes"), format!("{field} of /proc/meminfo, in bytes."), [(vec![], *bytes as f64)])
    }));
    all.extend(host.network.iter().flat_map(|devices| network(devices)));
    all.extend(host.disks.iter().flat_map(|disks| self::disks(disks)));
    all.extend(host.filesystems.iter().flat_map(|filesystems| self::filesystems(filesystems)));
    all.extend(host.pressure.iter().flatten().flat_map(pressure));
    all.retain(|group| !group.samples.is_empty());
    all
}

fn general(host: &Host) -> Vec<Group> {
    let load = |at: usize| host.load.iter().map(move |load| (vec![], load[at]));
    let processors = host.processors.iter();
    let seconds = processors.clone().flat_map(|processors| &processors.times).flat_map(|time| {
        time.seconds
            .iter()
            .map(|(mode, seconds)| (vec![("cpu", Cow::Owned(time.number.to_string())), ("mode", Cow::Borrowed(*mode))], *seconds))
    });
    let uname = &host.uname;
    let uname = [
        ("domainname", &uname.domainname),
        ("machine", &uname.machine),
        ("nodename", &uname.nodename),
        ("release", &uname.release),
        ("sysname", &uname.sysname),
        ("version", &uname.version),
    ];
    vec![
        gauge("node_load1", "Load average over 1 minute.", load(0)),
        gauge("node_load5", "Load average over 5 minutes.", load(1)),
        gauge("node_load15", "Load average over 15 minutes.", load(2)),
        counter("node_cpu_seconds", "Time each processor spent in each mode, in seconds.", seconds),
        gauge("node_boot_time_seconds", "When the host booted, in seconds since 1970.", processors.map(|found| (vec![], found.boot_time))),
        gauge("node_time_seconds", "The host's clock, in seconds since 1970.", host.time.iter().map(|time| (vec![], *time))),
        gauge(
            "node_uname_info",
            "What uname(2) says, as labels.",
            [(uname.map(|(name, value)| (name, Cow::Owned(value.clone()))).to_vec(), 1.0)],
        ),
    ]
}

fn network(devices: &[DeviceStatus]) -> Vec<Group> {
    type Field = (&'static str, &'static str, fn(&DeviceStatus) -> u64);
    const FIELDS: [Field; 8] = [
        ("node_network_receive_bytes", "Bytes received.", |device| device.recv_bytes),
        ("node_network_receive_packets", "Packets received.", |device| device.recv_packets),
        ("node_network_receive_errs", "Packets received with an error.", |device| device.recv_errs),
        ("node_network_receive_drop", "Packets dropped on reception.", |device| device.recv_drop),
        ("node_network_transmit_bytes", "Bytes sent.", |device| device.sent_bytes),
        ("node_network_transmit_packets", "Packets sent.", |device| device.sent_packets),
        ("node_network_transmit_errs", "Packets that could not be sent for an error.", |device| device.sent_errs),
        ("node_network_transmit_drop", "Packets dropped on sending.", |device| device.sent_drop),
    ];
    let labels = |device: &DeviceStatus| vec![("device", Cow::Owned(device.name.clone()))];
    let group = |(name, help, value): Field| counter(name, help, devices.iter().map(|device| (labels(device), value(device) as f64)));
    FIELDS.map(group).into()
}

fn disks(disks: &[DiskStat]) -> Vec<Group> {
    type Field = (&'static str, &'static str, fn(&DiskStat) -> f64);
    const FIELDS: [Field; 3] = [
        ("node_disk_read_bytes", "Bytes read.", |disk| disk.sectors_read as f64 * SECTOR),
        ("node_disk_written_bytes", "Bytes written.", |disk| disk.sectors_written as f64 * SECTOR),
        ("node_disk_io_time_seconds", "Time in which the disk was busy, in seconds.", |disk| disk.time_in_progress as f64 / 1e3),
    ];
    let labels = |disk: &DiskStat| vec![("device", Cow::Owned(disk.name.clone()))];
    let group = |(name, help, value): Field| counter(name, help, disks.iter().map(|disk| (labels(disk), value(disk))));
    FIELDS.map(group).into()
}

fn filesystems(filesystems: &[Filesystem]) -> Vec<Group> {
    type Field = (&'static str, &'static str, fn(&Filesystem) -> u64);
    const FIELDS: [Field; 6] = [
        ("node_filesystem_size_bytes", "Size of the file system, in bytes.", |found| found.size),
        ("node_filesystem_free_bytes", "Free space, root's reserve included, in bytes.", |found| found.free),
        ("node_filesystem_avail_bytes", "Free space for everyone, in bytes.", |found| found.available),
        ("node_filesystem_files", "Number of inodes.", |found| found.files),
        ("node_filesystem_files_free", "Number of free inodes.", |found| found.files_free),
        ("node_filesystem_readonly", "1 where it is mounted read-only.", |found| u64::from(found.is_read_only)),
    ];
    let labels = |found: &Filesystem| {
        let values = [("device", &found.device), ("fstype", &found.fs_type), ("mountpoint", &found.point)];
        values.map(|(name, value)| (name, Cow::Owned(value.clone()))).to_vec()
    };
    let group = |(name, help, value): Field| gauge(name, help, filesystems.iter().map(|found| (labels(found), value(found) as f64)));
    FIELDS.map(group).into()
}

fn pressure(found: &Pressure) -> Vec<Group> {
    let of = |what: &str, who: &str, seconds: Option<f64>| {
        let name = format!("node_pressure_{}_{what}_seconds", found.resource);
        let help = format!("Time in which {who} waited for {}, in seconds.", found.resource);
        counter(name, help, seconds.map(|seconds| (vec![], seconds)))
    };
    vec![of("waiting", "at least one process", Some(found.waiting)), of("stalled", "all processes", found.stalled)]
}

type Text = Cow<'static, str>;

fn gauge(name: impl Into<Text>, help: impl Into<Text>, samples: impl IntoIterator<Item = (Labels<'static>, f64)>) -> Group {
    Group { name: name.into(), help: help.into(), kind: Kind::Gauge, samples: samples.into_iter().collect() }
}

fn counter(name: impl Into<Text>, help: impl Into<Text>, samples: impl IntoIterator<Item = (Labels<'static>, f64)>) -> Group {
    Group { kind: Kind::Counter, ..gauge(name, help, samples) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::host::{HostError, ProcessorTime, Processors, Uname};
    use procfs::FromBufRead;
    use std::fmt::Write as _;

    /// A small host with one of everything.
    fn host() -> Host {
        let device = "head\nhead\n eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
        let network = procfs::net::InterfaceDeviceStatus::from_buf_read(device.as_bytes()).unwrap().0.into_values().collect();
        let disk = DiskStat::from_line("254 0 vda 1 1 2 30 2 2 4 40 0 1500 70").unwrap();
        let word = |text: &str| text.to_owned();
        Host {
            time: Ok(1_700_000_100.5),
            load: Ok([0.08, 1.7, 2.0]),
            processors: Ok(Processors {
                times: vec![ProcessorTime { number: 2, seconds: vec![("user", 1.5), ("idle", 3.0)] }],
                boot_time: 1_700_000_000.0,
            }),
            memory: Ok(vec![("MemTotal", 2048), ("SwapFree", 0)]),
            network: Ok(network),
            disks: Ok(vec![disk]),
            filesystems: Ok(vec![Filesystem {
                device: word("/dev/vda"),
                fs_type: word("ext4"),
                point: word("/"),
                size: 4096,
                free: 2048,
                available: 1024,
                files: 10,
                files_free: 9,
                is_read_only: false,
            }]),
            pressure: Ok(vec![
                Pressure { resource: "cpu", waiting: 2.5, stalled: None },
                Pressure { resource: "io", waiting: 1.0, stalled: Some(0.5) },
            ]),
            uname: Uname {
                sysname: word("Linux"),
                release: word("6.1.0"),
                version: word("SMP 1"),
                machine: word("x86_64"),
                nodename: word("node-1"),
                domainname: word("(none)"),
            },
        }
    }

    fn shown(groups: &[Group]) -> String {
        let mut text = String::new();
        for group in groups {
            let suffix = if group.kind == Kind::Counter { "_total" } else { "" };
            for (labels, value) in &group.samples {
                let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
                writeln!(text, "{}{suffix}{{{}}} {value}", group.name, labels.join(",")).unwrap();
            }
        }
        text
    }

    const PAGE: &str = r#"node_load1{} 0.08
node_load5{} 1.7
node_load15{} 2
node_cpu_seconds_total{cpu="2",mode="user"} 1.5
node_cpu_seconds_total{cpu="2",mode="idle"} 3
node_boot_time_seconds{} 1700000000
node_time_seconds{} 1700000100.5
node_uname_info{domainname="(none)",machine="x86_64",nodename="node-1",release="6.1.0",sysname="Linux",version="SMP 1"} 1
node_memory_MemTotal_bytes{} 2048
node_memory_SwapFree_bytes{} 0
node_network_receive_bytes_total{device="eth0"} 1
node_network_receive_packets_total{device="eth0"} 2
node_network_receive_errs_total{device="eth0"} 3
node_network_receive_drop_total{device="eth0"} 4
node_network_transmit_bytes_total{device="eth0"} 5
node_network_transmit_packets_total{device="eth0"} 6
node_network_transmit_errs_total{device="eth0"} 7
node_network_transmit_drop_total{device="eth0"} 8
node_disk_read_bytes_total{device="vda"} 1024
node_disk_written_bytes_total{device="vda"} 2048
node_disk_io_time_seconds_total{device="vda"} 1.5
node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 4096
node_filesystem_free_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 2048
node_filesystem_avail_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 1024
node_filesystem_files{device="/dev/vda",fstype="ext4",mountpoint="/"} 10
node_filesystem_files_free{device="/dev/vda",fstype="ext4",mountpoint="/"} 9
node_filesystem_readonly{device="/dev/vda",fstype="ext4",mountpoint="/"} 0
node_pressure_cpu_waiting_seconds_total{} 2.5
node_pressure_io_waiting_seconds_total{} 1
node_pressure_io_stalled_seconds_total{} 0.5
"#;

    #[test]
    fn a_host_is_told_in_node_exporters_words() {
        assert_eq!(shown(&samples(&host())), PAGE);
    }

    #[test]
    fn each_family_comes_once() {
        let groups = samples(&host());
        let names: std::collections::BTreeSet<&str> = groups.iter().map(|group| group.name.as_ref()).collect();
        assert_eq!(names.len(), groups.len());
        assert!(groups.iter().all(|group| group.help.ends_with('.') && !group.name.ends_with("_total")));
    }

    #[test]
    fn what_was_not_read_has_no_sample() {
        fn failed<T>() -> Result<T, HostError> {
            Err(HostError::Clock)
        }
        let whole = host();
        let host = Host {
            time: failed(),
            load: failed(),
            processors: failed(),
            memory: failed(),
            network: failed(),
            disks: failed(),
            filesystems: failed(),
            pressure: failed(),
            uname: whole.uname,
        };
        let names: Vec<_> = samples(&host).into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["node_uname_info"]);
        let empty = Host { network: Ok(Vec::new()), pressure: Ok(Vec::new()), ..host };
        assert_eq!(samples(&empty).len(), 1, "a family without a sample is no family");
    }
}
