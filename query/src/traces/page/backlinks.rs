//! Who links here: spans of other traces whose links name this one.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use futures::TryStreamExt;
use throughline_model::origin::decode_links;
use throughline_model::predicate::{Op, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::time::{HOUR_NS, TimeRange};
use throughline_model::{SpanId, TraceId};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::skeleton::Loaded;
use crate::engine::Admitted;
use crate::{Error, Result};

/// How far around the trace spans that link to it are looked for.
const MARGIN_NS: i64 = HOUR_NS;
/// Spans with links that are looked at.
const SPANS_MAX: usize = 100_000;
/// The most backlinks of one answer.
pub const BACKLINKS_MAX: usize = 1000;

const COLUMNS: [&str; 6] =
    [col::TRACE_ID, col::SPAN_ID, col::SERVICE_NAME, col::NAME, col::START_TIME, col::LINKS];

/// A span that links to this trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Backlink {
    /// Its start, nanoseconds since the epoch.
    pub start_time_ns: i64,
    /// Its trace.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The span of this trace that it links to; it need not be stored.
    pub linked_span_id: SpanId,
}

/// Who links here, as far as was looked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Backlinks {
    /// By start.
    pub links: Vec<Backlink>,
    /// Where was looked: spans that overlap this range.
    pub start_ns: i64,
    /// See `start_ns`.
    pub end_ns: i64,
    /// Spans with links that were looked at.
    pub spans_looked_at: u64,
    /// Whether there are more spans with links, or more backlinks, than the limits let through.
    pub truncated: bool,
}

/// Looks for links to the trace around it.
pub async fn backlinks(admitted: &Admitted, id: TraceId, loaded: &Loaded) -> Result<Backlinks> {
    let range = TimeRange {
        start_ns: loaded.start_ns.saturating_sub(MARGIN_NS),
        end_ns: loaded.end_ns.saturating_add(MARGIN_NS),
    };
    let with_links = Predicate { target: Target::Column(col::LINKS.to_owned()), op: Op::Exists };
    let request = ScanRequest {
        columns: COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
        predicates: vec![with_links],
        time: range,
        order: ScanOrder::NewestFirst, // so that what is cut does not depend on chance
        limit: Some(SPANS_MAX),
    };
    let context = admitted.budget.scan.clone();
    let mut batches = scan::scan_spans(Arc::clone(&admitted.view), request, context);
    let (mut links, mut looked_at) = (Vec::new(), 0);
    while links.len() <= BACKLINKS_MAX
        && let Some(batch) = batches.try_next().await?
    {
        looked_at += batch.num_rows();
        add(&batch, id, &mut links)?;
    }
    let truncated = links.len() > BACKLINKS_MAX || looked_at >= SPANS_MAX;
    links.truncate(BACKLINKS_MAX);
    links.sort_unstable();
    links.dedup();
    Ok(Backlinks {
        links,
        start_ns: range.start_ns,
        end_ns: range.end_ns,
        spans_looked_at: looked_at as u64,
        truncated,
    })
}

fn add(batch: &RecordBatch, id: TraceId, out: &mut Vec<Backlink>) -> Result<()> {
    let column = |name: &str| {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| Error::internal(format!("a scan answered without {name}")))
    };
    let traces = column(col::TRACE_ID)?.as_fixed_size_binary();
    let spans = column(col::SPAN_ID)?.as_fixed_size_binary();
    let starts = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
    let links = column(col::LINKS)?.as_binary::<i32>();
    let (services, names) = (column(col::SERVICE_NAME)?, column(col::NAME)?);
    for row in (0..batch.num_rows()).filter(|row| traces.value(*row) != id.0) {
        let bytes = links.value(row);
        // Nearly all links are to other traces: look for the id before anything is decoded.
        if links.is_null(row) || !bytes.windows(id.0.len()).any(|window| window == id.0) {
            continue;
        }
        for link in decode_links(bytes)?.into_iter().filter(|link| link.trace_id == id) {
            out.push(Backlink {
                start_time_ns: starts.value(row),
                trace_id: TraceId::from_slice(traces.value(row))?,
                span_id: SpanId::from_slice(spans.value(row))?,
                service: dict_str(services.as_ref(), row).to_owned(),
                name: dict_str(names.as_ref(), row).to_owned(),
                linked_span_id: link.span_id,
            });
        }
    }
    Ok(())
}
