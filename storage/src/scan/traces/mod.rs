//! Whole traces, batch after batch, each trace once: what a query needs that asks how spans relate.
//!
//! ```text
//! heads ─────────────► traces with a match ───────────────┐
//! slabs, newest first ► leaves find rows ► traces ┬ whole in the slab ──────► batch
//!                                                 └ in several places ► all their rows ► batch
//! ```
//! A slab holds most of its traces whole, and its rows know their parents by place, so that
//! relations cost no ids. A trace that other slabs, segments or heads hold too is read from all of
//! them, the first time that one of its spans matches.

mod filter;
mod gather;
mod places;
mod slab;
mod structure;
#[cfg(test)]
mod tests;

use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use hashbrown::HashSet;
use parking_lot::Mutex;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use self::filter::Leaves;
use self::places::Places;
use super::plan::Guard;
use super::prune;
use super::run::Unit;
use super::{ScanColumn, ScanContext, ScanStats};
use crate::segment::TraceFacts;
use crate::segment::open::{Meter, Segment};
use crate::view::{Tier, View};
use crate::{Error, ErrorKind, Result};

pub use self::structure::{NO_PARENT, Structure};

/// Traces in several places that are read together.
const GATHERED_TRACES: usize = 512;
/// Rows that traces read together may have.
const GATHERED_ROWS_MAX: usize = 1 << 20;

/// What to read of which traces.
#[derive(Clone, Debug)]
pub struct TraceScanRequest {
    /// The columns of the batches, in order.
    pub columns: Vec<ScanColumn>,
    /// Only spans that start in this range exist for the scan.
    pub time: TimeRange,
    /// Conditions on single spans, which `traces` combines.
    pub leaves: Vec<Vec<Predicate>>,
    /// Which traces are wanted; may let more through than it says where a trace lies in several
    /// places.
    pub traces: Wanted,
    /// Whether all spans of these traces are read, or only those that a leaf finds.
    pub whole: bool,
    /// Whether to say how the spans relate. Without `whole` only roots are sure.
    pub structure: bool,
    /// Whether all rows of a trace must come in one batch. Without it (and without `whole`) a trace
    /// that lies in several places comes in several batches, which is cheaper.
    pub together: bool,
    /// Whether to say to which trace each row belongs; needed for `together` and `structure`.
    pub named: bool,
}

/// Traces by the leaves that find one of their spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those in which this leaf finds a span.
    Leaf(usize),
    /// Those that all of these want.
    All(Vec<Wanted>),
    /// Those that one of these wants.
    Any(Vec<Wanted>),
}

/// Spans of some traces.
#[derive(Debug)]
pub struct TraceBatch {
    /// The spans, in no order.
    pub rows: RecordBatch,
    /// The traces, if they were asked for.
    pub traces: Vec<TraceId>,
    /// For each row the place of its trace in `traces`; empty if traces were not asked for.
    pub trace_of_row: Vec<u32>,
    /// How the rows relate, if that was asked.
    pub structure: Option<Structure>,
}

/// A scan of traces under way. Blocks: use it off the async workers. Several threads may share it.
pub struct TraceScan {
    request: TraceScanRequest,
    leaves: Leaves,
    places: Places,
    /// Every segment of the view, in the range or not.
    all: Arc<Vec<Arc<Segment>>>,
    guard: Arc<Guard>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    units: BinaryHeap<Unit>,
    heads_done: bool,
    /// Traces in several places that were handed out or wait for it.
    seen: HashSet<TraceId>,
    /// Of these, those that wait.
    waiting: Vec<TraceId>,
}

impl std::fmt::Debug for TraceScan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceScan").field("request", &self.request).finish_non_exhaustive()
    }
}

