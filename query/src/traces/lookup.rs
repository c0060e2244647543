//! A trace by its id.

use throughline_model::TraceId;
use throughline_model::span::{Span, read_spans};
use throughline_model::time::TimeRange;
use throughline_storage::scan;

use super::TraceResult;
use crate::{Engine, Error, ErrorKind, QueryContext, Result};

impl Engine {
    /// Everything stored of a trace; `None` if nothing is. With a range, segments outside it are
    /// not looked at, unless nothing is found in it.
    pub async fn trace(
        &self,
        id: TraceId,
        hint: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Option<TraceResult>> {
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let batches = budget
            .run(async {
                let view = &admitted.view;
                let found = scan::trace_spans(view, id, None, hint, &budget.scan).await?;
                if hint.is_none() || found.iter().any(|batch| batch.num_rows() > 0) {
                    return Ok(found);
                }
                Ok(scan::trace_spans(view, id, None, None, &budget.scan).await?)
            })
            .await?;
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

// Sorts by start and drops spans that were stored twice.
fn collapse(spans: &mut Vec<Span>) {
    spans.sort_by_key(|span| (span.start_time_ns, span.span_id));
    spans.dedup_by(|a, b| a.span_id == b.span_id && format!("{a:?}") == format!("{b:?}"));
}
