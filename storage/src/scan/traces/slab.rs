//! Traces that lie whole in one slab.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::UInt32Type;
use parquet::arrow::arrow_reader::RowSelection;
use throughline_model::TraceId;
use throughline_model::schema::col;

use super::filter::{Leaves, starts_inside};
use super::places::Places;
use super::structure::{Missing, NO_PARENT, Structure, number};
use super::{TraceBatch, TraceScanRequest};
use crate::scan::ScanStats;
use crate::scan::group::{GroupScan, times};
use crate::scan::left::Left;
use crate::scan::plan::Guard;
use crate::segment::layout::{PARENT, PARENT_ELSEWHERE, PARENT_FIRST, PARENT_NONE, TRACE};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rows::{Assembler, Parents};
use crate::{Error, Result};

/// A selection of more than one row of so many is read as a whole and picked from.
const PICK_ONE_OF: usize = 12;

/// A slab about to be read.
pub(super) struct Slab<'a> {
    pub segment: &'a Segment,
    pub opened: &'a Opened,
    pub row_group: usize,
    pub io: &'a Meter,
    pub guard: &'a Arc<Guard>,
}

/// What the leaves found.
pub(super) struct Found {
    /// The rows to read, ascending, of traces that lie here alone.
    pub here: Vec<u32>,
    /// Traces that have a match here and rows elsewhere.
    pub split: Vec<TraceId>,
}

/// Which rows and which traces (past the slab's first) a leaf finds.
struct Matches {
    /// None for all rows.
    rows: Option<Vec<u32>>,
    traces: Option<Vec<bool>>,
}

