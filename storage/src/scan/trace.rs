//! All spans, or all log records, of one trace.
//!
//! The trace table of a segment says at once whether it holds the trace and in which slab. The rows
//! are then read with everything that they need from the same pages; columns that hold nothing for
//! them are not touched.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Schema, UInt32Type};
use futures::StreamExt;
use hashbrown::{HashMap, HashSet};
use parquet::arrow::arrow_reader::RowSelection;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::map_entries;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};

use super::group::trace_rows;
use super::head::project;
use super::plan::Guard;
use super::run::scan_tier;
use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest, ScanStats, prune};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rows::{Assembler, Parents, item_columns};
use crate::view::Tier;
use crate::{Error, ErrorKind, Result};

/// The spans of a trace, from heads and segments.
fn read_spans_of(
    tier: &Tier,
    id: TraceId,
    columns: Option<&[ScanColumn]>,
    hint: Option<TimeRange>,
    guard: &Arc<Guard>,
) -> Result<Vec<RecordBatch>> {
    let all = item_columns(Signal::Traces);
    let wanted = columns.unwrap_or(&all);
    let mut found = Vec::new();
    for batch in tier.heads.iter() {
        guard.check()?;
        if let Some(keep) = rows_of(batch, id)? {
            // Whole columns cost nothing to leave out; single attributes are taken out of few rows.
            let fixed = |column: &ScanColumn| !matches!(column, ScanColumn::Attribute(_));
            found.push(if wanted.iter().all(fixed) {
                filter_record_batch(&project(Signal::Traces, batch, wanted)?, &keep)?
            } else {
                project(Signal::Traces, &filter_record_batch(batch, &keep)?, wanted)?
            });
        }
    }
    ScanStats::add(&guard.stats.segments_total, tier.segments.len() as u64);
    for segment in tier.segments.iter() {
        let meta = &segment.meta;
        if hint.is_some_and(|hint| !hint.overlaps(meta.min_time_ns, meta.max_time_ns)) {
            ScanStats::add(&guard.stats.segments_pruned_time, 1);
            continue;
        }
        match read_segment(segment, id, wanted, guard) {
            Err(err) if err.kind() == ErrorKind::Corrupt => {
                segment.mark_corrupt(&err);
                guard.stats.partial.lock().push(meta.id.to_string());
            }
            other => found.extend(other?),
        }
    }
    Ok(found)
}

// Which rows of a head's batch belong to the trace, if any does.
fn rows_of(batch: &RecordBatch, id: TraceId) -> Result<Option<BooleanArray>> {
    let ids = batch.column_by_name(col::TRACE_ID);
    let ids = ids.ok_or_else(|| Error::invalid("a head has no trace ids"))?.as_fixed_size_binary();
    let keep = (0..ids.len()).map(|row| ids.is_valid(row) && ids.value(row) == id.0);
    let keep = keep.collect::<Vec<bool>>();
    Ok(keep.contains(&true).then(|| BooleanArray::from(keep)))
}

fn read_segment(
    segment: &Segment,
    id: TraceId,
    columns: &[ScanColumn],
    guard: &Arc<Guard>,
) -> Result<Vec<RecordBatch>> {
    let ordinals = segment.find_trace(id)?;
    if ordinals.is_empty() {
        ScanStats::add(&guard.stats.segments_pruned_filter, 1);
        return Ok(Vec::new());
    }
    let opened = segment.open()?;
    let io = Meter::new(guard.clone());
    let mut found = Vec::new();
    for (row_group, group) in opened.summary().row_groups.iter().enumerate() {
        ScanStats::add(&guard.stats.row_groups_total, 1);
        if !prune::group_holds(group, Some(&ordinals)) {
            ScanStats::add(&guard.stats.row_groups_pruned, 1);
            continue;
        }
        let rows = trace_rows(segment, &opened, row_group, &ordinals, &io)?;
        ScanStats::add(&guard.stats.rows_scanned, rows.len() as u64);
        ScanStats::add(&guard.stats.rows_matched, rows.len() as u64);
        found.push(read_rows(segment, &opened, row_group, &rows, columns, &io)?);
    }
    Ok(found)
}

