//! Merges log records: a k-way merge of inputs by bucket and service, which all are sorted by; what a
//! row group takes is then sorted by template and time. Templates of the inputs are united first.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::template::{Miner, Template};
use throughline_model::{Signal, TraceId};

use super::attributes::{InputAttributes, route_columns};
use super::{Input, READ_ROWS, ROW_GROUP_RAW_BYTES_MAX, ROW_GROUP_ROWS_MIN, attribute_counts};
use crate::segment::facts;
use crate::segment::gather::{Gather, RowRef, Unified, dictionary_keys};
use crate::segment::index::traces::TraceEntry;
use crate::segment::layout::{Layout, TRACE};
use crate::segment::logs::{BUCKET_NS, LogParts, LogTraces, write_rows};
use crate::segment::open::{Meter, Rows};
use crate::segment::row_set::RowSet;
use crate::segment::rows::Assembler;
use crate::segment::spans::column;
use crate::segment::templates::SegmentTemplates;
use crate::segment::writer::SegmentWriter;
use crate::segment::{SegmentMeta, Sinks, WriteOptions};
use crate::{Error, Result};

/// Bytes of batches in memory past which a row group is closed early.
const GROUP_BYTES_MAX: usize = 2 * ROW_GROUP_RAW_BYTES_MAX as usize;
/// Rows that are read at once, however fat.
const READ_ROWS_MIN: usize = 64;

pub(super) fn merge_logs(
    inputs: &[Input],
    options: &WriteOptions,
    layout: &Layout,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let mut parts = LogParts::new(unite(inputs)?);
    let (templates, numbers) = unite_templates(inputs)?;
    let rows = inputs.iter().map(Input::rows_left).sum();
    let counts = attribute_counts(inputs);
    let mut writer = SegmentWriter::new(Signal::Logs, options, layout, sinks, rows, counts);
    let mut group = Group::default();
    let mut cursors = Vec::new();
    for (input, numbers) in inputs.iter().zip(&numbers) {
        let share = layout.slab_rows / (2 * inputs.len());
        let mut cursor = Cursor::new(input, numbers, share.clamp(READ_ROWS_MIN, READ_ROWS));
        if cursor.next_batch(&mut group)? {
            cursors.push(cursor);
        }
    }
    while !cursors.is_empty() {
        let least = least_of(&cursors, None);
        let bound = (cursors.len() > 1).then(|| least_of(&cursors, Some(least)));
        let bound = bound.map(|other| cursors[other].key()).map(|(b, s)| (b, s.to_owned()));
        let ended = cursors[least].take_run(bound.as_ref(), &mut group)?;
        if ended {
            cursors.remove(least);
        }
        let rows = group.order.len();
        let heavy = group.bytes >= GROUP_BYTES_MAX && rows as u64 >= ROW_GROUP_ROWS_MIN;
        if rows >= layout.slab_rows || heavy {
            group.write(&mut writer, &mut cursors, &mut parts, layout.slab_rows)?;
        }
    }
    while !group.order.is_empty() {
        group.write(&mut writer, &mut cursors, &mut parts, layout.slab_rows)?;
    }
    writer.index.traces = parts.traces.entries;
    writer.index.templates = SegmentTemplates { templates };
    facts::of_segments(&mut writer.index, inputs.iter().map(|input| &input.segment))?;
    writer.finish()
}

/// The templates of all inputs as one list, and for each input the new numbers of its own.
fn unite_templates(inputs: &[Input]) -> Result<(Vec<Template>, Vec<Vec<u32>>)> {
    let mut miner = Miner::default();
    let mut numbers = Vec::with_capacity(inputs.len());
    for input in inputs {
        let known = input.segment.templates()?;
        let learnt = known.templates.iter().map(|t| miner.learn_template(&t.text, t.count));
        numbers.push(learnt.collect::<Vec<_>>());
    }
    let united = miner.finish();
    for number in numbers.iter_mut().flatten() {
        *number = united.of_shape[*number as usize];
    }
    Ok((united.templates, numbers))
}

fn unite(inputs: &[Input]) -> Result<LogTraces> {
    let mut entries: HashMap<TraceId, TraceEntry> = HashMap::new();
    for input in inputs {
        let gone = input.deleted_by_trace()?;
        for (entry, gone) in input.opened.trace_entries()?.into_iter().zip(gone) {
            let entry = TraceEntry { rows: entry.rows.saturating_sub(gone), ..entry };
            if entry.rows == 0 {
                continue;
            }
            let united = entries.entry(entry.id).or_insert(TraceEntry { rows: 0, ..entry });
            united.rows += entry.rows;
            united.first_time_ns = united.first_time_ns.min(entry.first_time_ns);
        }
    }
    Ok(LogTraces::number(entries.into_values().collect()))
}

