//! Runs a scan off the async workers and streams its batches through a bounded channel.
//!
//! In any order, two workers take segments from one list. Newest first, one worker goes through row
//! groups by the newest time that each may hold, keeps what it found sorted, and hands out what no
//! later row group can precede; with a limit it stops as soon as nothing newer can follow.

use std::collections::{BinaryHeap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use futures::Stream;
use parking_lot::Mutex;
use throughline_model::Signal;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::group::GroupScan;
use super::head::scan_batch;
use super::newest::Held;
use super::plan::{Guard, Plan};
use super::templates::with_templates;
use super::{ScanContext, ScanOrder, ScanRequest, ScanStats, prune};
use crate::head::Heads;
use crate::segment::Deletions;
use crate::segment::open::{Meter, Opened, Segment};
use crate::view::Tier;
use crate::{Error, ErrorKind, Result};

/// Batches that wait for a slow reader.
const BATCHES_QUEUED: usize = 4;
/// Segments that are read at the same time.
pub(super) const WORKERS: usize = 2;

/// The batches of a scan. Dropping it stops the scan.
pub struct ScanStream {
    batches: mpsc::Receiver<Result<RecordBatch>>,
    _stop: DropGuard,
}

impl std::fmt::Debug for ScanStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScanStream").finish_non_exhaustive()
    }
}

impl Stream for ScanStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.batches.poll_recv(cx)
    }
}

/// Scans the rows of one signal. Must be called on a tokio runtime.
pub fn scan_tier(
    signal: Signal,
    tier: &Tier,
    request: ScanRequest,
    context: ScanContext,
) -> ScanStream {
    let (sender, batches) = mpsc::channel(BATCHES_QUEUED);
    let cancel = context.cancel.child_token();
    let stream = ScanStream { batches, _stop: cancel.clone().drop_guard() };
    let job = match Job::new(signal, tier, request, &ScanContext { cancel, ..context.clone() }) {
        Ok(job) => Arc::new(job),
        Err(err) => {
            // The channel is empty and holds more than one.
            let _ = sender.try_send(Err(err));
            return stream;
        }
    };
    let workers = match job.plan.order {
        ScanOrder::NewestFirst => 1,
        ScanOrder::Any => job.segments_left().clamp(1, WORKERS),
    };
    for _ in 0..workers {
        let (job, sender) = (job.clone(), sender.clone());
        context.tracker.spawn_blocking(move || {
            // A worker that dies must not look like the end of the rows.
            let run = std::panic::AssertUnwindSafe(|| match job.plan.order {
                ScanOrder::Any => job.run_any(&sender),
                ScanOrder::NewestFirst => job.run_newest(&sender),
            });
            let done = std::panic::catch_unwind(run).unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Closed, "a scan panicked; see the server's log"))
            });
            if let Err(err) = done {
                let _ = sender.blocking_send(Err(err)); // whoever asked may be gone
            }
        });
    }
    stream
}

/// A scan under way, of which several workers take their share.
pub(super) struct Job {
    plan: Plan,
    guard: Arc<Guard>,
    /// The heads, until a worker takes them.
    heads: Mutex<Option<Heads<RecordBatch>>>,
    /// The segments that no worker has taken.
    todo: Mutex<VecDeque<Arc<Segment>>>,
    /// Rows that may still be handed out.
    left: AtomicUsize,
    deleted: Deletions,
}

type Sender = mpsc::Sender<Result<RecordBatch>>;

impl Job {
    pub(super) fn new(
        signal: Signal,
        tier: &Tier,
        request: ScanRequest,
        context: &ScanContext,
    ) -> Result<Self> {
        let plan = Plan::new(signal, request)?;
        ScanStats::add(&context.stats.segments_total, tier.segments.len() as u64);
        let job = Self {
            left: AtomicUsize::new(plan.limit.unwrap_or(usize::MAX)),
            plan,
            heads: Mutex::new(Some(tier.heads.clone())),
            todo: Mutex::new(tier.segments.iter().cloned().collect()),
            deleted: tier.deleted.clone(),
            guard: Guard::new(context),
        };
        job.prune_segments();
        Ok(job)
    }

    /// Segments that no worker has taken.
    pub(super) fn segments_left(&self) -> usize {
        self.todo.lock().len()
    }

    /// The next segment for a worker.
    pub(super) fn next_segment(&self) -> Result<Option<Arc<Segment>>> {
        self.guard.check()?;
        Ok(self.todo.lock().pop_front())
    }

