//! Making views: the one place where what readers see changes.
//!
//! ```text
//! append    live head grows                                  → new view
//! seal      live head becomes the newest sealed one          → new view, the same rows
//! flushed   oldest sealed head out, its segments in          → new view, the same rows
//! replaced  compacted segments out, their merge in           → new view, the same rows
//! deleted   rows of segments are left out                    → new view, fewer rows
//! ```
//!
//! Every change is made under one lock and shows as one swap of an `Arc<View>`.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use parking_lot::{Mutex, MutexGuard, RwLock};
use throughline_model::Signal;
use throughline_model::batch::Batch;
use throughline_model::metric::MetricBatch;
use ulid::Ulid;

use crate::cache::Cache;
use crate::head::{HeadBatch, HeadList, HeadSlice, Heads, Incoming};
use crate::io::SegmentStore;
use crate::metric::{MetricSegment, SeriesShare};
use crate::segment::deleted::DeletedRows;
use crate::segment::{Deletions, Segment, SegmentMeta};
use crate::tail::{Offered, Queue, Tails};
use crate::view::{Tier, View};
use crate::{Error, Result};

/// A segment of any signal.
#[derive(Clone, Debug)]
pub(crate) enum AnySegment {
    Rows(Arc<Segment>),
    Points(Arc<MetricSegment>),
}

impl AnySegment {
    /// Opens the segment of a catalog row; its files are read when they are needed.
    pub fn open(meta: SegmentMeta, store: &Arc<SegmentStore>, cache: &Arc<Cache>) -> Self {
        match meta.signal {
            Signal::Traces | Signal::Logs => {
                AnySegment::Rows(Segment::new(meta, store.clone(), cache.clone()))
            }
            Signal::Metrics => {
                AnySegment::Points(MetricSegment::new(meta, store.clone(), cache.clone()))
            }
        }
    }

    pub fn meta(&self) -> &SegmentMeta {
        match self {
            AnySegment::Rows(segment) => &segment.meta,
            AnySegment::Points(segment) => &segment.meta,
        }
    }

    /// Compares the files with their checksums.
    pub fn verify(&self) -> Result<()> {
        match self {
            AnySegment::Rows(segment) => segment.verify(),
            AnySegment::Points(segment) => segment.verify(),
        }
    }

    pub fn downgrade(&self) -> WeakSegment {
        match self {
            AnySegment::Rows(segment) => WeakSegment::Rows(Arc::downgrade(segment)),
            AnySegment::Points(segment) => WeakSegment::Points(Arc::downgrade(segment)),
        }
    }
}

/// Tells whether a segment still has readers.
#[derive(Debug)]
pub(crate) enum WeakSegment {
    Rows(Weak<Segment>),
    Points(Weak<MetricSegment>),
}

impl WeakSegment {
    pub fn has_readers(&self) -> bool {
        match self {
            WeakSegment::Rows(segment) => segment.strong_count() > 0,
            WeakSegment::Points(segment) => segment.strong_count() > 0,
        }
    }
}

/// A head that waits for its flush: the requests `from_seq < seq <= to_seq` of its log.
#[derive(Debug)]
pub(crate) struct Sealed<B> {
    pub from_seq: u64,
    pub to_seq: u64,
    pub slice: HeadSlice<B>,
}

impl<B> Clone for Sealed<B> {
    fn clone(&self) -> Self {
        Self { from_seq: self.from_seq, to_seq: self.to_seq, slice: self.slice.clone() }
    }
}

/// A sealed head of any signal.
#[derive(Clone, Debug)]
pub(crate) enum SealedHead {
    Rows(Sealed<RecordBatch>),
    Points(Sealed<MetricBatch>),
}

impl SealedHead {
    /// Its requests.
    pub fn len(&self) -> usize {
        match self {
            SealedHead::Rows(sealed) => sealed.slice.len(),
            SealedHead::Points(sealed) => sealed.slice.len(),
        }
    }
}

