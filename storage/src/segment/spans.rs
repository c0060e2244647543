//! Spans into slabs: which traces go together, and in what order their rows lie.
//!
//! Traces are numbered by their first start and fill slabs in that order, each trace whole in one
//! slab; a slab is a row group. Inside a slab rows are sorted by (service, name, start), so that
//! equal values are neighbours and a search by service reads a run of pages. A trace with more rows
//! than a slab is cut into several ordinals of one id.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use super::attributes::{AttributeCounts, Routed, route};
use super::facts;
use super::gather::{Gather, RowRef, Unified, dictionary_keys};
use super::index::summary::RowGroupSummary;
use super::index::traces::TraceEntry;
use super::layout::{
    Layout, PARENT, PARENT_ELSEWHERE, PARENT_FIRST, PARENT_NONE, SpanOrder, TRACE,
};
use super::rollup::build::{self, roll_up};
use super::rollup::peers::Peers;
use super::trace_facts::TraceHeads;
use super::writer::SegmentWriter;
use super::{SegmentMeta, Sinks, WriteOptions};
use crate::{Error, Result};

/// Sorts and writes spans in the item schema. Sync and CPU-heavy: call it off the async workers.
pub fn write_spans(
    batches: &[RecordBatch],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    write_spans_with(batches, options, &Layout::default(), sinks)
}

/// [`write_spans`] with another layout, for measuring.
pub fn write_spans_with(
    batches: &[RecordBatch],
    options: &WriteOptions,
    layout: &Layout,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let (row_traces, traces) = local_traces(batches, layout.slab_rows)?;
    let plan = SlabPlan::new(&traces, layout.slab_rows);
    let counts = AttributeCounts::of(batches)?;
    let rows = row_traces.len() as u64;
    let mut writer = SegmentWriter::new(Signal::Traces, options, layout, sinks, rows, counts);
    let mut slabs = plan.slabs.iter().map(|_| Vec::new()).collect::<Vec<Vec<SlabRow>>>();
    let mut flat = row_traces.iter();
    for (batch, rows) in batches.iter().enumerate() {
        for row in 0..rows.num_rows() {
            let Some(local) = flat.next() else { break };
            let trace = plan.ordinals[*local as usize];
            let at = RowRef { batch: batch as u32, row: row as u32 };
            slabs[plan.slab_of(trace)].push(SlabRow { at, trace });
        }
    }
    for (rows, slab) in slabs.into_iter().zip(&plan.slabs) {
        let slab = SortedSlab::new(batches, rows, slab, layout.order)?;
        let routed = route(&slab.gather(), writer.columns())?;
        slab.write(&mut writer, routed)?;
    }
    writer.index.traces = plan.entries;
    facts::of_batches(&mut writer.index, Signal::Traces, batches)?;
    writer.finish()
}

/// A row that goes into a slab.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlabRow {
    pub at: RowRef,
    pub trace: u32,
}

/// Ordinals `first..first + traces` of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slab {
    pub first: u32,
    pub traces: u32,
}

/// Which ordinal each trace gets, and which slab each ordinal.
#[derive(Debug)]
pub(super) struct SlabPlan {
    /// Ordinals of the traces that the plan was made from, in their order.
    pub ordinals: Vec<u32>,
    /// By ordinal.
    pub entries: Vec<TraceEntry>,
    pub slabs: Vec<Slab>,
}

impl SlabPlan {
    pub(super) fn new(traces: &[TraceEntry], slab_rows: usize) -> Self {
        let mut sorted = (0..traces.len() as u32).collect::<Vec<_>>();
        sorted.sort_unstable_by_key(|i| {
            (traces[*i as usize].first_time_ns, traces[*i as usize].id, *i)
        });
        let mut ordinals = vec![0; traces.len()];
        let mut entries = Vec::with_capacity(traces.len());
        let mut slabs: Vec<Slab> = Vec::new();
        let mut rows = usize::MAX;
        for (ordinal, i) in sorted.iter().enumerate() {
            let entry = traces[*i as usize];
            ordinals[*i as usize] = ordinal as u32;
            entries.push(entry);
            rows = rows.saturating_add(entry.rows as usize);
            match slabs.last_mut() {
                Some(slab) if rows <= slab_rows => slab.traces += 1,
                _ => {
                    slabs.push(Slab { first: ordinal as u32, traces: 1 });
                    rows = entry.rows as usize;
                }
            }
        }
        Self { ordinals, entries, slabs }
    }

