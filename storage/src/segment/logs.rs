//! Log records in the order of the file: by five-minute bucket, service, time.
//!
//! The template of a record joins the key between service and time when templates come. A trace of
//! log records is an ordinal of the segment's trace table, as with spans, but its rows may lie in any
//! row group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{Int32Type, TimestampNanosecondType};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::MINUTE_NS;
use throughline_model::{Signal, TraceId};

use super::attributes::{AttributeCounts, Routed, route};
use super::gather::{Gather, RowRef, Unified, dictionary_keys};
use super::index::summary::RowGroupSummary;
use super::index::traces::TraceEntry;
use super::layout::{Layout, TRACE};
use super::spans::column;
use super::writer::SegmentWriter;
use super::{SegmentMeta, Sinks, WriteOptions};
use crate::Result;

/// Rows of one such stretch of time lie together.
pub(super) const BUCKET_NS: i64 = 5 * MINUTE_NS;

/// Sorts and writes log records in the item schema. Sync and CPU-heavy: call it off the async
/// workers.
pub fn write_logs(
    batches: &[RecordBatch],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let layout = Layout::default();
    let counts = AttributeCounts::of(batches)?;
    let order = sort(batches)?;
    let mut entries: HashMap<TraceId, TraceEntry> = HashMap::new();
    for batch in batches {
        collect_traces(batch, &mut entries)?;
    }
    let traces = LogTraces::number(entries.into_values().collect());
    let rows = order.len() as u64;
    let mut writer = SegmentWriter::new(Signal::Logs, options, &layout, sinks, rows, counts);
    for rows in order.chunks(layout.slab_rows) {
        let gather = Gather { batches, order: rows };
        let routed = route(&gather, writer.columns())?;
        write_rows(&mut writer, &gather, routed, &traces)?;
    }
    writer.index.traces = traces.entries;
    writer.finish()
}

/// The traces of a log segment, numbered.
#[derive(Debug)]
pub(super) struct LogTraces {
    pub entries: Vec<TraceEntry>,
    ordinals: HashMap<TraceId, u32>,
}

impl LogTraces {
    pub(super) fn number(mut entries: Vec<TraceEntry>) -> Self {
        entries.sort_unstable_by_key(|entry| (entry.first_time_ns, entry.id));
        let ordinals = entries.iter().enumerate().map(|(i, entry)| (entry.id, i as u32));
        Self { ordinals: ordinals.collect(), entries }
    }
}

fn collect_traces(batch: &RecordBatch, entries: &mut HashMap<TraceId, TraceEntry>) -> Result<()> {
    let ids = column(batch, col::TRACE_ID)?.as_fixed_size_binary();
    let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
    for (row, time) in times.iter().enumerate() {
        if ids.is_valid(row) {
            let id = TraceId::from_slice(ids.value(row))?;
            let new = TraceEntry { id, first_time_ns: *time, rows: 0 };
            let entry = entries.entry(id).or_insert(new);
            entry.rows += 1;
            entry.first_time_ns = entry.first_time_ns.min(*time);
        }
    }
    Ok(())
}

fn sort(batches: &[RecordBatch]) -> Result<Vec<RowRef>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let service = first.schema().index_of(col::SERVICE_NAME)?;
    let ranks = Unified::of(batches, service)?.ranked();
    let mut keys = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
        let services = dictionary_keys(batch, service);
        for (row, time) in times.iter().enumerate() {
            let rank = ranks.maps[number][services[row] as usize];
            keys.push((time.div_euclid(BUCKET_NS), rank, *time, number as u32, row as u32));
        }
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(_, _, _, batch, row)| RowRef { batch, row }).collect())
}

/// Writes rows that are in order as one row group.
pub(super) fn write_rows(
    writer: &mut SegmentWriter<'_>,
    gather: &Gather<'_>,
    routed: Routed,
    traces: &LogTraces,
) -> Result<()> {
    let Gather { batches, order } = *gather;
    let times = gather.values::<TimestampNanosecondType>(gather.index(col::TIME)?);
    let max_time_ns = times.iter().copied().max().unwrap_or_default();
    let summary = RowGroupSummary {
        rows: order.len() as u32,
        min_time_ns: times.iter().copied().min().unwrap_or_default(),
        max_time_ns,
        max_end_ns: max_time_ns,
        first_trace: 0,
        traces: 0,
        twins: false,
    };
    count_minutes(writer, gather, &times)?;
    let index = gather.index(col::TRACE_ID)?;
    let columns = batches.iter().map(|b| b.column(index).as_fixed_size_binary());
    let columns = columns.collect::<Vec<_>>();
    let ordinal = |at: &RowRef| {
        let (column, row) = (columns[at.batch as usize], at.row as usize);
        let id = column.is_valid(row).then(|| TraceId::from_slice(column.value(row)).ok())??;
        traces.ordinals.get(&id).copied()
    };
    let ordinals: ArrayRef = Arc::new(order.iter().map(ordinal).collect::<UInt32Array>());
    writer.write_row_group(gather, HashMap::from_iter([(TRACE, ordinals)]), routed, summary)
}

fn count_minutes(writer: &mut SegmentWriter<'_>, gather: &Gather<'_>, times: &[i64]) -> Result<()> {
    let severities = gather.values::<Int32Type>(gather.index(col::SEVERITY_NUMBER)?);
    let services = Unified::of(gather.batches, gather.index(col::SERVICE_NAME)?)?;
    let index = gather.index(col::SERVICE_NAME)?;
    let mut counts: HashMap<(i64, u32, i32), u64> = HashMap::new();
    for ((at, time), severity) in gather.order.iter().zip(times).zip(&severities) {
        let key = dictionary_keys(&gather.batches[at.batch as usize], index)[at.row as usize];
        let service = services.maps[at.batch as usize][key as usize];
        *counts.entry((time.div_euclid(MINUTE_NS), service, *severity)).or_insert(0) += 1;
    }
    for ((minute, service, severity), rows) in counts {
        let service = String::from_utf8_lossy(services.values.get(service)).into_owned();
        *writer.index.log_counts.entry((minute, service, severity)).or_insert(0) += rows;
    }
    Ok(())
}
