//! Reads operations: counts of segments, then heads, then the rows of buckets that a range cuts.

use std::sync::Arc;

use arrow::array::RecordBatch;
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::{
    Coverage, OperationDurations, OperationKey, OperationRows, OperationsRequest, SpanRef, Split,
    split, tolerate,
};
use crate::Result;
use crate::scan::plan::Guard;
use crate::scan::{ScanColumn, ScanContext, ScanStats};
use crate::segment::gather::{Gather, RowRef};
use crate::segment::open::{Meter, Opened, Segment};
use crate::segment::rollup::ROLLUP_NS;
use crate::segment::rollup::build::Spans;
use crate::segment::rollup::operations::{self, OperationCounts};
use crate::segment::rollup::section::{Part, RollupKeys, read_counts, read_durations};
use crate::segment::rollup::tables::Tables;
use crate::segment::rows::{Assembler, Parents};
use crate::view::View;

/// The columns that counting needs.
const COLUMNS: [&str; 7] = [
    col::SERVICE_NAME,
    col::NAME,
    col::KIND,
    col::STATUS_CODE,
    col::START_TIME,
    col::DURATION_NS,
    col::TRACE_STATE,
];

/// Reads the operations of a view. `each` is given all operations known so far, which the numbers in
/// the rows point into, and some rows; it is called again until all rows are read.
pub fn read_operations(
    view: &Arc<View>,
    request: &OperationsRequest,
    context: &ScanContext,
    mut each: impl FnMut(&[OperationKey], OperationRows) -> Result<()>,
) -> Result<Coverage> {
    let guard = Guard::new(context);
    let Split { whole, cuts } = split(request.time);
    let cuts = if request.cut_buckets { cuts } else { Vec::new() };
    let mut reader = Reader {
        guard: &guard,
        io: Meter::new(guard.clone()),
        durations: request.durations,
        whole,
        cuts,
        keys: Vec::new(),
        numbers: HashMap::new(),
        names_complete: true,
        each: &mut each,
    };
    ScanStats::add(&guard.stats.segments_total, view.spans.segments.len() as u64);
    for segment in view.spans.segments.iter() {
        guard.check()?;
        if !request.time.overlaps(segment.meta.min_time_ns, segment.meta.max_time_ns) {
            ScanStats::add(&guard.stats.segments_pruned_time, 1);
            continue;
        }
        let outcome = reader.read_segment(segment);
        tolerate(segment, &guard.stats, outcome)?;
    }
    for (number, batch) in view.spans.heads.iter().enumerate() {
        guard.check()?;
        reader.read_head(number as u32, batch)?;
    }
    let time = match request.cut_buckets {
        true => Some(request.time),
        false => (whole.start_ns < whole.end_ns).then_some(whole),
    };
    Ok(Coverage { time, names_complete: reader.names_complete })
}

struct Reader<'a, F> {
    guard: &'a Guard,
    io: Meter,
    durations: bool,
    /// Whole buckets.
    whole: TimeRange,
    /// What is answered from rows.
    cuts: Vec<TimeRange>,
    keys: Vec<OperationKey>,
    numbers: HashMap<OperationKey, u32>,
    names_complete: bool,
    each: &'a mut F,
}