    pub(super) fn slab_of(&self, ordinal: u32) -> usize {
        self.slabs.partition_point(|slab| slab.first <= ordinal).saturating_sub(1)
    }
}

// For each row the number of its trace, and the traces. A trace that outgrows a slab continues under
// another number.
fn local_traces(batches: &[RecordBatch], slab_rows: usize) -> Result<(Vec<u32>, Vec<TraceEntry>)> {
    let mut numbers: HashMap<TraceId, u32> = HashMap::new();
    let mut traces: Vec<TraceEntry> = Vec::new();
    let mut row_traces = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for batch in batches {
        let (ids, starts) = (column(batch, col::TRACE_ID)?, column(batch, col::START_TIME)?);
        let ids = ids.as_fixed_size_binary();
        let starts = starts.as_primitive::<TimestampNanosecondType>().values();
        let mut last = (TraceId::default(), u32::MAX);
        for (row, start) in starts.iter().enumerate() {
            let id = TraceId::from_slice(ids.value(row))?;
            let known = if id == last.0 { Some(last.1) } else { numbers.get(&id).copied() };
            let open = known.filter(|number| {
                traces.get(*number as usize).is_some_and(|t| (t.rows as usize) < slab_rows)
            });
            let number = open.unwrap_or_else(|| {
                let number = traces.len() as u32;
                traces.push(TraceEntry { id, first_time_ns: *start, rows: 0 });
                numbers.insert(id, number);
                number
            });
            let entry = &mut traces[number as usize];
            entry.rows += 1;
            entry.first_time_ns = entry.first_time_ns.min(*start);
            row_traces.push(number);
            last = (id, number);
        }
    }
    Ok((row_traces, traces))
}

/// A column of a batch.
pub(crate) fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::invalid(format!("a batch has no column '{name}'")))
}

/// The rows of one slab in the order of the file.
pub(super) struct SortedSlab<'b> {
    batches: &'b [RecordBatch],
    order: Vec<RowRef>,
    traces: Vec<u32>,
    slab: Slab,
}

impl<'b> SortedSlab<'b> {
    pub(super) fn new(
        batches: &'b [RecordBatch],
        rows: Vec<SlabRow>,
        slab: &Slab,
        order: SpanOrder,
    ) -> Result<Self> {
        let sorted = sort(batches, &rows, order)?;
        let order = sorted.iter().map(|i| rows[*i as usize].at).collect();
        let traces = sorted.iter().map(|i| rows[*i as usize].trace).collect();
        Ok(Self { batches, order, traces, slab: *slab })
    }

    pub(super) fn gather(&self) -> Gather<'_> {
        Gather { batches: self.batches, order: &self.order }
    }

    /// Writes the slab as a row group.
    pub(super) fn write(self, writer: &mut SegmentWriter<'_>, routed: Routed) -> Result<()> {
        let gather = self.gather();
        let starts = gather.values::<TimestampNanosecondType>(gather.index(col::START_TIME)?);
        let durations = gather.values::<Int64Type>(gather.index(col::DURATION_NS)?);
        let ends = starts.iter().zip(&durations).map(|(at, d)| at.saturating_add((*d).max(0)));
        let parents = Parents::find(&gather, &self.traces, self.slab.first, self.slab.traces)?;
        TraceHeads {
            gather: &gather,
            places: &parents.places,
            starts: &starts,
            durations: &durations,
        }
        .push_facts(&parents.by_trace, self.slab.traces, &mut writer.index.facts)?;
        let summary = RowGroupSummary {
            rows: self.order.len() as u32,
            min_time_ns: starts.iter().copied().min().unwrap_or_default(),
            max_time_ns: starts.iter().copied().max().unwrap_or_default(),
            max_end_ns: ends.max().unwrap_or_default(),
            first_trace: self.slab.first,
            traces: self.slab.traces,
            twins: !parents.twins.is_empty(),
        };
        let rollup = build::Slab {
            gather: &gather,
            traces: &self.traces,
            parents: &parents,
            peers: Peers::of_columns(writer.columns(), &routed),
            linked: &[],
            time: TimeRange::ALL,
            counted: self.order.len(),
        };
        let rollup = roll_up(rollup, &mut writer.index.rollup.tables)?;
        writer.index.rollup.push(&rollup)?;
        let special = HashMap::from_iter([
            (TRACE, Arc::new(UInt32Array::from(self.traces.clone())) as ArrayRef),
            (PARENT, Arc::new(UInt32Array::from(parents.places)) as ArrayRef),
            (col::PARENT_SPAN_ID, Arc::new(parents.elsewhere) as ArrayRef),
        ]);
        writer.write_row_group(&gather, special, routed, summary)
    }
}

