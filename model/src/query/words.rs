//! The values of one parameter ([`Words`]): alternatives, each exact, a glob (`*`) or a regular expression (`~`), some of them negated (`!`).
//!
//! Apart from what they are held against (`query`). What values may take is limited here: whoever sends them is not trusted.

use super::Refused;
use regex::{Regex, RegexBuilder};

/// Longest value of a parameter, in characters.
pub const LONGEST_VALUE: usize = 1024;
/// Most values of one parameter.
pub const MOST_VALUES: usize = 100;
/// What a compiled regular expression may take, in bytes; as much again while it is used.
const REGEX_SIZE: usize = 1 << 18;

/// One alternative.
#[derive(Clone, Debug)]
enum Shape {
    Exact(String),
    /// What stands between the asterisks.
    Glob(Vec<String>),
    Expression(Regex),
    /// What stands between the asterisks, in lower case: found somewhere, in this order.
    Part(Vec<String>),
}

/// The values of one parameter: alternatives, some of them negated.
#[derive(Clone, Debug, Default)]
pub struct Words {
    wanted: Vec<Shape>,
    unwanted: Vec<Shape>,
    /// Whether some value is one that nobody stores (`stuck`).
    pub(super) derived: bool,
}

/// A value without its `!`, and whether it had one.
pub(super) fn positive(value: &str) -> (bool, &str) {
    value.strip_prefix('!').map_or((false, value), |value| (true, value))
}

/// Whether a value (without its `!`) is a regular expression.
pub(super) fn is_expression(value: &str) -> bool {
    value.starts_with('~')
}

impl Shape {
    fn of(parameter: &str, text: &str) -> Result<Self, Refused> {
        if let Some(expression) = text.strip_prefix('~') {
            return expression_of(parameter, &mut RegexBuilder::new(&format!("^(?:{expression})$")));
        }
        Ok(if text.contains('*') { Self::Glob(text.split('*').map(str::to_owned).collect()) } else { Self::Exact(text.to_owned()) })
    }

    /// The same, to be found anywhere in a text, in upper or lower case.
    fn part(parameter: &str, text: &str) -> Result<Self, Refused> {
        match text.strip_prefix('~') {
            Some(expression) => expression_of(parameter, RegexBuilder::new(expression).case_insensitive(true)),
            None => Ok(Self::Part(text.to_lowercase().split('*').map(str::to_owned).collect())),
        }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Part(parts) => parts.iter().try_fold(value, |rest, part| rest.split_once(part.as_str()).map(|(_, rest)| rest)).is_some(),
            Self::Exact(text) => text == value,
            Self::Glob(parts) => glob(parts, value),
            Self::Expression(expression) => expression.is_match(value),
        }
    }
}

fn expression_of(parameter: &str, builder: &mut RegexBuilder) -> Result<Shape, Refused> {
    let built = builder.size_limit(REGEX_SIZE).dfa_size_limit(REGEX_SIZE).build();
    built.map(Shape::Expression).map_err(|error| {
        // The lines before the last one draw the expression, with what we put around it.
        let text = error.to_string();
        let last = text.lines().last().unwrap_or("").trim();
        Refused::value(parameter, format!("not a regular expression: {}", last.strip_prefix("error: ").unwrap_or(last)))
    })
}

/// Whether a text has these parts, in this order: the first at its beginning, the last at its end, anything in between.
fn glob(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return false };
    let inside = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()));
    // The leftmost place is always good enough: it leaves most to the parts that follow.
    let rest =
        middle.iter().try_fold(inside, |rest, part| Some(rest.and_then(|rest| rest.split_once(part.as_str())).map(|(_, rest)| rest)));
    rest.flatten().is_some()
}

fn hit<'a>(shapes: &[Shape], mut values: impl Iterator<Item = &'a str>) -> bool {
    !shapes.is_empty() && values.any(|value| shapes.iter().any(|shape| shape.matches(value)))
}

impl Words {
    /// One more value.
    pub(super) fn add(&mut self, parameter: &str, value: &str) -> Result<(), Refused> {
        self.push(parameter, value, Shape::of)
    }

