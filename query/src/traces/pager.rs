//! A page of traces out of a scan: newest first, by several workers, and no further than the page asks.
//!
//! ```text
//! scan of candidate traces ► a search's own look at each batch ► the newest `limit` places
//!    until no slab that is left can hold a newer one
//! ```

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use throughline_model::TraceId;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::scan::{
    ScanColumn, ScanContext, TraceBatch, TraceScan, TraceScanRequest, Wanted,
};

use super::TraceSummary;
use super::cursor::Place;
use super::summary::{self, Summary};
use crate::context::Budget;
use crate::{Error, Result};

/// Steps of a scan before a second worker joins: most pages are full by then, and what others would
/// have begun meanwhile would be for nothing.
const STEPS_ALONE: usize = 6;

/// A page under way, which the workers of a search share.
#[derive(Debug)]
pub(crate) struct Page<T> {
    after: Option<Place>,
    limit: usize,
    /// In the order of pages; one more than the page has tells whether there is a next one.
    found: Mutex<Vec<(Place, T)>>,
}

impl<T> Page<T> {
    /// Which of these places the page has room for, as far as it is known now.
    pub fn sift(&self, places: &[Place]) -> Vec<usize> {
        let mut kept = (0..places.len()).collect::<Vec<_>>();
        kept.retain(|at| self.after.is_none_or(|after| places[*at].is_after(&after)));
        let last = self.found.lock().get(self.limit).map(|(place, _)| *place);
        kept.retain(|at| last.is_none_or(|last| last.is_after(&places[*at])));
        kept.sort_unstable_by(|a, b| order(&places[*a], &places[*b]));
        kept.truncate(self.limit + 1);
        kept
    }

    fn add(&self, traces: Vec<(Place, T)>) {
        let mut found = self.found.lock();
        found.extend(traces);
        found.sort_unstable_by(|(a, _), (b, _)| order(a, b));
        found.truncate(self.limit + 1);
    }

    // Whether the page is full of places that are newer than this.
    fn is_done(&self, bound_ns: i64) -> bool {
        self.found.lock().get(self.limit).is_some_and(|(last, _)| last.start_ns > bound_ns)
    }
}

fn order(a: &Place, b: &Place) -> std::cmp::Ordering {
    (b.start_ns, a.trace_id).cmp(&(a.start_ns, b.trace_id))
}

/// The traces of a page by place, and where the page ended if there are more. `look` says of a batch
/// what the page has room for of it (see [`Page::sift`]).
pub(crate) async fn page<T, L>(
    budget: &Budget,
    scan: Arc<TraceScan>,
    workers: usize,
    (after, limit): (Option<Place>, usize),
    look: L,
) -> Result<(Vec<(Place, T)>, Option<Place>)>
where
    T: Send + 'static,
    L: Fn(TraceBatch, &Page<T>) -> Result<Vec<(Place, T)>> + Send + Sync + 'static,
{
    let page = Arc::new(Page { after, limit, found: Mutex::default() });
    let look = Arc::new(look);
    let work = |steps_max: usize| {
        let (page, look, scan) = (page.clone(), look.clone(), scan.clone());
        off_the_workers(budget, move || {
            for _ in 0..steps_max {
                let Some(bound_ns) = scan.bound_ns() else { return Ok(false) };
                if page.is_done(bound_ns) {
                    return Ok(false);
                }
                match scan.step()? {
                    Some(Some(batch)) => page.add(look(batch, &page)?),
                    Some(None) => {}
                    None => return Ok(false),
                }
            }
            Ok(true)
        })
    };
    if work(STEPS_ALONE).await? {
        futures::future::try_join_all((0..workers.max(1)).map(|_| work(usize::MAX))).await?;
    }
    let mut found = std::mem::take(&mut *page.found.lock());
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|(place, _)| *place).filter(|_| more);
    Ok((found, next))
}

/// What a list shows of traces, with how many spans of each match: what the index knows of a trace
/// that lies in one place, else out of all its spans.
pub(crate) async fn summaries(
    budget: &Budget,
    view: Arc<View>,
    scan: Arc<TraceScan>,
    traces: Vec<(TraceId, u64)>,
) -> Result<Vec<TraceSummary>> {
    let context = budget.scan.clone();
    off_the_workers(budget, move || {
        let mut unknown = Vec::new();
        let mut all = Vec::with_capacity(traces.len());
        for (id, matched) in traces {
            all.push(match scan.facts(id)? {
                Some(facts) => Summary::of_facts(facts, id, matched),
                None => {
                    unknown.push(id);
                    Summary::default().finish(id, matched)
                }
            });
        }
        let mut read = read_summaries(&view, &context, &unknown)?;
        for summary in &mut all {
            if let Some(read) = read.remove(&summary.trace_id) {
                *summary = read.finish(summary.trace_id, summary.matched_spans);
            }
        }
        Ok(all)
    })
    .await
}

fn read_summaries(
    view: &View,
    context: &ScanContext,
    ids: &[TraceId],
) -> Result<HashMap<TraceId, Summary>> {
    let mut found = HashMap::with_capacity(ids.len());
    each_whole_batch(view, context, ids, (summary::columns(), false), &mut |whole| {
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

/// All that is stored of some traces: these columns and, if that is asked, how the spans relate.
pub(crate) fn each_whole_batch(
    view: &View,
    context: &ScanContext,
    ids: &[TraceId],
    (columns, structure): (Vec<ScanColumn>, bool),
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
    let scan = TraceScan::new(view, request, context)?;
    while let Some(batch) = scan.next()? {
        visit(batch)?;
    }
    Ok(())
}

/// Runs blocking work off the async workers.
pub(crate) fn off_the_workers<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
    budget: &Budget,
    work: W,
) -> impl Future<Output = Result<T>> + use<T, W> {
    let task = budget.scan.tracker.spawn_blocking(work);
    async move { task.await.map_err(|err| Error::internal(format!("a search failed: {err}")))? }
}