impl Input {
    fn rows_left(&self) -> u64 {
        let deleted = self.deleted.as_ref().map_or(0, |deleted| deleted.count());
        self.opened.summary().rows.saturating_sub(deleted)
    }

    // How many rows of each trace are deleted, by ordinal; then none.
    fn deleted_by_trace(&self) -> Result<impl Iterator<Item = u32> + use<>> {
        let mut counts = Vec::new();
        let groups = 0..self.opened.summary().row_groups.len();
        for (row_group, deleted) in
            groups.filter_map(|number| Some((number, self.deleted.as_ref()?.group(number)?)))
        {
            let (leaves, count) = ([self.opened.leaf(TRACE)?], deleted.count());
            let (rows, io) = (Some(deleted.selection()), Meter::unlimited());
            for batch in self.opened.read_rows(row_group, &leaves, rows, count, &io)? {
                let batch = batch?;
                let ordinals = batch.column(0).as_primitive::<UInt32Type>();
                for ordinal in ordinals.iter().flatten() {
                    let at = ordinal as usize;
                    counts.resize(counts.len().max(at + 1), 0);
                    counts[at] += 1;
                }
            }
        }
        Ok(counts.into_iter().chain(std::iter::repeat(0)))
    }
}

fn least_of(cursors: &[Cursor<'_>], but: Option<usize>) -> usize {
    let others = (0..cursors.len()).filter(|i| Some(*i) != but);
    others.min_by(|a, b| cursors[*a].key().cmp(&cursors[*b].key())).unwrap_or_default()
}

/// Rows of the row group under way: references into the batches that cursors have read.
#[derive(Default)]
struct Group {
    batches: Vec<RecordBatch>,
    templates: Vec<Vec<u32>>,
    inputs: Vec<InputAttributes>,
    order: Vec<RowRef>,
    bytes: usize,
}

impl Group {
    // Writes at most `rows_max` rows and keeps what cursors and left rows still point into.
    fn write(
        &mut self,
        writer: &mut SegmentWriter<'_>,
        cursors: &mut [Cursor<'_>],
        parts: &mut LogParts,
        rows_max: usize,
    ) -> Result<()> {
        parts.templates = std::mem::take(&mut self.templates);
        self.sort(&parts.templates)?;
        let left = self.order.split_off(self.order.len().min(rows_max));
        let gather = Gather { batches: &self.batches, order: &self.order };
        let routed = route_columns(&gather, &self.inputs, writer.columns())?;
        write_rows(writer, &gather, routed, parts)?;
        self.order = left;
        let mut moved: HashMap<u32, u32> = HashMap::new();
        let (mut kept, mut kept_inputs) = (Vec::new(), Vec::new());
        let (batches, inputs) = (&self.batches, &self.inputs);
        let mut place = |old: u32| {
            *moved.entry(old).or_insert_with(|| {
                kept.push(batches[old as usize].clone());
                kept_inputs.push(inputs[old as usize].clone());
                self.templates.push(std::mem::take(&mut parts.templates[old as usize]));
                kept.len() as u32 - 1
            })
        };
        cursors.iter_mut().for_each(|cursor| cursor.batch = place(cursor.batch));
        self.order.iter_mut().for_each(|at| at.batch = place(at.batch));
        self.batches = kept;
        self.inputs = kept_inputs;
        self.bytes = self.batches.iter().map(RecordBatch::get_array_memory_size).sum();
        Ok(())
    }

    fn sort(&mut self, templates: &[Vec<u32>]) -> Result<()> {
        let Some(first) = self.batches.first() else { return Ok(()) };
        let service = first.schema().index_of(col::SERVICE_NAME)?;
        let ranks = Unified::of(&self.batches, service)?.ranked();
        let mut times = Vec::with_capacity(self.batches.len());
        for batch in &self.batches {
            let column = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>();
            times.push(column.values().as_ref());
        }
        let keys = self.batches.iter().map(|batch| dictionary_keys(batch, service));
        let keys = keys.collect::<Vec<_>>();
        let key = |at: &RowRef| {
            let (batch, row) = (at.batch as usize, at.row as usize);
            let (time, rank) = (times[batch][row], ranks.maps[batch][keys[batch][row] as usize]);
            (time.div_euclid(BUCKET_NS), rank, templates[batch][row], time, at.batch, at.row)
        };
        let mut sorted = self.order.iter().map(key).collect::<Vec<_>>();
        sorted.sort_unstable();
        self.order =
            sorted.iter().map(|(.., batch, row)| RowRef { batch: *batch, row: *row }).collect();
        Ok(())
    }
}

/// Reads one input in its order.
struct Cursor<'a> {
    input: &'a Input,
    /// The output's numbers of the input's templates.
    numbers: &'a [u32],
    /// The templates of the rows of the row group that are not read yet.
    templates: VecDeque<(u32, usize)>,
    attributes: InputAttributes,
    read_rows: usize,
    row_group: usize,
    rows: Option<Rows>,
    batch: u32,
    row: usize,
    times: Vec<i64>,
    service_keys: Vec<u32>,
    services: Arc<StringArray>,
}

impl<'a> Cursor<'a> {
    fn new(input: &'a Input, numbers: &'a [u32], read_rows: usize) -> Self {
        Self {
            input,
            numbers,
            templates: VecDeque::new(),
            attributes: InputAttributes::of(&input.opened, Signal::Logs),
            read_rows,
            row_group: 0,
            rows: None,
            batch: 0,
            row: 0,
            times: Vec::new(),
            service_keys: Vec::new(),
            services: Arc::new(StringArray::new_null(0)),
        }
    }

    fn key(&self) -> (i64, &str) {
        let service = self.services.value(self.service_keys[self.row] as usize);
        (self.times[self.row].div_euclid(BUCKET_NS), service)
    }

    // Takes rows up to the key of another cursor, at most to the end of the batch. True at the end
    // of the input.
    fn take_run(&mut self, bound: Option<&(i64, String)>, group: &mut Group) -> Result<bool> {
        loop {
            group.order.push(RowRef { batch: self.batch, row: self.row as u32 });
            self.row += 1;
            if self.row == self.times.len() {
                return Ok(!self.next_batch(group)?);
            }
            let within =
                bound.is_none_or(|(bucket, service)| self.key() <= (*bucket, service.as_str()));
            if !within {
                return Ok(false);
            }
        }
    }

    // False at the end of the input.
    fn next_batch(&mut self, group: &mut Group) -> Result<bool> {
        let io = Meter::unlimited();
        let opened = &self.input.opened;
        loop {
            if self.rows.is_none() {
                if self.row_group == opened.summary().row_groups.len() {
                    return Ok(false);
                }
                let deleted = self.input.deleted.as_ref();
                let kept = deleted.and_then(|rows| rows.group(self.row_group)).cloned();
                let kept = kept.map(RowSet::complement);
                if kept.as_ref().is_some_and(RowSet::is_empty) {
                    self.row_group += 1;
                    continue;
                }
                let leaves = (0..opened.footer.schema().fields().len()).collect::<Vec<_>>();
                let selection = kept.as_ref().map(RowSet::selection);
                let rows =
                    opened.read_rows(self.row_group, &leaves, selection, self.read_rows, &io)?;
                self.rows = Some(rows);
                let count = |rows: Range<usize>| match &kept {
                    Some(kept) => kept.count_range(rows),
                    None => rows.len(),
                };
                let runs = self.input.segment.log_runs(self.row_group, &io)?;
                let runs = runs.iter().map(|(key, rows)| (key.template, count(rows)));
                self.templates = runs.filter(|(_, rows)| *rows > 0).collect();
            }
            let Some(file) = self.rows.as_mut().and_then(Iterator::next) else {
                self.rows = None;
                self.row_group += 1;
                continue;
            };
            let segment = &self.input.segment;
            let assembler = Assembler { segment, opened, row_group: self.row_group };
            let batch = assembler.assemble_for_merge(&file?, &io)?;
            if batch.num_rows() == 0 {
                continue;
            }
            self.start(&batch)?;
            self.batch = group.batches.len() as u32;
            group.bytes += batch.get_array_memory_size();
            group.templates.push(self.take_templates(batch.num_rows())?);
            group.batches.push(batch);
            group.inputs.push(self.attributes.clone());
            return Ok(true);
        }
    }

    // The new numbers of the templates of the next rows.
    fn take_templates(&mut self, rows: usize) -> Result<Vec<u32>> {
        let mut taken = Vec::with_capacity(rows);
        while taken.len() < rows {
            let missing = rows - taken.len();
            let run = self.templates.front_mut();
            let number = run.as_ref().and_then(|(old, _)| self.numbers.get(*old as usize));
            let (Some((_, left)), Some(number)) = (run, number) else {
                return Err(Error::corrupt(format!("{missing} rows have no template")));
            };
            let now = missing.min(*left);
            taken.extend(std::iter::repeat_n(*number, now));
            *left -= now;
            if *left == 0 {
                self.templates.pop_front();
            }
        }
        Ok(taken)
    }

    fn start(&mut self, batch: &RecordBatch) -> Result<()> {
        let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>();
        let services = column(batch, col::SERVICE_NAME)?.as_dictionary::<UInt32Type>();
        self.times = times.values().to_vec();
        self.service_keys = services.keys().values().to_vec();
        let names = services.values().as_string_opt::<i32>();
        let names = names.ok_or_else(|| Error::corrupt("service names are no strings"))?;
        self.services = Arc::new(names.clone());
        self.row = 0;
        Ok(())
    }
}
