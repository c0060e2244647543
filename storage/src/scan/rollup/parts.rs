//! Traces put together from the slabs and heads that hold parts of them.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use hashbrown::{HashMap, HashSet};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use super::PAIR_REACH_NS;
use super::{tolerate, widened};
use crate::Result;
use crate::scan::group::trace_rows;
use crate::scan::head::project;
use crate::scan::plan::Guard;
use crate::scan::trace::read_rows;
use crate::scan::{ScanColumn, ScanStats};
use crate::segment::gather::{Gather, RowRef};
use crate::segment::open::{Meter, Segment};
use crate::segment::rollup::build::{Halves, Slab, Spans};
use crate::segment::rollup::edges::EdgeColumns;
use crate::segment::rollup::peers::Peers;
use crate::segment::rollup::section::{Part as Frame, read_halves};
use crate::segment::rollup::tables::Tables;
use crate::segment::spans::{Parents, column};
use crate::view::View;

/// The columns that edges are made of.
const COLUMNS: [&str; 11] = [
    col::TRACE_ID,
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::TRACE_STATE,
    col::NAME,
    col::KIND,
    col::START_TIME,
    col::DURATION_NS,
    col::STATUS_CODE,
    col::SERVICE_NAME,
    col::LINKS,
];

fn columns() -> Vec<ScanColumn> {
    let fixed = COLUMNS.iter().map(|name| ScanColumn::Fixed((*name).to_owned()));
    fixed.chain([ScanColumn::Attributes]).collect()
}

/// The rows of some traces in one slab, or in the heads.
pub(super) struct Part {
    pub batches: Vec<RecordBatch>,
    pub order: Vec<RowRef>,
    /// Rows of callers that a consumer of the same slab links to.
    pub linked: Vec<u32>,
    /// The segment.
    pub segment: Option<usize>,
    /// Numbers of the rows' traces, and how many there are, where these are not told apart by their
    /// ids: a trace of more rows than a slab has several ordinals, which know nothing of each other.
    pub traces: Option<(Vec<u32>, u32)>,
}

/// The heads of a view as one slab.
pub(super) struct Heads {
    /// All rows.
    pub all: Part,
    /// Rows of each trace.
    pub traces: HashMap<TraceId, Vec<u32>>,
    /// First start and last end.
    pub time: (i64, i64),
}

impl Heads {
    pub fn of(view: &View) -> Result<Self> {
        // In the order that segments are read in: batches of both go together.
        let project = |batch| project(Signal::Traces, batch, &columns());
        let batches = view.spans.heads.iter().map(project).collect::<Result<Vec<_>>>()?;
        let mut order = Vec::new();
        let mut traces: HashMap<TraceId, Vec<u32>> = HashMap::new();
        let mut time = (i64::MAX, i64::MIN);
        for (number, batch) in batches.iter().enumerate() {
            let ids = column(batch, col::TRACE_ID)?.as_fixed_size_binary();
            let starts = column(batch, col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
            let durations = column(batch, col::DURATION_NS)?.as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let id = TraceId::from_slice(ids.value(row))?;
                traces.entry(id).or_default().push(order.len() as u32);
                order.push(RowRef { batch: number as u32, row: row as u32 });
                let start = starts.value(row);
                let end = start.saturating_add(durations.value(row).max(0));
                time = (time.0.min(start), time.1.max(end));
            }
        }
        let all = Part { batches, order, linked: Vec::new(), segment: None, traces: None };
        Ok(Self { all, traces, time })
    }

    fn part(&self, wanted: &HashSet<TraceId>) -> Option<Part> {
        let rows = wanted.iter().filter_map(|id| self.traces.get(id)).flatten().copied();
        let mut rows = rows.collect::<Vec<_>>();
        rows.sort_unstable();
        let place = |row: &u32| rows.binary_search(row).ok().map(|place| place as u32);
        (!rows.is_empty()).then(|| Part {
            batches: self.all.batches.clone(),
            order: rows.iter().map(|row| self.all.order[*row as usize]).collect(),
            linked: self.all.linked.iter().filter_map(place).collect(),
            segment: None,
            traces: None,
        })
    }
}

/// Reads the parts of traces whose spans may lie in a range, and somewhat around it.
pub(super) fn read_parts(
    view: &View,
    heads: &Heads,
    wanted: &HashSet<TraceId>,
    time: TimeRange,
    guard: &std::sync::Arc<Guard>,
) -> Result<Vec<Part>> {
    let reach = widened(time, PAIR_REACH_NS, PAIR_REACH_NS);
    let mut parts = Vec::new();
    for (number, segment) in view.spans.segments.iter().enumerate() {
        guard.check()?;
        if reach.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            let read = read_segment(number, segment, wanted, guard);
            parts.extend(tolerate(segment, &guard.stats, read)?.unwrap_or_default());
        }
    }
    parts.extend(heads.part(wanted));
    Ok(parts)
}

