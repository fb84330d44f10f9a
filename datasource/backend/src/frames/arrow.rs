//! STUB
use super::Frame;
/// STUB
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);
/// Bytes of an Arrow IPC file with one batch, as Grafana's data package reads it.
pub fn encode(_frame: &Frame) -> Result<Vec<u8>, Error> {
    todo!()
}
