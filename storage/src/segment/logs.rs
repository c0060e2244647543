//! Log records in the order of the file: by five-minute bucket, service, template, time.
//!
//! Templates are mined from the bodies at hand. A trace of log records is an ordinal of the segment's
//! trace table, as with spans, but its rows may lie in any row group. From level 1 on each row group has
//! a word index.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{Int32Type, TimestampNanosecondType, UInt32Type};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::template::{Miner, Template};
use throughline_model::time::MINUTE_NS;
use throughline_model::{Signal, TraceId};

use super::attributes::{AttributeCounts, Routed, route};
use super::facts;
use super::gather::{Gather, RowRef, Unified, dictionary_keys};
use super::index::summary::RowGroupSummary;
use super::index::traces::TraceEntry;
use super::layout::{DELAY, Layout, TRACE};
use super::log_runs::{LogKey, LogRuns, minute_of};
use super::spans::column;
use super::templates::SegmentTemplates;
use super::words;
use super::writer::SegmentWriter;
use super::{SegmentMeta, Sinks, WriteOptions};
use crate::Result;

/// Rows of one such stretch of time lie together.
pub(super) const BUCKET_NS: i64 = 5 * MINUTE_NS;
/// Segments of this level and above have a word index; younger ones live too briefly.
const WORDS_LEVEL_MIN: u8 = 1;

/// Sorts and writes log records in the item schema. Sync and CPU-heavy: call it off the async
/// workers.
pub fn write_logs(
    batches: &[RecordBatch],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let layout = Layout::default();
    let counts = AttributeCounts::of(batches)?;
    let (mut parts, templates) = LogParts::mined(batches)?;
    let order = sort(batches, &parts.templates)?;
    let rows = order.len() as u64;
    let mut writer = SegmentWriter::new(Signal::Logs, options, &layout, sinks, rows, counts);
    for rows in order.chunks(layout.slab_rows) {
        let gather = Gather { batches, order: rows };
        let routed = route(&gather, writer.columns())?;
        write_rows(&mut writer, &gather, routed, &mut parts)?;
    }
    writer.index.traces = parts.traces.entries;
    writer.index.templates = SegmentTemplates { templates };
    facts::of_batches(&mut writer.index, Signal::Logs, batches)?;
    writer.finish()
}

/// What the writer of a log segment knows of its rows.
#[derive(Debug)]
pub(super) struct LogParts {
    pub traces: LogTraces,
    /// The template of each row of each batch.
    pub templates: Vec<Vec<u32>>,
    /// Numbers of the services met so far.
    services: HashMap<Box<str>, u32>,
}

impl LogParts {
    pub(super) fn new(traces: LogTraces) -> Self {
        Self { traces, templates: Vec::new(), services: HashMap::new() }
    }

    fn mined(batches: &[RecordBatch]) -> Result<(Self, Vec<Template>)> {
        let mut entries: HashMap<TraceId, TraceEntry> = HashMap::new();
        for batch in batches {
            collect_traces(batch, &mut entries)?;
        }
        let mut parts = Self::new(LogTraces::number(entries.into_values().collect()));
        let (templates, rows) = mine(batches)?;
        parts.templates = rows;
        Ok((parts, templates))
    }

    fn service(&mut self, name: &str, names: &mut Vec<String>) -> u32 {
        if let Some(number) = self.services.get(name) {
            return *number;
        }
        let number = names.len() as u32;
        names.push(name.to_owned());
        self.services.insert(name.into(), number);
        number
    }
}

/// The templates of the bodies of batches, and the number of each row's.
pub(crate) fn mine(batches: &[RecordBatch]) -> Result<(Vec<Template>, Vec<Vec<u32>>)> {
    let mut miner = Miner::default();
    let mut rows = Vec::with_capacity(batches.len());
    for batch in batches {
        let bodies = column(batch, col::BODY)?.as_string::<i32>();
        let text = |row: usize| if bodies.is_valid(row) { bodies.value(row) } else { "" };
        rows.push((0..bodies.len()).map(|row| miner.learn(text(row))).collect::<Vec<_>>());
    }
    let mined = miner.finish();
    for template in rows.iter_mut().flatten() {
        *template = mined.of_shape[*template as usize];
    }
    Ok((mined.templates, rows))
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

fn sort(batches: &[RecordBatch], templates: &[Vec<u32>]) -> Result<Vec<RowRef>> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let service = first.schema().index_of(col::SERVICE_NAME)?;
    let ranks = Unified::of(batches, service)?.ranked();
    let mut keys = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
        let services = dictionary_keys(batch, service);
        for (row, time) in times.iter().enumerate() {
            let rank = ranks.maps[number][services[row] as usize];
            let template = templates[number][row];
            let bucket = time.div_euclid(BUCKET_NS);
            keys.push((bucket, rank, template, *time, number as u32, row as u32));
        }
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(.., batch, row)| RowRef { batch, row }).collect())
}