    /// What counts and bounds the reads of a worker.
    pub(super) fn meter(&self) -> Meter {
        Meter::new(self.guard.clone())
    }

    /// What of the heads' batches meets the conditions; the worker that comes first gets all.
    pub(super) fn matching_head_batches(
        &self,
    ) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
        let found = self.head_batches()?.into_iter().map(|batch| {
            self.guard.check()?;
            Ok(scan_batch(&self.plan, &batch, self.stats())?.map(|(batch, _)| batch))
        });
        Ok(found.filter_map(Result::transpose))
    }

    fn stats(&self) -> &ScanStats {
        &self.guard.stats
    }

    fn prune_segments(&self) {
        let time = self.plan.time;
        let mut todo = self.todo.lock();
        let before = todo.len();
        todo.retain(|s| time.overlaps(s.meta.min_time_ns, s.meta.max_time_ns));
        let pruned = before - todo.len();
        ScanStats::add(&self.stats().segments_pruned_time, pruned as u64);
    }

    fn run_any(&self, sender: &Sender) -> Result<()> {
        for batch in self.head_batches()?.iter() {
            self.guard.check()?;
            if self.left.load(Ordering::Relaxed) == 0 {
                return Ok(());
            }
            if let Some((batch, _)) = scan_batch(&self.plan, batch, self.stats())?
                && !self.send(sender, batch)?
            {
                return Ok(());
            }
        }
        loop {
            let Some(segment) = self.next_segment()? else { return Ok(()) };
            let scanned = self.scan_segment(&segment, sender);
            match self.tolerate(&segment, scanned)? {
                Some(true) | None => {}
                Some(false) => return Ok(()),
            }
        }
    }

    // The batches of heads, once; with their templates if the plan asks for these.
    fn head_batches(&self) -> Result<Vec<RecordBatch>> {
        let heads = self.heads.lock().take().unwrap_or_default();
        let batches = heads.iter().cloned().collect::<Vec<_>>();
        match self.plan.needs_templates() {
            true => with_templates(&batches),
            false => Ok(batches),
        }
    }

    // A segment that does not read back is left out and named; everything else ends the scan.
    pub(super) fn tolerate<T>(&self, segment: &Segment, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                self.stats().partial.lock().push(segment.meta.id.to_string());
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    // True to go on with the next segment.
    fn scan_segment(&self, segment: &Arc<Segment>, sender: &Sender) -> Result<bool> {
        let Some((opened, groups)) = self.groups(segment)? else { return Ok(true) };
        let io = Meter::new(self.guard.clone());
        let mut found = false;
        for row_group in groups {
            self.guard.check()?;
            let scan = self.group_scan(segment, &opened, row_group, &io);
            let left = scan.find(None)?;
            let mut go_on = true;
            scan.read(left, false, |batch, _| {
                found = true;
                go_on = self.send(sender, batch)?;
                Ok(go_on)
            })?;
            if !go_on {
                return Ok(false);
            }
        }
        if !found {
            ScanStats::add(&self.stats().segments_pruned_statistics, 1);
        }
        Ok(true)
    }

    pub(super) fn group_scan<'a>(
        &'a self,
        segment: &'a Segment,
        opened: &'a Opened,
        row_group: usize,
        io: &'a Meter,
    ) -> GroupScan<'a> {
        let deleted = self.deleted.of(segment.meta.id).and_then(|rows| rows.group(row_group));
        let stats = self.stats();
        GroupScan { plan: &self.plan, segment, opened, row_group, io, stats, deleted }
    }

    // The row groups of a segment that may hold rows; none if the segment is pruned as a whole.
    pub(super) fn groups(&self, segment: &Segment) -> Result<Option<(Arc<Opened>, Vec<usize>)>> {
        let mut traces_here = None;
        if let Some(traces) = &self.plan.traces {
            let mut ordinals = Vec::new();
            for id in traces {
                ordinals.extend(segment.find_trace(*id)?);
            }
            if ordinals.is_empty() {
                ScanStats::add(&self.stats().segments_pruned_filter, 1);
                return Ok(None);
            }
            traces_here = Some(ordinals);
        }
        let opened = segment.open()?;
        let of_logs = match &traces_here {
            Some(ordinals) if self.plan.signal == Signal::Logs => {
                segment.log_rows_of_traces(ordinals, &self.meter())?
            }
            _ => None,
        };
        let traces_here = traces_here.filter(|_| self.plan.signal == Signal::Traces);
        if !prune::segment_may_match(&opened, &self.plan.predicates) {
            ScanStats::add(&self.stats().segments_pruned_filter, 1);
            return Ok(None);
        }
        let all = opened.summary().row_groups.iter().enumerate();
        let total = all.len();
        let mut groups = Vec::new();
        let mut end = 0;
        for (number, group) in all {
            let first = end;
            end += group.rows;
            if of_logs.as_ref().is_some_and(|rows| !prune::rows_reach(rows, first..end)) {
                continue;
            }
            if prune::group_in_time(group, &self.plan.time)
                && prune::group_holds(group, traces_here.as_deref())
                && prune::group_may_match(&opened, number, &self.plan.predicates)?
            {
                groups.push(number);
            }
        }
        ScanStats::add(&self.stats().row_groups_total, total as u64);
        ScanStats::add(&self.stats().row_groups_pruned, (total - groups.len()) as u64);
        if groups.is_empty() {
            ScanStats::add(&self.stats().segments_pruned_filter, 1);
            return Ok(None);
        }
        Ok(Some((opened, groups)))
    }

    // Hands a batch out, cut to the limit. False when the scan is over.
    fn send(&self, sender: &Sender, batch: RecordBatch) -> Result<bool> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(true);
        }
        let take = |left: usize| Some(left - left.min(rows));
        let left = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        let left = left.unwrap_or_default();
        let batch = if left < rows { batch.slice(0, left) } else { batch };
        if batch.num_rows() > 0 && sender.blocking_send(Ok(batch)).is_err() {
            return Err(Error::new(ErrorKind::Cancelled, "the scan's reader is gone"));
        }
        Ok(left > rows)
    }

    fn run_newest(&self, sender: &Sender) -> Result<()> {
        let segments = std::mem::take(&mut *self.todo.lock());
        let mut held = Held::new(self.plan.limit);
        for batch in self.head_batches()?.iter() {
            self.guard.check()?;
            if let Some((batch, times)) = scan_batch(&self.plan, batch, self.stats())? {
                held.add(batch, &times)?;
            }
        }
        let mut units = segments
            .into_iter()
            .map(|segment| Unit { newest_ns: segment.meta.max_time_ns, segment, group: None })
            .collect::<BinaryHeap<_>>();
        while let Some(unit) = units.pop() {
            self.guard.check()?;
            for batch in held.release(Some(unit.newest_ns))? {
                if !self.send(sender, batch)? {
                    return Ok(());
                }
            }
            let floor_ns = held.floor_ns();
            if unit.newest_ns < floor_ns {
                break;
            }
            let scanned = self.scan_unit(&unit, floor_ns, &mut held);
            units.extend(self.tolerate(&unit.segment, scanned)?.unwrap_or_default());
        }
        for batch in held.release(None)? {
            if !self.send(sender, batch)? {
                break;
            }
        }
        Ok(())
    }

    // A segment opens into its row groups; a row group is read into `held`.
    fn scan_unit(&self, unit: &Unit, floor_ns: i64, held: &mut Held) -> Result<Vec<Unit>> {
        let Some((opened, row_group)) = &unit.group else {
            let Some((opened, groups)) = self.groups(&unit.segment)? else {
                return Ok(Vec::new());
            };
            let unit_of = |row_group: usize| {
                let newest_ns = opened.row_group(row_group)?.max_time_ns;
                let group = Some((opened.clone(), row_group));
                Ok(Unit { newest_ns, segment: unit.segment.clone(), group })
            };
            return groups.into_iter().map(unit_of).collect();
        };
        let io = Meter::new(self.guard.clone());
        let scan = self.group_scan(&unit.segment, opened, *row_group, &io);
        let count = held.wanted();
        let left = scan.find(Some((count, floor_ns)))?;
        scan.read(left, true, |batch, times| held.add(batch, &times).map(|()| true))?;
        Ok(Vec::new())
    }
}

/// A segment, or one of its row groups, and the newest time that it may hold.
pub(crate) struct Unit {
    pub newest_ns: i64,
    pub segment: Arc<Segment>,
    pub group: Option<(Arc<Opened>, usize)>,
}

impl PartialEq for Unit {
    fn eq(&self, other: &Self) -> bool {
        self.newest_ns == other.newest_ns
    }
}

impl Eq for Unit {}

impl PartialOrd for Unit {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Unit {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.newest_ns.cmp(&other.newest_ns)
    }
}
