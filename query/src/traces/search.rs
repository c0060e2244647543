//! Trace search, newest first, page by page.
//!
//! ```text
//! scan of traces with a matching span (trace id and start of these spans; rows that do not meet tags
//!   are dropped here) → place and number of matching spans of each trace → pager
//! ```

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::TimestampNanosecondType;
use throughline_model::TraceId;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{TraceBatch, TraceScan, TraceScanRequest, Wanted};

use super::cursor::Place;
use super::pager::{self, Page};
use super::tags::Beyond;
use super::{TRACES_PAGE_MAX, TracePage, TraceSearch};
use crate::{Engine, Error, QueryContext, Result};

impl Engine {
    /// A page of the traces that have a matching span.
    pub async fn search_traces(
        &self,
        search: &TraceSearch,
        ctx: &QueryContext,
    ) -> Result<TracePage> {
        check(search)?;
        let after = search.cursor.as_deref().map(Place::parse).transpose()?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let beyond = Beyond { tags: search.tags.clone(), test: search.test.clone() };
        let request = TraceScanRequest {
            columns: beyond.columns(),
            time: search.time.unwrap_or(TimeRange::ALL),
            leaves: vec![conditions(search)],
            traces: Wanted::Leaf(0),
            whole: false,
            structure: false,
            together: true,
            named: true,
        };
        let (view, context) = (admitted.view.clone(), budget.scan.clone());
        let look = move |batch: TraceBatch, page: &Page<u64>| {
            let places = places(&beyond, batch)?;
            let (places, matched): (Vec<_>, Vec<_>) = places.into_iter().unzip();
            let kept = page.sift(&places).into_iter();
            Ok(kept.map(|at| (places[at], matched[at])).collect())
        };
        let found = async {
            let on = view.clone();
            let start = move || Ok(Arc::new(TraceScan::new(&on, request, &context)?));
            let scan = pager::off_the_workers(budget, start).await?;
            let place = (after, search.limit);
            let (found, next) =
                pager::page(budget, scan.clone(), self.parallelism(), place, look).await?;
            let traces = found.iter().map(|(place, matched)| (place.trace_id, *matched)).collect();
            Ok((pager::summaries(budget, view, scan, traces).await?, next))
        };
        let (traces, next) = budget.run(found).await?;
        budget.stats.add_rows(traces.len());
        let next = next.map(|place| place.cursor());
        Ok(TracePage { traces, next, stats: budget.stats.snapshot() })
    }
}

fn check(search: &TraceSearch) -> Result<()> {
    if search.limit == 0 || search.limit > TRACES_PAGE_MAX {
        return Err(Error::invalid(
            "limit",
            format!("limit is {}, allowed are 1 to {TRACES_PAGE_MAX}", search.limit),
        ));
    }
    check_range(search)
}

/// Refuses durations that no span can have.
pub(super) fn check_range(search: &TraceSearch) -> Result<()> {
    if let (Some(min), Some(max)) = (search.min_duration_ns, search.max_duration_ns)
        && min > max
    {
        return Err(Error::invalid(
            "min_duration",
            format!("the least duration, {min} ns, is above the greatest, {max} ns"),
        ));
    }
    Ok(())
}

fn column(name: &str, op: Op) -> Predicate {
    Predicate { target: Target::Column(name.to_owned()), op }
}

fn one_of(name: &str, texts: &[String]) -> Option<Predicate> {
    let operands = texts.iter().cloned().map(Operand::Str).collect::<Vec<_>>();
    (!operands.is_empty()).then(|| column(name, Op::In(operands)))
}

/// What a span must meet besides its start.
fn conditions(search: &TraceSearch) -> Vec<Predicate> {
    let mut all = search.filters.clone();
    all.extend(one_of(col::SERVICE_NAME, &search.services));
    all.extend(one_of(col::NAME, &search.operations));
    let int = |name, op: fn(Operand) -> Op, value| column(name, op(Operand::Int(value)));
    all.extend(search.min_duration_ns.map(|min| int(col::DURATION_NS, Op::Ge, min)));
    all.extend(search.max_duration_ns.map(|max| int(col::DURATION_NS, Op::Le, max)));
    all.extend(search.status.map(|status| int(col::STATUS_CODE, Op::Eq, status as i64)));
    all
}

/// What a span must meet. The range of time is about starts, where a scan's own is about overlaps.
pub(super) fn predicates(search: &TraceSearch) -> Vec<Predicate> {
    let mut all = conditions(search);
    let int = |name, op: fn(Operand) -> Op, value| column(name, op(Operand::Int(value)));
    if let Some(time) = search.time {
        all.push(int(col::START_TIME, Op::Ge, time.start_ns));
        if time.end_ns != i64::MAX {
            all.push(int(col::START_TIME, Op::Lt, time.end_ns));
        }
    }
    all
}

// The newest matching start of each trace of a batch, and how many spans match.
fn places(beyond: &Beyond, batch: TraceBatch) -> Result<Vec<(Place, u64)>> {
    let TraceBatch { rows, traces, trace_of_row, .. } = batch;
    let met = beyond.met(&rows)?;
    let starts = rows
        .column_by_name(col::START_TIME)
        .ok_or_else(|| Error::internal("a scan answered without start_time"))?
        .as_primitive::<TimestampNanosecondType>()
        .values();
    let mut newest: Vec<Option<(i64, u64)>> = vec![None; traces.len()];
    for (row, trace) in trace_of_row.iter().enumerate() {
        if met.as_ref().is_none_or(|met| met[row]) {
            let (newest_ns, spans) = newest[*trace as usize].get_or_insert((i64::MIN, 0));
            *newest_ns = (*newest_ns).max(starts[row]);
            *spans += 1;
        }
    }
    let place = |(id, newest): (&TraceId, Option<(i64, u64)>)| {
        let (start_ns, spans) = newest?;
        Some((Place { start_ns, trace_id: *id }, spans))
    };
    Ok(traces.iter().zip(newest).filter_map(place).collect())
}
