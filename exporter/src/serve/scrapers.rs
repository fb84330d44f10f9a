//! Who scrapes `/metrics`, by connection: a Prometheus job keeps one of its own, so two jobs that scrape the same instance are two
//! connections, even from one server. Bounded, and nothing but counts.

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::USER_AGENT;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use lru::LruCache;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

/// Of so many connections it is known when they last scraped.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Longest name a scraper gives itself, in characters.
const LONGEST_AGENT: usize = 80;
/// A connection that scraped so often is a scraper's, and not a person's look.
const STEADY: u64 = 3;
/// Silence that is not another job's turn to come.
const PATIENCE: SignedDuration = SignedDuration::from_mins(3);

/// One connection that scraped.
#[derive(Clone, Debug)]
pub struct Scraper {
    /// What it calls itself (`User-Agent`).
    pub agent: String,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// How often it scraped.
    pub scrapes: u64,
    /// When it first did.
    pub first_at: Timestamp,
    /// When it last did.
    pub last_at: Timestamp,
}

/// Connections that scraped lately.
#[derive(Debug)]
pub struct Scrapers(Mutex<LruCache<SocketAddr, Scraper>>);

impl Default for Scrapers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Scrapers {
    /// Notes a scrape.
    pub fn note(&self, peer: SocketAddr, agent: Option<&str>, at: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let agent = chaoscope_model::shortened(agent.unwrap_or("somebody"), LONGEST_AGENT);
        let new = || Scraper { agent: agent.clone(), peer, scrapes: 0, first_at: at, last_at: at };
        let scraper = known.get_or_insert_mut(peer, new);
        if scraper.agent != agent {
            *scraper = Scraper { agent, peer, scrapes: 0, first_at: at, last_at: at }; // another client got the same port
        }
        scraper.scrapes += 1;
        scraper.last_at = at;
    }

    /// Those that are remembered, newest first.
    pub fn all(&self) -> Vec<Scraper> {
        let known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.iter().map(|(_, scraper)| scraper.clone()).collect()
    }
}

/// `app`, whose path of metrics notes who asks for it.
pub fn noting(app: Router, telemetry_path: &str, scrapers: Arc<Scrapers>) -> Router {
    app.layer(from_fn_with_state((scrapers, Arc::<str>::from(telemetry_path)), note))
}

async fn note(State((scrapers, path)): State<(Arc<Scrapers>, Arc<str>)>, request: Request, next: Next) -> Response {
    if request.uri().path() == &*path
        && let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
    {
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        scrapers.note(*peer, agent, Timestamp::now());
    }
    next.run(request).await
}

/// Those that scrape regularly, and still do: silent for no more than three of their own intervals, and three minutes.
pub(super) fn steady(all: &[Scraper], now: Timestamp) -> impl Iterator<Item = &Scraper> {
    all.iter().filter(move |scraper| {
        let gaps = i32::try_from(scraper.scrapes.saturating_sub(1)).unwrap_or(i32::MAX).max(1);
        let interval = scraper.last_at.duration_since(scraper.first_at) / gaps;
        scraper.scrapes >= STEADY && now.duration_since(scraper.last_at) <= (interval * 3).max(PATIENCE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn peer(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn two_jobs_are_two_connections_and_a_look_is_none() {
        let scrapers = Scrapers::default();
        for round in 0..5 {
            scrapers.note(peer(1), Some("Prometheus/3"), at(round * 30));
            scrapers.note(peer(2), Some("Prometheus/3"), at(round * 30 + 7));
            scrapers.note(peer(100 + u16::try_from(round).unwrap()), Some("curl"), at(round));
        }
        let ports = |now| {
            let all = scrapers.all();
            let mut ports: Vec<_> = steady(&all, at(now)).map(|scraper| scraper.peer.port()).collect();
            ports.sort_unstable();
            ports
        };
        assert_eq!(ports(130), [1, 2]);
        assert_eq!(ports(130 + 170), [1, 2], "a job that is late");
        assert_eq!(ports(130 + 200), [0_u16; 0], "jobs that are gone");
    }

    #[test]
    fn it_remembers_no_more_than_it_must() {
        let scrapers = Scrapers::default();
        for port in 1..1000 {
            scrapers.note(peer(port), Some(&"x".repeat(1000)), at(1));
        }
        let all = scrapers.all();
        assert!(all.len() == REMEMBERED.get() && all.iter().all(|scraper| scraper.agent.len() == LONGEST_AGENT));
        scrapers.note(peer(999), None, at(2));
        assert_eq!((scrapers.all()[0].scrapes, scrapers.all()[0].agent.as_str()), (1, "somebody"));
    }
}
