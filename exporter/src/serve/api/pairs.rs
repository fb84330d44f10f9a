//! A query string as it came: [`pairs`] of decoded names and values. Pure, limited, and strict: what is no UTF-8 is refused, never mended.

use super::problem::Problem;
use percent_encoding::percent_decode;

/// Most parameters of one query; more than any question has, fewer than would cost time.
const MOST_PAIRS: usize = 1600;

/// Names and values of a query string, decoded (`+` is a blank), in the order they came.
pub(super) fn pairs(query: Option<&str>) -> Result<Vec<(String, String)>, Problem> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    let mut pairs = Vec::new();
    for part in parts {
        if pairs.len() >= MOST_PAIRS {
            return Err(Problem::parameter("", format!("more than {MOST_PAIRS} parameters")));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let name = decoded(name).ok_or_else(|| Problem::parameter("", "the name of a parameter is not UTF-8"))?;
        let value = decoded(value).ok_or_else(|| Problem::parameter(&name, format!("{name}: the value is not UTF-8")))?;
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Option<String> {
    let blanks = text.replace('+', " ");
    percent_decode(blanks.as_bytes()).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let of = |query| pairs(Some(query)).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of("a=1&b=x+y&c=%C3%A4&&d"), [pair("a", "1"), pair("b", "x y"), pair("c", "ä"), pair("d", "")]);
        assert_eq!(of("a=b=c&%61=%"), [pair("a", "b=c"), pair("a", "%")]);
        assert!(pairs(None).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_text_is_refused_and_so_is_too_much() {
        assert!(pairs(Some("name=%FF")).unwrap_err().detail().contains("name: the value is not UTF-8"));
        assert!(pairs(Some("%FF=1")).is_err());
        assert!(pairs(Some(&"a=1&".repeat(MOST_PAIRS))).is_ok());
        assert!(pairs(Some(&"a&".repeat(MOST_PAIRS + 1))).is_err());
    }
}