impl TraceScan {
    /// Starts a scan of the spans of a view.
    pub fn new(view: &View, request: TraceScanRequest, context: &ScanContext) -> Result<Self> {
        let tier: &Tier = &view.spans;
        let guard = Guard::new(context);
        let leaves = Leaves::new(&request)?;
        let mut segments = tier.segments.to_vec();
        ScanStats::add(&guard.stats.segments_total, segments.len() as u64);
        segments.retain(|s| request.time.overlaps(s.meta.min_time_ns, s.meta.max_time_ns));
        let pruned = tier.segments.len() - segments.len();
        ScanStats::add(&guard.stats.segments_pruned_time, pruned as u64);
        let units = segments
            .iter()
            .map(|s| Unit { newest_ns: s.meta.max_time_ns, segment: s.clone(), group: None })
            .collect::<BinaryHeap<_>>();
        let places = Places::new(segments, tier.heads.clone(), request.time, request.together)?;
        let state = Mutex::new(State { units, ..State::default() });
        let all = tier.segments.clone();
        Ok(Self { request, leaves, places, all, guard, state })
    }

    /// The newest start that a span of a trace that was not handed out may have; `None` when
    /// nothing is left.
    pub fn bound_ns(&self) -> Option<i64> {
        let state = self.state.lock();
        if !state.heads_done || !state.waiting.is_empty() {
            return Some(i64::MAX);
        }
        state.units.peek().map(|unit| unit.newest_ns)
    }

    /// The next traces, or `None` at the end. Newer slabs come first.
    pub fn next(&self) -> Result<Option<TraceBatch>> {
        loop {
            match self.step()? {
                Some(Some(batch)) => return Ok(Some(batch)),
                Some(None) => {}
                None => return Ok(None),
            }
        }
    }

    /// Does the next piece of work (opens a segment, reads a slab), which need not find any trace;
    /// `None` at the end.
    pub fn step(&self) -> Result<Option<Option<TraceBatch>>> {
        self.guard.check()?;
        Ok(match self.take() {
            Step::Heads if self.request.together => {
                let touched = self.leaves.traces_in_heads(&self.places, &self.guard)?;
                self.wait_for(touched);
                Some(None)
            }
            Step::Heads => Some(self.heads_apart()?),
            Step::Gather(ids) => Some(self.gather(&ids)?),
            Step::Unit(unit) => {
                let read = self.read_unit(&unit);
                Some(self.tolerate(&unit.segment, read)?.flatten())
            }
            Step::End => None,
        })
    }

    /// What is known of a trace without reading a row, over all that is stored of it; `None` if it
    /// lies in several places, or where only its rows can tell. For a scan that keeps traces together.
    pub fn facts(&self, id: TraceId) -> Result<Option<TraceFacts>> {
        if self.places.is_in_heads(id) {
            return Ok(None);
        }
        let mut found = None;
        for segment in self.all.iter() {
            let here = self.tolerate(segment, segment.find_trace(id))?.unwrap_or_default();
            for ordinal in here {
                if found.replace((segment, ordinal)).is_some() {
                    return Ok(None);
                }
            }
        }
        let Some((segment, ordinal)) = found else { return Ok(None) };
        // Facts that do not read back can be had from the rows.
        self.tolerate(segment, segment.index().and_then(|index| index.facts(ordinal)))
    }

    fn take(&self) -> Step {
        let mut state = self.state.lock();
        if !state.heads_done {
            state.heads_done = true;
            return Step::Heads;
        }
        if !state.waiting.is_empty() {
            let rest = state.waiting.len().saturating_sub(GATHERED_TRACES);
            return Step::Gather(state.waiting.split_off(rest));
        }
        state.units.pop().map_or(Step::End, Step::Unit)
    }

    // Remembers traces in several places, each once.
    fn wait_for(&self, ids: impl IntoIterator<Item = TraceId>) {
        let mut state = self.state.lock();
        for id in ids {
            if state.seen.insert(id) {
                state.waiting.push(id);
            }
        }
    }

