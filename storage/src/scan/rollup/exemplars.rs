//! Spans that rows of operations point at.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use throughline_model::schema::col;
use throughline_model::{SpanId, TraceId};
use ulid::Ulid;

use super::{SpanRef, tolerate};
use crate::Result;
use crate::scan::plan::Guard;
use crate::scan::trace::read_rows;
use crate::scan::{ScanColumn, ScanContext};
use crate::segment::open::{Meter, Segment};
use crate::segment::spans::column;
use crate::view::View;

/// A span that stands for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExemplarSpan {
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its start.
    pub start_ns: i64,
    /// How long it took.
    pub duration_ns: i64,
}

/// Reads spans that a read of the same view pointed at. A span whose segment is damaged is `None`.
pub fn read_exemplars(
    view: &Arc<View>,
    spans: &[SpanRef],
    context: &ScanContext,
) -> Result<Vec<Option<ExemplarSpan>>> {
    let guard = Guard::new(context);
    let mut groups: BTreeMap<(Option<Ulid>, u32), Vec<u32>> = BTreeMap::new();
    for span in spans {
        groups.entry((span.segment, span.group)).or_default().push(span.row);
    }
    let mut found: BTreeMap<SpanRef, ExemplarSpan> = BTreeMap::new();
    for ((segment, group), mut rows) in groups {
        guard.check()?;
        rows.sort_unstable();
        rows.dedup();
        let batch = match segment {
            None => view.spans.heads.iter().nth(group as usize).cloned(),
            Some(id) => {
                let segment = view.spans.segments.iter().find(|segment| segment.meta.id == id);
                let Some(segment) = segment else { continue };
                tolerate(segment, &guard.stats, read(segment, group, &rows, &guard))?
            }
        };
        let Some(batch) = batch else { continue };
        for (place, row) in rows.iter().enumerate() {
            // A head's batch has all its rows, what was read of a segment only those asked for.
            let at = if segment.is_none() { *row as usize } else { place };
            found.insert(SpanRef { segment, group, row: *row }, spell_out(&batch, at)?);
        }
    }
    Ok(spans.iter().map(|span| found.get(span).copied()).collect())
}

fn read(segment: &Segment, group: u32, rows: &[u32], guard: &Arc<Guard>) -> Result<RecordBatch> {
    let opened = segment.open()?;
    let columns = [col::TRACE_ID, col::SPAN_ID, col::START_TIME, col::DURATION_NS];
    let columns = columns.map(|name| ScanColumn::Fixed(name.to_owned()));
    read_rows(segment, &opened, group as usize, rows, &columns, &Meter::new(guard.clone()))
}

fn spell_out(batch: &RecordBatch, row: usize) -> Result<ExemplarSpan> {
    let id = |name| Ok::<_, crate::Error>(column(batch, name)?.as_fixed_size_binary().value(row));
    let start = column(batch, col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
    Ok(ExemplarSpan {
        trace_id: TraceId::from_slice(id(col::TRACE_ID)?)?,
        span_id: SpanId::from_slice(id(col::SPAN_ID)?)?,
        start_ns: start.value(row),
        duration_ns: column(batch, col::DURATION_NS)?.as_primitive::<Int64Type>().value(row),
    })
}