impl Slab<'_> {
    pub(super) fn find(
        &self,
        leaves: &Leaves,
        request: &TraceScanRequest,
        places: &Places,
    ) -> Result<Found> {
        if !request.together {
            return Ok(Found { here: self.find_rows(leaves)?, split: Vec::new() });
        }
        let group = self.opened.row_group(self.row_group)?;
        let mut matches = Vec::with_capacity(leaves.len());
        for leaf in 0..leaves.len() {
            matches.push(self.matches(self.found_by(leaves, leaf)?)?);
        }
        let (mut here, mut split) = (vec![false; group.traces as usize], Vec::new());
        for trace in 0..group.traces as usize {
            let found = |leaf: usize| matches[leaf].traces.as_ref().is_none_or(|t| t[trace]);
            if !(0..matches.len()).any(found) {
                continue;
            }
            let id = self.opened.traces.id(group.first_trace + trace as u32)?;
            if places.is_split(id)? {
                split.push(id);
            } else {
                here[trace] = request.traces.wants(&found);
            }
        }
        Ok(Found { here: self.rows(&here, &matches, request)?, split })
    }

    fn found_by(&self, leaves: &Leaves, leaf: usize) -> Result<Left> {
        let group = self.opened.row_group(self.row_group)?;
        GroupScan {
            plan: leaves.plan(leaf, &group),
            segment: self.segment,
            opened: self.opened,
            row_group: self.row_group,
            io: self.io,
            stats: &self.guard.stats,
            deleted: None,
        }
        .find(None)
    }

    /// The rows that some leaf finds, ascending, whatever their traces.
    pub(super) fn find_rows(&self, leaves: &Leaves) -> Result<Vec<u32>> {
        let total = self.opened.row_group(self.row_group)?.rows as usize;
        let mut rows = Vec::new();
        for leaf in 0..leaves.len() {
            let left = self.found_by(leaves, leaf)?;
            if left.count() == total {
                return Ok((0..total as u32).collect());
            }
            rows.extend(left.rows(total));
        }
        if leaves.len() > 1 {
            rows.sort_unstable();
            rows.dedup();
        }
        Ok(rows)
    }

    // The rows that a leaf left, and their traces.
    fn matches(&self, left: Left) -> Result<Matches> {
        let group = self.opened.row_group(self.row_group)?;
        let total = group.rows as usize;
        let mut traces = vec![false; group.traces as usize];
        if left.count() == 0 {
            return Ok(Matches { rows: Some(Vec::new()), traces: Some(traces) });
        }
        if left.count() == total {
            return Ok(Matches { rows: None, traces: None });
        }
        let rows = left.rows(total);
        if rows.len() > total / PICK_ONE_OF {
            let by_trace = self.segment.trace_rows(self.row_group, self.io)?;
            let ordinals = by_trace.trace_of_row();
            rows.iter().for_each(|row| traces[ordinals[*row as usize] as usize] = true);
        } else {
            let leaf = self.opened.leaf(TRACE)?;
            let selection = Some(select(&rows, total));
            let read =
                self.opened.read_rows(self.row_group, &[leaf], selection, rows.len(), self.io)?;
            for batch in read {
                let column = batch?.column(0).clone();
                for ordinal in column.as_primitive::<UInt32Type>().values() {
                    let trace = ordinal.wrapping_sub(group.first_trace) as usize;
                    *traces.get_mut(trace).ok_or_else(|| self.foreign(*ordinal))? = true;
                }
            }
        }
        Ok(Matches { rows: Some(rows), traces: Some(traces) })
    }

    fn foreign(&self, ordinal: u32) -> Error {
        Error::corrupt(format!("row group {} holds a row of trace {ordinal}", self.row_group))
    }

    // The rows to read of the traces that are wanted.
    fn rows(
        &self,
        here: &[bool],
        matches: &[Matches],
        request: &TraceScanRequest,
    ) -> Result<Vec<u32>> {
        let group = self.opened.row_group(self.row_group)?;
        if !here.contains(&true) {
            return Ok(Vec::new());
        }
        let everything = here.iter().all(|wanted| *wanted)
            && (request.whole || matches.iter().any(|m| m.rows.is_none()));
        if everything {
            return Ok((0..group.rows).collect());
        }
        let by_trace = self.segment.trace_rows(self.row_group, self.io)?;
        let mut keep = vec![request.whole; group.rows as usize];
        if !request.whole {
            for matches in matches {
                match &matches.rows {
                    Some(rows) => rows.iter().for_each(|row| keep[*row as usize] = true),
                    None => keep.fill(true),
                }
            }
        }
        let mut rows = Vec::new();
        for (trace, _) in here.iter().enumerate().filter(|(_, wanted)| **wanted) {
            let of_trace = by_trace.rows(trace as u32).iter().copied();
            rows.extend(of_trace.filter(|row| keep[*row as usize]));
        }
        rows.sort_unstable();
        Ok(rows)
    }

    /// Reads the rows found.
    pub(super) fn read(
        &self,
        request: &TraceScanRequest,
        mut rows: Vec<u32>,
    ) -> Result<Option<TraceBatch>> {
        if rows.is_empty() {
            return Ok(None);
        }
        let group = self.opened.row_group(self.row_group)?;
        let inside = starts_inside(&group, &request.time);
        let by_ids = request.structure && group.twins;
        let assembler =
            Assembler { segment: self.segment, opened: self.opened, row_group: self.row_group };
        let mut columns = request.columns.clone();
        if by_ids {
            columns = super::gather::columns(request);
        }
        let mut leaves = Vec::new();
        if request.named {
            leaves.push(self.opened.leaf(TRACE)?);
        }
        for column in &columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        if request.structure {
            leaves.extend([self.opened.leaf(PARENT)?, self.opened.leaf(col::PARENT_SPAN_ID)?]);
        }
        if !inside {
            leaves.push(self.opened.leaf(col::START_TIME)?);
        }
        if leaves.is_empty() {
            leaves.push(self.opened.leaf(col::FLAGS)?); // rows are counted by some column
        }
        let mut file = self.file_rows(&leaves, &rows)?;
        if !inside {
            (file, rows) = in_range(file, rows, request)?;
        }
        ScanStats::add(&self.guard.stats.rows_matched, rows.len() as u64);
        let batch = assembler.assemble(&file, &columns, Parents::InSlab, self.io)?;
        let (traces, trace_of_row) =
            if request.named { self.traces(&file)? } else { (Vec::new(), Vec::new()) };
        let structure = match (request.structure, by_ids) {
            (false, _) => None,
            (true, true) => Some(Structure::from_ids(&batch, &trace_of_row)?),
            (true, false) => Some(self.structure(&file, &rows, &trace_of_row)?),
        };
        let batch = batch.project(&(0..request.columns.len()).collect::<Vec<_>>())?;
        Ok(Some(TraceBatch { rows: batch, traces, trace_of_row, structure }))
    }

    fn file_rows(&self, leaves: &[usize], rows: &[u32]) -> Result<RecordBatch> {
        let total = self.opened.row_group(self.row_group)?.rows as usize;
        let picked = rows.len() < total && rows.len() > total / PICK_ONE_OF;
        let (selection, count) = match rows.len() == total || picked {
            true => (None, total),
            false => (Some(select(rows, total)), rows.len()),
        };
        let mut batches =
            self.opened.read_rows(self.row_group, leaves, selection, count, self.io)?;
        let file = batches.next().transpose()?.filter(|file| file.num_rows() == count);
        let file = file.ok_or_else(|| {
            Error::corrupt(format!("row group {} has fewer rows than expected", self.row_group))
        })?;
        if !picked {
            return Ok(file);
        }
        Ok(take_record_batch(&file, &UInt32Array::from(rows.to_vec()))?)
    }

    // The traces of the rows, and the place of each row's trace among them.
    fn traces(&self, file: &RecordBatch) -> Result<(Vec<TraceId>, Vec<u32>)> {
        let group = self.opened.row_group(self.row_group)?;
        let ordinals = numbers(file, TRACE)?;
        let mut places = vec![u32::MAX; group.traces as usize];
        let (mut traces, mut of_row) = (Vec::new(), Vec::with_capacity(file.num_rows()));
        for ordinal in ordinals.values() {
            let trace = ordinal.wrapping_sub(group.first_trace) as usize;
            let place = places.get_mut(trace).ok_or_else(|| self.foreign(*ordinal))?;
            if *place == u32::MAX {
                *place = traces.len() as u32;
                traces.push(self.opened.traces.id(*ordinal)?);
            }
            of_row.push(*place);
        }
        Ok((traces, of_row))
    }

    // Parents by their places in the slab.
    fn structure(
        &self,
        file: &RecordBatch,
        rows: &[u32],
        trace_of_row: &[u32],
    ) -> Result<Structure> {
        let group = self.opened.row_group(self.row_group)?;
        let (ordinals, places) = (numbers(file, TRACE)?, numbers(file, PARENT)?);
        let elsewhere = file.column_by_name(col::PARENT_SPAN_ID).map(|c| c.as_fixed_size_binary());
        let by_trace = self.segment.trace_rows(self.row_group, self.io)?;
        // Where each row of the slab is in the batch.
        let mut at = vec![u32::MAX; group.rows as usize];
        rows.iter().enumerate().for_each(|(i, row)| at[*row as usize] = i as u32);
        let mut missing = Missing::new(rows.len());
        let mut parents = Vec::with_capacity(rows.len());
        for (row, place) in places.values().iter().enumerate() {
            parents.push(match *place {
                PARENT_NONE => NO_PARENT,
                PARENT_ELSEWHERE => {
                    let id = elsewhere.filter(|ids| ids.is_valid(row)).map(|ids| ids.value(row));
                    let id = id.ok_or_else(|| Error::corrupt("a span's parent has no id"))?;
                    missing.number((trace_of_row[row], number(id)))
                }
                place => {
                    let of_trace = by_trace.rows(ordinals.value(row) - group.first_trace);
                    let parent = of_trace.get((place - PARENT_FIRST) as usize);
                    let parent = *parent.ok_or_else(|| {
                        Error::corrupt(format!("a span's parent {place} is not there"))
                    })?;
                    match at[parent as usize] {
                        // The range cut it off; its row names it as well as its id would.
                        u32::MAX => missing.number((trace_of_row[row], u64::from(parent))),
                        parent => parent,
                    }
                }
            });
        }
        Ok(Structure { parents, twins: None })
    }
}

fn numbers<'f>(file: &'f RecordBatch, name: &str) -> Result<&'f UInt32Array> {
    let column = file.column_by_name(name).map(|column| column.as_primitive::<UInt32Type>());
    column.ok_or_else(|| Error::invalid(format!("column '{name}' was not read")))
}

fn select(rows: &[u32], total: usize) -> RowSelection {
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    RowSelection::from_consecutive_ranges(ranges, total)
}

// Drops the rows that do not start in the range.
fn in_range(
    file: RecordBatch,
    rows: Vec<u32>,
    request: &TraceScanRequest,
) -> Result<(RecordBatch, Vec<u32>)> {
    let starts = times(&file, col::START_TIME)?;
    let keep = BooleanBuffer::collect_bool(starts.len(), |row| request.time.contains(starts[row]));
    let kept = keep.set_indices().map(|at| rows[at]).collect();
    let keep = arrow::array::BooleanArray::new(keep, None);
    Ok((arrow::compute::filter_record_batch(&file, &keep)?, kept))
}