/// Writes rows that are in order as one row group.
pub(super) fn write_rows(
    writer: &mut SegmentWriter<'_>,
    gather: &Gather<'_>,
    routed: Routed,
    parts: &mut LogParts,
) -> Result<()> {
    let times = gather.values::<TimestampNanosecondType>(gather.index(col::TIME)?);
    let max_time_ns = times.iter().copied().max().unwrap_or_default();
    let summary = RowGroupSummary {
        rows: gather.order.len() as u32,
        min_time_ns: times.iter().copied().min().unwrap_or_default(),
        max_time_ns,
        max_end_ns: max_time_ns,
        first_trace: 0,
        traces: 0,
        twins: false,
    };
    let bodies = gather.index(col::BODY)?;
    let bodies = gather.column(gather.batches[0].schema().field(bodies))?;
    add_runs(writer, gather, &times, bodies.as_string(), parts)?;
    let is_indexed = writer.level() >= WORDS_LEVEL_MIN;
    let words = is_indexed.then(|| words::build(bodies.as_string())).transpose()?.flatten();
    writer.index.logs.words.push(words);
    let ordinals = trace_ordinals(gather, &parts.traces)?;
    if is_indexed {
        let traces = &mut writer.index.logs.traces;
        ordinals.as_primitive::<UInt32Type>().iter().for_each(|ordinal| traces.push(ordinal));
    }
    let delays = observed_delays(gather, &times)?;
    let special = HashMap::from_iter([(TRACE, ordinals), (DELAY, delays), (col::BODY, bodies)]);
    writer.write_row_group(gather, special, routed, summary)
}

// Most are observed when they happen or soon after: that is shorter to say than when.
fn observed_delays(gather: &Gather<'_>, times: &[i64]) -> Result<ArrayRef> {
    let observed = gather.values::<TimestampNanosecondType>(gather.index(col::OBSERVED_TIME)?);
    let delay =
        |(observed, time): (&i64, &i64)| (*observed != 0).then(|| observed.wrapping_sub(*time));
    Ok(Arc::new(observed.iter().zip(times).map(delay).collect::<Int64Array>()))
}

fn trace_ordinals(gather: &Gather<'_>, traces: &LogTraces) -> Result<ArrayRef> {
    let index = gather.index(col::TRACE_ID)?;
    let columns = gather.batches.iter().map(|b| b.column(index).as_fixed_size_binary());
    let columns = columns.collect::<Vec<_>>();
    let ordinal = |at: &RowRef| {
        let (column, row) = (columns[at.batch as usize], at.row as usize);
        let id = column.is_valid(row).then(|| TraceId::from_slice(column.value(row)).ok())??;
        traces.ordinals.get(&id).copied()
    };
    Ok(Arc::new(gather.order.iter().map(ordinal).collect::<UInt32Array>()))
}

fn add_runs(
    writer: &mut SegmentWriter<'_>,
    gather: &Gather<'_>,
    times: &[i64],
    bodies: &StringArray,
    parts: &mut LogParts,
) -> Result<()> {
    let severities = gather.values::<Int32Type>(gather.index(col::SEVERITY_NUMBER)?);
    let index = gather.index(col::SERVICE_NAME)?;
    let unified = Unified::of(gather.batches, index)?;
    let mut numbers: Vec<Option<u32>> = vec![None; unified.values.len()];
    let names = &mut writer.index.logs.services;
    let mut runs = LogRuns::default();
    let rows = gather.order.iter().zip(times).zip(severities).zip(bodies.iter());
    for (((at, time), severity), body) in rows {
        let (batch, row) = (at.batch as usize, at.row as usize);
        let key = dictionary_keys(&gather.batches[batch], index)[row];
        let unique = unified.maps[batch][key as usize];
        let service = *numbers[unique as usize].get_or_insert_with(|| {
            let name = String::from_utf8_lossy(unified.values.get(unique));
            parts.service(&name, names)
        });
        let template = parts.templates[batch][row];
        let key = LogKey { minute: minute_of(*time), service, template, severity };
        let bytes = body.map_or(0, str::len) as u32;
        runs.push(key, time.rem_euclid(MINUTE_NS) == 0, bytes);
    }
    writer.index.logs.runs.push(runs);
    Ok(())
}