    // A segment opens into its row groups; a row group is read.
    fn read_unit(&self, unit: &Unit) -> Result<Option<TraceBatch>> {
        let Some((opened, row_group)) = &unit.group else {
            let units = self.open(&unit.segment)?;
            self.state.lock().units.extend(units);
            return Ok(None);
        };
        let io = Meter::new(self.guard.clone());
        let slab = slab::Slab {
            segment: &unit.segment,
            opened,
            row_group: *row_group,
            io: &io,
            guard: &self.guard,
        };
        let found = slab.find(&self.leaves, &self.request, &self.places)?;
        self.wait_for(found.split);
        slab.read(&self.request, found.here)
    }

    fn open(&self, segment: &Arc<Segment>) -> Result<Vec<Unit>> {
        let named = self.leaves.named_traces(segment)?;
        if named.as_ref().is_some_and(Vec::is_empty) {
            ScanStats::add(&self.guard.stats.segments_pruned_filter, 1);
            return Ok(Vec::new());
        }
        let opened = segment.open()?;
        let all = opened.summary().row_groups.iter().enumerate();
        let total = all.len() as u64;
        let mut units = Vec::new();
        for (number, group) in all {
            if prune::group_in_time(group, &self.request.time)
                && prune::group_holds(group, named.as_deref())
                && self.leaves.any_may_match(&opened, number)?
            {
                units.push(Unit {
                    newest_ns: group.max_time_ns,
                    segment: segment.clone(),
                    group: Some((opened.clone(), number)),
                });
            }
        }
        ScanStats::add(&self.guard.stats.row_groups_total, total);
        ScanStats::add(&self.guard.stats.row_groups_pruned, total - units.len() as u64);
        if units.is_empty() {
            ScanStats::add(&self.guard.stats.segments_pruned_filter, 1);
        }
        Ok(units)
    }

    // The rows of the heads that some leaf finds, wherever the rest of their traces is.
    fn heads_apart(&self) -> Result<Option<TraceBatch>> {
        let rows = self.leaves.rows_in_heads(&self.places, &self.request, &self.guard)?;
        if !self.request.named {
            return gather::apart(&rows);
        }
        let mut ids = Vec::new();
        for batch in &rows {
            let column = places::ids(batch)?;
            for row in 0..batch.num_rows() {
                ids.push(TraceId::from_slice(column.value(row))?);
            }
        }
        ids.sort_unstable();
        ids.dedup();
        gather::unite(&rows, &ids, &self.request)
    }

    fn gather(&self, ids: &[TraceId]) -> Result<Option<TraceBatch>> {
        let mut batches = self.places.rows_in_heads(ids, &self.request, &self.leaves)?;
        for segment in self.places.segments() {
            let read = self.gather_segment(segment, ids);
            batches.extend(self.tolerate(segment, read)?.unwrap_or_default());
            let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            if rows > GATHERED_ROWS_MAX {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!(
                        "{} traces that lie in several places have more than {GATHERED_ROWS_MAX} \
                         spans; ask for a shorter range of time",
                        ids.len()
                    ),
                ));
            }
        }
        gather::unite(&batches, ids, &self.request)
    }

    fn gather_segment(&self, segment: &Arc<Segment>, ids: &[TraceId]) -> Result<Vec<RecordBatch>> {
        gather::rows_of(segment, ids, (&self.request, &self.leaves), &self.guard)
    }

    // A segment that does not read back is left out and named; everything else ends the scan.
    fn tolerate<T>(&self, segment: &Segment, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                self.guard.stats.partial.lock().push(segment.meta.id.to_string());
                Ok(None)
            }
            other => other.map(Some),
        }
    }
}

enum Step {
    Heads,
    Gather(Vec<TraceId>),
    Unit(Unit),
    End,
}

impl Wanted {
    /// Whether a trace is wanted in which `found` says which leaves find a span.
    pub(crate) fn wants(&self, found: &dyn Fn(usize) -> bool) -> bool {
        match self {
            Wanted::Leaf(leaf) => found(*leaf),
            Wanted::All(all) => all.iter().all(|one| one.wants(found)),
            Wanted::Any(any) => any.iter().any(|one| one.wants(found)),
        }
    }
}

pub(crate) const SIGNAL: Signal = Signal::Traces;