    /// One more value that is looked for anywhere; what it is held against must be in lower case.
    pub(super) fn add_part(&mut self, parameter: &str, value: &str) -> Result<(), Refused> {
        self.push(parameter, value, Shape::part)
    }

    fn push(&mut self, parameter: &str, value: &str, shape: fn(&str, &str) -> Result<Shape, Refused>) -> Result<(), Refused> {
        if self.wanted.len() + self.unwanted.len() >= MOST_VALUES {
            return Err(Refused::value(parameter, format!("more than {MOST_VALUES} values")));
        }
        let (negated, value) = positive(value);
        let shape = shape(parameter, value)?;
        let shapes = if negated { &mut self.unwanted } else { &mut self.wanted };
        shapes.push(shape);
        Ok(())
    }

    /// Whether a value passes: none of the unwanted ones, and one of the wanted ones where there are any.
    pub fn matches(&self, value: &str) -> bool {
        self.matches_any(std::iter::once(value))
    }

    /// The same for something that has several values: one of them must be wanted, none unwanted.
    pub fn matches_any<'a>(&self, values: impl Iterator<Item = &'a str> + Clone) -> bool {
        !hit(&self.unwanted, values.clone()) && self.wants_any(values)
    }

    /// The same, whatever is unwanted.
    pub(super) fn wants_any<'a>(&self, values: impl Iterator<Item = &'a str>) -> bool {
        self.wanted.is_empty() || hit(&self.wanted, values)
    }

    /// The values, where only exact ones are wanted that are stored as they are: what an index can look up.
    pub fn exact(&self) -> Option<Vec<&str>> {
        let texts = self.wanted.iter().map(|shape| match shape {
            Shape::Exact(text) => Some(text.as_str()),
            Shape::Glob(_) | Shape::Expression(_) | Shape::Part(_) => None,
        });
        texts.collect::<Option<Vec<_>>>().filter(|texts| !texts.is_empty() && !self.derived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(values: &[&str]) -> Words {
        let mut words = Words::default();
        values.iter().for_each(|value| words.add("name", value).unwrap());
        words
    }

    #[test]
    fn values_are_alternatives_and_may_be_globs_expressions_or_negated() {
        for (values, yes, no) in [
            (&["web"][..], &["web"][..], &["web-0", ""][..]),
            (&["web-*", "db"], &["web-0", "web-", "db"], &["web", "db-0"]),
            (&["~we(b|c)"], &["web", "wec"], &["web-0", "xweb"]),
            (&["!web*"], &["db", ""], &["web-0"]),
            (&["w*", "!web"], &["wx"], &["web", "db"]),
            (&["!~.*-[0-9]"], &["web"], &["web-0"]),
            (&["a.c"], &["a.c"], &["abc"]),
            (&["*"], &["", "a"], &[]),
            (&["a*b*c"], &["abc", "axbxc", "abbcc"], &["ab", "ac", "acb", "abcd"]),
            (&["a*a"], &["aa", "aba"], &["a"]),
            (&["*-web-*-0"], &["x-web-1-0", "x-web-web--0"], &["x-web-0"]),
            (&["**"], &["", "a\nb"], &[]),
        ] {
            let words = words(values);
            assert!(yes.iter().all(|value| words.matches(value)), "{values:?}");
            assert!(!no.iter().any(|value| words.matches(value)), "{values:?}");
        }
    }

    #[test]
    fn exact_values_can_be_looked_up_and_others_cannot() {
        assert_eq!(words(&["a", "b", "!c"]).exact(), Some(vec!["a", "b"]));
        assert_eq!(words(&["a*"]).exact(), None);
        assert_eq!(words(&["!a"]).exact(), None);
    }

    #[test]
    fn an_expression_that_would_take_much_memory_is_refused() {
        assert!(Words::default().add("name", "~(a{1000}){1000}").is_err());
        assert!(Words::default().add("name", r"~\w{500}").is_err());
    }
}