/// Rows of a row group, ascending, that are whole traces of it where parents are wanted.
pub(super) fn read_rows(
    segment: &Segment,
    opened: &Opened,
    row_group: usize,
    rows: &[u32],
    columns: &[ScanColumn],
    io: &Meter,
) -> Result<RecordBatch> {
    let assembler = Assembler { segment, opened, row_group };
    let mut leaves = Vec::new();
    for column in columns {
        leaves.extend(assembler.leaves(column, Parents::InBatch)?);
    }
    leaves.sort_unstable();
    leaves.dedup();
    leaves.retain(|leaf| !opened.all_null(row_group, *leaf, rows));
    if leaves.is_empty() {
        leaves.push(opened.leaf(col::FLAGS)?); // rows are counted by some column
    }
    let total = opened.row_group(row_group)?.rows as usize;
    let ranges = rows.iter().map(|row| *row as usize..*row as usize + 1);
    let selection = RowSelection::from_consecutive_ranges(ranges, total);
    let mut batches = opened.read_rows(row_group, &leaves, Some(selection), rows.len(), io)?;
    let file = batches.next().transpose()?.filter(|file| file.num_rows() == rows.len());
    let file = file.ok_or_else(|| {
        Error::corrupt(format!("row group {row_group} has fewer rows than its traces"))
    })?;
    assembler.assemble(&file, columns, Parents::InBatch, io)
}

// Drops spans that are equal to an earlier one in id and content: a sender that did not get its
// answer sent them again in another request.
fn collapse(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let mut seen: HashMap<u64, u32> = HashMap::new();
    for batch in &batches {
        let Some(ids) = batch.column_by_name(col::SPAN_ID) else { return Ok(batches) };
        let ids = ids.as_fixed_size_binary();
        for row in 0..ids.len() {
            *seen.entry(number(ids.value(row))).or_insert(0) += 1;
        }
    }
    if seen.values().all(|count| *count == 1) {
        return Ok(batches);
    }
    let mut contents: HashSet<Vec<u8>> = HashSet::new();
    let mut kept = Vec::with_capacity(batches.len());
    for batch in batches {
        let ids = batch.column_by_name(col::SPAN_ID).map(|ids| ids.as_fixed_size_binary().clone());
        let Some(ids) = ids else { continue };
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let single = seen.get(&number(ids.value(row))).is_none_or(|count| *count == 1);
            keep.push(single || contents.insert(content(&batch, row)?));
        }
        kept.push(filter_record_batch(&batch, &BooleanArray::from(keep))?);
    }
    Ok(kept)
}

// A span id as a number; those of other widths, which there are not, would share one.
fn number(id: &[u8]) -> u64 {
    id.try_into().map(u64::from_be_bytes).unwrap_or_default()
}

// The bytes of a row, whatever dictionaries its batch has; attributes in the order of their keys.
fn content(batch: &RecordBatch, row: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    for array in batch.columns() {
        out.push(u8::from(array.is_valid(row)));
        if array.is_null(row) {
            continue;
        }
        if let Some(map) = array.as_map_opt() {
            let mut entries = map_entries(map, row).collect::<Vec<_>>();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            for (key, value) in entries {
                throughline_model::attrs::put_encoded(&mut out, key, value);
            }
        } else if let Some(dictionary) = array.as_dictionary_opt::<UInt32Type>() {
            let key = dictionary.keys().value(row) as usize;
            let values = dictionary.values();
            match values.as_string_opt::<i32>() {
                Some(strings) => out.extend_from_slice(strings.value(key).as_bytes()),
                None => out.extend_from_slice(values.as_binary::<i32>().value(key)),
            }
        } else if let Some(ids) = array.as_fixed_size_binary_opt() {
            out.extend_from_slice(ids.value(row));
        } else if let Some(bytes) = array.as_binary_opt::<i32>() {
            out.extend_from_slice(bytes.value(row));
        } else {
            let data = array.slice(row, 1).to_data();
            let width = data.data_type().primitive_width().unwrap_or_default();
            let start = data.offset() * width;
            out.extend_from_slice(&data.buffers()[0][start..start + width]);
        }
        out.push(0xff);
    }
    Ok(out)
}

