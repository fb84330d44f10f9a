//! One line of the text format 0.0.4, taken apart; pure. What a line means is [`parse`](super::parse)'s matter.
//!
//! Source: prometheus/docs, "Exposition formats". Nothing is copied but the values of labels, as those alone can hold escapes.

use std::borrow::Cow;

/// A line that holds something.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'a> {
    /// `# TYPE name kind`.
    Type(&'a str, &'a str),
    /// Name, and what follows it: labels, value, perhaps a time.
    Sample(&'a str, &'a [u8]),
}

/// A sample behind its name.
#[derive(Debug, PartialEq)]
pub(super) struct Body<'a> {
    pub(super) labels: Vec<(&'a str, Cow<'a, str>)>,
    pub(super) value: f64,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not begin with the name of a metric.
    #[error("does not begin with a metric's name")]
    Name,
    /// Its labels are no `{name="value",…}`.
    #[error("has labels that are not in the format")]
    Labels,
    /// No number follows.
    #[error("has no number")]
    Number,
    /// Something follows its number that is no time.
    #[error("has something behind its number")]
    Rest,
    /// It is not UTF-8.
    #[error("is not UTF-8")]
    Text,
}

/// Nothing for a comment or a blank line.
pub(super) fn line(bytes: &[u8]) -> Result<Option<Line<'_>>, Fault> {
    let bytes = bytes.trim_ascii_start();
    match bytes.first() {
        None => Ok(None),
        Some(b'#') => Ok(kind(bytes)),
        Some(_) => {
            let (name, rest) = word(bytes, |byte| byte == b':').ok_or(Fault::Name)?;
            if matches!(rest.first(), Some(b'{' | b' ' | b'\t')) { Ok(Some(Line::Sample(name, rest))) } else { Err(Fault::Name) }
        }
    }
}

/// A type line; what is not exactly that is a comment.
fn kind(bytes: &[u8]) -> Option<Line<'_>> {
    let text = std::str::from_utf8(bytes.strip_prefix(b"#")?).ok()?;
    let mut words = text.split_ascii_whitespace();
    let (keyword, name, kind) = (words.next()?, words.next()?, words.next()?);
    (keyword == "TYPE" && words.next().is_none()).then_some(Line::Type(name, kind))
}

/// What stands behind a sample's name.
pub(super) fn body(bytes: &[u8]) -> Result<Body<'_>, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Text)?;
    let text = text.trim_ascii_start();
    let (labels, rest) = match text.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), text),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next().and_then(|word| word.parse().ok()).ok_or(Fault::Number)?;
    let time = words.next().is_none_or(|word| word.parse::<i64>().is_ok());
    if time && words.next().is_none() { Ok(Body { labels, value }) } else { Err(Fault::Rest) }
}

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Labels up to the closing brace, and what follows it. A comma behind the last one is allowed.
fn labels(text: &str) -> Result<(Labels<'_>, &str), Fault> {
    let (mut labels, mut rest) = (Vec::new(), text.trim_ascii_start());
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let (name, after) = word(rest.as_bytes(), |_| false).ok_or(Fault::Labels)?;
        let after = rest.get(rest.len() - after.len()..).map(str::trim_ascii_start);
        let quoted = after.and_then(|after| after.strip_prefix('=')?.trim_ascii_start().strip_prefix('"'));
        let (value, after) = quoted.and_then(value).ok_or(Fault::Labels)?;
        labels.push((name, value));
        let after = after.trim_ascii_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_ascii_start(),
            None if after.starts_with('}') => after,
            None => return Err(Fault::Labels),
        };
    }
}

/// A value up to its closing quote, and what follows that.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text[end..].starts_with('"') {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let mut out = String::from(&text[..end]);
    let mut letters = text[end..].char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((Cow::Owned(out), &text[end + at + 1..])),
            '\\' => out.push(match letters.next()?.1 {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    None
}

/// A leading name of letters, digits, `_` and what else is allowed, not beginning with a digit; and the rest.
fn word(bytes: &[u8], also: impl Fn(u8) -> bool) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_' && !also(*byte)).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at(end);
    let text = std::str::from_utf8(word).ok()?;
    (!text.is_empty() && !text.starts_with(|first: char| first.is_ascii_digit())).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::type_complexity)] // labels and a value, named once here
    fn sample(text: &str) -> Result<(Vec<(&str, Cow<'_, str>)>, f64), Fault> {
        let Some(Line::Sample(_, rest)) = line(text.as_bytes())? else { panic!("{text}") };
        body(rest).map(|body| (body.labels, body.value))
    }

    #[test]
    fn samples_are_read() {
        assert_eq!(sample("a 1"), Ok((vec![], 1.0)));
        assert_eq!(sample(" a:b_c\t 1e+06  1395066363000 "), Ok((vec![], 1e6)));
        assert_eq!(sample("a{} -Inf"), Ok((vec![], f64::NEG_INFINITY)));
        assert_eq!(sample("a { b = \"c\" , d=\"\", } 2"), Ok((vec![("b", "c".into()), ("d", "".into())], 2.0)));
        assert_eq!(sample("a{b=\"x\\\\y\\\"z\\nü}\"} 3"), Ok((vec![("b", "x\\y\"z\nü}".into())], 3.0)));
        assert!(sample("a NaN").unwrap().1.is_nan());
    }

    #[test]
    fn what_is_no_sample_is_said() {
        for (text, fault) in [
            ("<html>", Fault::Name),
            ("1a 1", Fault::Name),
            ("a", Fault::Name),
            ("a=1", Fault::Name),
            ("a{b} 1", Fault::Labels),
            ("a{b=c} 1", Fault::Labels),
            ("a{b=\"c} 1", Fault::Labels),
            ("a{b=\"c\"d=\"e\"} 1", Fault::Labels),
            ("a{1b=\"c\"} 1", Fault::Labels),
            ("a{b:c=\"d\"} 1", Fault::Labels),
            ("a{b=\"\\x\"} 1", Fault::Labels),
            ("a{,} 1", Fault::Labels),
            ("a{b=\"c\"", Fault::Labels),
            ("a{b=\"c\"}", Fault::Number),
            ("a one", Fault::Number),
            ("a 1 now", Fault::Rest),
            ("a 1 2 # {trace_id=\"x\"} 3", Fault::Rest),
        ] {
            assert_eq!(sample(text), Err(fault), "{text}");
        }
        assert_eq!(body(b" {a=\"\xff\"} 1"), Err(Fault::Text));
    }

    #[test]
    fn comments_and_types_are_told_apart() {
        assert_eq!(line(b"# TYPE a counter"), Ok(Some(Line::Type("a", "counter"))));
        for comment in [&b""[..], b"  ", b"# HELP a TYPE b", b"#", b"# TYPE a", b"# TYPE a b c", b"# \xff"] {
            assert_eq!(line(comment), Ok(None), "{comment:?}");
        }
    }
}
