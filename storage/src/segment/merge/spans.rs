//! Merges slabs of spans.
//!
//! The trace tables of the inputs say which traces there are, when each starts and how many rows it
//! has: that is enough to number the traces of the output and to cut it into slabs before any row is
//! read. Then each output slab gathers its traces from the input slabs that hold some of them. Inputs
//! mostly follow one another in time, so an input slab is read once and its tail kept for the next
//! output slab; where inputs overlap so much that the kept rows would exceed a slab, they are read
//! again instead.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use throughline_model::{Signal, TraceId};

use super::attributes::{InputAttributes, route_columns};
use super::{Input, READ_ROWS, attribute_counts};
use crate::Result;
use crate::segment::facts;
use crate::segment::gather::RowRef;
use crate::segment::index::traces::TraceEntry;
use crate::segment::layout::{Layout, TRACE};
use crate::segment::open::Meter;
use crate::segment::rows::Assembler;
use crate::segment::spans::{SlabPlan, SlabRow, SortedSlab};
use crate::segment::writer::SegmentWriter;
use crate::segment::{SegmentMeta, Sinks, WriteOptions};

pub(super) fn merge_spans(
    inputs: &[Input],
    options: &WriteOptions,
    layout: &Layout,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let (traces, numbers) = unite(inputs, layout.slab_rows)?;
    let plan = SlabPlan::new(&traces, layout.slab_rows);
    let ordinals = numbers
        .iter()
        .map(|input| input.iter().map(|number| plan.ordinals[*number as usize]).collect())
        .collect::<Vec<Vec<u32>>>();
    let mut sources = sources(inputs, &ordinals, &plan);
    let rows = inputs.iter().map(|input| input.opened.summary().rows).sum();
    let counts = attribute_counts(inputs);
    let mut writer = SegmentWriter::new(Signal::Traces, options, layout, sinks, rows, counts);
    let attributes = inputs.iter().map(|input| InputAttributes::of(&input.opened, Signal::Traces));
    let attributes = attributes.collect::<Vec<_>>();
    let mut held: HashMap<usize, Loaded> = HashMap::new();
    for (number, slab) in plan.slabs.iter().enumerate() {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut batch_inputs: Vec<InputAttributes> = Vec::new();
        let mut slab_rows: Vec<SlabRow> = Vec::new();
        for (at, source) in sources.iter_mut().enumerate() {
            let Some(rows_here) = source.rows_by_slab.remove(&number) else { continue };
            let loaded = match held.remove(&at) {
                Some(loaded) => loaded,
                None => {
                    let kept = held.values().map(|loaded| loaded.rows_left).sum::<usize>();
                    let later = source.rows_by_slab.values().sum::<usize>();
                    let only = (kept + later > layout.slab_rows).then_some(number);
                    source.load(&inputs[source.input], &ordinals[source.input], &plan, only)?
                }
            };
            loaded.take(number, &plan, &mut batches, &mut slab_rows);
            batch_inputs.resize(batches.len(), attributes[source.input].clone());
            let rows_left = loaded.rows_left - rows_here.min(loaded.rows_left);
            if rows_left > 0 {
                held.insert(at, Loaded { rows_left, ..loaded });
            }
        }
        let slab = SortedSlab::new(&batches, slab_rows, slab, layout.order)?;
        let routed = route_columns(&slab.gather(), &batch_inputs, writer.columns())?;
        slab.write(&mut writer, routed)?;
    }
    writer.index.traces = plan.entries;
    facts::of_segments(&mut writer.index, inputs.iter().map(|input| &input.segment))?;
    writer.finish()
}

// The traces of all inputs, and for each input the numbers of its ordinals among them. Parts of one
// trace unite, unless they would not fit into a slab.
fn unite(inputs: &[Input], slab_rows: usize) -> Result<(Vec<TraceEntry>, Vec<Vec<u32>>)> {
    let tables =
        inputs.iter().map(|input| input.opened.trace_entries()).collect::<Result<Vec<_>>>()?;
    let mut rows: HashMap<TraceId, u64> = HashMap::new();
    tables.iter().flatten().for_each(|entry| {
        *rows.entry(entry.id).or_insert(0) += u64::from(entry.rows);
    });
    let mut known: HashMap<TraceId, u32> = HashMap::with_capacity(rows.len());
    let mut traces: Vec<TraceEntry> = Vec::with_capacity(rows.len());
    let mut numbers = Vec::with_capacity(tables.len());
    for table in tables {
        let mut of_table = Vec::with_capacity(table.len());
        for entry in table {
            let fits = rows.get(&entry.id).is_some_and(|rows| *rows <= slab_rows as u64);
            let number = match known.get(&entry.id) {
                Some(number) if fits => *number,
                _ => {
                    let number = traces.len() as u32;
                    traces.push(TraceEntry { rows: 0, ..entry });
                    known.insert(entry.id, number);
                    number
                }
            };
            let united = &mut traces[number as usize];
            united.rows += entry.rows;
            united.first_time_ns = united.first_time_ns.min(entry.first_time_ns);
            of_table.push(number);
        }
        numbers.push(of_table);
    }
    Ok((traces, numbers))
}

