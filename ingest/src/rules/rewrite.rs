//! Log records row by row: read, changed, and built anew.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use throughline_model::log_record::{LogBatchBuilder, LogFields, TimeSource};
use throughline_model::schema::col;
use throughline_model::span::{dict_bytes, dict_str, map_entries};
use throughline_model::value::{self, ValueRef};
use throughline_model::{Error, Result};

/// A record as a rule sees and changes it.
#[derive(Clone, Debug, Default)]
pub struct Edited {
    /// When it was.
    pub time_ns: i64,
    /// The trace it belongs to.
    pub trace_id: Option<[u8; 16]>,
    /// Its severity number.
    pub severity_number: i32,
    /// Its severity as it was written.
    pub severity_text: String,
    /// Its encoded body.
    pub body: Option<Vec<u8>>,
    /// Its attributes with encoded values, in order.
    pub attributes: Vec<(String, Vec<u8>)>,
}

impl Edited {
    /// The encoded value of an attribute.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_slice())
    }

    /// Gives an attribute a value.
    pub fn set(&mut self, name: &str, value: Vec<u8>) {
        match self.attributes.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    /// The text of the body, if it is one.
    pub fn text(&self) -> Option<&str> {
        match ValueRef::read(self.body.as_deref()?) {
            Ok(ValueRef::String(text)) => Some(text),
            _ => None,
        }
    }
}

/// The batch that `edit` leaves: it is handed each row, and says whether the row is kept.
pub fn rewrite(
    batch: &RecordBatch,
    mut edit: impl FnMut(usize, &mut Edited) -> Result<bool>,
) -> Result<RecordBatch> {
    let columns = Columns::of(batch)?;
    let mut builder = LogBatchBuilder::default();
    builder.reserve(batch.num_rows());
    for row in 0..batch.num_rows() {
        let mut record = columns.read(row)?;
        if !edit(row, &mut record)? {
            continue;
        }
        for (key, value) in &record.attributes {
            builder.attributes.push_encoded(key, value)?;
        }
        builder.set_resource(dict_bytes(columns.resource, row))?;
        builder.set_scope(dict_bytes(columns.scope, row))?;
        let source = match columns.time_source.as_primitive::<UInt32Type>().value(row) {
            0 => TimeSource::Event,
            1 => TimeSource::Observed,
            _ => TimeSource::Received,
        };
        let number = |column: &ArrayRef| column.as_primitive::<UInt32Type>().value(row);
        let observed = columns.observed.as_primitive::<TimestampNanosecondType>().value(row);
        builder.push(&LogFields {
            time_ns: record.time_ns,
            time_source: source,
            observed_time_ns: observed,
            severity_number: record.severity_number,
            severity_text: &record.severity_text,
            body: record.body.as_deref(),
            event_name: dict_str(columns.event_name, row),
            trace_id: record.trace_id,
            span_id: id(columns.span_id, row),
            flags: number(columns.flags),
            dropped_attributes_count: number(columns.dropped),
        })?;
    }
    builder.finish()
}

struct Columns<'b> {
    time: &'b ArrayRef,
    time_source: &'b ArrayRef,
    observed: &'b ArrayRef,
    severity_number: &'b ArrayRef,
    severity_text: &'b ArrayRef,
    body: &'b ArrayRef,
    body_value: &'b ArrayRef,
    event_name: &'b ArrayRef,
    trace_id: &'b ArrayRef,
    span_id: &'b ArrayRef,
    flags: &'b ArrayRef,
    resource: &'b ArrayRef,
    scope: &'b ArrayRef,
    attributes: &'b ArrayRef,
    dropped: &'b ArrayRef,
}

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::invalid(format!("log records without {name}")))
        };
        Ok(Self {
            time: column(col::TIME)?,
            time_source: column(col::TIME_SOURCE)?,
            observed: column(col::OBSERVED_TIME)?,
            severity_number: column(col::SEVERITY_NUMBER)?,
            severity_text: column(col::SEVERITY_TEXT)?,
            body: column(col::BODY)?,
            body_value: column(col::BODY_VALUE)?,
            event_name: column(col::EVENT_NAME)?,
            trace_id: column(col::TRACE_ID)?,
            span_id: column(col::SPAN_ID)?,
            flags: column(col::FLAGS)?,
            resource: column(col::RESOURCE)?,
            scope: column(col::SCOPE)?,
            attributes: column(col::ATTRIBUTES)?,
            dropped: column(col::DROPPED_ATTRIBUTES_COUNT)?,
        })
    }

    fn read(&self, row: usize) -> Result<Edited> {
        let body = match (self.body_value.is_valid(row), self.body.is_valid(row)) {
            (true, _) => Some(self.body_value.as_binary::<i32>().value(row).to_vec()),
            (false, true) => {
                let mut encoded = Vec::new();
                value::put_string(&mut encoded, self.body.as_string::<i32>().value(row));
                Some(encoded)
            }
            (false, false) => None,
        };
        let attributes = map_entries(self.attributes.as_map(), row);
        Ok(Edited {
            time_ns: self.time.as_primitive::<TimestampNanosecondType>().value(row),
            trace_id: id(self.trace_id, row),
            severity_number: self.severity_number.as_primitive::<Int32Type>().value(row),
            severity_text: dict_str(self.severity_text, row).to_owned(),
            body,
            attributes: attributes.map(|(key, value)| (key.to_owned(), value.to_vec())).collect(),
        })
    }
}

fn id<const N: usize>(column: &ArrayRef, row: usize) -> Option<[u8; N]> {
    let ids = column.as_fixed_size_binary();
    ids.is_valid(row).then(|| ids.value(row).try_into().ok()).flatten()
}
