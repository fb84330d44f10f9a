//! Questions that take long: they end when their time is over or nobody waits any more, and what costs little is answered meanwhile.

use crate::build::{open, record, run, runs};
use chaoscope::journal::{Error, Journal, Patience};
use chaoscope_model::query::RunQuery;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

fn many() -> Journal {
    let journal = open(None);
    let stored: Vec<_> = (0_u8..50).map(|at| run(&format!("run-{at}"), f64::from(at))).collect();
    record(&journal, &stored, &[]).unwrap();
    journal
}

/// Hears of so many.
fn hear(from: &Receiver<()>, count: usize) {
    (0..count).for_each(|_| from.recv_timeout(Duration::from_mins(1)).expect("stuck"));
}

#[test]
fn questions_nobody_waits_for_stop_and_hold_up_nobody() {
    let journal = many();
    let connections = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let (released, wake) = (Mutex::new(false), Condvar::new());
    let (looking, looks) = channel();
    std::thread::scope(|threads| {
        let heavy = |_| {
            let patience = Patience::default();
            let (asker, journal, looking) = (patience.asker(), journal.within(patience), looking.clone());
            let (released, wake) = (&released, &wake);
            let asked = threads.spawn(move || {
                let rows = std::cell::Cell::new(0);
                let found = journal.runs(&runs(0.0, 100.0), &|_| {
                    rows.set(rows.get() + 1);
                    looking.send(()).unwrap();
                    drop(wake.wait_while(released.lock().unwrap(), |released| !*released).unwrap());
                    None
                });
                (found.err(), rows.get())
            });
            (asker, asked)
        };
        let asked: Vec<_> = (0..3 * connections).map(heavy).collect();
        hear(&looks, connections);
        assert!(journal.run("run-7").unwrap().is_some(), "answered while they would still run");
        assert_eq!(journal.open_runs().unwrap().len(), 50);
        let no_time = journal.within(Patience::of(Duration::ZERO)).runs(&runs(0.0, 100.0), &|_| None);
        assert!(matches!(no_time, Err(Error::Busy)), "{no_time:?}");

        let (askers, asked): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        drop(askers);
        *released.lock().unwrap() = true;
        wake.notify_all();
        for asked in asked {
            let (error, rows) = asked.join().unwrap();
            assert!(matches!(error, Some(Error::Gone)) && rows <= 1, "{error:?} after {rows} rows");
        }
    });
    assert_eq!(journal.runs(&runs(0.0, 100.0), &|run| Some(run.clone())).unwrap().rows.len(), 50);
}

/// One page, whose time is over while its third row is looked at; longer where the machine is so busy that it does not get that far.
fn cut(journal: &Journal, query: &RunQuery, mut budget: Duration) -> (Vec<String>, RunQuery, bool) {
    loop {
        let end = Instant::now() + budget;
        let rows = std::cell::Cell::new(0);
        let page = journal.within(Patience::of(budget)).runs(query, &|run| {
            rows.set(rows.get() + 1);
            if rows.get() == 3 {
                std::thread::sleep(end.saturating_duration_since(Instant::now()) + Duration::from_millis(5));
            }
            run.id.ends_with(['0', '5']).then(|| run.clone())
        });
        match page {
            Err(Error::Late) => budget *= 2,
            page => {
                let page = page.unwrap();
                assert_eq!(page.cut, page.clone().whole().is_err());
                let ids = page.rows.into_iter().map(|run| run.id).collect();
                return (ids, RunQuery { after: page.next, ..query.clone() }, page.next.is_some());
            }
        }
    }
}

#[test]
fn a_page_that_is_cut_says_where_it_goes_on() {
    let journal = many();
    let (mut query, mut found, mut pages) = (runs(0.0, 100.0), Vec::new(), 0);
    loop {
        let (ids, next, more) = cut(&journal, &query, Duration::from_millis(40));
        found.extend(ids);
        pages += 1;
        query = next;
        if !more {
            break;
        }
    }
    assert!(pages >= 16, "{pages}");
    let once: BTreeSet<_> = found.iter().cloned().collect();
    assert_eq!((once.len(), found.len()), (10, 10), "{found:?}");
}
