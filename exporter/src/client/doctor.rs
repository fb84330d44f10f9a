//! `chaoscope doctor`: one screen of what works, from a running instance's own report. Exit codes: 0 all is well, 1 something is wrong,
//! 3 could not ask.

use super::error::Error;
use super::http::Client;
use crate::config::{Doctor, Output};
use crate::serve::doctor::{Mark, Report};
use crate::serve::snapshot::print;
use crate::serve::words::plain;
use std::fmt::Write as _;

/// Where the report is.
const PATH: &str = "api/v1/doctor";

/// Asks and prints; whether all is well.
pub async fn run(flags: &Doctor) -> Result<bool, Error> {
    let client = Client::new(&flags.server)?;
    let body = client.get(PATH, &[]).await?;
    let report: Report = serde_json::from_slice(&body).map_err(|error| client.stranger(format!("its report cannot be read: {error}")))?;
    match flags.output {
        Output::Json => print([body.trim_ascii_end(), b"\n"].concat())?,
        Output::Text => print(text(&report))?,
    }
    Ok(report.well)
}

/// One line each, the remedy below it.
fn text(report: &Report) -> String {
    let mut out = format!("chaoscope {} {} at {:.0}\n\n", plain(&report.role), plain(&report.version), report.at);
    for line in &report.lines {
        let _ = writeln!(out, "{} {}", line.mark.sign(), plain(&line.found));
        if !line.remedy.is_empty() {
            let _ = writeln!(out, "    {}", plain(&line.remedy));
        }
        for text in line.rule.iter().flat_map(|rule| rule.lines()) {
            let _ = writeln!(out, "      {}", plain(text));
        }
    }
    let count = |mark| report.lines.iter().filter(|line| line.mark == mark).count();
    let _ = match (count(Mark::Bad), count(Mark::Unsure)) {
        (0, 0) => writeln!(out, "\nAll is well."),
        (0, unsure) => writeln!(out, "\nNothing is wrong; {unsure} to look at."),
        (bad, _) => writeln!(out, "\n{bad} to mend."),
    };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::doctor::Line;

    #[test]
    fn a_remedy_stands_below_its_line() {
        let line = |mark, found: &str, remedy: &str, rule: Option<&str>| Line {
            about: "x".into(),
            mark,
            found: found.into(),
            remedy: remedy.into(),
            rule: rule.map(Into::into),
        };
        let lines = vec![
            line(Mark::Good, "fine", "", None),
            line(Mark::Unsure, "odd\u{1b}[2J", "look", None),
            line(Mark::Bad, "no right", "add this", Some("- a: b\n  c: d\n")),
        ];
        let report = Report { version: "1".into(), role: "cluster".into(), at: jiff::Timestamp::UNIX_EPOCH, well: false, lines };
        let wanted = "chaoscope cluster 1 at 1970-01-01T00:00:00Z\n\n✔ fine\n? odd\u{fffd}[2J\n    look\n✘ no right\n    add this\n      - a: b\n        c: d\n\n1 to mend.\n";
        assert_eq!(text(&report), wanted);
    }
}
