//! Once for all who ask, for as long as somebody waits, and not more than fits.

use super::*;
use crate::query::Pairs;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

fn question(from: &str, to: &str) -> Question {
    Question { window: Window { from: from.parse().unwrap(), to: to.parse().unwrap() }, filter: Pairs::new(), limit: 100 }
}

fn key(name: &str) -> Key {
    let mut question = question("2026-11-21T13:00:00Z", "2026-11-21T14:00:00Z");
    question.filter.push(("name".to_owned(), name.to_owned()));
    Key::new(Needs::Values, None, &question, &Identity::default())
}

fn values(values: &[&str]) -> Data {
    Data::Values(Found::whole(values.iter().map(|value| (*value).to_owned()).collect()))
}

/// Counts how often it was asked, and how often nobody waited any more.
#[derive(Clone, Default)]
struct Upstream {
    asked: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

struct Guard(Arc<AtomicUsize>, bool);

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.1 {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Upstream {
    async fn ask(self) -> Result<Data, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut guard = Guard(Arc::clone(&self.dropped), false);
        self.go.notified().await;
        guard.1 = true;
        Ok(values(&["a"]))
    }

    fn counts(&self) -> (usize, usize) {
        (self.asked.load(Ordering::SeqCst), self.dropped.load(Ordering::SeqCst))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_who_ask_at_once_ask_once() {
    let (cache, upstream) = (Arc::new(Cache::new(Duration::from_mins(1))), Upstream::default());
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (cache, upstream) = (Arc::clone(&cache), upstream.clone());
            tokio::spawn(async move { cache.get(key("a"), None, || upstream.ask()).await })
        })
        .collect();
    while upstream.counts().0 == 0 {
        tokio::task::yield_now().await;
    }
    upstream.go.notify_one();
    for asking in asking {
        assert!(matches!(&*asking.await.unwrap().unwrap(), Data::Values(found) if found.items == ["a"]));
    }
    assert_eq!(upstream.counts(), (1, 0));
    cache.get(key("a"), None, || upstream.clone().ask()).await.unwrap();
    assert_eq!(upstream.counts(), (1, 0), "kept");
}

#[tokio::test]
async fn one_who_leaves_takes_nothing_from_the_others_and_the_last_one_ends_it() {
    let (cache, upstream) = (Arc::new(Cache::new(Duration::from_mins(1))), Upstream::default());
    let spawn = || {
        let (cache, upstream) = (Arc::clone(&cache), upstream.clone());
        tokio::spawn(async move { cache.get(key("a"), None, || upstream.ask()).await })
    };
    let wait = async |task: &tokio::task::JoinHandle<_>| {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert!(!task.is_finished());
    };
    let (first, second) = (spawn(), spawn());
    wait(&second).await;
    first.abort(); // who asked first, and drove it
    assert!(first.await.unwrap_err().is_cancelled());
    wait(&second).await;
    assert_eq!(upstream.counts(), (1, 0));
    upstream.go.notify_one();
    second.await.unwrap().unwrap();
    assert_eq!(upstream.counts(), (1, 0));

    let upstream = Upstream::default();
    let of = |name: &'static str| {
        let (cache, upstream) = (Arc::clone(&cache), upstream.clone());
        tokio::spawn(async move { cache.get(key(name), None, || upstream.ask()).await })
    };
    let all = [of("b"), of("b"), of("b")];
    wait(&all[2]).await;
    all.iter().for_each(tokio::task::JoinHandle::abort);
    for task in all {
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert_eq!(upstream.counts(), (1, 1), "nobody waits: the question is given up");
    let again = of("b");
    wait(&again).await;
    upstream.go.notify_one();
    again.await.unwrap().unwrap();
    assert_eq!(upstream.counts(), (2, 1), "and asked anew by the next one");
}

#[tokio::test]
async fn a_failure_is_told_to_all_who_wait_and_not_kept() {
    let (cache, asked) = (Cache::new(Duration::from_mins(1)), AtomicUsize::new(0));
    let fail = || {
        asked.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::task::yield_now().await;
            Err(Error::Failed("no".into()))
        }
    };
    let (one, other) = tokio::join!(cache.get(key("a"), None, fail), cache.get(key("a"), None, fail));
    assert_eq!(one.unwrap_err(), other.unwrap_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(cache.size().0, 0);
    cache.get(key("a"), None, || async { Ok(values(&[])) }).await.unwrap();
}

#[tokio::test]
async fn what_is_over_is_kept_longer_and_nothing_where_that_is_said() {
    let cache = Cache::new(Duration::from_mins(1));
    let until = |cache: &Cache, key: &Key| match lock(&cache.store).slots.peek(key) {
        Some(Slot::Kept { until, .. }) => Some(*until),
        _ => None,
    };
    let past = key("a");
    let now = Timestamp::now();
    let open = Key::new(
        Needs::Values,
        None,
        &Question { window: Window { from: now, to: now }, filter: Pairs::new(), limit: 1 },
        &Identity::default(),
    );
    for key in [&past, &open] {
        cache.get(key.clone(), None, || async { Ok(values(&[])) }).await.unwrap();
    }
    assert!(until(&cache, &past).unwrap() > until(&cache, &open).unwrap() + Duration::from_secs(200));
    let cache = Cache::new(Duration::ZERO);
    cache.get(past.clone(), None, || async { Ok(values(&[])) }).await.unwrap();
    assert_eq!((until(&cache, &past), cache.size()), (None, (0, 0)));
}

#[tokio::test]
async fn what_is_kept_has_bounds() {
    let cache = Cache::new(Duration::from_mins(1));
    for number in 0..700 {
        cache.get(key(&number.to_string()), None, || async { Ok(values(&["a"])) }).await.unwrap();
    }
    assert_eq!(cache.size().0, MOST_ANSWERS);
    let large = "x".repeat(MOST_BYTES / 4);
    for name in ["p", "q", "r", "s", "t", "u"] {
        let large = large.clone();
        cache.get(key(name), None, || async move { Ok(values(&[large.as_str()])) }).await.unwrap();
    }
    let (answers, bytes) = cache.size();
    assert!(answers <= 4 && bytes <= MOST_BYTES, "{answers} {bytes}");
}

#[test]
fn almost_equal_windows_share_a_key_and_other_questions_do_not() {
    let of = |from: &str, to: &str| Key::new(Needs::Runs, None, &question(from, to), &Identity::default());
    let one = of("2026-11-21T13:00:01.123Z", "2026-11-21T14:00:01.123Z");
    assert_eq!(one, of("2026-11-21T13:00:01.456Z", "2026-11-21T14:00:01.456Z"));
    assert_eq!(one.question.window, question("2026-11-21T13:00:00Z", "2026-11-21T14:00:10Z").window, "outward");
    assert_ne!(one, of("2026-11-21T13:00:01Z", "2026-11-21T14:00:11Z"));
    assert_ne!(one, Key { needs: Needs::Events, ..one.clone() });
    let who = Identity { headers: vec![("authorization".to_owned(), "hunter2".to_owned())] };
    let other = Key::new(Needs::Runs, None, &one.question, &who);
    assert!(other != one && !format!("{other:?}").contains("hunter2"));
    let week = of("2026-11-14T13:00:01Z", "2026-11-21T13:00:01Z").question.window;
    assert_eq!(week.to.duration_since(week.from).as_secs() % 604, 0, "a long window has a coarser grid");
}

#[test]
fn an_answer_is_narrowed_to_the_panels_own_window() {
    let run = |from: &str, to: Option<&str>| {
        let mut run = crate::origin::tests_run("shop", "a");
        run.started_at = from.parse().unwrap();
        run.ended_at = to.map(|to| to.parse().unwrap());
        Arc::new(run)
    };
    let runs = vec![
        run("2026-11-21T14:00:05Z", None),
        run("2026-11-21T12:00:00Z", None),
        run("2026-11-21T12:00:00Z", Some("2026-11-21T12:59:59Z")),
    ];
    let window = question("2026-11-21T13:00:00Z", "2026-11-21T14:00:00Z").window;
    let Data::Runs(found) = narrowed(&Data::Runs(Found { cut: true, ..Found::whole(runs) }), window) else { panic!() };
    assert_eq!((found.items.len(), found.cut), (1, true));
}

#[tokio::test]
async fn what_is_too_old_is_forgotten_when_something_new_comes() {
    let cache = Cache::new(Duration::from_millis(1));
    let open = |name: &str| {
        let window = Window { from: Timestamp::now(), to: Timestamp::now() };
        Key::new(
            Needs::Values,
            None,
            &Question { window, filter: vec![("name".to_owned(), name.to_owned())], limit: 1 },
            &Identity::default(),
        )
    };
    for name in ["a", "b", "c"] {
        cache.get(open(name), None, || async { Ok(values(&["a"])) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (answers, bytes) = cache.size();
    assert!(answers == 1 && bytes < 1000, "{answers} {bytes}");
}
