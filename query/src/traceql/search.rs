//! Runs a search: newest traces first, and no further than the page asks.
//!
//! ```text
//! scan of candidate traces ► pipeline on each ► newest span of what is left ► the newest `limit`
//!    until no slab that is left can hold a newer one
//! then for the traces of the page: what the index knows of each as a whole, or else all its spans
//! ```

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use hashbrown::HashMap;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};
use throughline_storage::View;
use throughline_storage::scan::{
    ScanColumn, ScanContext, TraceBatch, TraceScan, TraceScanRequest, Wanted,
};

use super::ast::{Field, Pipeline, Query, Root};
use super::eval::Spans;
use super::eval::column::Column;
use super::eval::spansets::{Runner, Spanset, union};
use super::plan::{Needs, Plan, add_fields, named_fields};
use super::{FoundSpan, FoundSpanset, FoundTrace, SearchAnswer, SearchRequest};
use crate::traces::TRACES_PAGE_MAX;
use crate::traces::cursor::Place;
use crate::traces::summary::{self, Summary};
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
        let query = super::compile(&request.query)?;
        let Root::Search(pipeline) = query.root else {
            return Err(Error::invalid(
                "query",
                "this query asks for numbers over time; a search wants spans: leave the metrics \
                 function out, or ask the metrics API",
            ));
        };
        let plan = Plan::new(&pipeline)?;
        let after = request.cursor.as_deref().map(Place::parse).transpose()?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, scan) = (admitted.view.clone(), budget.scan.clone());
        let time = request.time.unwrap_or(TimeRange::ALL);
        let (limit, spans_max) = (request.limit, request.spans_per_spanset);
        let work = budget.scan.tracker.spawn_blocking(move || {
            let search =
                Search { view: &view, scan: &scan, pipeline: &pipeline, plan: &plan, time };
            search.page(after, limit, spans_max)
        });
        let (traces, next) = budget
            .run(async {
                work.await.map_err(|err| Error::internal(format!("a search failed: {err}")))?
            })
            .await?;
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
        let query: Query = super::compile(query)?;
        let Root::Search(pipeline) = query.root else {
            return Err(Error::invalid("query", "a trace is filtered by spans, not by numbers"));
        };
        let plan = Plan::new(&pipeline)?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let (view, scan) = (admitted.view.clone(), budget.scan.clone());
        let work = budget.scan.tracker.spawn_blocking(move || {
            let time = TimeRange::ALL;
            let search =
                Search { view: &view, scan: &scan, pipeline: &pipeline, plan: &plan, time };
            search.matches(id)
        });
        budget
            .run(async {
                work.await.map_err(|err| Error::internal(format!("a search failed: {err}")))?
            })
            .await
    }
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

struct Search<'a> {
    view: &'a Arc<View>,
    scan: &'a ScanContext,
    pipeline: &'a Pipeline,
    plan: &'a Plan,
    time: TimeRange,
}

/// A trace that may be on the page.
struct Candidate {
    place: Place,
    /// Its spansets; those of the traces that the page has room for, once a batch is done with.
    shown: Vec<FoundSpanset>,
    matched: u64,
    /// Where it is in the batch at hand.
    fresh: Option<(usize, Vec<Spanset>)>,
}