/// The live head of a signal, for whoever decides to seal it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LiveHead {
    pub bytes: u64,
    pub rows: u64,
    /// When its first batch came.
    pub opened_at_ns: i64,
    /// When its last batch came.
    pub last_at_ns: i64,
    /// Whether the log holds requests that no sealed head covers.
    pub is_dirty: bool,
    /// Heads before it.
    pub sealed: u64,
}

#[derive(Debug)]
struct Lane<S, B> {
    live: HeadList<B>,
    opened_at_ns: i64,
    last_at_ns: i64,
    last_seq: u64,
    sealed_seq: u64,
    sealed: VecDeque<Sealed<B>>,
    sealed_slices: Arc<[HeadSlice<B>]>,
    segments: Arc<Vec<Arc<S>>>,
    deleted: Deletions,
}

impl<S, B> Default for Lane<S, B> {
    fn default() -> Self {
        Self {
            live: HeadList::default(),
            opened_at_ns: 0,
            last_at_ns: 0,
            last_seq: 0,
            sealed_seq: 0,
            sealed: VecDeque::new(),
            sealed_slices: Arc::from([]),
            segments: Arc::default(),
            deleted: Deletions::default(),
        }
    }
}

impl<S, B> Lane<S, B> {
    fn push(&mut self, batch: B, rows: u64, incoming: IncomingRest, now_ns: i64) {
        if self.live.slice().is_empty() {
            self.opened_at_ns = now_ns;
        }
        self.last_at_ns = now_ns;
        let IncomingRest { tenant, reservation, receipt } = incoming;
        self.live.push(HeadBatch { tenant, batch, rows, reservation, receipt });
    }

    fn tier(&self) -> Tier<S, B> {
        let heads = Heads { sealed: self.sealed_slices.clone(), live: self.live.slice() };
        Tier { segments: self.segments.clone(), heads, deleted: self.deleted.clone() }
    }

    fn live(&self) -> LiveHead {
        let slice = self.live.slice();
        LiveHead {
            bytes: slice.bytes(),
            rows: slice.rows(),
            opened_at_ns: self.opened_at_ns,
            last_at_ns: self.last_at_ns,
            is_dirty: self.last_seq > self.sealed_seq,
            sealed: self.sealed.len() as u64,
        }
    }

    fn seal(&mut self) -> bool {
        if self.last_seq == self.sealed_seq {
            return false;
        }
        let slice = std::mem::take(&mut self.live).slice();
        self.sealed.push_back(Sealed { from_seq: self.sealed_seq, to_seq: self.last_seq, slice });
        self.sealed_seq = self.last_seq;
        self.share_sealed();
        true
    }

    fn share_sealed(&mut self) {
        self.sealed_slices = self.sealed.iter().map(|sealed| sealed.slice.clone()).collect();
    }

    fn unseal(&mut self, to_seq: u64) {
        self.sealed.retain(|sealed| sealed.to_seq != to_seq);
        self.share_sealed();
    }

    fn start_at(&mut self, checkpoint_seq: u64) {
        self.last_seq = checkpoint_seq;
        self.sealed_seq = checkpoint_seq;
    }
}

struct IncomingRest {
    tenant: Arc<str>,
    reservation: crate::head::Reservation,
    receipt: crate::head::Receipt,
}

#[derive(Debug, Default)]
struct Lanes {
    spans: Lane<Segment, RecordBatch>,
    logs: Lane<Segment, RecordBatch>,
    metrics: Lane<MetricSegment, MetricBatch>,
    /// Who hears of log records as they come.
    tails: Tails,
}

macro_rules! lane {
    ($lanes:expr, $signal:expr, $lane:ident => $do:expr) => {
        match $signal {
            Signal::Traces => {
                let $lane = &mut $lanes.spans;
                $do
            }
            Signal::Logs => {
                let $lane = &mut $lanes.logs;
                $do
            }
            Signal::Metrics => {
                let $lane = &mut $lanes.metrics;
                $do
            }
        }
    };
}

