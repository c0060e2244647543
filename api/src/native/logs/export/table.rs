//! Log records as a table of plain columns, for forms that have no nested values.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt32Array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use throughline_model::Value;
use throughline_query::logs::{LogPage, LogRecord, log_ids};

use crate::error::{ApiError, Result};
use crate::render::value::{AttributesJson, ValueJson};

const UTC: &str = "UTC";

/// The columns. Bodies that are no text, and attributes, are JSON.
pub static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = || DataType::Timestamp(TimeUnit::Nanosecond, Some(UTC.into()));
    let columns = [
        ("id", DataType::Utf8, false),
        ("time", time(), false),
        ("observed_time", time(), true),
        ("severity_number", DataType::Int32, false),
        ("severity_text", DataType::Utf8, false),
        ("service_name", DataType::Utf8, false),
        ("body", DataType::Utf8, true),
        ("event_name", DataType::Utf8, false),
        ("trace_id", DataType::Utf8, true),
        ("span_id", DataType::Utf8, true),
        ("flags", DataType::UInt32, false),
        ("attributes", DataType::Utf8, false),
        ("dropped_attributes_count", DataType::UInt32, false),
        ("resource_attributes", DataType::Utf8, false),
        ("scope_name", DataType::Utf8, false),
        ("scope_version", DataType::Utf8, false),
        ("scope_attributes", DataType::Utf8, false),
    ];
    let field = |(name, kind, is_nullable): (&str, _, _)| Field::new(name, kind, is_nullable);
    Arc::new(Schema::new(columns.map(field).to_vec()))
});

/// The rows of a page.
pub fn rows(page: &LogPage) -> Result<RecordBatch> {
    let records = &page.records;
    let ids = log_ids(records, page.repeats);
    let texts = |of: fn(&LogRecord) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(records.iter().map(of)))
    };
    let written = |of: fn(&LogRecord) -> Result<Option<String>>| -> Result<ArrayRef> {
        let cells: Vec<_> = records.iter().map(of).collect::<Result<_>>()?;
        Ok(Arc::new(StringArray::from(cells)))
    };
    let times = |of: fn(&LogRecord) -> Option<i64>| -> ArrayRef {
        let times: TimestampNanosecondArray = records.iter().map(of).collect();
        Arc::new(times.with_timezone(UTC))
    };
    let counts = |of: fn(&LogRecord) -> u32| -> ArrayRef {
        Arc::new(UInt32Array::from_iter_values(records.iter().map(of)))
    };
    let severities = records.iter().map(|record| record.severity_number);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(ids.iter().map(ToString::to_string))),
        times(|record| Some(record.time_ns)),
        times(|record| Some(record.observed_time_ns).filter(|time| *time != 0)),
        Arc::new(Int32Array::from_iter_values(severities)),
        texts(|record| &record.severity_text),
        texts(|record| &record.service_name),
        written(|record| record.body.as_ref().map(body).transpose())?,
        texts(|record| &record.event_name),
        written(|record| Ok(record.trace_id.map(|id| id.to_string())))?,
        written(|record| Ok(record.span_id.map(|id| id.to_string())))?,
        counts(|record| record.flags),
        written(|record| attributes(&record.attributes))?,
        counts(|record| record.dropped_attributes_count),
        written(|record| attributes(&record.resource.attributes))?,
        texts(|record| &record.scope.name),
        texts(|record| &record.scope.version),
        written(|record| attributes(&record.scope.attributes))?,
    ];
    Ok(RecordBatch::try_new(SCHEMA.clone(), columns)?)
}

fn body(value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        other => serde_json::to_string(&ValueJson(other)).map_err(unwritable),
    }
}

fn attributes(entries: &[(String, Value)]) -> Result<Option<String>> {
    serde_json::to_string(&AttributesJson(entries)).map(Some).map_err(unwritable)
}

/// An error of writing an answer.
pub fn unwritable(err: serde_json::Error) -> ApiError {
    ApiError::internal(format!("an export cannot be written: {err}"))
}
