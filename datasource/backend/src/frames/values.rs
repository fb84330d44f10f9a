//! Values of a variable or of an ad hoc filter, as options.

use super::{Field, Frame, Values};
use chaoscope_model::query::LONGEST_VALUE;

pub(super) fn frame(values: &[String]) -> Frame {
    // What no filter takes is no option; shortened it would be another value.
    let usable = |value: &&String| value.chars().nth(LONGEST_VALUE).is_none() && !value.chars().any(char::is_control);
    let rows: Vec<_> = values.iter().filter(usable).collect();
    let column = |name| Field::of(name, &rows, Values::Text, |value| Some((*value).clone())).required();
    Frame::new("values", vec![column("text"), column("value")])
}
