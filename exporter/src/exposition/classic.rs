//! `OpenMetrics` to the classic text format 0.0.4, line by line as it is written.
//!
//! What differs for the families Chaoscope writes: a counter's `# HELP` and `# TYPE` lines carry the sample's name with `_total`, there
//! are no `# UNIT` lines and no `# EOF`. Source: prometheus/docs, "Exposition formats", and the `OpenMetrics` 1.0 specification.

use std::fmt::{self, Write};

/// Passes text on, changed to the classic format. A `# HELP` line is held back until the `# TYPE` line after it tells the type.
pub(super) struct Classic<'a, W> {
    out: &'a mut W,
    line: String,
    help: String,
}

impl<'a, W: Write> Classic<'a, W> {
    pub(super) fn new(out: &'a mut W) -> Self {
        Self { out, line: String::new(), help: String::new() }
    }

    pub(super) fn finish(mut self) -> fmt::Result {
        if self.line.is_empty() { Ok(()) } else { self.whole_line() }
    }

    /// `self.line` is a line without its end.
    fn whole_line(&mut self) -> fmt::Result {
        let line = std::mem::take(&mut self.line);
        if line.starts_with("# HELP ") {
            self.help = line;
            return Ok(());
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or(fmt::Error)?;
            let suffix = if kind == "counter" { "_total" } else { "" };
            let help = self.help.strip_prefix("# HELP ").and_then(|rest| rest.strip_prefix(name)).unwrap_or("");
            writeln!(self.out, "# HELP {name}{suffix}{help}\n# TYPE {name}{suffix} {kind}")?;
        } else if line != "# EOF" && !line.starts_with("# UNIT ") {
            writeln!(self.out, "{line}")?;
        }
        self.line = line;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for Classic<'_, W> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some((end, rest)) = text.split_once('\n') {
            self.line.push_str(end);
            self.whole_line()?;
            text = rest;
        }
        self.line.push_str(text);
        Ok(())
    }
}
