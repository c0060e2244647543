//! What TraceQL means, in the most obvious way: row by row over all spans, without columns, storage
//! or haste, after `docs/traceql.md`. It shares nothing with the engine but the tree of a query, the
//! types of the answers and the buckets of distributions.

mod compare;
mod fields;
mod metrics;
mod spansets;
mod trace;
mod value;

use std::collections::{BTreeSet, HashMap};

pub use metrics::{Sample, metrics};
use throughline_model::span::Span;
use throughline_model::time::TimeRange;
use throughline_query::traceql::ast::{Field, Query, Root, Static};
use throughline_query::traceql::{FoundSpan, FoundSpanset, FoundTrace};
use throughline_query::traces::{ServiceCount, TraceSummary};
use trace::Trace;

/// Every trace that a search finds, in the order of the pages.
pub fn search(
    spans: &[Span],
    query: &Query,
    time: Option<TimeRange>,
    spans_per_spanset: usize,
) -> Vec<FoundTrace> {
    let Root::Search(pipeline) = &query.root else { panic!("no search: {query:?}") };
    let listed = fields::listed(pipeline);
    let whole = trace::traces(spans, None);
    let mut found = Vec::new();
    for trace in trace::traces(spans, time) {
        let sets = trace.pipeline(pipeline);
        let rows = sets.iter().flat_map(|set| &set.rows).collect::<BTreeSet<_>>();
        let Some(newest_ns) = rows.iter().map(|row| trace.spans[**row].start_time_ns).max() else {
            continue;
        };
        let spansets = sets
            .iter()
            .map(|set| FoundSpanset {
                matched: set.rows.len() as u64,
                attributes: set
                    .records
                    .iter()
                    .map(|(name, val)| (name.clone(), val.shown()))
                    .collect(),
                spans: set
                    .rows
                    .iter()
                    .take(spans_per_spanset)
                    .map(|row| found_span(&trace, *row, &listed))
                    .collect(),
            })
            .collect();
        let summary = summary(&whole, &trace, rows.len() as u64);
        found.push((-newest_ns, FoundTrace { summary, spansets }));
    }
    found.sort_by_key(|(newest, found)| (*newest, found.summary.trace_id));
    found.into_iter().map(|(_, found)| found).collect()
}

fn found_span(trace: &Trace<'_>, row: usize, listed: &[fields::Listed]) -> FoundSpan {
    let span = trace.spans[row];
    let mut attributes: Vec<(String, throughline_model::Value)> = Vec::new();
    for (name, field) in listed {
        let val = trace.field(row, field);
        if !val.is_nil() && !attributes.iter().any(|(known, _)| known == name) {
            attributes.push((name.clone(), val.shown()));
        }
    }
    FoundSpan {
        span_id: span.span_id,
        name: span.name.clone(),
        service: span.service_name.clone(),
        start_time_ns: span.start_time_ns,
        duration_ns: span.duration_ns,
        attributes,
    }
}

// Of the whole trace, also where the range holds only a part.
fn summary(whole: &[Trace<'_>], found: &Trace<'_>, matched_spans: u64) -> TraceSummary {
    let whole = whole.iter().find(|trace| trace.id == found.id);
    let spans = &whole.expect("the trace").spans;
    let is_error = |span: &&&Span| span.status_code == 2;
    let head = spans.iter().find(|span| span.parent_span_id.is_none());
    let start_time_ns = spans[0].start_time_ns;
    let ends = spans.iter().map(|span| span.start_time_ns + span.duration_ns.max(0));
    let mut counts = HashMap::<&str, (u64, u64)>::new();
    for span in spans {
        let counts = counts.entry(&span.service_name).or_default();
        *counts = (counts.0 + 1, counts.1 + u64::from(is_error(&span)));
    }
    let mut services = counts
        .into_iter()
        .map(|(name, (span_count, error_count))| ServiceCount {
            name: name.to_owned(),
            span_count,
            error_count,
        })
        .collect::<Vec<_>>();
    services.sort_by_key(|service| (u64::MAX - service.span_count, service.name.clone()));
    TraceSummary {
        trace_id: found.id,
        root_service: head.unwrap_or(&spans[0]).service_name.clone(),
        root_operation: head.unwrap_or(&spans[0]).name.clone(),
        has_root: head.is_some(),
        start_time_ns,
        duration_ns: ends.max().expect("spans") - start_time_ns,
        span_count: spans.len() as u64,
        error_count: spans.iter().filter(is_error).count() as u64,
        orphan_count: spans
            .iter()
            .filter_map(|span| span.parent_span_id)
            .filter(|parent| spans.iter().all(|span| span.span_id != *parent))
            .count() as u64,
        matched_spans,
        services,
    }
}

/// The values that a field has, one a span or an element, as far as a query can name them.
pub fn values(spans: &[Span], field: &Field) -> Vec<Static> {
    let mut all = Vec::new();
    for trace in trace::traces(spans, None) {
        for row in 0..trace.spans.len() {
            all.extend(trace.field(row, field).literals());
        }
    }
    all
}