/// The current view and what it is made from.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    lanes: Mutex<Lanes>,
    current: RwLock<Arc<View>>,
    share: Mutex<SeriesShare>,
}

impl Publisher {
    /// The current view.
    pub fn view(&self) -> Arc<View> {
        self.current.read().clone()
    }

    /// Swaps the view and lets go of the lock, then of the view before: it may hold the last
    /// reference to a flushed head, whose end takes a while.
    fn publish(&self, lanes: MutexGuard<'_, Lanes>) {
        let before = self.swap(&lanes);
        drop(lanes);
        drop(before);
    }

    // Makes the view that readers get from now on; returns the one before.
    fn swap(&self, lanes: &Lanes) -> Arc<View> {
        let view = View {
            spans: lanes.spans.tier(),
            logs: lanes.logs.tier(),
            metrics: lanes.metrics.tier(),
        };
        std::mem::replace(&mut *self.current.write(), Arc::new(view))
    }

    /// A subscription to log records, and the view that holds everything before its first batch and
    /// nothing of it.
    pub fn tail_logs(&self) -> Result<(Arc<View>, Arc<Queue>)> {
        let mut lanes = self.lanes.lock();
        let queue = lanes.tails.add()?;
        Ok((self.view(), queue))
    }

    /// Starts a signal behind its checkpoint.
    pub fn start_at(&self, signal: Signal, checkpoint_seq: u64) {
        lane!(self.lanes.lock(), signal, lane => lane.start_at(checkpoint_seq));
    }

    /// Adds logged requests, the last of which is `last_seq`, to the live head. They are visible
    /// when this returns.
    pub fn append(&self, signal: Signal, last_seq: u64, incoming: Vec<Incoming>, now_ns: i64) {
        let incoming = self.share_series(incoming);
        let mut lanes = self.lanes.lock();
        let mut tailed = Vec::new();
        for Incoming { tenant, batch, reservation, receipt } in incoming {
            let rows = batch.len() as u64;
            if let Batch::Logs(batch) = &batch
                && !lanes.tails.is_empty()
            {
                let bytes = reservation.bytes();
                tailed.push(Offered { batch: batch.clone(), rows, bytes });
            }
            let rest = IncomingRest { tenant, reservation, receipt };
            match batch {
                Batch::Spans(batch) => lanes.spans.push(batch, rows, rest, now_ns),
                Batch::Logs(batch) => lanes.logs.push(batch, rows, rest, now_ns),
                Batch::Metrics(batch) => lanes.metrics.push(batch, rows, rest, now_ns),
            }
        }
        lane!(lanes, signal, lane => lane.last_seq = last_seq);
        let before = self.swap(&lanes);
        if !tailed.is_empty() {
            lanes.tails.offer(&tailed);
        }
        drop(lanes);
        drop(before);
    }

    /// Heads hold a series table that senders repeat once.
    fn share_series(&self, mut incoming: Vec<Incoming>) -> Vec<Incoming> {
        let mut share = self.share.lock();
        for incoming in &mut incoming {
            if let Batch::Metrics(batch) = &mut incoming.batch {
                incoming.reservation.give_back(share.share(batch) as u64);
            }
        }
        incoming
    }

    /// The live head of a signal.
    pub fn live(&self, signal: Signal) -> LiveHead {
        lane!(self.lanes.lock(), signal, lane => lane.live())
    }

    /// The last request that was added to a head.
    pub fn last_seq(&self, signal: Signal) -> u64 {
        lane!(self.lanes.lock(), signal, lane => lane.last_seq)
    }

    /// Seals the live head, if it holds anything.
    pub fn seal(&self, signal: Signal) -> bool {
        let mut lanes = self.lanes.lock();
        let sealed = lane!(lanes, signal, lane => lane.seal());
        if sealed {
            self.publish(lanes);
        }
        sealed
    }

