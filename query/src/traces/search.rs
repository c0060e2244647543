//! Trace search, newest first, page by page.
//!
//! ```text
//! scan newest first (trace id and start of matching spans; rows that do not meet tags are dropped
//!   here) → groups of equal start → candidates
//!   → count the matching spans of the candidates → drop those whose newest one is on a page before
//!   → read the spans of each → summaries
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use throughline_model::TraceId;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::scan::{self, ScanContext, ScanOrder, ScanRequest};

use super::cursor::Place;
use super::summary::{self, Summary};
use super::tags::Beyond;
use super::{TRACES_PAGE_MAX, TracePage, TraceSearch, TraceSummary};
use crate::{Engine, Error, QueryContext, Result};

/// Traces that are read at once.
const SUMMARIES_AT_ONCE: usize = 4;

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
        let walk = Walk {
            view: &admitted.view,
            scan: &budget.scan,
            predicates: predicates(search),
            beyond: Beyond { tags: search.tags.clone(), test: search.test.clone() },
            time: search.time.unwrap_or(TimeRange::ALL),
            after,
        };
        let (traces, next) = budget.run(walk.page(search.limit)).await?;
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

/// What a span must meet. The range of time is about starts, where a scan's own is about overlaps.
pub(super) fn predicates(search: &TraceSearch) -> Vec<Predicate> {
    let mut all = search.filters.clone();
    all.extend(one_of(col::SERVICE_NAME, &search.services));
    all.extend(one_of(col::NAME, &search.operations));
    let int = |name, op: fn(Operand) -> Op, value| column(name, op(Operand::Int(value)));
    all.extend(search.min_duration_ns.map(|min| int(col::DURATION_NS, Op::Ge, min)));
    all.extend(search.max_duration_ns.map(|max| int(col::DURATION_NS, Op::Le, max)));
    all.extend(search.status.map(|status| int(col::STATUS_CODE, Op::Eq, status as i64)));
    if let Some(time) = search.time {
        all.push(int(col::START_TIME, Op::Ge, time.start_ns));
        if time.end_ns != i64::MAX {
            all.push(int(col::START_TIME, Op::Lt, time.end_ns));
        }
    }
    all
}

// One search under way.
struct Walk<'a> {
    view: &'a Arc<View>,
    scan: &'a ScanContext,
    predicates: Vec<Predicate>,
    beyond: Beyond,
    time: TimeRange,
    after: Option<Place>,
}

// What matches in a trace.
#[derive(Clone, Copy)]
struct Matched {
    newest_ns: i64,
    spans: u64,
}

