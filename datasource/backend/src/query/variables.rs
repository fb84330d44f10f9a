//! Values of filters as template variables leave them: those that nobody replaced are refused, and `{a,b}` (Grafana's glob format of a
//! variable with several values) is expanded to alternatives.
//!
//! Only Grafana's front replaces variables. Alert rules and public dashboards ask without it; a filter by the text `$namespace` would then
//! match nothing, and an empty answer looks like "no chaos".

use super::Pairs;
use super::parse::{Refused, shortened};
use chaoscope_model::query::MOST_VALUES;

/// What variables are given as their custom "all" value.
const ALL: [&str; 3] = ["*", ".*", "~.*"];

/// The same without what wants everything: a field with such a value is not filtered by what else is wanted of it. It would not do to keep
/// `*`: of an experiment without targets there is no target to match it.
pub(super) fn without_all(pairs: Pairs) -> Pairs {
    let wants_all: Vec<_> = pairs.iter().filter(|(_, value)| ALL.contains(&value.as_str())).map(|(field, _)| field.clone()).collect();
    pairs.into_iter().filter(|(field, value)| value.starts_with('!') || !wants_all.contains(field)).collect()
}

/// The alternatives of a saved value.
pub(super) fn values(field: &str, value: &str, from_alert: bool) -> Result<Vec<String>, Refused> {
    if let Some(name) = unreplaced(value) {
        let who = if from_alert { "alert rules do" } else { "alert rules and public dashboards do" };
        let name = shortened(name);
        return Err(Refused(format!(
            "{field}: the variable {name:?} was not replaced by a value: {who} not replace variables, and elsewhere the dashboard has no such \
             variable; write the value itself (for the sign itself: ~ and \\$)"
        )));
    }
    let several = expanded(value)
        .ok_or_else(|| Refused(format!("{field}: more than {MOST_VALUES} values; give the variable the custom all value *")))?;
    Ok(several.into_iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty() && value != "!").collect())
}