impl Search<'_> {
    // The traces of the page, and where it ended if there are more.
    fn page(
        &self,
        after: Option<Place>,
        limit: usize,
        spans_max: usize,
    ) -> Result<(Vec<FoundTrace>, Option<Place>)> {
        let fields = named_fields(self.pipeline);
        let mut request = self.plan.request(self.time, true);
        request.columns = self.shown_columns(&fields);
        let scan = TraceScan::new(self.view, request, self.scan)?;
        let mut found: Vec<Candidate> = Vec::new();
        // One more than asked for tells whether there is a next page.
        let wanted = limit + 1;
        while let Some(bound_ns) = scan.bound_ns() {
            if found.get(limit).is_some_and(|last| last.place.start_ns > bound_ns) {
                break;
            }
            let Some(batch) = scan.next()? else { break };
            let spans = Spans::new(batch);
            let runner = Runner::new(&spans, &self.plan.regexes);
            let starts = spans.starts()?;
            for trace in 0..spans.traces().len() {
                let sets = runner.run(self.pipeline, trace)?;
                let newest = sets.iter().flat_map(|set| &set.rows).map(|row| starts[*row as usize]);
                let Some(start_ns) = newest.max() else { continue };
                let place = Place { start_ns, trace_id: spans.traces()[trace] };
                if after.is_none_or(|after| place.is_after(&after)) {
                    let fresh = Some((trace, sets));
                    found.push(Candidate { place, shown: Vec::new(), matched: 0, fresh });
                }
            }
            found.sort_unstable_by(order);
            found.truncate(wanted);
            for candidate in &mut found {
                let Some((_, sets)) = candidate.fresh.take() else { continue };
                candidate.matched = union(sets.clone()).len() as u64;
                let shown = sets.into_iter().map(|set| shown(&spans, set, &fields, spans_max));
                candidate.shown = shown.collect::<Result<_>>()?;
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().map(|candidate| candidate.place).filter(|_| more);
        Ok((self.with_summaries(&scan, found)?, next))
    }

    // What an answer shows of a span, and what its order takes.
    fn shown_columns(&self, fields: &[Field]) -> Vec<ScanColumn> {
        let mut needs: Needs = self.plan.needs.clone();
        add_fields(&mut needs, fields);
        needs.order();
        [col::NAME, col::SERVICE_NAME, col::DURATION_NS].iter().for_each(|name| needs.column(name));
        needs.columns().to_vec()
    }

    fn with_summaries(&self, scan: &TraceScan, found: Vec<Candidate>) -> Result<Vec<FoundTrace>> {
        let mut unknown = Vec::new();
        let mut traces = Vec::with_capacity(found.len());
        for candidate in found {
            let id = candidate.place.trace_id;
            let facts = scan.facts(id)?;
            if facts.is_none() {
                unknown.push(id);
            }
            let summary = match facts {
                Some(facts) => Summary::of_facts(facts, id, candidate.matched),
                None => Summary::default().finish(id, candidate.matched),
            };
            traces.push(FoundTrace { summary, spansets: candidate.shown });
        }
        let mut read = self.summaries(&unknown)?;
        for trace in &mut traces {
            if let Some(summary) = read.remove(&trace.summary.trace_id) {
                trace.summary = summary.finish(trace.summary.trace_id, trace.summary.matched_spans);
            }
        }
        Ok(traces)
    }

    fn summaries(&self, ids: &[TraceId]) -> Result<HashMap<TraceId, Summary>> {
        let mut found = HashMap::with_capacity(ids.len());
        self.each_batch(ids, summary::columns(), false, &mut |whole| {
            let mut rows = vec![Vec::new(); whole.traces.len()];
            for (row, trace) in whole.trace_of_row.iter().enumerate() {
                rows[*trace as usize].push(row);
            }
            for (id, rows) in whole.traces.iter().zip(rows) {
                let mut summary = Summary::default();
                summary.add_rows(&whole.rows, rows.into_iter())?;
                found.insert(*id, summary);
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn matches(&self, id: TraceId) -> Result<Vec<SpanId>> {
        let mut found = Vec::new();
        let columns = self.shown_columns(&[]);
        self.each_batch(&[id], columns, self.plan.needs.structure, &mut |whole| {
            let spans = Spans::new(whole);
            let runner = Runner::new(&spans, &self.plan.regexes);
            for trace in 0..spans.traces().len() {
                let mut rows = union(runner.run(self.pipeline, trace)?);
                spans.sort(&mut rows)?;
                for row in rows {
                    found.push(SpanId(spans.span_id(row)?.to_be_bytes()));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    // All that is stored of some traces.
    fn each_batch(
        &self,
        ids: &[TraceId],
        columns: Vec<ScanColumn>,
        structure: bool,
        visit: &mut dyn FnMut(TraceBatch) -> Result<()>,
    ) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let operands = ids.iter().map(|id| Operand::Bytes(id.0.to_vec())).collect();
        let target = Target::Column(col::TRACE_ID.to_owned());
        let request = TraceScanRequest {
            columns,
            time: TimeRange::ALL,
            leaves: vec![vec![Predicate { target, op: Op::In(operands) }]],
            traces: Wanted::Leaf(0),
            whole: true,
            structure,
            together: true,
            named: true,
        };
        let scan = TraceScan::new(self.view, request, self.scan)?;
        while let Some(batch) = scan.next()? {
            visit(batch)?;
        }
        Ok(())
    }
}

fn order(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    let (a, b) = (a.place, b.place);
    (b.start_ns, a.trace_id).cmp(&(a.start_ns, b.trace_id))
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
        let value = |(name, column): &(String, std::rc::Rc<Column>)| {
            let value = column.get(at);
            (!value.is_nil()).then(|| (name.clone(), value.shown()))
        };
        Ok(FoundSpan {
            span_id: SpanId(spans.span_id(*row)?.to_be_bytes()),
            name: dict_str(names.as_ref(), at).to_owned(),
            service: dict_str(services.as_ref(), at).to_owned(),
            start_time_ns: starts[at],
            duration_ns: durations[at],
            attributes: columns.iter().filter_map(value).collect(),
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