impl Walk<'_> {
    async fn page(&self, limit: usize) -> Result<(Vec<TraceSummary>, Option<Place>)> {
        let mut candidates = Candidates::new(self.newest_first());
        let mut page: Vec<(Place, Matched)> = Vec::new();
        // One more than asked for tells whether there is a next page.
        while page.len() <= limit {
            let found = candidates.next(limit + 1 - page.len()).await?;
            if found.is_empty() {
                break;
            }
            let matched = self.matched(&found).await?;
            for place in found {
                // A trace is on the page of its newest match; here it may be seen by an older one.
                match matched.get(&place.trace_id) {
                    Some(all) if all.newest_ns == place.start_ns => page.push((place, *all)),
                    _ => {}
                }
            }
        }
        let more = page.len() > limit;
        page.truncate(limit);
        let next = page.last().filter(|_| more).map(|(place, _)| *place);
        let traces = stream::iter(page)
            .map(|(place, matched)| self.summary(place.trace_id, matched))
            .buffered(SUMMARIES_AT_ONCE)
            .try_collect()
            .await?;
        Ok((traces, next))
    }

    // Trace id and start of matching spans that are not wholly before the page.
    fn newest_first(&self) -> BoxStream<'static, Result<Vec<Place>>> {
        let mut predicates = self.predicates.clone();
        let mut time = self.time;
        if let Some(after) = self.after {
            predicates.push(column(col::START_TIME, Op::Le(Operand::Int(after.start_ns))));
            time.end_ns = time.end_ns.min(after.start_ns.saturating_add(1));
        }
        let (after, beyond) = (self.after, self.beyond.clone());
        let request = self.request(predicates, time, ScanOrder::NewestFirst);
        scan::scan_spans(self.view.clone(), request, self.scan.clone())
            .map(move |batch| {
                let mut places = places(&beyond.retain(batch?)?)?;
                places.retain(|place| after.is_none_or(|after| place.is_after(&after)));
                Ok(places)
            })
            .boxed()
    }

    fn request(
        &self,
        predicates: Vec<Predicate>,
        time: TimeRange,
        order: ScanOrder,
    ) -> ScanRequest {
        let columns = self.beyond.columns();
        ScanRequest { columns, predicates, time, order, limit: None }
    }

    // Everything that matches in these traces, on whatever page.
    async fn matched(&self, found: &[Place]) -> Result<HashMap<TraceId, Matched>> {
        let mut predicates = self.predicates.clone();
        let ids = found.iter().map(|place| Operand::Bytes(place.trace_id.0.to_vec())).collect();
        predicates.push(column(col::TRACE_ID, Op::In(ids)));
        let request = self.request(predicates, self.time, ScanOrder::Any);
        let mut rows = scan::scan_spans(self.view.clone(), request, self.scan.clone());
        let mut matched = HashMap::<TraceId, Matched>::new();
        while let Some(batch) = rows.try_next().await? {
            for place in places(&self.beyond.retain(batch)?)? {
                let first = Matched { newest_ns: place.start_ns, spans: 0 };
                let all = matched.entry(place.trace_id).or_insert(first);
                all.newest_ns = all.newest_ns.max(place.start_ns);
                all.spans += 1;
            }
        }
        Ok(matched)
    }

    async fn summary(&self, trace_id: TraceId, matched: Matched) -> Result<TraceSummary> {
        let columns = Some(summary::columns());
        let batches = scan::trace_spans(self.view, trace_id, columns, None, self.scan).await?;
        let mut summary = Summary::default();
        batches.iter().try_for_each(|batch| summary.add(batch))?;
        Ok(summary.finish(trace_id, matched.spans))
    }
}

// Traces in the order of pages, each once.
struct Candidates {
    rows: BoxStream<'static, Result<Vec<Place>>>,
    seen: HashSet<TraceId>,
    ready: Vec<Place>,
    // New traces of the start that rows are at: more may follow, and they sort by id.
    open: Vec<Place>,
    ended: bool,
}

impl Candidates {
    fn new(rows: BoxStream<'static, Result<Vec<Place>>>) -> Self {
        Self { rows, seen: HashSet::new(), ready: Vec::new(), open: Vec::new(), ended: false }
    }

    // The next traces, at least `wanted` unless fewer are left.
    async fn next(&mut self, wanted: usize) -> Result<Vec<Place>> {
        while self.ready.len() < wanted && !self.ended {
            match self.rows.try_next().await? {
                Some(places) => places.into_iter().for_each(|place| self.add(place)),
                None => {
                    self.close();
                    self.ended = true;
                }
            }
        }
        let rest = self.ready.split_off(wanted.min(self.ready.len()));
        Ok(std::mem::replace(&mut self.ready, rest))
    }

    fn add(&mut self, place: Place) {
        if self.open.first().is_some_and(|open| open.start_ns != place.start_ns) {
            self.close();
        }
        if self.seen.insert(place.trace_id) {
            self.open.push(place);
        }
    }

    fn close(&mut self) {
        self.open.sort_by_key(|place| place.trace_id);
        self.ready.append(&mut self.open);
    }
}

fn places(batch: &RecordBatch) -> Result<Vec<Place>> {
    let missing = || Error::internal("a scan answered without trace_id and start_time");
    let ids = batch.column_by_name(col::TRACE_ID).ok_or_else(missing)?.as_fixed_size_binary();
    let starts = batch.column_by_name(col::START_TIME).ok_or_else(missing)?;
    let starts = starts.as_primitive::<TimestampNanosecondType>();
    (0..ids.len())
        .map(|row| {
            let trace_id = TraceId::from_slice(ids.value(row))?;
            Ok(Place { start_ns: starts.value(row), trace_id })
        })
        .collect()
}