fn sort(batches: &[RecordBatch], rows: &[SlabRow], order: SpanOrder) -> Result<Vec<u32>> {
    let probe = Gather { batches, order: &[] };
    let (service, name) = (probe.index(col::SERVICE_NAME)?, probe.index(col::NAME)?);
    let start = probe.index(col::START_TIME)?;
    let ranks = [service, name]
        .map(|index| Unified::of(batches, index).map(Unified::ranked).map(|u| (index, u.maps)));
    let [services, names] = ranks;
    let (services, names) = (services?, names?);
    let starts = batches
        .iter()
        .map(|batch| batch.column(start).as_primitive::<TimestampNanosecondType>().values())
        .collect::<Vec<_>>();
    let rank = |(index, maps): &(usize, Vec<Arc<Vec<u32>>>), at: RowRef| {
        let key = dictionary_keys(&batches[at.batch as usize], *index)[at.row as usize];
        maps[at.batch as usize][key as usize]
    };
    let mut keys = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let first = match order {
            SpanOrder::ServiceInSlab => {
                u64::from(rank(&services, row.at)) << 32 | u64::from(rank(&names, row.at))
            }
            SpanOrder::TraceInSlab => u64::from(row.trace),
        };
        keys.push((first, starts[row.at.batch as usize][row.at.row as usize], i as u32));
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(_, _, i)| i).collect())
}

/// Parents as places in the list of their trace's rows.
pub(crate) struct Parents {
    places: Vec<u32>,
    elsewhere: FixedSizeBinaryArray,
    /// Rows of one trace that have one span id, ascending, for each id that several have.
    twins: Vec<Vec<u32>>,
    by_trace: RowsByTrace,
    first_trace: u32,
}

/// Traces of more rows look parents up in a table.
const SEARCHED_ROWS_MAX: usize = 48;

impl Parents {
    /// Finds the parents of rows whose traces' ordinals are `first_trace` and so many that follow.
    pub(crate) fn find(
        gather: &Gather<'_>,
        traces: &[u32],
        first_trace: u32,
        trace_count: u32,
    ) -> Result<Self> {
        let spans = ids(gather, col::SPAN_ID)?;
        let parents = ids(gather, col::PARENT_SPAN_ID)?;
        let by_trace = RowsByTrace::new(traces, first_trace, trace_count);
        let mut places = vec![PARENT_NONE; traces.len()];
        let mut table: HashMap<u64, u32> = HashMap::new();
        let mut twins = Vec::new();
        for trace in 0..trace_count {
            let rows = by_trace.rows(trace);
            table.clear();
            let mut are_twins = false;
            if rows.len() > SEARCHED_ROWS_MAX {
                for (place, row) in rows.iter().enumerate().rev() {
                    are_twins |= table.insert(spans[*row as usize].0, place as u32).is_some();
                }
            } else {
                let id = |row: &u32| spans[*row as usize].0;
                are_twins =
                    (1..rows.len()).any(|at| rows[..at].iter().any(|r| id(r) == id(&rows[at])));
            }
            if are_twins {
                twins.extend(rows_of_one_id(rows, &spans));
            }
            for row in rows {
                let (parent, true) = parents[*row as usize] else { continue };
                let place = if rows.len() > SEARCHED_ROWS_MAX {
                    table.get(&parent).copied()
                } else {
                    let place = rows.iter().position(|other| spans[*other as usize].0 == parent);
                    place.map(|place| place as u32)
                };
                places[*row as usize] = place.map_or(PARENT_ELSEWHERE, |p| PARENT_FIRST + p);
            }
        }
        let mut bytes = vec![0u8; places.len() * 8];
        let mut valid = vec![false; places.len()];
        for (row, place) in places.iter().enumerate().filter(|(_, p)| **p == PARENT_ELSEWHERE) {
            debug_assert_eq!(*place, PARENT_ELSEWHERE);
            bytes[row * 8..row * 8 + 8].copy_from_slice(&parents[row].0.to_be_bytes());
            valid[row] = true;
        }
        let elsewhere =
            FixedSizeBinaryArray::try_new(8, Buffer::from_vec(bytes), Some(valid.into()))?;
        Ok(Self { places, elsewhere, twins, by_trace, first_trace })
    }