/// A slab of an input.
struct Source {
    input: usize,
    row_group: usize,
    /// Rows that go into each output slab that is not written yet.
    rows_by_slab: HashMap<usize, usize>,
}

fn sources(inputs: &[Input], ordinals: &[Vec<u32>], plan: &SlabPlan) -> Vec<Source> {
    let mut sources = Vec::new();
    for (input, Input { opened, .. }) in inputs.iter().enumerate() {
        let entries = opened.trace_entries().unwrap_or_default();
        for (row_group, group) in opened.summary().row_groups.iter().enumerate() {
            let mut rows_by_slab = HashMap::new();
            for old in group.first_trace..group.first_trace + group.traces {
                let slab = plan.slab_of(ordinals[input][old as usize]);
                let rows = entries.get(old as usize).map_or(0, |entry| entry.rows as usize);
                *rows_by_slab.entry(slab).or_insert(0) += rows;
            }
            sources.push(Source { input, row_group, rows_by_slab });
        }
    }
    sources
}

/// Rows of an input slab.
struct Loaded {
    batches: Vec<RecordBatch>,
    /// The output ordinal of each row of each batch.
    ordinals: Vec<Vec<u32>>,
    rows_left: usize,
}

impl Source {
    // All rows, or only those of one output slab.
    fn load(
        &self,
        input: &Input,
        ordinals: &[u32],
        plan: &SlabPlan,
        only: Option<usize>,
    ) -> Result<Loaded> {
        let io = Meter::unlimited();
        let opened = &input.opened;
        let selection = match only {
            Some(slab) => Some(self.select(input, ordinals, plan, slab, &io)?),
            None => None,
        };
        let assembler = Assembler { segment: &input.segment, opened, row_group: self.row_group };
        let leaves = (0..opened.footer.schema().fields().len()).collect::<Vec<_>>();
        let mut loaded = Loaded { batches: Vec::new(), ordinals: Vec::new(), rows_left: 0 };
        for file in opened.read_rows(self.row_group, &leaves, selection, READ_ROWS, &io)? {
            let file = file?;
            let old = file.column(opened.leaf(TRACE)?).as_primitive::<UInt32Type>().values();
            loaded.ordinals.push(old.iter().map(|old| ordinals[*old as usize]).collect());
            loaded.rows_left += file.num_rows();
            loaded.batches.push(assembler.assemble_for_merge(&file, &io)?);
        }
        Ok(loaded)
    }

    fn select(
        &self,
        input: &Input,
        ordinals: &[u32],
        plan: &SlabPlan,
        slab: usize,
        io: &Meter,
    ) -> Result<RowSelection> {
        let opened = &input.opened;
        let mut selectors: Vec<RowSelector> = Vec::new();
        let leaf = [opened.leaf(TRACE)?];
        for batch in opened.read_rows(self.row_group, &leaf, None, READ_ROWS, io)? {
            let column = batch?.column(0).clone();
            for old in column.as_primitive::<UInt32Type>().values() {
                let skip = plan.slab_of(ordinals[*old as usize]) != slab;
                match selectors.last_mut() {
                    Some(last) if last.skip == skip => last.row_count += 1,
                    _ => selectors.push(RowSelector { row_count: 1, skip }),
                }
            }
        }
        Ok(RowSelection::from(selectors))
    }
}

impl Loaded {
    fn take(
        &self,
        slab: usize,
        plan: &SlabPlan,
        batches: &mut Vec<RecordBatch>,
        rows: &mut Vec<SlabRow>,
    ) {
        let wanted = plan.slabs[slab];
        let wanted = wanted.first..wanted.first + wanted.traces;
        for (batch, ordinals) in self.batches.iter().zip(&self.ordinals) {
            debug_assert_eq!(batch.column(0).len(), ordinals.len());
            let number = batches.len() as u32;
            batches.push(batch.clone());
            let here = ordinals.iter().enumerate().filter(|(_, trace)| wanted.contains(*trace));
            rows.extend(here.map(|(row, trace)| SlabRow {
                at: RowRef { batch: number, row: row as u32 },
                trace: *trace,
            }));
        }
    }
}