fn is_expression(value: &str) -> bool {
    value.strip_prefix('!').unwrap_or(value).starts_with('~')
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// The first variable in a text, as Grafana writes them: `$x`, `${x}`, `${x.field:format}`, `[[x]]`, `[[x:format]]`. A `$` before anything
/// but a word is the end of a regular expression; one after a backslash is itself there.
fn unreplaced(value: &str) -> Option<&str> {
    let mut escaped = false;
    for (index, it) in value.char_indices() {
        let rest = &value[index..];
        let found = match it {
            '$' if !(escaped && is_expression(value)) => dollar(rest),
            '[' if !(escaped && is_expression(value)) => brackets(rest),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        escaped = it == '\\' && !escaped;
    }
    None
}

fn dollar(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('$')?;
    let Some(inner) = rest.strip_prefix('{') else {
        let end = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
        return (end > 0).then(|| &text[..=end]);
    };
    let (inner, _) = inner.split_once('}')?;
    let name = inner.split([':', '.']).next()?;
    (!name.is_empty() && name.chars().all(is_word)).then(|| &text[..inner.len() + 3])
}

fn brackets(text: &str) -> Option<&str> {
    let (inner, _) = text.strip_prefix("[[")?.split_once("]]")?;
    let mut parts = inner.split(':');
    let words = |part: Option<&str>, or: bool| part.map_or(or, |part| !part.is_empty() && part.chars().all(is_word));
    let found = words(parts.next(), false) && words(parts.next(), true) && parts.next().is_none();
    found.then(|| &text[..inner.len() + 4])
}

/// `a-{b,c}` as `a-b` and `a-c`; none where there would be too many. A regular expression is left as it is: braces count there.
fn expanded(value: &str) -> Option<Vec<String>> {
    if is_expression(value) {
        return Some(vec![value.to_owned()]);
    }
    let mut done = vec![String::new()];
    let mut rest = value;
    while let Some((before, choices, after)) = choices(rest) {
        if done.len().checked_mul(choices.len())? > MOST_VALUES {
            return None;
        }
        done = done.iter().flat_map(|begun| choices.iter().map(move |choice| format!("{begun}{before}{choice}"))).collect();
        rest = after;
    }
    done.iter_mut().for_each(|begun| begun.push_str(rest));
    Some(done)
}

/// The first `{b,c}` of a text: what is before it, what it offers, what is after it.
fn choices(text: &str) -> Option<(&str, Vec<&str>, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| at + from) {
        let inner = &text[open + 1..];
        let close = inner.find(['{', '}'])?;
        if inner[close..].starts_with('}') && inner[..close].contains(',') {
            return Some((&text[..open], inner[..close].split(',').collect(), &inner[close + 1..]));
        }
        from = open + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_nobody_replaced_is_found() {
        for (value, name) in [
            ("$x", "$x"),
            ("web-$pod-0", "$pod"),
            ("${x}", "${x}"),
            ("a${x:csv}b", "${x:csv}"),
            ("${x.text}", "${x.text}"),
            ("[[x]]", "[[x]]"),
            ("a-[[x:regex]]", "[[x:regex]]"),
            ("~foo-$x", "$x"),
            ("~(a|$x)$", "$x"),
            ("!$x", "$x"),
            ("$__all", "$__all"),
            (r"\$x", "$x"),
            (r"~\\$x", "$x"),
            ("$ä", "$ä"),
            ("app=$app", "$app"),
        ] {
            assert_eq!(unreplaced(value), Some(name), "{value}");
        }
    }

    #[test]
    fn what_looks_like_one_and_is_none_is_left_alone() {
        for value in [
            "~foo$",
            "~a$|b",
            "~(a$|b$)",
            "~^[[:alpha:]]+$",
            "~[[a-z]0-9]",
            r"~\$x",
            r"~a\[[x]]",
            "$",
            "a$",
            "$-x",
            "${}",
            "${",
            "[[]]",
            "[[a b]]",
            "~a{2,3}$",
        ] {
            assert_eq!(unreplaced(value), None, "{value}");
        }
    }

    #[test]
    fn alternatives_are_expanded_and_a_list_with_commas_is_one_value() {
        let of = |value| values("name", value, false).unwrap();
        assert_eq!(of("{a,b}"), ["a", "b"]);
        assert_eq!(of("x-{a,b}-*"), ["x-a-*", "x-b-*"]);
        assert_eq!(of("!{a,b}"), ["!a", "!b"]);
        assert_eq!(of("{a,b}/{c,d}"), ["a/c", "a/d", "b/c", "b/d"]);
        assert_eq!(of("{a}"), ["{a}"]);
        assert_eq!(of("{{a,b}"), ["{a", "{b"]);
        assert_eq!(of("{a,{b"), ["{a,{b"]);
        assert_eq!(of("~a{2,3}"), ["~a{2,3}"]);
        assert_eq!(of("a,b"), ["a,b"]);
        assert_eq!(of("{a,}"), ["a"]);
        assert_eq!(of("!"), Vec::<String>::new());
    }

    #[test]
    fn all_is_no_filter() {
        let pairs =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(field, value)| ((*field).to_owned(), (*value).to_owned())).collect::<Pairs>();
        let found =
            without_all(pairs(&[("kind", "a"), ("kind", ".*"), ("kind", "!b"), ("name", "x*"), ("target_pod", "*"), ("label", "~.*")]));
        assert_eq!(found, pairs(&[("kind", "!b"), ("name", "x*")]));
    }

    #[test]
    fn too_many_alternatives_are_refused_before_they_are_made() {
        let ten = "{0,1,2,3,4,5,6,7,8,9}";
        assert_eq!(values("name", &ten.repeat(2), false).unwrap().len(), 100);
        assert!(values("name", &ten.repeat(9), false).unwrap_err().0.contains("more than 100"));
    }

    #[test]
    fn the_refusal_names_the_variable_and_says_why() {
        let text = values("namespace", "x-${app:csv}", true).unwrap_err().0;
        assert!(text.starts_with("namespace: the variable \"${app:csv}\"") && text.contains("alert rules do not replace"), "{text}");
    }
}
