//! The datasource's own filters, put on top of a query's: what passes must pass both.
//!
//! The API's language joins values of one field with "or", so appending a value would widen. Here the values of a field that both filter are
//! cut down to those that lie within the datasource's; where that cannot be told, the query is refused.

use super::Pairs;
use super::parse::Refused;
use chaoscope_model::query::{Filter, Words};

/// Fields of which one run has several values: two conditions about them are no condition about one value.
const SEVERAL: [&str; 2] = ["label", "text"];

/// The query's filter within the datasource's.
pub(super) fn narrowed(filter: Pairs, fixed: &[(String, String)]) -> Result<Pairs, Refused> {
    let mut own = Filter::default();
    for (field, value) in fixed.iter().filter(|(_, value)| !value.starts_with('!')) {
        own.add(field, value).map_err(|error| Refused(format!("the datasource's own filter: {error}")))?;
    }
    let (asked, mut kept): (Pairs, Pairs) =
        filter.into_iter().partition(|(field, value)| !value.starts_with('!') && own.words(field).is_some());
    // Unwanted values only ever narrow.
    kept.extend(fixed.iter().filter(|(_, value)| value.starts_with('!')).cloned());
    let mut fields: Vec<_> = fixed.iter().filter(|(_, value)| !value.starts_with('!')).map(|(field, _)| field.as_str()).collect();
    fields.sort_unstable();
    fields.dedup();
    for field in fields {
        let of = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().filter(|(name, value)| name == field && !value.starts_with('!')).map(|(_, value)| value.clone()).collect()
        };
        let values = within(field, of(&asked), of(fixed), own.words(field))?;
        kept.extend(values.into_iter().map(|value| (field.to_owned(), value)));
    }
    Ok(kept)
}

fn within(field: &str, asked: Vec<String>, fixed: Vec<String>, words: Option<&Words>) -> Result<Vec<String>, Refused> {
    if asked.is_empty() || asked == fixed {
        return Ok(fixed);
    }
    let limited =
        || Refused(format!("{field}: this datasource is limited to {}; ask for values within that, or leave it empty", fixed.join(", ")));
    if SEVERAL.contains(&field) {
        return Err(limited());
    }
    let mut kept = Vec::new();
    for value in asked {
        if is_exact(&value) {
            kept.extend(words.is_some_and(|words| words.matches(&value)).then_some(value));
        } else if fixed.iter().any(|own| is_part(&value, own)) {
            kept.push(value);
        } else if fixed.iter().all(|own| is_exact(own)) {
            kept.extend(matching(field, &value, &fixed));
        } else {
            return Err(limited());
        }
    }
    if kept.is_empty() { Err(limited()) } else { Ok(kept) }
}

fn is_exact(value: &str) -> bool {
    !value.starts_with('~') && !value.contains('*')
}

/// The exact values that a pattern takes.
fn matching(field: &str, pattern: &str, values: &[String]) -> Vec<String> {
    let mut filter = Filter::default();
    // What is no pattern is refused later, in the words of the language.
    let _ = filter.add(field, pattern);
    values.iter().filter(|value| filter.words(field).is_some_and(|words| words.matches(value))).cloned().collect()
}

/// Whether whatever a pattern takes lies within another, as far as that is plain: they are the same, or both begin alike and the other one
/// takes any end.
fn is_part(pattern: &str, other: &str) -> bool {
    let begins = |begin: &str| !begin.contains('*') && !other.starts_with('~') && !pattern.starts_with('~') && pattern.starts_with(begin);
    pattern == other || other.strip_suffix('*').is_some_and(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect()
    }

    fn of(filter: &[(&str, &str)], fixed: &[(&str, &str)]) -> Result<Pairs, Refused> {
        let mut found = narrowed(pairs(filter), &pairs(fixed))?;
        found.sort();
        Ok(found)
    }

    #[test]
    fn a_query_cannot_leave_the_datasources_own_filters() {
        for (filter, fixed, found) in [
            (&[][..], &[("namespace", "shop")][..], &[("namespace", "shop")][..]),
            (&[("kind", "IOChaos")], &[("namespace", "shop")], &[("kind", "IOChaos"), ("namespace", "shop")]),
            (&[("namespace", "shop"), ("namespace", "bank")], &[("namespace", "shop")], &[("namespace", "shop")]),
            (&[("namespace", "s*")], &[("namespace", "shop"), ("namespace", "bank")], &[("namespace", "shop")]),
            (&[("namespace", "~sh.*")], &[("namespace", "shop")], &[("namespace", "shop")]),
            (&[("namespace", "shop-a*")], &[("namespace", "shop-*")], &[("namespace", "shop-a*")]),
            (&[("namespace", "*")], &[("namespace", "*")], &[("namespace", "*")]),
            (&[("namespace", "!bank")], &[("namespace", "s*")], &[("namespace", "!bank"), ("namespace", "s*")]),
            (&[("namespace", "shop")], &[("namespace", "!bank")], &[("namespace", "!bank"), ("namespace", "shop")]),
            (&[("label", "app=x")], &[("label", "!team=a")], &[("label", "!team=a"), ("label", "app=x")]),
        ] {
            assert_eq!(of(filter, fixed).unwrap(), pairs(found), "{filter:?} within {fixed:?}");
        }
    }

    #[test]
    fn what_lies_outside_or_cannot_be_told_is_refused() {
        for (filter, fixed) in [
            (("namespace", "bank"), ("namespace", "shop")),
            (("namespace", "*"), ("namespace", "shop-*")),
            (("namespace", "*-a"), ("namespace", "shop-*")),
            (("namespace", "~.*"), ("namespace", "shop-*")),
            (("namespace", "~shop-.*|bank"), ("namespace", "shop-*")),
            (("namespace", "shop-*"), ("namespace", "~shop-.*")),
            (("label", "app=x"), ("label", "team=a")),
            (("text", "web"), ("text", "delay")),
        ] {
            let text = of(&[filter], &[fixed]).unwrap_err().0;
            assert!(text.contains("this datasource is limited to"), "{text}");
        }
    }
}
