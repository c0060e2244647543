//! Runs a search: the pipeline on each candidate trace, whose place on the page is that of the newest
//! span that is left (see `traces::pager`).

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId, Value};
use throughline_storage::View;
use throughline_storage::scan::{ScanContext, TraceBatch, TraceScan};

use super::ast::{Field, MetricsExpr, Pipeline, Query, Root};
use super::eval::Spans;
use super::eval::spansets::{Runner, Spanset, union};
use super::lex::error;
use super::plan::{Plan, add_fields, named_fields};
use super::{FoundSpan, FoundSpanset, FoundTrace, SearchAnswer, SearchRequest, rewrite};
use crate::traces::TRACES_PAGE_MAX;
use crate::traces::cursor::Place;
use crate::traces::pager::{self, Page};
use crate::{Engine, Error, QueryContext, Result};

/// The most spans that a spanset lists.
pub const SPANS_PER_SPANSET_MAX: usize = 10_000;

impl Engine {
    /// A page of the traces in which a TraceQL query finds something.
    pub async fn traceql_search(
        &self,
        request: &SearchRequest,
        ctx: &QueryContext,
    ) -> Result<SearchAnswer> {
        check(request)?;
        let query = super::compile_text(&request.query)?;
        let mut pipeline = match query.root {
            Root::Search(pipeline) => pipeline,
            Root::Metrics(expr) => {
                return Err(error(
                    function_start(&expr),
                    "this query asks for numbers over time; a search wants spans: leave the metrics \
                     function out, or ask the metrics API",
                ));
            }
        };
        let fields = named_fields(&pipeline);
        rewrite::in_pipeline(&mut pipeline);
        let plan = planned(&pipeline, &fields)?;
        let after = request.cursor.as_deref().map(Place::parse).transpose()?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, context) = (admitted.view.clone(), budget.scan.clone());
        let scan_request = plan.request(request.time.unwrap_or(TimeRange::ALL), true);
        let search = async {
            let on = view.clone();
            let start = move || Ok(Arc::new(TraceScan::new(&on, scan_request, &context)?));
            let scan = pager::off_the_workers(budget, start).await?;
            let (spans_max, limit) = (request.spans_per_spanset, request.limit);
            let look = move |batch, page: &Page<Shown>| {
                look(&pipeline, &plan, (&fields, spans_max), batch, page)
            };
            let workers = self.parallelism();
            let (found, next) =
                pager::page(budget, scan.clone(), workers, (after, limit), look).await?;
            let traces = found.iter().map(|(place, shown)| (place.trace_id, shown.matched));
            let summaries = pager::summaries(budget, view, scan, traces.collect()).await?;
            let shown = found.into_iter().map(|(_, shown)| shown.spansets);
            let traces = summaries.into_iter().zip(shown);
            let trace = |(summary, spansets)| FoundTrace { summary, spansets };
            Ok((traces.map(trace).collect::<Vec<_>>(), next))
        };
        let (traces, next) = budget.run(search).await?;
        budget.stats.add_rows(traces.len());
        let next = next.map(|place: Place| place.cursor());
        Ok(SearchAnswer { traces, next, stats: budget.stats.snapshot() })
    }

    /// The spans of one trace that a TraceQL query leaves, by start.
    pub async fn traceql_matches(
        &self,
        id: TraceId,
        query: &str,
        ctx: &QueryContext,
    ) -> Result<Vec<SpanId>> {
        let query: Query = super::compile_text(query)?;
        let mut pipeline = match query.root {
            Root::Search(pipeline) => pipeline,
            Root::Metrics(expr) => {
                let message = "a trace is filtered by spans, not by numbers";
                return Err(error(function_start(&expr), message));
            }
        };
        rewrite::in_pipeline(&mut pipeline);
        let plan = planned(&pipeline, &[])?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, scan) = (admitted.view.clone(), budget.scan.clone());
        let work = move || matches(&view, &scan, (&pipeline, &plan), id);
        budget.run(pager::off_the_workers(budget, work)).await
    }
}

// Where the first function of an expression stands.
fn function_start(expr: &MetricsExpr) -> usize {
    match expr {
        MetricsExpr::Query(query) => query.place.start,
        MetricsExpr::Scalar(_) => usize::MAX,
        MetricsExpr::Binary { left, right, .. } => function_start(left).min(function_start(right)),
        MetricsExpr::Negate(inner) | MetricsExpr::Staged { input: inner, .. } => {
            function_start(inner)
        }
    }
}

// The plan of a pipeline with what an answer shows of a span.
fn planned(pipeline: &Pipeline, fields: &[Field]) -> Result<Plan> {
    let mut plan = Plan::new(pipeline)?;
    add_fields(&mut plan.needs, fields);
    plan.needs.order();
    [col::NAME, col::SERVICE_NAME, col::DURATION_NS]
        .iter()
        .for_each(|name| plan.needs.column(name));
    Ok(plan)
}

