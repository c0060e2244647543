//! Reads edges: those that slabs and heads hold whole, then what spans elsewhere change about them.
//!
//! A slab's rollup counts as if there were nothing else. Its halves say which traces may go on
//! elsewhere: for each that does, the edges of the whole trace are added and those of its parts taken
//! back. So a client that was counted as a call to a mere name stops being one when its server turns
//! up in another segment.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use throughline_model::TraceId;
use throughline_model::time::TimeRange;

use super::parts::{Heads, read_parts, roll_up, united};
use super::sums::EdgeSums;
use super::{
    EdgeRow, EdgesRequest, PAIR_REACH_NS, Split, check_step, cuts, split, tolerate, widened,
};
use crate::Result;
use crate::scan::plan::Guard;
use crate::scan::{ScanContext, ScanStats};
use crate::segment::index::traces::TraceTable;
use crate::segment::open::{Meter, Segment};
use crate::segment::rollup::build::Half;
use crate::segment::rollup::edges::EdgeColumns;
use crate::segment::rollup::section::{Part as Frame, read_edges as read_edge_frame, read_halves};
use crate::segment::rollup::tables::{Edge, Tables};
use crate::view::View;

/// Traces that are put together at once, where links do not tie more of them to each other.
const TRACES_AT_ONCE: usize = 2048;

/// Reads the edges of a view, by step and edge. Exact for any range.
pub fn read_edges(
    view: &Arc<View>,
    request: &EdgesRequest,
    context: &ScanContext,
) -> Result<Vec<EdgeRow>> {
    check_step(request.step_ns)?;
    if request.time.is_empty() {
        return Ok(Vec::new());
    }
    let guard = Guard::new(context);
    let Split { whole, cuts } = split(request.time);
    let mut scan = EdgeScan {
        view,
        heads: Heads::of(view)?,
        guard: &guard,
        whole,
        sums: EdgeSums::new(request.time, request.step_ns),
        halves: Vec::new(),
    };
    // A server that starts later may belong to a client in the range; by a clock that is behind, so
    // may a consumer that starts earlier.
    let reach = widened(request.time, PAIR_REACH_NS, PAIR_REACH_NS);
    scan.read_segments(reach)?;
    scan.read_heads(reach)?;
    scan.correct()?;
    if !cuts.is_empty() {
        cuts::read(&mut scan, &cuts)?;
    }
    Ok(scan.sums.finish())
}

/// Where a half was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The segment, by its place in the view; none for the heads.
    segment: Option<usize>,
    /// The ordinal of its trace there.
    ordinal: u32,
}

/// A half with the trace that it is part of.
pub(super) struct FoundHalf {
    pub trace: TraceId,
    pub linked_trace: Option<TraceId>,
    origin: Origin,
    /// When it may be.
    time: (i64, i64),
}

pub(super) struct EdgeScan<'a> {
    pub view: &'a Arc<View>,
    pub heads: Heads,
    pub guard: &'a Arc<Guard>,
    /// Whole buckets.
    pub whole: TimeRange,
    pub sums: EdgeSums,
    pub halves: Vec<FoundHalf>,
}

