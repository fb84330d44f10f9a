//! Licence expressions as crates write them (SPDX, and the older `/` for OR), and the lists of `deny.toml`.

/// Whether `expression` can be met with `allowed` licences alone.
pub(crate) fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let met = any(words, allowed);
        return words.next() == Some(")") && met;
    }
    let Some(name) = words.next() else {
        return false;
    };
    let name = match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => format!("{name} WITH {exception}"),
        None => name.to_owned(),
    };
    allowed.contains(&name)
}

/// The strings of the list `key = [ … ]` of a TOML text; those after `field`, where its items are tables.
pub(crate) fn strings(toml: &str, key: &str, field: Option<&str>) -> Vec<String> {
    let list = toml.lines().skip_while(|line| *line != format!("{key} = [")).skip(1);
    let lines = list.take_while(|line| *line != "]");
    let quoted = |line: &str| Some(line.split('"').nth(1)?.to_owned());
    let found: Vec<_> = lines.filter_map(|line| quoted(field.map_or(Some(line), |field| Some(line.split_once(field)?.1))?)).collect();
    assert!(!found.is_empty(), "deny.toml has no list {key}");
    found
}

#[test]
fn an_expression_is_met_by_one_side_of_or_and_both_of_and() {
    let allowed = ["MIT", "Apache-2.0", "ISC"].map(str::to_owned);
    let met = |expression| is_met(expression, &allowed);
    assert!(met("MIT") && met("GPL-3.0 OR MIT") && met("MIT/GPL-3.0") && met("(GPL-3.0 OR MIT) AND ISC"));
    assert!(met("Apache-2.0 WITH LLVM-exception OR MIT"));
    assert!(!met("GPL-3.0") && !met("MIT AND GPL-3.0") && !met("") && !met("MIT GPL-3.0") && !met("(MIT"));
    assert!(!met("Apache-2.0 WITH LLVM-exception"), "an exception is a licence of its own");
}