impl<F: FnMut(&[OperationKey], OperationRows) -> Result<()>> Reader<'_, F> {
    fn read_segment(&mut self, segment: &Segment) -> Result<()> {
        let opened = segment.open()?;
        let keys = segment.rollup_keys(&opened, &self.io)?;
        self.names_complete &= keys.tables.names_complete;
        let mut known = vec![None; keys.tables.operations.keys.len()];
        for (number, group) in opened.index.summary.row_groups.iter().enumerate() {
            self.guard.check()?;
            let (min, max) = (group.min_time_ns, group.max_time_ns);
            ScanStats::add(&self.guard.stats.row_groups_total, 1);
            let is_cut = self.cuts.iter().any(|cut| cut.overlaps(min, max));
            if self.whole.start_ns < self.whole.end_ns && self.whole.overlaps(min, max) {
                self.read_slab(segment, &opened, &keys, number, &mut known)?;
            } else if !is_cut {
                ScanStats::add(&self.guard.stats.row_groups_pruned, 1);
            }
            if is_cut {
                self.read_cut(segment, &opened, number)?;
            }
        }
        Ok(())
    }

    fn read_slab(
        &mut self,
        segment: &Segment,
        opened: &Opened,
        keys: &RollupKeys,
        slab: usize,
        known: &mut [Option<u32>],
    ) -> Result<()> {
        let frame = opened.rollup_frame(keys, slab, Part::Counts, &self.io)?;
        let counts = read_counts(&frame, &keys.tables)?;
        let durations = match self.durations {
            true => {
                let frame = opened.rollup_frame(keys, slab, Part::Durations, &self.io)?;
                Some(read_durations(&frame, counts.keys.len())?)
            }
            false => None,
        };
        let whole = self.whole;
        let is_wanted = |row: usize| whole.contains(counts.buckets[row].saturating_mul(ROLLUP_NS));
        let all = (0..counts.keys.len()).all(is_wanted);
        let wanted = (0..counts.keys.len()).filter(|row| all || is_wanted(*row));
        let wanted = wanted.collect::<Vec<_>>();
        let number_of = |this: &mut Self, key: u32| {
            let slot = &mut known[key as usize];
            *slot.get_or_insert_with(|| this.number(&keys.tables, key))
        };
        let span = |row: u32| SpanRef { segment: Some(segment.meta.id), group: slab as u32, row };
        self.emit(&counts, durations, &wanted, all, number_of, span)
    }

    fn read_cut(&mut self, segment: &Segment, opened: &Opened, slab: usize) -> Result<()> {
        let assembler = Assembler { segment, opened, row_group: slab };
        let columns = COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned()));
        let mut leaves = Vec::new();
        for column in &columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        let rows = opened.row_group(slab)?.rows as usize;
        ScanStats::add(&self.guard.stats.rows_scanned, rows as u64);
        let mut first = 0;
        for file in opened.read_rows(slab, &leaves, None, rows, &self.io)? {
            let batch = assembler.assemble(&file?, &columns, Parents::InSlab, &self.io)?;
            let (cuts, from) = (self.cuts.clone(), first);
            let span = |row: u32| SpanRef {
                segment: Some(segment.meta.id),
                group: slab as u32,
                row: row + from,
            };
            first += batch.num_rows() as u32;
            self.read_rows(batch, span, |start| cuts.iter().any(|cut| cut.contains(start)))?;
        }
        Ok(())
    }

    fn read_head(&mut self, number: u32, batch: &RecordBatch) -> Result<()> {
        ScanStats::add(&self.guard.stats.rows_scanned, batch.num_rows() as u64);
        let (whole, cuts) = (self.whole, self.cuts.clone());
        let has_whole = whole.start_ns < whole.end_ns;
        let is_wanted = |start: i64| {
            (has_whole && whole.contains(start)) || cuts.iter().any(|cut| cut.contains(start))
        };
        let span = |row: u32| SpanRef { segment: None, group: number, row };
        self.read_rows(batch.clone(), span, is_wanted)
    }

    fn read_rows(
        &mut self,
        batch: RecordBatch,
        span: impl Fn(u32) -> SpanRef,
        is_wanted: impl Fn(i64) -> bool,
    ) -> Result<()> {
        let order = (0..batch.num_rows() as u32).map(|row| RowRef { batch: 0, row });
        let order = order.collect::<Vec<_>>();
        let batches = [batch];
        let mut tables = Tables::new(usize::MAX);
        let spans = Spans::of(&Gather { batches: &batches, order: &order }, &mut tables)?;
        let (counts, durations) = operations::count(&spans, &mut tables, is_wanted)?;
        if counts.keys.is_empty() {
            return Ok(());
        }
        let durations = self.durations.then_some(durations);
        let wanted = (0..counts.keys.len()).collect::<Vec<_>>();
        let number_of = |this: &mut Self, key: u32| this.number(&tables, key);
        self.emit(&counts, durations, &wanted, true, number_of, span)
    }

    fn emit(
        &mut self,
        counts: &OperationCounts,
        durations: Option<operations::OperationDurations>,
        wanted: &[usize],
        all: bool,
        mut number_of: impl FnMut(&mut Self, u32) -> u32,
        span: impl Fn(u32) -> SpanRef,
    ) -> Result<()> {
        if wanted.is_empty() {
            return Ok(());
        }
        let durations = durations.map(|durations| OperationDurations {
            slowest: wanted.iter().map(|row| span(durations.slowest[*row])).collect(),
            columns: match all {
                true => durations.durations,
                false => durations.durations.only(wanted),
            },
        });
        let mut keys = Vec::with_capacity(wanted.len());
        for row in wanted {
            keys.push(number_of(self, counts.keys[*row]));
        }
        let rows = OperationRows {
            keys,
            starts_ns: wanted
                .iter()
                .map(|row| counts.buckets[*row].saturating_mul(ROLLUP_NS))
                .collect(),
            counts: wanted.iter().map(|row| counts.counts[*row]).collect(),
            weighted: wanted.iter().map(|row| counts.weighted[*row]).collect(),
            durations,
        };
        (self.each)(&self.keys, rows)
    }

    /// The number of an operation of some tables among all.
    fn number(&mut self, tables: &Tables, key: u32) -> u32 {
        let operation = tables.operations.keys[key as usize];
        let key = OperationKey {
            service: Arc::from(tables.text(operation.service)),
            name: Arc::from(tables.text(operation.name)),
            kind: operation.kind,
            status_code: operation.status,
        };
        let next = self.keys.len() as u32;
        *self.numbers.entry(key).or_insert_with_key(|key| {
            self.keys.push(key.clone());
            next
        })
    }
}
