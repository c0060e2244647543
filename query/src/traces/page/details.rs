//! Single spans of a trace, whole.

use std::sync::Arc;

use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::{self, col};
use throughline_model::span::read_spans;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use crate::traces::{TraceResult, lookup};
use crate::{Engine, Error, QueryContext, Result};

/// The most spans whose details one request may ask for.
pub const DETAILS_MAX: usize = 1000;

impl Engine {
    /// Everything stored of some spans of a trace, by start; spans that are not there are left out. The
    /// range is a hint: what is not within an hour of it is looked for everywhere.
    pub async fn trace_details(
        &self,
        id: TraceId,
        spans: &[SpanId],
        hint: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<TraceResult> {
        if spans.is_empty() || spans.len() > DETAILS_MAX {
            return Err(Error::invalid(
                "span_id",
                format!("{} span ids, allowed are 1 to {DETAILS_MAX}", spans.len()),
            ));
        }
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let bytes = |id: &[u8]| Operand::Bytes(id.to_vec());
        let column = |name: &str, op| Predicate { target: Target::Column(name.to_owned()), op };
        let ids = spans.iter().map(|span| bytes(&span.0)).collect();
        let predicates =
            vec![column(col::TRACE_ID, Op::Eq(bytes(&id.0))), column(col::SPAN_ID, Op::In(ids))];
        let near = hint.map(|hint| lookup::around(hint.start_ns, hint.end_ns));
        let mut found = Vec::new();
        for time in near.into_iter().chain([TimeRange::ALL]) {
            let request = ScanRequest {
                columns: columns(),
                predicates: predicates.clone(),
                time,
                order: ScanOrder::Any,
                limit: Some(budget.rows_max),
            };
            found.clear();
            let mut batches =
                scan::scan_spans(Arc::clone(&admitted.view), request, budget.scan.clone());
            while let Some(batch) = budget.run(async { Ok(batches.try_next().await?) }).await? {
                found.extend(read_spans(&batch)?);
            }
            let is_there = |id: &SpanId| found.iter().any(|span| span.span_id == *id);
            if spans.iter().all(is_there) {
                break;
            }
        }
        lookup::collapse(&mut found);
        budget.stats.add_rows(found.len());
        Ok(TraceResult { spans: found, stats: budget.stats.snapshot() })
    }
}

fn columns() -> Vec<ScanColumn> {
    let fields = schema::spans();
    let column = |name: &String| match name.as_str() {
        col::ATTRIBUTES => ScanColumn::Attributes,
        name => ScanColumn::Fixed(name.to_owned()),
    };
    fields.fields().iter().map(|field| column(field.name())).collect()
}
