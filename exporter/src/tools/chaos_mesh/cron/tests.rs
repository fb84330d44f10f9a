//! Lines against what the controller's own evaluator answered, and what is answered without its time zone.

use super::*;

const ANSWERS: &str = include_str!("../../../../../tests/fixtures/cron/robfig-v3.0.1.tsv");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Every line of the fixture; the columns are told at its head.
#[test]
fn lines_are_evaluated_as_the_controller_does() {
    let mut rows = 0;
    for row in ANSWERS.lines().filter(|row| !row.starts_with("# ")) {
        let [line, zone, from, wanted] = row.split('\t').collect::<Vec<_>>()[..] else {
            // The one line with a tab of its own.
            assert!(row.starts_with('\t'), "{row}");
            continue;
        };
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let count = wanted.split(' ').count();
        let said = match Line::parse(line) {
            Err(_) => "refused".to_owned(),
            Ok(line) => {
                let mut times = Vec::new();
                let mut after = at(from);
                while times.len() < count {
                    let Some(next) = line.next(after, Some(&zone)) else {
                        times.push("never".to_owned());
                        break;
                    };
                    times.push(next.to_string());
                    after = next;
                }
                times.join(" ")
            }
        };
        assert_eq!(said, wanted, "{row}");
        rows += 1;
    }
    assert!(rows > 300, "only {rows} rows");
}

#[test]
fn a_tab_is_a_space() {
    assert_eq!(Line::parse("\t0  0 * * *"), Line::parse("@daily"));
}

#[test]
fn without_a_zone_only_what_all_clocks_agree_on_is_answered() {
    let (from, certain) = (at("2026-11-21T14:00:49Z"), |line| Line::parse(line).unwrap());
    let answers = [
        ("@every 10s", Some("2026-11-21T14:00:59Z")),
        ("* * * * *", Some("2026-11-21T14:01:00Z")),
        ("*/5 * * * *", Some("2026-11-21T14:05:00Z")),
        ("*/30 * * * * *", Some("2026-11-21T14:01:00Z")),
        ("CRON_TZ=Asia/Tokyo 0 9 * * *", Some("2026-11-22T00:00:00Z")),
        ("TZ=UTC @daily", Some("2026-11-22T00:00:00Z")),
        ("TZ=Local @daily", None),
        ("@daily", None),
        ("0 * * * *", None), // half past, in India
        ("*/20 * * * *", None),
        ("*/5 9-17 * * *", None),
        ("* * * * 1", None),
    ];
    for (line, wanted) in answers {
        assert_eq!(certain(line).next(from, None), wanted.map(at), "{line}");
        assert_eq!(certain(line).slots(from, from, None, 5), wanted.map(|_| vec![]), "{line}");
    }
}

#[test]
fn slots_are_those_after_the_beginning_up_to_the_end() {
    let line = Line::parse("*/5 * * * *").unwrap();
    let (from, to) = (at("2026-11-21T14:00:00Z"), at("2026-11-21T14:15:00Z"));
    let wanted = ["14:05", "14:10", "14:15"].map(|time| at(&format!("2026-11-21T{time}:00Z")));
    assert_eq!(line.slots(from, to, None, 100).unwrap(), wanted);
    assert_eq!(line.slots(from, to, None, 2).unwrap(), wanted[..2]);
}

#[test]
fn a_line_that_never_comes_is_given_up_soon() {
    for line in ["0 0 30 2 *", ", * * * *", "* * * * * ,"] {
        assert_eq!(Line::parse(line).unwrap().next(at("2026-11-21T14:00:00Z"), Some(&UTC)), None, "{line}");
    }
    assert_eq!(Line::parse(&"*".repeat(2000)), Err(Error::Long));
    assert_eq!(Line::parse("@every 292y").map(|_| ()), Err(Error::Descriptor("@every 292y".to_owned())));
    assert_eq!(Line::parse("@every 800000h").unwrap().next(Timestamp::MAX, None), None);
}
