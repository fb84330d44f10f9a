//! Who is asked, and what becomes of it when some cannot be found.

use super::*;
use find::{Component, Finding, Lost};

struct Found(Result<Vec<Peer>, Lost>);

impl Finder for Found {
    fn find(&self) -> Finding<'_> {
        let found = self.0.clone();
        Box::pin(async move { found })
    }
}

/// Nobody listens there.
fn nobody(port: u16) -> Peer {
    Peer::at(Component::Dashboard, &format!("http://127.0.0.1:{port}")).unwrap()
}

async fn read(fixed: Vec<Peer>, found: Result<Vec<Peer>, Lost>) -> Result<Arc<Vec<PeerReading>>, Error> {
    let peers = Peers::new(Config { fixed, ..Config::default() }, Some(Arc::new(Found(found))));
    peers.read(Duration::ZERO, Instant::now() + Duration::from_mins(1)).await
}

#[tokio::test]
async fn those_given_and_those_found_are_asked_each_once() {
    let readings = read(vec![nobody(1)], Ok(vec![nobody(1), nobody(2)])).await.unwrap();
    let names: Vec<_> = readings.iter().map(|reading| reading.peer.name.as_str()).collect();
    assert_eq!(names, ["127.0.0.1:1", "127.0.0.1:2"]);
    assert!(readings.iter().all(|reading| reading.page.as_ref().err().map(Failure::reason) == Some("unreachable")));
}

#[tokio::test]
async fn a_finder_that_fails_costs_only_those_it_would_have_found() {
    let lost = || Err(Lost("forbidden".into()));
    assert_eq!(read(vec![nobody(1)], lost()).await.unwrap().len(), 1);
    assert!(matches!(read(vec![], lost()).await, Err(Error::Failed(why)) if why.contains("forbidden")));
    assert!(read(vec![], Ok(vec![])).await.unwrap().is_empty());
}

#[tokio::test]
async fn not_more_are_asked_than_a_cluster_has() {
    let many = (1..=MAX_PEERS as u16 + 5).map(nobody).collect();
    assert_eq!(read(vec![], Ok(many)).await.unwrap().len(), MAX_PEERS);
}

/// Finds the next of its answers each time it is asked.
struct Counting(std::sync::Mutex<Vec<Vec<Peer>>>);

impl Finder for Counting {
    fn find(&self) -> Finding<'_> {
        let next = self.0.lock().unwrap().pop();
        Box::pin(async move { next.ok_or_else(|| Lost("asked too often".into())) })
    }
}

#[tokio::test]
async fn what_was_found_holds_until_somebody_does_not_answer() {
    let read =
        |peers: Arc<Peers>| async move { peers.read(Duration::ZERO, Instant::now() + Duration::from_mins(1)).await.map(|them| them.len()) };
    let peers = Arc::new(Peers::new(Config::default(), Some(Arc::new(Counting(vec![vec![nobody(1)], vec![]].into())))));
    assert_eq!(read(Arc::clone(&peers)).await.unwrap(), 0);
    assert_eq!(read(Arc::clone(&peers)).await.unwrap(), 0, "nobody is gone, so nobody is looked for");
    let peers = Arc::new(Peers::new(Config::default(), Some(Arc::new(Counting(vec![vec![], vec![nobody(1)]].into())))));
    assert_eq!(read(Arc::clone(&peers)).await.unwrap(), 1);
    assert_eq!(read(Arc::clone(&peers)).await.unwrap(), 0, "one did not answer, so all are looked for");
}