impl EdgeScan<'_> {
    fn has_whole(&self) -> bool {
        self.whole.start_ns < self.whole.end_ns
    }

    fn read_segments(&mut self, reach: TimeRange) -> Result<()> {
        let segments = self.view.spans.segments.clone();
        ScanStats::add(&self.guard.stats.segments_total, segments.len() as u64);
        for (number, segment) in segments.iter().enumerate() {
            self.guard.check()?;
            if !reach.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
                ScanStats::add(&self.guard.stats.segments_pruned_time, 1);
                continue;
            }
            let outcome = self.read_segment(number, segment, reach);
            tolerate(segment, &self.guard.stats, outcome)?;
        }
        Ok(())
    }

    fn read_segment(&mut self, number: usize, segment: &Segment, reach: TimeRange) -> Result<()> {
        let index = segment.index()?;
        let traces = segment.traces()?;
        let io = Meter::new(self.guard.clone());
        let keys = segment.rollup_keys(&io)?;
        let mut edges = Vec::new();
        let mut halves = Vec::new();
        for (slab, group) in index.index.summary.row_groups.iter().enumerate() {
            self.guard.check()?;
            let (min, max) = (group.min_time_ns, group.max_time_ns);
            ScanStats::add(&self.guard.stats.row_groups_total, 1);
            if !reach.overlaps(min, max) {
                ScanStats::add(&self.guard.stats.row_groups_pruned, 1);
                continue;
            }
            if self.has_whole() && self.whole.overlaps(min, max) {
                let frame = index.rollup_frame(keys.place(slab, Frame::Edges)?, &io)?;
                edges.push(read_edge_frame(&frame, &keys.tables)?);
            }
            let frame = index.rollup_frame(keys.place(slab, Frame::Halves)?, &io)?;
            for half in read_halves(&frame)?.halves {
                halves.push(found(&traces, number, half, (min, group.max_end_ns.max(max)))?);
            }
        }
        for slab in &edges {
            self.sums.add_slab(&keys.tables, slab, &self.whole)?;
        }
        self.halves.extend(halves);
        Ok(())
    }

    fn read_heads(&mut self, reach: TimeRange) -> Result<()> {
        let heads = &mut self.heads;
        let rows = heads.all.order.len();
        if rows == 0 || !reach.overlaps(heads.time.0, heads.time.1) {
            return Ok(());
        }
        ScanStats::add(&self.guard.stats.rows_scanned, rows as u64);
        let (edges, halves) = roll_up(&heads.all, rows, self.whole, &mut self.sums.tables)?;
        self.sums.add_own(&edges, 1);
        heads.all.linked = halves.linked;
        if halves.halves.is_empty() {
            return Ok(());
        }
        let mut trace_of = vec![TraceId::default(); rows];
        for (id, rows) in &heads.traces {
            rows.iter().for_each(|row| trace_of[*row as usize] = *id);
        }
        for half in halves.halves {
            self.halves.push(FoundHalf {
                trace: trace_of[half.row as usize],
                linked_trace: half.linked_trace.map(TraceId),
                origin: Origin { segment: None, ordinal: 0 },
                time: heads.time,
            });
        }
        Ok(())
    }

    /// Sets right what parts of traces counted without knowing of each other.
    fn correct(&mut self) -> Result<()> {
        if !self.has_whole() || self.halves.is_empty() {
            return Ok(());
        }
        let halves = std::mem::take(&mut self.halves);
        let mut places: HashMap<TraceId, Vec<Origin>> = HashMap::new();
        let (mut alone, mut tied) = (HashSet::new(), HashSet::new());
        for half in &halves {
            self.guard.check()?;
            let wanted = half.linked_trace.unwrap_or(half.trace);
            if !places.contains_key(&wanted) {
                places.insert(wanted, self.places(wanted, half.time)?);
            }
            let is_elsewhere = |place: &Origin| *place != half.origin;
            let origins = places.get(&wanted).map(Vec::as_slice).unwrap_or_default();
            if half.linked_trace.is_some() && !origins.is_empty() {
                tied.extend([half.trace, wanted]);
            } else if half.linked_trace.is_none() && origins.iter().any(is_elsewhere) {
                alone.insert(half.trace);
            }
        }
        self.halves = halves;
        alone.retain(|id| !tied.contains(id));
        let mut alone = alone.into_iter().collect::<Vec<_>>();
        alone.sort_unstable();
        self.put_together(&tied)?;
        for some in alone.chunks(TRACES_AT_ONCE) {
            self.put_together(&some.iter().copied().collect())?;
        }
        Ok(())
    }

    /// Where parts of a trace are.
    fn places(&self, id: TraceId, time: (i64, i64)) -> Result<Vec<Origin>> {
        let mut places = Vec::new();
        if self.heads.traces.contains_key(&id) {
            places.push(Origin { segment: None, ordinal: 0 });
        }
        let around = TimeRange { start_ns: time.0, end_ns: time.1 };
        let reach = widened(around, PAIR_REACH_NS, PAIR_REACH_NS);
        for (number, segment) in self.view.spans.segments.iter().enumerate() {
            if !reach.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
                continue;
            }
            let found = segment.find_trace(id);
            let ordinals = tolerate(segment, &self.guard.stats, found)?.unwrap_or_default();
            let origin = |ordinal| Origin { segment: Some(number), ordinal };
            places.extend(ordinals.into_iter().map(origin));
        }
        Ok(places)
    }

    fn put_together(&mut self, traces: &HashSet<TraceId>) -> Result<()> {
        if traces.is_empty() {
            return Ok(());
        }
        let parts = read_parts(self.view, &self.heads, traces, self.whole, self.guard)?;
        for part in &parts {
            let mut edges = part.edges(self.whole, &mut self.sums.tables)?;
            if let Some(number) = part.segment {
                self.fold_peers(number, &mut edges)?;
            }
            self.sums.add_own(&edges, -1);
        }
        let edges = united(&parts).edges(self.whole, &mut self.sums.tables)?;
        self.sums.add_own(&edges, 1);
        Ok(())
    }

    // A segment that could not name all peers counted some of them under the empty name.
    fn fold_peers(&mut self, number: usize, edges: &mut EdgeColumns) -> Result<()> {
        let segment = &self.view.spans.segments[number];
        let io = Meter::new(self.guard.clone());
        let keys = segment.rollup_keys(&io)?;
        if keys.tables.peers_complete {
            return Ok(());
        }
        for key in &mut edges.keys {
            let own = self.sums.tables.edges.keys[*key as usize];
            if !names(&keys.tables, &self.sums.tables, own) {
                let server = self.sums.tables.string(b"")?;
                *key = self.sums.tables.edge(own.client, server, own.connection);
            }
        }
        Ok(())
    }
}

fn names(segment: &Tables, own: &Tables, edge: Edge) -> bool {
    let string = |number| segment.strings.find(own.text(number).as_bytes());
    let (Some(client), Some(server)) = (string(edge.client), string(edge.server)) else {
        return false;
    };
    segment.edges.find(&Edge { client, server, connection: edge.connection }).is_some()
}

fn found(traces: &TraceTable, segment: usize, half: Half, time: (i64, i64)) -> Result<FoundHalf> {
    Ok(FoundHalf {
        trace: traces.id(half.trace)?,
        linked_trace: half.linked_trace.map(TraceId),
        origin: Origin { segment: Some(segment), ordinal: half.trace },
        time,
    })
}