// Log records of a trace may lie in any row group; the scan knows how to find them.
async fn read_logs_of(
    tier: &Tier,
    id: TraceId,
    columns: Option<Vec<ScanColumn>>,
    hint: Option<TimeRange>,
    context: &ScanContext,
) -> Result<Vec<RecordBatch>> {
    let of_trace = Predicate {
        target: Target::Column(col::TRACE_ID.to_owned()),
        op: Op::Eq(Operand::Bytes(id.0.to_vec())),
    };
    let request = ScanRequest {
        columns: columns.unwrap_or_else(|| item_columns(Signal::Logs)),
        predicates: vec![of_trace],
        time: hint.unwrap_or(TimeRange::ALL),
        order: ScanOrder::Any,
        limit: None,
    };
    let mut stream = scan_tier(Signal::Logs, tier, request, context.clone());
    let mut found = Vec::new();
    while let Some(batch) = stream.next().await {
        found.push(batch?);
    }
    Ok(found)
}

/// All rows of one trace: all columns, or those asked for.
/// `hint` leaves out segments (of spans) or rows (of logs) outside a range of time.
pub async fn read_trace(
    signal: Signal,
    tier: &Tier,
    id: TraceId,
    columns: Option<Vec<ScanColumn>>,
    hint: Option<TimeRange>,
    context: &ScanContext,
) -> Result<Vec<RecordBatch>> {
    if signal == Signal::Logs {
        return read_logs_of(tier, id, columns, hint, context).await;
    }
    let read = |columns: Option<Vec<ScanColumn>>, context: &ScanContext| {
        let (guard, tier) = (Guard::new(context), tier.clone());
        let task = context
            .tracker
            .spawn_blocking(move || read_spans_of(&tier, id, columns.as_deref(), hint, &guard));
        async move {
            task.await.map_err(|err| {
                Error::new(ErrorKind::Closed, format!("reading trace {id} did not finish: {err}"))
            })?
        }
    };
    if columns.is_some() {
        return collapse(read(columns, context).await?);
    }
    // Attributes are half of the work: they are read beside the rest, and are not counted again.
    let (attributes, rest): (Vec<_>, Vec<_>) = item_columns(Signal::Traces)
        .into_iter()
        .partition(|column| *column == ScanColumn::Attributes);
    let beside = ScanContext { stats: Arc::default(), ..context.clone() };
    let (rest, attributes) =
        tokio::try_join!(read(Some(rest), context), read(Some(attributes), &beside))?;
    let bytes = beside.stats.bytes_read.load(Ordering::Relaxed);
    ScanStats::add(&context.stats.bytes_read, bytes);
    match joined(&rest, &attributes)? {
        Some(whole) => collapse(whole),
        // A segment went bad between the two.
        None => collapse(read(None, context).await?),
    }
}

// Batches of all columns from those of attributes and those of the rest, in the order of the schema.
fn joined(rest: &[RecordBatch], attributes: &[RecordBatch]) -> Result<Option<Vec<RecordBatch>>> {
    let same = |(a, b): (&RecordBatch, &RecordBatch)| a.num_rows() == b.num_rows();
    if rest.len() != attributes.len() || !rest.iter().zip(attributes).all(same) {
        return Ok(None);
    }
    let mut whole = Vec::with_capacity(rest.len());
    for (rest, attributes) in rest.iter().zip(attributes) {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for column in item_columns(Signal::Traces) {
            let name = column.name();
            let from = if rest.column_by_name(&name).is_some() { rest } else { attributes };
            let at = from.schema().index_of(&name)?;
            fields.push(from.schema().field(at).clone());
            columns.push(from.column(at).clone());
        }
        whole.push(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?);
    }
    Ok(Some(whole))
}