fn read_segment(
    number: usize,
    segment: &Segment,
    wanted: &HashSet<TraceId>,
    guard: &std::sync::Arc<Guard>,
) -> Result<Vec<Part>> {
    let opened = segment.open()?;
    let io = Meter::new(guard.clone());
    let groups = &opened.summary().row_groups;
    let mut ordinals: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for id in wanted {
        for ordinal in segment.find_trace(*id)? {
            let after = groups.partition_point(|group| group.first_trace <= ordinal);
            ordinals.entry(after.saturating_sub(1)).or_default().push(ordinal);
        }
    }
    let columns = columns();
    let keys = segment.rollup_keys(&io)?;
    let mut parts = Vec::new();
    for (group, ordinals) in ordinals {
        guard.check()?;
        let mut numbered = Vec::new();
        for (number, ordinal) in ordinals.iter().enumerate() {
            let rows = trace_rows(segment, &opened, group, &[*ordinal], &io)?;
            numbered.extend(rows.into_iter().map(|row| (row, number as u32)));
        }
        numbered.sort_unstable();
        let (rows, traces): (Vec<u32>, Vec<u32>) = numbered.into_iter().unzip();
        ScanStats::add(&guard.stats.rows_scanned, rows.len() as u64);
        let batch = read_rows(segment, &opened, group, &rows, &columns, &io)?;
        let frame = opened.index.rollup_frame(keys.place(group, Frame::Halves)?, &io)?;
        let linked = read_halves(&frame)?.linked;
        let place = |row: &u32| rows.binary_search(row).ok().map(|place| place as u32);
        let order = (0..batch.num_rows() as u32).map(|row| RowRef { batch: 0, row }).collect();
        parts.push(Part {
            batches: vec![batch],
            order,
            linked: linked.iter().filter_map(place).collect(),
            segment: Some(number),
            traces: Some((traces, ordinals.len() as u32)),
        });
    }
    Ok(parts)
}

/// The parts as one.
pub(super) fn united(parts: &[Part]) -> Part {
    let mut all = Part {
        batches: Vec::new(),
        order: Vec::new(),
        linked: Vec::new(),
        segment: None,
        traces: None,
    };
    for part in parts {
        let (batches, rows) = (all.batches.len() as u32, all.order.len() as u32);
        all.batches.extend(part.batches.iter().cloned());
        let moved = part.order.iter().map(|at| RowRef { batch: at.batch + batches, ..*at });
        all.order.extend(moved);
        all.linked.extend(part.linked.iter().map(|row| row + rows));
    }
    all
}

impl Part {
    /// The edges among the rows whose time lies in a range.
    pub fn edges(&self, time: TimeRange, tables: &mut Tables) -> Result<EdgeColumns> {
        self.edges_of_first(self.order.len(), time, tables)
    }

    /// The same, counting only what is called, or calls a mere name, among so many first rows.
    pub fn edges_of_first(
        &self,
        counted: usize,
        time: TimeRange,
        tables: &mut Tables,
    ) -> Result<EdgeColumns> {
        Ok(roll_up(self, counted, time, tables)?.0)
    }
}

/// The edges of a part whose time lies in a range, and what is left of halves.
pub(super) fn roll_up(
    part: &Part,
    counted: usize,
    time: TimeRange,
    tables: &mut Tables,
) -> Result<(EdgeColumns, Halves)> {
    let gather = Gather { batches: &part.batches, order: &part.order };
    if part.order.is_empty() {
        return Ok(Default::default());
    }
    let (traces, count) = match &part.traces {
        Some(numbered) => numbered.clone(),
        None => number_traces(&gather)?,
    };
    let parents = Parents::find(&gather, &traces, 0, count)?;
    let spans = Spans::of(&gather, tables)?;
    let peers = Peers::of_batches(&gather)?;
    let linked = &part.linked;
    let mut slab =
        Slab { gather: &gather, traces: &traces, parents: &parents, peers, linked, time, counted };
    slab.edges(&spans, tables)
}

fn number_traces(gather: &Gather<'_>) -> Result<(Vec<u32>, u32)> {
    let index = gather.index(col::TRACE_ID)?;
    let mut numbers: HashMap<TraceId, u32> = HashMap::new();
    let mut traces = Vec::with_capacity(gather.order.len());
    for at in gather.order {
        let ids = gather.batches[at.batch as usize].column(index).as_fixed_size_binary();
        let id = TraceId::from_slice(ids.value(at.row as usize))?;
        let next = numbers.len() as u32;
        traces.push(*numbers.entry(id).or_insert(next));
    }
    Ok((traces, numbers.len() as u32))
}
