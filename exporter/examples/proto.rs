//! proto
use chaoscope::node::{modules::Modules, netns, sweep::*, visit::*};
use std::time::*;
fn main() {
    let pids: Vec<String> = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap().lines().map(String::from).collect();
    let places: Vec<Place> = pids
        .iter()
        .map(|p| {
            let path = std::path::PathBuf::from(format!("/proc/{p}/ns/net"));
            Place { id: netns::identify(&path).unwrap(), paths: vec![path] }
        })
        .collect();
    let t = Instant::now();
    let plan = Plan { modules: Modules::find(), members: false };
    println!("modules {:?} {:?}", plan, t.elapsed());
    if let Some(Some(v)) = visit_all(&places[..1], 1, plan, Instant::now() + Duration::from_secs(9)).first() {
        println!("{}", serde_json::to_string_pretty(v.reading.as_ref().unwrap()).unwrap());
    }
    for threads in [1, 2] {
        let mut ms: Vec<f64> = (0..25)
            .map(|_| {
                let t = Instant::now();
                let v = visit_all(&places, threads, plan, Instant::now() + Duration::from_secs(9));
                assert!(v.iter().all(|v| v.as_ref().unwrap().reading.as_ref().unwrap().errors().next().is_none()));
                t.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        ms.sort_by(f64::total_cmp);
        println!("threads {threads}: median {:.2} ms min {:.2}, {:.1} us each", ms[12], ms[0], ms[12] * 1e3 / places.len() as f64);
    }
}
