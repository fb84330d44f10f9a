//! Where a list goes on: [`Cursor`], opaque to callers. It holds the times of the first page, so that a question that said "the last hour"
//! keeps that hour, and a check that it is used for the question it was made for.

use super::problem::Problem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chaoscope_model::query::Position;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};

/// Version, four numbers of eight bytes, check.
const LENGTH: usize = 1 + 4 * 8 + CHECK;
const CHECK: usize = 8;
const VERSION: u8 = 1;

/// The next page of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Times of the question, as the first page understood them.
    pub(super) from: Timestamp,
    /// See `from`.
    pub(super) to: Timestamp,
    /// The last row that was answered.
    pub(super) after: Position,
}

/// What a cursor belongs to: the route, the journal, and every parameter but `cursor` and `limit`.
pub(super) fn question(route: &str, journal: &str, pairs: &[(String, String)]) -> String {
    let mut asked: Vec<_> = pairs.iter().filter(|(name, _)| name != "cursor" && name != "limit").collect();
    asked.sort();
    format!("{route}\n{journal}\n{asked:?}")
}

impl Cursor {
    /// Its text: letters, digits, `-` and `_`.
    pub(super) fn text(&self, question: &str) -> Option<String> {
        let mut bytes = vec![VERSION];
        for number in [nanosecond(self.from)?, nanosecond(self.to)?, nanosecond(self.after.at)?, self.after.row] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(check(question, &bytes));
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The cursor of a text; refused if it was not made for this question.
    pub(super) fn parse(text: &str, question: &str) -> Result<Self, Problem> {
        let refused = || Problem::parameter("cursor", "cursor: not one that this list gave for these parameters; begin without it");
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == LENGTH).ok_or_else(refused)?;
        let (told, seal) = bytes.split_at(LENGTH - CHECK);
        let numbers: Vec<i64> = told[1..].as_chunks::<8>().0.iter().map(|chunk| i64::from_be_bytes(*chunk)).collect();
        match numbers[..] {
            [from, to, at, row] if told[0] == VERSION && seal == check(question, told) => {
                let time = |number| Timestamp::from_nanosecond(i128::from(number)).map_err(|_| refused());
                Ok(Self { from: time(from)?, to: time(to)?, after: Position { at: time(at)?, row } })
            }
            _ => Err(refused()),
        }
    }
}

fn nanosecond(at: Timestamp) -> Option<i64> {
    i64::try_from(at.as_nanosecond()).ok()
}

/// No secret: it finds mistakes, and there is nothing in a cursor that a caller may not know.
fn check(question: &str, told: &[u8]) -> [u8; CHECK] {
    let digest = digest(&SHA256, &[question.as_bytes(), told].concat());
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest.as_ref()[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        let at = |second| Timestamp::from_second(second).unwrap();
        Cursor { from: at(1), to: at(3), after: Position { at: at(2), row: -7 } }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let text = cursor().text("q").unwrap();
        assert_eq!(Cursor::parse(&text, "q").unwrap(), cursor());
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }

    #[test]
    fn anything_else_is_refused() {
        let text = cursor().text("q").unwrap();
        assert!(Cursor::parse(&text, "another question").is_err());
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            assert!(Cursor::parse(&format!("{}{other}{}", &text[..at], &text[at + 1..]), "q").is_err(), "byte {at}");
        }
        for text in ["", "x", "💥", &text[1..]] {
            assert!(Cursor::parse(text, "q").is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_page_and_the_order_of_parameters_are_no_part_of_the_question() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let one = question("runs", "j", &[pair("name", "a"), pair("kind", "b"), pair("limit", "3")]);
        assert_eq!(one, question("runs", "j", &[pair("cursor", "x"), pair("kind", "b"), pair("name", "a")]));
        assert_ne!(one, question("runs", "j", &[pair("kind", "b")]));
        assert_ne!(one, question("events", "j", &[pair("name", "a"), pair("kind", "b")]));
        assert_ne!(question("", "", &[pair("a", "b&c=d")]), question("", "", &[pair("a", "b"), pair("c", "d")]));
    }
}
