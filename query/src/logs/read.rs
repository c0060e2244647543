//! Log records out of batches.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use throughline_model::log_record::TimeSource;
use throughline_model::origin::{Resource, Scope};
use throughline_model::schema::col;
use throughline_model::span::{dict_str, map_entries, origins};
use throughline_model::{SpanId, TraceId, Value};

use super::LogRecord;
use crate::{Error, Result};

/// Reads whole records out of a batch in `model::schema::logs`.
pub fn read_logs(batch: &RecordBatch) -> Result<Vec<LogRecord>> {
    let column = |name: &str| -> Result<&ArrayRef> {
        batch
            .column_by_name(name)
            .ok_or_else(|| Error::internal(format!("a batch of log records has no {name}")))
    };
    let time = |name| column(name).map(|c| c.as_primitive::<TimestampNanosecondType>());
    let (times, observed) = (time(col::TIME)?, time(col::OBSERVED_TIME)?);
    let sources = column(col::TIME_SOURCE)?.as_primitive::<UInt32Type>();
    let severities = column(col::SEVERITY_NUMBER)?.as_primitive::<Int32Type>();
    let (severity_texts, event_names) = (column(col::SEVERITY_TEXT)?, column(col::EVENT_NAME)?);
    let bodies = column(col::BODY)?.as_string::<i32>();
    let values = column(col::BODY_VALUE)?.as_binary::<i32>();
    let (trace_ids, span_ids) = (
        column(col::TRACE_ID)?.as_fixed_size_binary(),
        column(col::SPAN_ID)?.as_fixed_size_binary(),
    );
    let flags = column(col::FLAGS)?.as_primitive::<UInt32Type>();
    let dropped = column(col::DROPPED_ATTRIBUTES_COUNT)?.as_primitive::<UInt32Type>();
    let services = column(col::SERVICE_NAME)?;
    let resources = origins(column(col::RESOURCE)?, Resource::decode)?;
    let resource_numbers = column(col::RESOURCE)?.as_dictionary::<UInt32Type>().keys();
    let scopes = origins(column(col::SCOPE)?, Scope::decode)?;
    let scope_numbers = column(col::SCOPE)?.as_dictionary::<UInt32Type>().keys();
    let attributes = column(col::ATTRIBUTES)?.as_map();
    (0..batch.num_rows())
        .map(|row| {
            Ok(LogRecord {
                time_ns: times.value(row),
                has_event_time: sources.value(row) == TimeSource::Event as u32,
                observed_time_ns: observed.value(row),
                severity_number: severities.value(row),
                severity_text: dict_str(severity_texts.as_ref(), row).to_owned(),
                body: match (values.is_valid(row), bodies.is_valid(row)) {
                    (true, _) => Some(Value::decode(values.value(row))?),
                    (false, true) => Some(Value::String(bodies.value(row).to_owned())),
                    (false, false) => None,
                },
                event_name: dict_str(event_names.as_ref(), row).to_owned(),
                trace_id: trace_ids
                    .is_valid(row)
                    .then(|| TraceId::from_slice(trace_ids.value(row)))
                    .transpose()?,
                span_id: span_ids
                    .is_valid(row)
                    .then(|| SpanId::from_slice(span_ids.value(row)))
                    .transpose()?,
                flags: flags.value(row),
                service_name: dict_str(services.as_ref(), row).to_owned(),
                resource: resources[resource_numbers.value(row) as usize].clone(),
                scope: scopes[scope_numbers.value(row) as usize].clone(),
                attributes: map_entries(attributes, row)
                    .map(|(key, value)| Ok((key.to_owned(), Value::decode(value)?)))
                    .collect::<Result<_>>()?,
                dropped_attributes_count: dropped.value(row),
            })
        })
        .collect()
}

/// An order of records of one time that depends on nothing but what they say, so that pages stay
/// the same whichever segment a record lies in. Attributes are a set: their order says nothing.
pub(super) fn by_content(a: &LogRecord, b: &LogRecord) -> Ordering {
    let key = |r: &LogRecord| (r.trace_id, r.span_id, r.severity_number, r.observed_time_ns);
    let rest = |r: &LogRecord| {
        let mut attributes = r.attributes.iter().collect::<Vec<_>>();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        let plain = LogRecord { attributes: Vec::new(), ..r.clone() };
        format!("{plain:?}{attributes:?}")
    };
    key(a)
        .cmp(&key(b))
        .then_with(|| a.service_name.cmp(&b.service_name))
        .then_with(|| rest(a).cmp(&rest(b)))
}