fn check(request: &SearchRequest) -> Result<()> {
    if request.limit == 0 || request.limit > TRACES_PAGE_MAX {
        return Err(Error::invalid(
            "limit",
            format!("limit is {}, allowed are 1 to {TRACES_PAGE_MAX}", request.limit),
        ));
    }
    if request.spans_per_spanset > SPANS_PER_SPANSET_MAX {
        return Err(Error::invalid(
            "spans_per_spanset",
            format!(
                "spans_per_spanset is {}, allowed are 0 to {SPANS_PER_SPANSET_MAX}",
                request.spans_per_spanset
            ),
        ));
    }
    Ok(())
}

/// What the page shows of a trace.
struct Shown {
    spansets: Vec<FoundSpanset>,
    matched: u64,
}

// The traces of a batch in which the pipeline leaves something, as far as the page has room.
fn look(
    pipeline: &Pipeline,
    plan: &Plan,
    (fields, spans_max): (&[Field], usize),
    batch: TraceBatch,
    page: &Page<Shown>,
) -> Result<Vec<(Place, Shown)>> {
    let spans = Spans::new(batch);
    let runner = Runner::new(&spans, &plan.regexes);
    let starts = spans.starts()?;
    let (mut places, mut left) = (Vec::new(), Vec::new());
    for trace in 0..spans.traces().len() {
        let sets = runner.run(pipeline, trace)?;
        let newest = sets.iter().flat_map(|set| &set.rows).map(|row| starts[*row as usize]).max();
        if let Some(start_ns) = newest {
            places.push(Place { start_ns, trace_id: spans.traces()[trace] });
            left.push(sets);
        }
    }
    let show = |at: usize| {
        let sets: Vec<Spanset> = std::mem::take(&mut left[at]);
        let matched = union(sets.clone()).len() as u64;
        let spansets = sets.into_iter().map(|set| shown(&spans, set, fields, spans_max));
        Ok((places[at], Shown { spansets: spansets.collect::<Result<_>>()?, matched }))
    };
    page.sift(&places).into_iter().map(show).collect()
}

// The spans of a trace that a pipeline leaves, by start.
fn matches(
    view: &View,
    scan: &ScanContext,
    (pipeline, plan): (&Pipeline, &Plan),
    id: TraceId,
) -> Result<Vec<SpanId>> {
    let mut found = Vec::new();
    let columns = (plan.needs.columns().to_vec(), plan.needs.structure);
    pager::each_whole_batch(view, scan, &[id], columns, &mut |whole| {
        let spans = Spans::new(whole);
        let runner = Runner::new(&spans, &plan.regexes);
        for trace in 0..spans.traces().len() {
            let mut rows = union(runner.run(pipeline, trace)?);
            spans.sort(&mut rows)?;
            for row in rows {
                found.push(SpanId(spans.span_id(row)?.to_be_bytes()));
            }
        }
        Ok(())
    })?;
    Ok(found)
}

fn shown(
    spans: &Spans,
    mut set: Spanset,
    fields: &[Field],
    spans_max: usize,
) -> Result<FoundSpanset> {
    let matched = set.rows.len() as u64;
    spans.sort(&mut set.rows)?;
    set.rows.truncate(spans_max);
    let columns = fields.iter().map(|field| Ok((shown_name(field), spans.column(field)?)));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let starts = spans.starts()?;
    let (names, services) = (spans.array(col::NAME)?, spans.array(col::SERVICE_NAME)?);
    let durations = spans.array(col::DURATION_NS)?.as_primitive::<Int64Type>().values();
    let listed = set.rows.iter().map(|row| {
        let at = *row as usize;
        // Two fields may be shown under one name: the first that has a value is.
        let mut attributes: Vec<(String, Value)> = Vec::with_capacity(columns.len());
        for (name, column) in &columns {
            let value = column.get(at);
            if !value.is_nil() && attributes.iter().all(|(known, _)| known != name) {
                attributes.push((name.clone(), value.shown()));
            }
        }
        Ok(FoundSpan {
            span_id: SpanId(spans.span_id(*row)?.to_be_bytes()),
            name: dict_str(names.as_ref(), at).to_owned(),
            service: dict_str(services.as_ref(), at).to_owned(),
            start_time_ns: starts[at],
            duration_ns: durations[at],
            attributes,
        })
    });
    let listed = listed.collect::<Result<Vec<_>>>()?;
    Ok(FoundSpanset { matched, attributes: set.attributes, spans: listed })
}

// Attributes by their key alone, as people know them; everything else as it is written.
fn shown_name(field: &Field) -> String {
    match field {
        Field::Attribute { parent: false, name, .. } => name.clone(),
        Field::Attribute { parent: true, name, .. } => format!("parent.{name}"),
        field => field.to_string(),
    }
}
