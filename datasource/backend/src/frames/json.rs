//! STUB
use super::Frame;
use serde_json::Value;
/// `{schema, data}`, as Grafana Live's packets have it.
pub fn encode(_frame: &Frame) -> Value {
    todo!()
}