    /// Rows of one trace that have one span id, for each id that several have.
    pub(crate) fn twins(&self) -> &[Vec<u32>] {
        &self.twins
    }

    /// The row of a row's parent, if it is among the rows: the first of its trace with that id.
    pub(crate) fn row(&self, row: usize, trace: u32) -> Option<usize> {
        let place = self.places[row].checked_sub(PARENT_FIRST)?;
        let rows = self.by_trace.rows(trace.wrapping_sub(self.first_trace));
        rows.get(place as usize).map(|row| *row as usize)
    }

    /// The id of a row's parent that is not among the rows.
    pub(crate) fn elsewhere(&self, row: usize) -> Option<u64> {
        let mut id = [0; 8];
        id.copy_from_slice(self.elsewhere.is_valid(row).then(|| self.elsewhere.value(row))?);
        Some(u64::from_be_bytes(id))
    }
}

fn rows_of_one_id(rows: &[u32], spans: &[(u64, bool)]) -> Vec<Vec<u32>> {
    let mut by_id: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    rows.iter().for_each(|row| by_id.entry(spans[*row as usize].0).or_default().push(*row));
    by_id.into_values().filter(|rows| rows.len() > 1).collect()
}

// Span ids as numbers, and whether they are set.
fn ids(gather: &Gather<'_>, name: &str) -> Result<Vec<(u64, bool)>> {
    let index = gather.index(name)?;
    let columns = gather
        .batches
        .iter()
        .map(|batch| batch.column(index).as_fixed_size_binary())
        .collect::<Vec<_>>();
    let id = |at: &RowRef| {
        let (column, row) = (columns[at.batch as usize], at.row as usize);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(column.value(row));
        (u64::from_be_bytes(bytes), column.is_valid(row))
    };
    Ok(gather.order.iter().map(id).collect())
}

/// The rows of a slab, listed by trace, ascending.
#[derive(Debug)]
pub(crate) struct RowsByTrace {
    starts: Vec<u32>,
    rows: Vec<u32>,
}

impl RowsByTrace {
    /// Lists rows whose ordinals lie in `first..first + traces`.
    pub(crate) fn new(ordinals: &[u32], first: u32, traces: u32) -> Self {
        let mut starts = vec![0u32; traces as usize + 1];
        let place = |ordinal: u32| (ordinal.wrapping_sub(first) as usize).min(traces as usize);
        for ordinal in ordinals {
            if let Some(count) = starts.get_mut(place(*ordinal) + 1) {
                *count += 1;
            }
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; ordinals.len()];
        for (row, ordinal) in ordinals.iter().enumerate() {
            let trace = place(*ordinal);
            if trace < traces as usize {
                rows[next[trace] as usize] = row as u32;
                next[trace] += 1;
            }
        }
        Self { starts, rows }
    }

    /// The rows of the trace that is so many past the first.
    pub(crate) fn rows(&self, trace: u32) -> &[u32] {
        match (self.starts.get(trace as usize), self.starts.get(trace as usize + 1)) {
            (Some(start), Some(end)) => &self.rows[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// For each row of the slab the trace, as many past the first.
    pub(crate) fn trace_of_row(&self) -> Vec<u32> {
        let mut traces = vec![0; self.rows.len()];
        for trace in 0..self.starts.len().saturating_sub(1) as u32 {
            self.rows(trace).iter().for_each(|row| traces[*row as usize] = trace);
        }
        traces
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        (self.starts.len() + self.rows.len()) * 4
    }
}
