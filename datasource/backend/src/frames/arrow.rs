//! Frames as Grafana's host takes them: an Arrow IPC *file* with one batch. Where name, labels, configuration and metadata are kept in it, as
//! JSON texts, is from `data/arrow.go` of Grafana's plugin SDK for Go.

use super::{Field, Frame, Values, json};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampNanosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Schema, TimeUnit};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// Why a frame could not be written: columns of different lengths, or a missing value where none may be.
#[derive(Debug, thiserror::Error)]
#[error("the answer cannot be written: {0}")]
pub struct Error(String);

impl From<arrow_schema::ArrowError> for Error {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self(error.to_string())
    }
}

/// Bytes of an Arrow IPC file with one batch, as Grafana's data package reads it.
pub fn encode(frame: &Frame) -> Result<Vec<u8>, Error> {
    let fields: Vec<_> = frame.fields.iter().map(described).collect();
    let mut metadata = HashMap::from([("name".to_owned(), frame.name.clone()), ("refId".to_owned(), frame.ref_id.clone())]);
    if !frame.meta.is_empty() {
        metadata.insert("meta".to_owned(), json::meta(frame).to_string());
    }
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let columns = frame.fields.iter().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(frame.rows()));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)?;
    let mut writer = FileWriter::try_new(Vec::new(), &schema)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn described(field: &Field) -> arrow_schema::Field {
    let kind = match field.values {
        Values::Time(_) => DataType::Timestamp(TimeUnit::Nanosecond, None),
        Values::Text(_) => DataType::Utf8,
        Values::Number(_) => DataType::Float64,
        Values::Count(_) => DataType::Int64,
        Values::Flag(_) => DataType::Boolean,
        Values::Json(_) => DataType::Binary,
    };
    let mut metadata = HashMap::from([("tstype".to_owned(), json::names(&field.values).0.to_owned())]);
    if !field.labels.is_empty() {
        metadata.insert("labels".to_owned(), serde_json::json!(field.labels).to_string());
    }
    if !field.config.is_empty() {
        metadata.insert("config".to_owned(), serde_json::json!(field.config).to_string());
    }
    arrow_schema::Field::new(&field.name, kind, field.nullable).with_metadata(metadata)
}

fn column(field: &Field) -> ArrayRef {
    match &field.values {
        Values::Time(times) => {
            Arc::new(times.iter().map(|at| at.and_then(|at| nanoseconds(at, field.nullable))).collect::<TimestampNanosecondArray>())
        }
        Values::Text(texts) => Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>()),
        Values::Number(numbers) => Arc::new(numbers.iter().copied().collect::<Float64Array>()),
        Values::Count(counts) => Arc::new(counts.iter().copied().collect::<Int64Array>()),
        Values::Flag(flags) => Arc::new(flags.iter().copied().collect::<BooleanArray>()),
        Values::Json(all) => Arc::new(all.iter().map(|it| it.as_ref().map(|it| it.to_string().into_bytes())).collect::<BinaryArray>()),
    }
}

/// Nanoseconds since 1970 reach from 1677 to 2262; a time outside of that is missing, or the nearest where one must be.
fn nanoseconds(at: Timestamp, nullable: bool) -> Option<i64> {
    let nearest = if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX };
    i64::try_from(at.as_nanosecond()).ok().or((!nullable).then_some(nearest))
}
