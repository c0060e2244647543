//! Traces that lie in several places: their rows from all of them, united by ids.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use hashbrown::HashMap;
use parquet::arrow::arrow_reader::RowSelection;
use throughline_model::TraceId;
use throughline_model::schema::col;

use super::filter::{Leaves, starts_inside};
use super::places::ids;
use super::slab::Slab;
use super::structure::Structure;
use super::{TraceBatch, TraceScanRequest};
use crate::scan::group::{times, trace_rows};
use crate::scan::plan::Guard;
use crate::scan::{ScanColumn, ScanStats, prune};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rows::{Assembler, Parents};
use crate::{Error, Result};

/// The columns that gathered rows need besides those of the request.
pub(super) fn columns(request: &TraceScanRequest) -> Vec<ScanColumn> {
    let mut columns = request.columns.clone();
    let mut add = |name: &str| {
        let column = ScanColumn::Fixed(name.to_owned());
        if !columns.iter().any(|known| known.name() == column.name()) {
            columns.push(column);
        }
    };
    if request.named {
        add(col::TRACE_ID);
    }
    if request.structure {
        add(col::SPAN_ID);
        add(col::PARENT_SPAN_ID);
    }
    columns
}

/// The rows of traces in a segment.
pub(super) fn rows_of(
    segment: &Segment,
    wanted: &[TraceId],
    (request, leaves): (&TraceScanRequest, &Leaves),
    guard: &Arc<Guard>,
) -> Result<Vec<RecordBatch>> {
    let mut ordinals = Vec::new();
    for id in wanted {
        ordinals.extend(segment.find_trace(*id)?);
    }
    if ordinals.is_empty() {
        return Ok(Vec::new());
    }
    let opened = &*segment.open()?;
    let io = Meter::new(guard.clone());
    let mut out = Vec::new();
    for (row_group, group) in opened.summary().row_groups.iter().enumerate() {
        if !prune::group_holds(group, Some(&ordinals)) {
            continue;
        }
        guard.check()?;
        let mut rows = trace_rows(segment, opened, row_group, &ordinals, &io)?;
        if !request.whole {
            let found = Slab { segment, opened, row_group, io: &io, guard }.find_rows(leaves)?;
            rows.retain(|row| found.binary_search(row).is_ok());
        }
        if rows.is_empty() {
            continue;
        }
        ScanStats::add(&guard.stats.rows_scanned, rows.len() as u64);
        let inside = starts_inside(group, &request.time);
        let batch = read(segment, opened, row_group, &rows, request, inside, &io)?;
        if batch.num_rows() > 0 {
            out.push(batch);
        }
    }
    Ok(out)
}

fn read(
    segment: &Segment,
    opened: &Opened,
    row_group: usize,
    rows: &[u32],
    request: &TraceScanRequest,
    inside: bool,
    io: &Meter,
) -> Result<RecordBatch> {
    let assembler = Assembler { segment, opened, row_group };
    let mut wanted = columns(request);
    let asked = wanted.len();
    let start = ScanColumn::Fixed(col::START_TIME.to_owned());
    if !inside && !wanted.contains(&start) {
        wanted.push(start);
    }
    let mut leaves = Vec::new();
    for column in &wanted {
        leaves.extend(assembler.leaves(column, Parents::InSlab)?);
    }
    let total = opened.row_group(row_group)?.rows as usize;
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, total);
    let mut batches = opened.read_rows(row_group, &leaves, Some(selection), rows.len(), io)?;
    let file = batches.next().transpose()?.filter(|file| file.num_rows() == rows.len());
    let file = file.ok_or_else(|| {
        Error::corrupt(format!("row group {row_group} has fewer rows than its traces"))
    })?;
    let batch = assembler.assemble(&file, &wanted, Parents::InSlab, io)?;
    if inside {
        return Ok(batch);
    }
    let starts = times(&batch, col::START_TIME)?;
    let keep = starts.iter().map(|start| request.time.contains(*start)).collect::<Vec<_>>();
    let kept = filter_record_batch(&batch, &BooleanArray::from(keep))?;
    Ok(kept.project(&(0..asked).collect::<Vec<_>>())?)
}

/// One batch of rows whose traces do not matter.
pub(super) fn apart(batches: &[RecordBatch]) -> Result<Option<TraceBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let rows = concat_batches(&first.schema(), batches)?;
    Ok(Some(TraceBatch { rows, traces: Vec::new(), trace_of_row: Vec::new(), structure: None }))
}

/// One batch of all rows; the columns of the request come first.
pub(super) fn unite(
    batches: &[RecordBatch],
    wanted: &[TraceId],
    request: &TraceScanRequest,
) -> Result<Option<TraceBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), batches)?;
    if all.num_rows() == 0 {
        return Ok(None);
    }
    let places = wanted.iter().enumerate().map(|(i, id)| (*id, i as u32));
    let places = places.collect::<HashMap<TraceId, u32>>();
    let ids = ids(&all)?;
    let mut trace_of_row = Vec::with_capacity(all.num_rows());
    for row in 0..all.num_rows() {
        let id = TraceId::from_slice(ids.value(row))?;
        let place = places.get(&id).copied();
        trace_of_row.push(place.ok_or_else(|| Error::corrupt(format!("trace {id} came unasked")))?);
    }
    let structure =
        request.structure.then(|| Structure::from_ids(&all, &trace_of_row)).transpose()?;
    let rows = all.project(&(0..request.columns.len()).collect::<Vec<_>>())?;
    Ok(Some(TraceBatch { rows, traces: wanted.to_vec(), trace_of_row, structure }))
}
