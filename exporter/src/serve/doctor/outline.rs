//! A report for who may not see the whole of it: which parts work, in fixed words. Pure.
//!
//! Apart from `judge`, whose lines name nodes, addresses and namespaces and count what is in all of them: here nothing of a line is passed on
//! but what it is about and how that is, so a line that is added there tells nothing new here.

use super::{Line, Mark, Report};

const REMEDY: &str = "who may list pods in all namespaces is told what";

impl Report {
    /// One line for each thing a report is about, with the worst mark of its lines.
    #[must_use]
    pub fn outline(self) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        for Line { about, mark, .. } in self.lines {
            match lines.iter_mut().find(|line| line.about == about) {
                Some(known) if weight(known.mark) >= weight(mark) => {}
                Some(known) => *known = line(about, mark),
                None => lines.push(line(about, mark)),
            }
        }
        Self { lines, ..self }
    }
}

const fn weight(mark: Mark) -> u8 {
    match mark {
        Mark::Good => 0,
        Mark::Unsure => 1,
        Mark::Bad => 2,
    }
}

fn line(about: String, mark: Mark) -> Line {
    let (found, remedy) = match mark {
        Mark::Good => ("nothing is wrong", ""),
        Mark::Unsure => ("something is not certain", REMEDY),
        Mark::Bad => ("something is wrong", REMEDY),
    };
    Line { found: format!("{about}: {found}"), remedy: remedy.to_owned(), about, mark, rule: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn the_worst_of_each_part_is_told_and_nothing_by_name() {
        let line = |about: &str, mark| Line {
            about: about.into(),
            mark,
            found: "node-7 at 10.0.0.2".into(),
            remedy: "mend shop".into(),
            rule: Some("- shop".into()),
        };
        let lines = vec![
            line("watches", Mark::Good),
            line("nodes", Mark::Good),
            line("watches", Mark::Bad),
            line("watches", Mark::Unsure),
            line("journal", Mark::Unsure),
        ];
        let report = Report { version: "1".into(), role: "cluster".into(), at: Timestamp::UNIX_EPOCH, well: false, lines };
        let outline = report.outline();
        let told: Vec<_> = outline.lines.iter().map(|line| (line.mark, line.found.as_str(), line.remedy.as_str())).collect();
        let wanted = [
            (Mark::Bad, "watches: something is wrong", REMEDY),
            (Mark::Good, "nodes: nothing is wrong", ""),
            (Mark::Unsure, "journal: something is not certain", REMEDY),
        ];
        assert_eq!(told, wanted);
        assert!(!outline.well && outline.lines.iter().all(|line| line.rule.is_none()));
    }
}
