//! Reading `jsonData` leniently: what a form, a provisioning file and the old plugin write for the same thing differs.

use serde_json::{Map, Value};

/// `jsonData`.
pub(super) struct Json(Map<String, Value>);

impl Json {
    pub(super) fn of(raw: &[u8]) -> Result<Self, String> {
        if raw.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(raw) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null) => Ok(Self(Map::new())),
            Ok(_) => Err("jsonData: it must be an object".to_owned()),
            Err(error) => Err(format!("jsonData: not JSON (line {}, column {})", error.line(), error.column())),
        }
    }

    pub(super) fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// A text, without the space around it; empty where there is none.
    pub(super) fn text(&self, name: &str) -> String {
        self.value(name).as_str().unwrap_or("").trim().to_owned()
    }

    /// Texts of a list.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let values = self.value(name).as_array().into_iter().flatten();
        values.filter_map(Value::as_str).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// Provisioning files have been seen with `"true"`.
    pub(super) fn flag(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(flag) => *flag,
            Value::String(text) => text == "true",
            _ => false,
        }
    }

    /// A whole number between two others; the one in the middle where nothing is said. Forms save numbers as texts, too.
    pub(super) fn number(&self, name: &str, (least, default, most): (u64, u64, u64)) -> Result<u64, String> {
        let refused = || format!("{name}: it must be a whole number from {least} to {most}");
        let number = match self.value(name) {
            Value::Null => return Ok(default),
            Value::String(text) if text.trim().is_empty() => return Ok(default),
            Value::String(text) => text.trim().parse().map_err(|_| refused())?,
            Value::Number(number) => number.as_u64().ok_or_else(refused)?,
            _ => return Err(refused()),
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(refused()) }
    }
}
