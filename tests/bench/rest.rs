//! A node at rest: 110 idle pods whose runtime answers over CRI, scraped by Prometheus.

use super::messages::{Container, ContainerMetadata, ContainerStatus, ContainerStatusRequest, ContainerStatusResponse};
use super::messages::{ListContainersResponse, VersionResponse};
use super::scripted::{Reply, Scripted};
use super::world::Program;
use super::{Bar, ms};
use prost::Message as _;
use std::time::Duration;

/// How often Prometheus asks, for the millicores.
const INTERVAL: Duration = Duration::from_secs(30);

/// Prints what a scrape costs once the containers are known, runtime calls and /proc included. `apart` leaves half a second between
/// scrapes, so that caches cool down as they do in life.
pub fn at_rest(pids: &[u32], apart: bool, bars: &mut Vec<Bar>) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("cri.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let pids = pids.to_vec();
    let _server = runtime.block_on(async { Scripted::start(&socket, move |asked, message| answer(&pids, asked, message)) });
    let program = Program::start(&["--runtime=cri", "--runtime.endpoint", &format!("unix://{}", socket.display())]);
    let page = program.scrape(); // asks for every container's pid, once
    let visited = page.lines().find(|line| line.starts_with("chaoscope_netns_visited")).unwrap_or("nothing").to_owned();
    let (scrapes, pause) = if apart { (40, 500) } else { (40, 0) };
    let before = program.cpu();
    for _ in 0..scrapes {
        program.scrape();
        std::thread::sleep(Duration::from_millis(pause));
    }
    let each = program.cpu().checked_sub(before).unwrap() / scrapes;
    let millicores = 1000.0 * each.as_secs_f64() / INTERVAL.as_secs_f64();
    let (rss, most) = program.memory();
    println!(
        "chaoscope node at rest, {visited}, runtime and /proc included: {:.2} ms CPU a scrape = {millicores:.2} millicores every 30 s, \
         RSS {rss:.1} MiB, at most {most:.1} MiB",
        ms(each)
    );
    bars.push(("node at rest: millicores, scraped every 30 s".to_owned(), millicores, "≤ 10", millicores <= 10.0));
    bars.push(("node at rest: MiB of RSS".to_owned(), most, "≤ 32", most <= 32.0));
}

fn answer(pids: &[u32], asked: &str, message: &[u8]) -> Reply {
    match asked {
        "Version" => Reply::Message(VersionResponse { runtime_name: "scripted".into(), ..VersionResponse::default() }.encode_to_vec()),
        "ListContainers" => {
            let containers = (0..pids.len()).map(container).collect();
            Reply::Message(ListContainersResponse { containers }.encode_to_vec())
        }
        _ => {
            let id = ContainerStatusRequest::decode(message).expect("a request").container_id;
            let pid = pids[usize::from_str_radix(&id, 16).expect("one of ours")];
            let status = ContainerStatus { id, state: 1, ..ContainerStatus::default() };
            let info = [("info".to_owned(), format!(r#"{{"pid":{pid}}}"#))].into();
            Reply::Message(ContainerStatusResponse { status: Some(status), info }.encode_to_vec())
        }
    }
}

fn container(at: usize) -> Container {
    let label = |key: &str, value: String| (format!("io.kubernetes.{key}"), value);
    Container {
        id: format!("{at:064x}"),
        pod_sandbox_id: format!("{:064x}", at + 1000),
        metadata: Some(ContainerMetadata { name: "app".to_owned(), attempt: 0 }),
        state: 1,
        labels: [
            label("container.name", "app".to_owned()),
            label("pod.name", format!("web-{at}")),
            label("pod.namespace", "shop".to_owned()),
            label("pod.uid", format!("u-{at}")),
        ]
        .into(),
        ..Container::default()
    }
}
