//! Rows out of a span's events and links.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringViewBuilder, TimestampNanosecondArray, UInt32Array,
};
use arrow::compute::take_record_batch;
use throughline_model::attrs;
use throughline_model::origin::{decode_events, decode_links};
use throughline_model::schema::{self, col};

use super::columns::{SqlColumn, exploded, ids};
use crate::sql::sets;
use crate::{Error, Result};

/// What is taken out of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Their events.
    Events,
    /// Their links.
    Links,
}

impl Part {
    /// The scan column it lies in.
    pub fn source(self) -> &'static str {
        match self {
            Part::Events => col::EVENTS,
            Part::Links => col::LINKS,
        }
    }

    /// The columns it adds.
    pub fn columns(self) -> Vec<SqlColumn> {
        use arrow::datatypes::DataType::{Binary, UInt32, Utf8View};
        let sets = || exploded("attributes", sets::set_type());
        let dropped = || exploded("dropped_attributes_count", UInt32);
        match self {
            Part::Events => vec![
                exploded("time", schema::timestamp()),
                exploded("name", Utf8View),
                sets(),
                dropped(),
            ],
            Part::Links => vec![
                exploded("linked_trace_id", Binary),
                exploded("linked_span_id", Binary),
                exploded("linked_trace_state", Utf8View),
                exploded("linked_flags", UInt32),
                sets(),
                dropped(),
            ],
        }
    }

    /// The rows of a batch of spans, each repeated for every event or link, and the added columns.
    pub fn explode(self, spans: &RecordBatch) -> Result<(RecordBatch, Vec<ArrayRef>)> {
        let encoded = spans
            .column_by_name(self.source())
            .ok_or_else(|| Error::internal(format!("a scan answered without {}", self.source())))?
            .as_binary::<i32>();
        let mut rows = Vec::new();
        let mut parts = Vec::new();
        for row in (0..encoded.len()).filter(|row| encoded.is_valid(*row)) {
            let before = parts.len();
            parts.extend(self.decode(encoded.value(row))?);
            rows.extend(std::iter::repeat_n(row as u32, parts.len() - before));
        }
        let repeated = take_record_batch(spans, &UInt32Array::from(rows))?;
        Ok((repeated, self.arrays(&parts)))
    }

    fn decode(self, bytes: &[u8]) -> Result<Vec<Row>> {
        Ok(match self {
            Part::Events => decode_events(bytes)?
                .into_iter()
                .map(|event| Row {
                    time_ns: event.time_ns,
                    text: event.name,
                    set: encode(&event.attributes),
                    dropped: event.dropped_attributes_count,
                    ..Row::default()
                })
                .collect(),
            Part::Links => decode_links(bytes)?
                .into_iter()
                .map(|link| Row {
                    trace_id: link.trace_id.0,
                    span_id: link.span_id.0,
                    text: link.trace_state,
                    flags: link.flags,
                    set: encode(&link.attributes),
                    dropped: link.dropped_attributes_count,
                    ..Row::default()
                })
                .collect(),
        })
    }

    fn arrays(self, rows: &[Row]) -> Vec<ArrayRef> {
        let mut texts = StringViewBuilder::new();
        rows.iter().for_each(|row| texts.append_value(&row.text));
        let texts: ArrayRef = Arc::new(texts.finish());
        let sets = sets::one_a_row(rows.iter().map(|row| Some(row.set.as_slice())).collect());
        let dropped: ArrayRef =
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.dropped)));
        match self {
            Part::Events => {
                let times = rows.iter().map(|row| row.time_ns);
                let times = TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC");
                vec![Arc::new(times), texts, sets, dropped]
            }
            Part::Links => vec![
                ids(rows.iter().map(|row| row.trace_id.as_slice())),
                ids(rows.iter().map(|row| row.span_id.as_slice())),
                texts,
                Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.flags))),
                sets,
                dropped,
            ],
        }
    }
}

#[derive(Default)]
struct Row {
    time_ns: i64,
    text: String,
    trace_id: [u8; 16],
    span_id: [u8; 8],
    flags: u32,
    set: Vec<u8>,
    dropped: u32,
}

fn encode(attributes: &[(String, throughline_model::Value)]) -> Vec<u8> {
    attrs::encode(attributes.iter().map(|(key, value)| (key.as_str(), value)))
}
