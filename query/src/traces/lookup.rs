//! A trace by its id.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use throughline_model::TraceId;
use throughline_model::schema::col;
use throughline_model::span::{Span, read_spans};
use throughline_model::time::{HOUR_NS, TimeRange};
use throughline_storage::View;
use throughline_storage::scan::{self, ScanColumn, ScanContext};

use super::TraceResult;
use crate::{Engine, Error, ErrorKind, QueryContext, Result};

/// How far from a span of a trace its other spans are looked for when there is a hint; a span that
/// is further from all others is missed, which is the price of not asking every segment.
const HINT_MARGIN_NS: i64 = HOUR_NS;
/// How often the range of a hint is widened before everything is looked at.
const WIDENINGS_MAX: usize = 4;

impl Engine {
    /// Everything stored of a trace; `None` if nothing is. A range is a hint where to begin: the
    /// look goes on around every span that it finds, [`HINT_MARGIN_NS`] to both sides, and
    /// everywhere if it finds none.
    pub async fn trace(
        &self,
        id: TraceId,
        hint: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Option<TraceResult>> {
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let batches = budget.run(find(&admitted.view, id, None, hint, &budget.scan)).await?;
        let rows = batches.iter().map(|batch| batch.num_rows()).sum::<usize>();
        if rows > budget.rows_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("trace {id} has {rows} spans, rows_max is {}", budget.rows_max),
            ));
        }
        let mut spans = Vec::with_capacity(rows);
        for batch in &batches {
            spans.extend(read_spans(batch)?);
        }
        collapse(&mut spans);
        let found = budget.stats.add_rows(spans.len()) > 0;
        let stats = budget.stats.snapshot();
        // Nothing found is an answer only if everything could be read.
        Ok((found || !stats.scan.partial.is_empty()).then_some(TraceResult { spans, stats }))
    }
}

/// Reads the range, and a wider one for as long as spans are found near its edges: all columns, or
/// those asked for, starts and durations among them.
pub(super) async fn find(
    view: &Arc<View>,
    id: TraceId,
    columns: Option<Vec<ScanColumn>>,
    hint: Option<TimeRange>,
    context: &ScanContext,
) -> Result<Vec<RecordBatch>> {
    let mut range = hint.map(|hint| around(hint.start_ns, hint.end_ns));
    for _ in 0..WIDENINGS_MAX {
        let Some(looked) = range else { break };
        let found = scan::trace_spans(view, id, columns.clone(), Some(looked), context).await?;
        let Some((first_ns, last_ns)) = extent(&found)? else { break };
        let wanted = around(first_ns, last_ns);
        if looked.start_ns <= wanted.start_ns && wanted.end_ns <= looked.end_ns {
            return Ok(found);
        }
        range = Some(TimeRange {
            start_ns: looked.start_ns.min(wanted.start_ns),
            end_ns: looked.end_ns.max(wanted.end_ns),
        });
    }
    Ok(scan::trace_spans(view, id, columns, None, context).await?)
}

/// A range with [`HINT_MARGIN_NS`] to both sides.
pub(super) fn around(first_ns: i64, last_ns: i64) -> TimeRange {
    TimeRange {
        start_ns: first_ns.saturating_sub(HINT_MARGIN_NS),
        end_ns: last_ns.saturating_add(HINT_MARGIN_NS),
    }
}

// The earliest start and the latest end of the spans.
fn extent(batches: &[RecordBatch]) -> Result<Option<(i64, i64)>> {
    let missing = || Error::internal("a trace was read without its times");
    let mut all: Option<(i64, i64)> = None;
    for batch in batches {
        let starts = batch.column_by_name(col::START_TIME).ok_or_else(missing)?;
        let starts = starts.as_primitive::<TimestampNanosecondType>().values();
        let durations = batch.column_by_name(col::DURATION_NS).ok_or_else(missing)?;
        let durations = durations.as_primitive::<Int64Type>().values();
        for (start_ns, duration_ns) in starts.iter().zip(durations) {
            let end_ns = start_ns.saturating_add((*duration_ns).max(0));
            let (first_ns, last_ns) = all.unwrap_or((*start_ns, end_ns));
            all = Some((first_ns.min(*start_ns), last_ns.max(end_ns)));
        }
    }
    Ok(all)
}

/// Sorts by start and drops spans that were stored twice. Of one id there may be others in between.
pub(super) fn collapse(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.start_time_ns, span.span_id));
    let mut group = None;
    let mut seen = HashSet::new();
    let key = |span: &Span| (span.start_time_ns, span.span_id);
    if spans.is_sorted_by(|a, b| key(a) < key(b)) {
        return;
    }
    spans.retain(|span| {
        if group.replace(key(span)) != Some(key(span)) {
            seen.clear();
        }
        seen.insert(content(span))
    });
}

// What a span says; the order of its attributes says nothing.
fn content(span: &Span) -> String {
    let mut attributes = span.attributes.iter().collect::<Vec<_>>();
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    let plain = Span { attributes: Vec::new(), ..span.clone() };
    format!("{plain:?}{attributes:?}")
}