    /// The head to flush next.
    pub fn oldest_sealed(&self, signal: Signal) -> Option<SealedHead> {
        let lanes = self.lanes.lock();
        match signal {
            Signal::Traces => lanes.spans.sealed.front().cloned().map(SealedHead::Rows),
            Signal::Logs => lanes.logs.sealed.front().cloned().map(SealedHead::Rows),
            Signal::Metrics => lanes.metrics.sealed.front().cloned().map(SealedHead::Points),
        }
    }

    /// Puts the segments of a flushed head in its place.
    pub fn flushed(&self, signal: Signal, to_seq: u64, segments: Vec<AnySegment>) {
        let mut lanes = self.lanes.lock();
        lane!(lanes, signal, lane => lane.unseal(to_seq));
        replace(&mut lanes, &[], segments);
        self.publish(lanes);
    }

    /// Takes segments out and puts others in.
    pub fn replaced(&self, remove: &[Ulid], add: Vec<AnySegment>) {
        let mut lanes = self.lanes.lock();
        replace(&mut lanes, remove, add);
        self.publish(lanes);
    }

    /// Leaves rows of segments of log records out, in place of those that were left out of them before,
    /// and takes segments out.
    pub fn deleted(&self, rows: Vec<(Ulid, Arc<DeletedRows>)>, remove: &[Ulid]) {
        let mut lanes = self.lanes.lock();
        lanes.logs.deleted.change(rows, remove);
        replace(&mut lanes, remove, Vec::new());
        self.publish(lanes);
    }

    /// The segments of the current view.
    pub fn ids(&self) -> Vec<Ulid> {
        let view = self.view();
        let rows = view.spans.segments.iter().chain(view.logs.segments.iter());
        let points = view.metrics.segments.iter().map(|segment| segment.meta.id);
        rows.map(|segment| segment.meta.id).chain(points).collect()
    }

    /// A segment of the current view.
    pub fn segment(&self, id: Ulid) -> Result<AnySegment> {
        let view = self.view();
        let rows = [&view.spans.segments, &view.logs.segments];
        let found = rows
            .into_iter()
            .flat_map(|segments| segments.iter())
            .find(|segment| segment.meta.id == id)
            .map(|segment| AnySegment::Rows(segment.clone()));
        let points = || {
            let segment = view.metrics.segments.iter().find(|segment| segment.meta.id == id)?;
            Some(AnySegment::Points(segment.clone()))
        };
        found
            .or_else(points)
            .ok_or_else(|| Error::invalid(format!("segment {id} is not in the view")))
    }
}

fn replace(lanes: &mut Lanes, remove: &[Ulid], add: Vec<AnySegment>) {
    let leaves = |id: &Ulid| remove.contains(id);
    lanes.logs.deleted.change(Vec::new(), remove);
    if !remove.is_empty() {
        for segments in [&mut lanes.spans.segments, &mut lanes.logs.segments] {
            if segments.iter().any(|segment| leaves(&segment.meta.id)) {
                Arc::make_mut(segments).retain(|segment| !leaves(&segment.meta.id));
            }
        }
        let segments = &mut lanes.metrics.segments;
        if segments.iter().any(|segment| leaves(&segment.meta.id)) {
            Arc::make_mut(segments).retain(|segment| !leaves(&segment.meta.id));
        }
    }
    for segment in add {
        match segment {
            AnySegment::Rows(segment) if segment.meta.signal == Signal::Traces => {
                Arc::make_mut(&mut lanes.spans.segments).push(segment);
            }
            AnySegment::Rows(segment) => Arc::make_mut(&mut lanes.logs.segments).push(segment),
            AnySegment::Points(segment) => {
                Arc::make_mut(&mut lanes.metrics.segments).push(segment);
            }
        }
    }
}
