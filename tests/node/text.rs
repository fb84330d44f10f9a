//! A page in the classic text format, taken apart: what a test asks a page for.

use std::collections::BTreeMap;

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: String,
}

impl Sample {
    /// A label's value; empty without it.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// Whether it has all these labels.
    pub(crate) fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(name, value)| self.labels.get(*name).is_some_and(|found| found == value))
    }
}

/// All samples, in the page's order.
pub(crate) fn samples(page: &str) -> Vec<Sample> {
    page.lines().filter(|line| !line.starts_with('#')).map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect()
}

/// The values of `name` with these labels.
pub(crate) fn values(page: &str, name: &str, labels: &[(&str, &str)]) -> Vec<String> {
    samples(page).into_iter().filter(|it| it.name == name && it.has(labels)).map(|it| it.value).collect()
}

/// The one value of `name` with these labels.
pub(crate) fn value(page: &str, name: &str, labels: &[(&str, &str)]) -> String {
    let mut found = values(page, name, labels);
    assert_eq!(found.len(), 1, "{name} {labels:?} is there {} times in\n{page}", found.len());
    found.remove(0)
}

fn sample(line: &str) -> Option<Sample> {
    let Some((name, rest)) = line.split_once('{') else {
        let (name, value) = line.split_once(' ')?;
        return Some(Sample { name: name.into(), labels: BTreeMap::new(), value: value.into() });
    };
    let (mut labels, mut rest) = (BTreeMap::new(), rest);
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"")?;
        let (value, length) = unescaped(after)?;
        labels.insert(label.to_owned(), value);
        rest = after.get(length..)?;
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(Sample { name: name.into(), labels, value: rest.strip_prefix("} ")?.into() })
}

/// A value up to its closing quote, and how many bytes it took with that quote.
fn unescaped(text: &str) -> Option<(String, usize)> {
    let (mut out, mut escaped) = (String::new(), false);
    for (at, letter) in text.char_indices() {
        match (escaped, letter) {
            (true, 'n') => out.push('\n'),
            (false, '"') => return Some((out, at + 1)),
            (false, '\\') => {}
            (_, other) => out.push(other),
        }
        escaped = !escaped && letter == '\\';
    }
    None
}

#[test]
fn odd_values_are_read_back() {
    let all = samples("a 1\nb{x=\"q\\\"}\\\\n, y=\\n\",z=\"\"} 2.5\n");
    assert_eq!(all[0], Sample { name: "a".into(), labels: BTreeMap::new(), value: "1".into() });
    assert_eq!((all[1].label("x"), all[1].label("z"), all[1].value.as_str()), ("q\"}\\n, y=\n", "", "2.5"));
}
